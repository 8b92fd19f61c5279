"""The protocol's promises, on far fewer simulated sweeps than ``python -m benchmarks.protocol`` has."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import protocol
from benchmarks.protocol import CHANCE, FINEST, Line, Promise, lines, simulate
from benchmarks.surfaces import Surface, draw, truth
from benchmarks.sweeps import to_the_end, wrong
from decaybench.compare.contest import LEVEL
from decaybench.compare.looks import spends, tail

LINES = list(lines())
QUICK = {
    "different surfaces",
    "a tenth diverges",
    "one configuration, fails in 20%",
    "one 5 SD ahead of equal left-skewed ones",
    "different surfaces, extended by an adversary",
    "best ahead by 1.05 margins",
    "steps of a third of a margin",
}


@pytest.mark.parametrize("line", [pytest.param(x, id=x.name) for x in LINES if x.n == 8 and x.name in QUICK])
@pytest.mark.parametrize("sweeps", [8, pytest.param(24, marks=pytest.mark.soak)])
def test_the_promises(line, sweeps):
    number = LINES.index(line)
    found = simulate(line, sweeps, (0, number))
    for size in range(len(line.sizes)):
        for i, promise in enumerate(line.promises):
            assert promise.kept(found[:, size, i]), (line.sizes[size], str(promise), found[:, size, i].mean())


def test_everything_diverged_and_identical_runs_show_nothing():
    for name in ("everything diverged", "identical runs"):
        line = next(each for each in LINES if each.name == name and each.n == 6)
        assert not simulate(replace(line, sizes=line.sizes[:1]), 3, (0,)).any()


def test_the_simulation_would_see_a_broken_promise():
    # every look at the whole error, as though it were the only one: far too many pairs are shown
    rng, surfaces = np.random.default_rng(0), [Surface()] * 6
    alarms = []
    for _ in range(60):
        contest = to_the_end(draw(rng, surfaces, np.zeros(6), 6, 18), FINEST, 18)
        t = contest.differences / np.where(contest.errors > 0, contest.errors, 1)
        p = np.array([2 * tail(each, look.repeats) for each, look in zip(t, contest.looks, strict=True)])
        alarms.append((p < LEVEL).any())
        assert spends(contest.looks).sum() == pytest.approx(0.8)
    assert np.mean(alarms) > 0.3
    assert not Promise("alarms", most=LEVEL).kept(np.array(alarms, dtype=float))


def test_what_is_wrong():
    trials = draw(np.random.default_rng(0), [Surface()] * 2, np.array([0.0, -0.1]), 6, 12)
    contest = to_the_end(trials, FINEST, 12)
    assert contest.shown[0, 1] == 1
    assert wrong(contest, np.array([0.0, -0.1])) == (False, False)
    # if the second were as good, or far better, this sweep would be wrong
    assert wrong(contest, np.array([0.0, 0.0])) == (True, False)
    assert wrong(contest, np.array([0.0, 0.1])) == (True, True)


def test_a_true_theta_is_what_searches_find_on_average():
    surface = Surface(fails=0.2)
    drawn = [draw(np.random.default_rng(seed), [surface], np.zeros(1), 8, 10)[0] for seed in range(100)]
    values = [trials.estimate.value for trials in drawn]
    assert truth(surface, 8) == pytest.approx(np.mean(values), abs=4 * np.std(values) / 10)
    assert truth(Surface(diverges=1.0), 8) == pytest.approx(CHANCE)


def test_a_promise_is_kept_within_three_standard_errors():
    share = Promise("share", most=0.05)
    assert share.kept(np.repeat([1.0, 0.0], [6, 94]))
    assert share.kept(np.repeat([1.0, 0.0], [11, 89]))
    assert not share.kept(np.repeat([1.0, 0.0], [12, 88]))
    settled = Promise("settled", least=0.95)
    assert settled.kept(np.repeat([1.0, 0.0], [89, 11]))
    assert not settled.kept(np.repeat([1.0, 0.0], [88, 12]))
    assert not Promise("trainings", most=10, share=False).kept(np.array([20.0, 21.0, 22.0]))


@pytest.mark.parametrize(("most", "status"), [(1.0, 0), (-4.0, 1)])
def test_the_command_prints_each_line_and_fails_where_a_promise_breaks(monkeypatch, capsys, most, status):
    def one():
        promise = Promise("a mean", most=most, share=False)
        yield Line("one", (Surface(),) * 2, 6, lambda *_: (0.0,), (promise,), sizes=(2,))

    class Here:
        """A pool of processes that runs its jobs here."""

        def __init__(self, _):
            self.map = map

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(protocol, "lines", one)
    monkeypatch.setattr(protocol, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(sys, "argv", ["protocol", "--sweeps=2"])
    with pytest.raises(SystemExit) as ended:
        protocol.main()
    assert ended.value.code == status
    said = capsys.readouterr().out
    assert "| one | 6 | 2 |" in said
    assert f"2 sweeps per line, seed 0: {status} promises broken" in said
    assert ("BROKEN" in said) == bool(status)
