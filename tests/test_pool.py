"""Sweeps that are drawn from a pool of trained trials, here a small one with made-up results."""

import numpy as np
import pytest
from scipy import stats

from benchmarks import first_version, pool, scrambles, trained
from benchmarks.trained import Trained

POINTS, SEEDS = 64, 4


@pytest.fixture
def held(tmp_path):
    """The file of two strategies, the first one ahead; in a tenth of its runs the second one diverges."""
    rng = np.random.default_rng(0)
    rates = scrambles.scramble(POINTS, 3, (0,))[:, 0]
    own = [scrambles.scramble(POINTS, 3 + dims, (1, dims))[:, 3:] for dims in (0, 1)]
    mean = np.stack([0.9 - (rates - 0.5) ** 2, 0.85 - (rates - 0.5) ** 2])[..., None] + np.zeros(SEEDS)
    validation, test = mean + 0.01 * rng.standard_normal((2, *mean.shape))
    results = np.stack([validation, 1 - validation, test], axis=-1)
    results[1, rng.random((POINTS, SEEDS)) < 0.1] = np.nan
    arrays = {"rates": rates, "own 0": own[0], "own 1": own[1], "results": results}
    np.savez(tmp_path / "pool.npz", labels=["a", "b"], majority=0.1, images=200, **arrays)
    pool.load.cache_clear()
    pool.truth.cache_clear()
    return tmp_path / "pool.npz"


def test_a_diverged_run_has_chance_for_all(held):
    found = trained.read(held)
    assert found.diverged[1].any() and not found.diverged[0].any()
    assert (found.results[found.diverged] == [0.1, np.log(10), 0.1]).all()
    assert np.isfinite(found.results).all()


def test_a_sweep_is_made_of_the_nearest_points_of_fresh_scrambles(held):
    drawn = pool.draw(np.random.default_rng(0), held, 8, 10)
    found = trained.read(held)
    for trials, results, own in zip(drawn.trials, found.results, found.own, strict=True):
        assert trials.test.shape == (10, 8)
        rows = {tuple(row) for row in results.reshape(-1, 3)}
        assert {tuple(x) for x in np.stack([trials.validation, trials.loss, trials.test], -1).reshape(-1, 3)} <= rows
        if not own.size:  # of one dimension: no point of the pool is nearer to the scramble's learning rate
            at = np.abs(trials.rate[..., None] - found.rates).argmin(axis=-1)
            assert (np.abs(results[at, :, 2] - trials.test[..., None]).min(axis=-1) == 0).all()
    assert (drawn.trials[0].rate == drawn.trials[1].rate).all()
    again = pool.draw(np.random.default_rng(0), held, 8, 10)
    assert (again.trials[1].test == drawn.trials[1].test).all()


def test_what_is_measured_of_sweeps(held):
    found = pool.simulate(held, 8, 4, (0,))
    assert found["wrong"].shape == (4, 2)
    assert found["beyond"].shape == (4, 2, 8, 1)
    assert found["settled"].all() and found["right"].all() and not found["bad"].any()
    assert (found["trainings"] >= 2 * 6 * 8).all()
    lines = list(pool.report({8: found}, trained.read(held)))
    assert any("first version" in line for line, _ in lines)


def test_the_pool_is_gone_on_with_where_it_was_left(tmp_path, monkeypatch):
    calls = []

    def train(every, rates, own, seeds, data):
        calls.append(len(rates))
        return np.broadcast_to(rates[None, :, None, None], (len(every), len(rates), seeds, 3))

    monkeypatch.setattr(trained, "_train", train)
    monkeypatch.setattr(trained, "BLOCK", 3)
    trained.make(tmp_path / "pool.npz", 4, 2)
    trained.make(tmp_path / "pool.npz", 6, 2)
    assert calls == [3, 1, 2]
    found = trained.read(tmp_path / "pool.npz")
    assert (found.results[0, :, 0, 2] == found.rates).all()
    assert [len(own) for own in found.own] == [6] * 6


def test_a_point_is_really_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(trained, "EPOCHS", 1)
    trained.make(tmp_path / "pool.npz", 1, 1)
    found: Trained = trained.read(tmp_path / "pool.npz")
    assert found.results.shape == (6, 1, 1, 3)
    assert found.images == 300
    assert len(np.unique(found.results[..., 1])) > 1


@pytest.mark.parametrize("seed", range(5))
def test_the_first_versions_tests_are_paired_t_tests(seed):
    d = np.random.default_rng(seed).normal(0.3, 1, 10)
    found = stats.ttest_1samp(d, 0)
    assert first_version.interval(d) == pytest.approx((d.mean(), *found.confidence_interval()))
    assert first_version.one_sided_p(d) == pytest.approx(found.pvalue / 2)


def test_the_first_versions_verdicts():
    steps = np.resize([0.1, -0.1], 10)
    assert first_version.verdicts([steps + 1, steps - 1, steps, np.zeros(10), 10 * steps], 0.5) == [
        "better",
        "worse",
        "equivalent",
        "equivalent",
        "",
    ]
    # shown, but not beyond the margin; the interval, which reaches to it, is not within it either
    assert first_version.verdicts([steps + 0.45], 0.5) == [""]


def test_the_first_versions_answer_leaves_nothing_open():
    steps = np.resize([0.001, -0.001], 10)
    clear = np.stack([steps, steps[::-1] + 0.5, steps * 2])
    assert first_version.answer(clear, 0.1) == 1
    wide = np.stack([steps * 300, steps[::-1] * 300, steps[::-1] * 299 + 0.01])
    assert first_version.answer(wide, 0.1) is None
