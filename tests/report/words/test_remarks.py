"""What a reader must know beside the answer."""

from decaybench.report.words.remarks import remarks
from frames_factory import change, make, named, summary_of


def test_tuning_and_replay() -> None:
    budget, replayed = remarks(summary_of(make(diverge=0.0, replayed=True, skill={"cosine": 0.02})))
    assert budget.startswith("By tuning budget: with any number of trials, take cosine. ")
    assert "it is not a verdict" in budget
    assert replayed.startswith("Does reacting help, or is the resulting shape of the learning rate enough? ")
    assert replayed.endswith("for exp_loss.")


def test_one_confirm_seed_is_not_replayed() -> None:
    assert "Nothing was replayed: a replay uses the learning rates of another retraining seed" in " ".join(
        remarks(summary_of(make(confirm_seeds=1)))
    )


def test_fixed_strategies_alone_have_nothing_to_replay() -> None:
    fixed = {"constant": "constant", "cosine": "cosine"}
    assert "react" not in " ".join(remarks(summary_of(make(fixed)))).lower()


def test_replays_that_are_still_to_be_trained() -> None:
    frames = make(diverge=0.0)
    found = [note for note in remarks(summary_of(frames)) if "replay" in note]
    assert found == ['0 of 10 replays are done. To train the rest, run "decaybench run synthetic".']
    pending = change(frames, lambda r: r.index == 0, outcome=None)
    for done in (make(diverge=0.0, replayed=True), pending):  # the search goes first, and the answer says so
        assert "decaybench run" not in " ".join(remarks(summary_of(done)))
    a, b = make({"constant": "constant", "cosine": "cosine"}, diverge=0.0), make({"exp_loss": "exp_loss"}, diverge=0.0)
    joined = summary_of(named(a, "a"), named(b, "b"))
    assert 'To train the rest, run "decaybench run b".' in " ".join(remarks(joined))


def test_what_fewer_trials_would_have_found_is_refused_for_tpe() -> None:
    frames = make()
    frames.sweep["spec"]["search"]["sampler"] = "tpe"
    assert remarks(summary_of(frames))[0].startswith("It is unknown what fewer trials would have found: TPE based")
