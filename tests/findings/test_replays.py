import numpy as np
import pytest

from decaybench.compare import holm, one_sided_p
from decaybench.findings.replays import replays
from decaybench.report.words.verdicts import reason as worded
from frames_factory import change, make, results_of

BOTH = {"constant": "constant", "exp_loss": "exp_loss", "loss_ratio": "loss_ratio"}


def said(replay) -> str:
    return worded(replay.judged.reason, "accuracy")


def scored(frames, column: str, reactive: float, replay: float):
    """A copy with one result for every confirm run, and one for every replay."""
    frames = change(frames, lambda r: r.phase == "confirm", **{column: reactive})
    return change(frames, lambda r: r.phase == "replay", **{column: replay})


@pytest.mark.parametrize(("metric", "reactive", "replay"), [("accuracy", 0.97, 0.95), ("loss", 0.10, 0.12)])
def test_positive_is_in_favour_of_reacting(metric: str, reactive: float, replay: float) -> None:
    frames = scored(make(BOTH, metric=metric, replayed=True, diverge=0.0), f"test_{metric}", reactive, replay)
    found = replays(results_of(frames), 1.0)
    assert [each.label for each in found] == ["exp_loss", "loss_ratio"]
    for each in found:
        assert each.differences == pytest.approx([0.02] * 5) and each.judged.verdict == "better"


def test_seeds_are_paired_and_a_repeat_is_their_mean() -> None:
    frames = make(BOTH, replayed=True, diverge=0.0, confirm_seeds=3)
    runs = frames.runs[frames.runs.strategy == "exp_loss"]
    by_phase = {
        phase: runs[runs.phase == phase].set_index(["repeat", "seed"]).test_accuracy for phase in ("confirm", "replay")
    }
    expected = (by_phase["confirm"] - by_phase["replay"]).groupby("repeat").mean()
    # one replay is still missing: its seed counts for neither side, and there is no verdict
    first = by_phase["replay"].index[0]
    missing = change(
        frames,
        lambda r: (r.phase == "replay") & (r.strategy == "exp_loss") & (r.repeat == first[0]) & (r.seed == first[1]),
        outcome=None,
        test_accuracy=None,
    )
    whole, part = (replays(results_of(each), 1.0)[0] for each in (frames, missing))
    assert whole.differences == pytest.approx(expected.to_numpy())
    assert whole.judged.difference is not None and whole.judged.difference.mean == pytest.approx(expected.mean())
    rest = (by_phase["confirm"] - by_phase["replay"]).drop(first).groupby("repeat").mean()
    assert part.differences == pytest.approx(rest.to_numpy())
    assert (part.judged.verdict, said(part)) == (
        "no verdict",
        "unequal budgets (exp_loss has 14 of 15 replays)",
    )


def test_equal_runs_are_equivalent_and_a_repeat_without_replay_has_no_difference() -> None:
    frames = scored(make(BOTH, replayed=True, diverge=0.0, repeats=6), "test_accuracy", 0.9, 0.9)
    assert {each.judged.verdict for each in replays(results_of(frames), 1.0)} == {"equivalent"}
    runs = frames.runs[(frames.runs.phase != "replay") | (frames.runs.repeat != 2)].reset_index(drop=True)
    for each in replays(results_of(frames._replace(runs=runs)), 1.0):
        assert np.flatnonzero(np.isnan(each.differences)).tolist() == [2]
        assert each.judged.verdict == "no verdict"


def test_a_diverged_replay_counts_at_chance() -> None:
    frames = change(
        scored(make(BOTH, replayed=True, diverge=0.0), "test_accuracy", 0.9, 0.9),
        lambda r: (r.phase == "replay") & (r.strategy == "loss_ratio") & (r.repeat == 0),
        outcome="diverged",
        test_accuracy=None,
    )
    assert replays(results_of(frames), 1.0)[1].differences == pytest.approx([0.8, 0, 0, 0, 0])


def test_nothing_replayed_is_nothing() -> None:
    results = results_of(make(BOTH, replayed=True, lengths=(0.5, 1.0), diverge=0.0))
    assert len(replays(results, 0.5)) == 2
    assert replays(results_of(make(BOTH)), 1.0) == []


def test_all_lengths_are_one_family_for_holm() -> None:
    one = results_of(make({"exp_loss": "exp_loss"}, replayed=True, lengths=(1.0,), diverge=0.0))
    three = results_of(make({"exp_loss": "exp_loss"}, replayed=True, lengths=(0.25, 0.5, 1.0), diverge=0.0))
    (alone,), *found = replays(one, 1.0), *(replays(three, length) for length in three.lengths)
    assert [each.length for (each,) in found] == [0.25, 0.5, 1.0]
    ps = [one_sided_p(each.differences) for (each,) in found]
    assert [each.judged.p_adjusted for (each,) in found] == pytest.approx(list(holm(ps)))
    assert found[2][0].differences.tolist() == alone.differences.tolist()
    assert "p = " in said(alone) or alone.judged.verdict == "equivalent"


@pytest.mark.parametrize(
    ("phase", "reason"),
    [("search", "19 of 20 trials"), ("confirm", "9 of 10 retraining runs"), ("replay", "9 of 10 replays")],
)
def test_an_unequal_ledger_of_a_replayed_strategy_withholds_every_verdict(phase: str, reason: str) -> None:
    frames = make(BOTH, replayed=True, diverge=0.0, lengths=(0.5, 1.0))
    at = frames.runs[
        (frames.runs.phase == phase) & (frames.runs.strategy == "loss_ratio") & (frames.runs.length == 0.5)
    ]
    results = results_of(change(frames, lambda r: r.id == at.id.iloc[0], outcome=None, test_accuracy=None))
    found = {said(each) for length in (0.5, 1.0) for each in replays(results, length)}
    assert found == {f"unequal budgets (loss_ratio at length 0.5 has {reason})"}
