import pytest

from decaybench.report import answer_text, words
from decaybench.report.words.families import families_text
from frames_factory import THREE, change, confirm_scores, make, summary_of, unconfirm

FLAT = {"constant": [0.96] * 5, "cosine": [0.97] * 5, "exp_loss": [0.95] * 5}


def text(frames) -> str:
    return answer_text(summary_of(frames))


def scored(scores=FLAT, **settings):
    return confirm_scores(make(diverge=0.0, **settings), scores)


def test_a_full_sweep() -> None:
    scores = {**FLAT, "cosine": [0.96, 0.97, 0.98, 0.97, 0.97]}
    assert text(scored(scores)) == (
        "cosine came first and is better than constant (the control): test accuracy 97.0% after retraining (95% interval "
        "96.1 to 97.9 over 5 repeats), 1.0 points ahead (unadjusted 95% interval of the difference +0.1 to +1.9). "
        "Reason: adjusted p = 0.0171 (Holm, 3 comparisons), ahead in 4 of 5 repeats, mean difference above 0.667 points. "
        "The best reactive strategy, exp_loss, is 2.0 points behind the best fixed one, cosine (unadjusted 95% interval "
        "of the difference -2.9 to -1.1); verdict: worse. Other strategies compared with constant (the control): "
        "exp_loss (worse). On average, the reactive strategies were 1.5 points behind the fixed ones (unadjusted 95% "
        "interval -1.9 to -1.1). Verdict: worse. Reason: p < 0.001, behind in 5 of 5 repeats, mean difference above "
        "0.667 points."
    )


def test_an_interval_with_zero_says_so() -> None:
    scores = {**FLAT, "cosine": [0.93, 0.97, 0.98, 0.97, 0.97]}
    got = text(scored(scores))
    assert got.startswith("cosine came first, but the comparison with constant (the control) is inconclusive: ")
    assert "of the difference -2.0 to +2.8, which includes zero)" in got
    assert (
        "5 repeats can detect a difference of 4.47 points or more (power 80%); "
        "detecting the observed 0.4 points would take 252 repeats." in got
    )


def test_loss() -> None:
    losses = {"constant": [0.12] * 5, "cosine": [0.1] * 5, "exp_loss": [0.2] * 5}
    frames = confirm_scores(make(metric="loss", diverge=0.0), losses, "test_loss")
    assert text(frames).startswith(
        "cosine came first and is better than constant (the control): test loss 0.100 nats after retraining (95% interval "
        "0.100 to 0.100 over 5 repeats), 0.020 nats ahead (unadjusted 95% interval of the difference +0.020 to +0.020)."
    )


def test_the_control_itself_may_come_first() -> None:
    got = text(scored({**FLAT, "constant": [0.98] * 5}))
    assert got.startswith("constant (the control) came first and is better than cosine (the runner-up): ")
    assert "test accuracy 98.0% after retraining" in got and ", 1.0 points ahead (" in got


def test_without_a_control_the_runner_up_is_named() -> None:
    got = text(scored({"a": [0.9] * 5, "b": [0.91] * 5}, strategies={"a": "cosine", "b": "exp_loss"}))
    assert got.startswith("b came first and is better than a (the runner-up): ") and ", 1.0 points ahead (" in got


def test_ties() -> None:
    two = text(scored({**FLAT, "exp_loss": [0.97] * 5}))
    assert two.startswith(
        "cosine and exp_loss tie for first place and are better than constant (the control): each with test "
        "accuracy 97.0% after retraining, 1.0 points ahead."
    )
    with_control = text(scored({**FLAT, "constant": [0.97] * 5}))
    assert with_control.startswith("constant (the control) and cosine tie for first place and are better than exp_loss")
    everyone = text(scored({label: [0.97] * 5 for label in THREE}))
    assert everyone == (
        "All 3 strategies tie for first place: each with test accuracy 97.0% after retraining. Their means are equal."
    )


def test_ties_whose_verdicts_differ_have_each_its_own() -> None:
    steady, wild = [0.97] * 5, [0.99, 0.95, 0.99, 0.95, 0.97]
    got = text(scored({**FLAT, "cosine": steady, "exp_loss": wild}))
    assert got.startswith("cosine and exp_loss tie for first place: each with test accuracy 97.0% after retraining")
    assert "Their verdicts against constant (the control) differ." in got
    assert "Strategies compared with constant (the control): cosine (better); exp_loss (no difference shown)." in got


def test_a_tiny_lead_is_never_a_rounded_zero() -> None:
    got = text(scored({**FLAT, "cosine": [0.9603] * 5}))
    assert (
        got.startswith("cosine came first and is equivalent to constant (the control): ")
        and ", 0.03 points ahead (" in got
    )
    assert ", less than 0.01 points ahead (" in text(scored({**FLAT, "cosine": [0.96001] * 5}))


def test_one_strategy() -> None:
    got = text(scored({"cosine": [0.97] * 5}, strategies={"cosine": "cosine"}))
    assert got.startswith("cosine is the only strategy: ") and got.endswith("There is nothing to compare it with.")
    assert "verdict" not in got


def test_few_repeats_speak_of_the_best_configuration() -> None:
    got = text(scored({label: values[:3] for label, values in FLAT.items()}, repeats=3))
    assert got.startswith("The best configuration of cosine came first: ")
    assert "ahead of the best configuration of constant, the control" in got
    assert "There is no verdict: only 3 repeats, but a verdict needs at least 5." in got
    tie = text(scored({**FLAT, "constant": [0.97], "exp_loss": [0.9]}, repeats=1))
    assert tie.startswith("The best configurations of constant (the control) and cosine tie for first place")
    three = text(scored({"constant": [0.9], "cosine": [0.95], "exp_loss": [0.93]}, repeats=1))
    assert "The best configuration of the best reactive strategy, exp_loss, is 2.0 points behind that of" in three
    everyone = text(scored({label: [0.97] for label in THREE}, repeats=1))
    assert everyone.startswith("The best configurations of all 3 strategies tie for first place")


