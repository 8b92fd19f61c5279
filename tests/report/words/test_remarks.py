"""What a reader must know beside the answer."""

from decaybench.report.words.remarks import remarks
from frames_factory import make, summary_of
from report.words.scenarios import under


def test_retraining_tuning_and_the_replay() -> None:
    retrained, budget, replayed = remarks(summary_of(make(diverge=0.0, skill={"cosine": 0.02})))
    assert retrained.startswith(
        "Retraining chose one configuration of cosine. Its mean test accuracy on 2 further seeds is"
    )
    assert budget.startswith(
        "By tuning budget: with any number of trials up to 9, the expected test result of cosine is within"
    )
    assert "not a verdict" in budget
    assert replayed.startswith("Does reacting help exp_loss? Over 2 seeds, reacting was ")
    assert replayed.endswith("A 95% interval needs confirm_seeds = 8 or more.")


def test_eight_seeds_have_an_interval() -> None:
    said = " ".join(remarks(summary_of(make(diverge=0.0, confirm_seeds=8))))
    assert "Over 8 seeds, reacting was" in said and "(95% interval " in said
    assert "interval needs" not in said


def test_without_seeds_nothing_is_retrained() -> None:
    said = " ".join(remarks(summary_of(make(diverge=0.0, confirm_seeds=0))))
    assert said.startswith("Nothing was retrained (confirm_seeds = 0)") and "reacting" not in said


def test_fixed_strategies_alone_have_nothing_to_replay() -> None:
    fixed = {"constant": "constant", "cosine": "cosine"}
    assert "react" not in " ".join(remarks(summary_of(make(fixed)))).lower()


def test_what_fewer_trials_would_have_found_is_refused_for_tpe() -> None:
    said = remarks(summary_of(under(make(confirmed=False), search={"sampler": "tpe"})))
    assert any(line.startswith("It is unknown what fewer trials would have found: TPE based") for line in said)
