import numpy as np
import pytest

from decaybench.report import collect
from decaybench.report.replays import replays
from report.frames_factory import change, make

BOTH = {"constant": "constant", "exp_loss": "exp_loss", "loss_ratio": "loss_ratio"}


def scored(frames, column: str, reactive: float, replay: float):
    """A copy with one result for every confirm run, and one for every replay."""
    frames = change(frames, lambda r: r.phase == "confirm", **{column: reactive})
    return change(frames, lambda r: r.phase == "replay", **{column: replay})


@pytest.mark.parametrize(("metric", "reactive", "replay"), [("accuracy", 0.97, 0.95), ("loss", 0.10, 0.12)])
def test_positive_is_in_favour_of_reacting(metric: str, reactive: float, replay: float) -> None:
    frames = scored(make(BOTH, metric=metric, replayed=True, diverge=0.0), f"test_{metric}", reactive, replay)
    found = replays(collect(frames), 1.0)
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
    whole, part = (replays(collect(each), 1.0)[0] for each in (frames, missing))
    assert whole.differences == pytest.approx(expected.to_numpy())
    assert whole.judged.difference is not None and whole.judged.difference.mean == pytest.approx(expected.mean())
    rest = (by_phase["confirm"] - by_phase["replay"]).drop(first).groupby("repeat").mean()
    assert part.differences == pytest.approx(rest.to_numpy())
    assert (part.judged.verdict, part.judged.reason) == ("no verdict", "exp_loss has 14 of 15 replays")


def test_equal_runs_are_equivalent_and_a_repeat_without_replay_has_no_difference() -> None:
    frames = scored(make(BOTH, replayed=True, diverge=0.0, repeats=6), "test_accuracy", 0.9, 0.9)
    assert {each.judged.verdict for each in replays(collect(frames), 1.0)} == {"equivalent"}
    runs = frames.runs[(frames.runs.phase != "replay") | (frames.runs.repeat != 2)].reset_index(drop=True)
    for each in replays(collect(frames._replace(runs=runs)), 1.0):
        assert np.flatnonzero(np.isnan(each.differences)).tolist() == [2]
        assert each.judged.verdict == "no verdict"


def test_a_diverged_replay_counts_at_chance() -> None:
    frames = change(
        scored(make(BOTH, replayed=True, diverge=0.0), "test_accuracy", 0.9, 0.9),
        lambda r: (r.phase == "replay") & (r.strategy == "loss_ratio") & (r.repeat == 0),
        outcome="diverged",
        test_accuracy=None,
    )
    assert replays(collect(frames), 1.0)[1].differences == pytest.approx([0.8, 0, 0, 0, 0])


def test_nothing_replayed_is_nothing() -> None:
    results = collect(make(BOTH, replayed=True, lengths=(0.5, 1.0), diverge=0.0))
    assert len(replays(results, 0.5)) == 2
    assert replays(collect(make(BOTH)), 1.0) == []