def test_one_repeat_and_one_seed() -> None:
    got = text(scored({label: values[:1] for label, values in FLAT.items()}, repeats=1, confirm_seeds=1))
    assert (
        "97.0% after retraining (one repeat: no interval), 1.0 points ahead of the best configuration of constant, the "
        "control." in got
    )
    assert (
        "There is no verdict: only 1 repeat, but a verdict needs at least 5; only 1 retraining seed, but a verdict needs "
        "at least 2." in got
    )


def test_nothing_confirmed_yet() -> None:
    assert text(make(confirmed=False, diverge=0.0)) == (
        "No answer yet: the sweep is unfinished, with 60 of 60 trials and 0 of 30 retraining runs done."
    )
    dead = text(make(confirmed=False, diverge=9.0))
    assert dead.endswith("retraining runs done. All 60 trials so far diverged.")


def test_a_sweep_that_has_not_started() -> None:
    frames = make()
    empty = frames._replace(runs=frames.runs.iloc[:0], epochs=frames.epochs.iloc[:0], traces={})
    assert text(empty) == "No answer yet: the sweep has not started."


def test_half_confirmed() -> None:
    frames = unconfirm(scored(), lambda r: (r.strategy == "cosine") | (r.repeat > 1))
    got = text(frames)
    assert got.startswith(
        "So far, constant (the control) is first (2 of 3 strategies retrained): test accuracy 96.0% after retraining"
    )
    assert "The sweep is unfinished, with 60 of 60 trials and 8 of 30 retraining runs done." in got
    assert "unequal budgets (" in got


def test_a_leader_without_a_common_repeat() -> None:
    frames = unconfirm(scored(), lambda r: (r.strategy == "exp_loss") | ((r.repeat > 1) == (r.strategy == "cosine")))
    assert "; it has no repeat in common with constant, the control, yet." in text(frames)


def test_failed_runs_are_counted() -> None:
    frames = scored()
    last = frames.runs.index[-2:]
    got = text(change(frames, lambda r: r.index.isin(last), outcome="failed", test_accuracy=float("nan")))
    assert "28 of 30 retraining runs done; 2 runs failed and will be retried." in got


def test_all_diverged() -> None:
    assert text(make(diverge=9.0)) == (
        "Every retraining run diverged (30 of 30): there is no ranking, because each counts as chance (10.0%)."
    )


def test_some_diverged() -> None:
    frames = change(
        scored(), lambda r: (r.phase == "confirm") & (r.strategy == "exp_loss") & (r.repeat == 0), outcome="diverged"
    )
    assert "Of 30 retraining runs, 2 diverged (exp_loss 2); each counts as chance (10.0%)." in text(frames)


def test_lengths_get_a_line_each() -> None:
    frames = confirm_scores(make(lengths=(0.25, 0.5, 1.0), diverge=0.0), FLAT)
    frames = change(frames, lambda r: (r.length == 0.5) & (r.strategy == "exp_loss"), test_accuracy=0.99)
    frames = unconfirm(frames, lambda r: r.length == 0.25)
    got = text(frames)
    assert got.startswith("So far, cosine is first at 100% of the epochs: ")
    assert " At 50% of the epochs, exp_loss came first: test accuracy 99.0% after retraining" in got
    assert got.endswith(" At 25% of the epochs, nothing has been retrained yet.")


@pytest.mark.parametrize("settings", [{}, {"repeats": 1}, {"confirmed": False}, {"diverge": 9.0}, {"metric": "loss"}])
def test_the_answer_is_one_plain_line(settings: dict) -> None:
    got = text(make(**settings))
    assert got.isascii() and "\n" not in got and "  " not in got
    assert "nan" not in got.lower() and "None" not in got


def test_families_are_ahead_and_better_only_by_the_verdict() -> None:
    summary = summary_of(scored())
    lead = families_text(summary, 1.0)
    assert lead.startswith("On average, the reactive strategies were 1.5 points behind the fixed ones (")
    assert " Verdict: worse. Reason: " in lead
    few = families_text(summary_of(scored({label: x[:2] for label, x in FLAT.items()}, repeats=2)), 1.0)
    assert few.startswith(
        "On average, the best configurations of the reactive strategies were 1.5 points behind those of the fixed ones ("
    )
    assert "better" not in few and "There is no verdict: only 2 repeats, but a verdict needs at least 5." in few


def test_a_smallest_difference_that_matters_is_quoted_as_it_is() -> None:
    assert [words.exact("accuracy", size) for size in (0.0005, 0.0015, 2 / 300, 0.01)] == [
        *("0.05 points", "0.15 points", "0.667 points", "1 points")
    ]
    assert words.exact("loss", 0.0025) == "0.0025 nats"
    frames = scored()
    frames.sweep["spec"]["task"]["rope"] = 0.0015
    assert "mean difference above 0.15 points" in text(frames)


def test_a_difference_that_was_shown_between_others_does_not_go_unsaid() -> None:
    wide = [0.90, 0.99, 0.91, 0.99, 0.92]
    got = text(
        scored(
            {"constant": wide, "cosine": [0.96] * 5, "linear": [0.93] * 5},
            strategies={"constant": "constant", "cosine": "cosine", "linear": "linear"},
        )
    )
    assert got.startswith("cosine came first, but the comparison with constant (the control) is inconclusive: ")
    assert " Among the other pairs, cosine is better than linear." in got
