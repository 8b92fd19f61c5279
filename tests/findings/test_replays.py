"""What replays show: differences seed by seed, which describe below eight seeds."""

import numpy as np
import pytest
from scipy import stats

from decaybench.findings.replays import LEAST_SEEDS, replays
from frames_factory import change, make, results_of

BOTH = {"constant": "constant", "exp_loss": "exp_loss", "loss_ratio": "loss_ratio"}


def scored(frames, column: str, reactive: float, replay: float):
    """A copy with one result for every confirm run, and one for every replay."""
    frames = change(frames, lambda r: r.phase == "confirm", **{column: reactive})
    return change(frames, lambda r: r.phase == "replay", **{column: replay})


@pytest.mark.parametrize(("metric", "reactive", "replay"), [("accuracy", 0.97, 0.95), ("loss", 0.10, 0.12)])
def test_positive_is_in_favour_of_reacting(metric: str, reactive: float, replay: float) -> None:
    frames = scored(make(BOTH, metric=metric, diverge=0.0), f"test_{metric}", reactive, replay)
    found = replays(results_of(frames))
    assert found is not None and found.label in ("exp_loss", "loss_ratio") and found.planned == 2
    assert found.differences == pytest.approx([0.02] * 2)


def test_one_strategy_is_replayed_on_the_further_seeds_of_its_chosen_configuration() -> None:
    frames = make(BOTH, diverge=0.0, confirm_seeds=3)
    runs = frames.runs[frames.runs.phase == "replay"]
    assert runs.strategy.nunique() == 1 and len(runs) == 3
    sources = frames.runs.set_index("id").loc[runs.replay_of]
    assert set(sources.seed) == set(runs.seed) and all(a != b for a, b in zip(sources.seed, runs.seed, strict=True))
    assert len({(run.repeat, run.slot) for run in (*sources.itertuples(), *runs.itertuples())}) == 1


def test_seeds_are_paired_and_have_an_interval_from_eight_on() -> None:
    for seeds in (3, LEAST_SEEDS):
        frames = make(BOTH, diverge=0.0, confirm_seeds=seeds)
        found = replays(results_of(frames))
        runs = frames.runs[frames.runs.strategy == found.label]
        by_phase = {
            phase: runs[runs.phase == phase].set_index(["repeat", "slot", "seed"]).test_accuracy
            for phase in ("confirm", "replay")
        }
        expected = (by_phase["confirm"] - by_phase["replay"]).dropna()
        assert sorted(found.differences) == pytest.approx(sorted(expected)) and found.planned == seeds
        assert found.interval.mean == pytest.approx(expected.mean())
        if seeds < LEAST_SEEDS:
            assert (found.interval.low, found.interval.high) == (None, None)
        else:
            ends = stats.ttest_1samp(expected, 0).confidence_interval()
            assert found.interval[1:] == pytest.approx(ends)


def test_a_replay_that_is_missing_leaves_its_seed_out() -> None:
    frames = make(BOTH, diverge=0.0, confirm_seeds=3)
    one = frames.runs[frames.runs.phase == "replay"].id.iloc[0]
    found = replays(results_of(change(frames, lambda r: r.id == one, outcome=None, test_accuracy=None)))
    assert found.differences.size == 2 and found.planned == 3


def test_a_diverged_replay_counts_at_chance() -> None:
    frames = scored(make(BOTH, diverge=0.0), "test_accuracy", 0.9, 0.9)
    one = frames.runs[frames.runs.phase == "replay"].id.iloc[0]
    frames = change(frames, lambda r: r.id == one, outcome="diverged", test_accuracy=np.nan)
    assert sorted(replays(results_of(frames)).differences) == pytest.approx([0, 0.8])


def test_nothing_replayed_is_nothing() -> None:
    assert replays(results_of(make({"constant": "constant", "cosine": "cosine"}))) is None
    assert replays(results_of(make(BOTH, confirm_seeds=1))) is None  # a cycle needs two
    assert replays(results_of(make(BOTH, confirmed=False))) is None
