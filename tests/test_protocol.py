"""The protocol's promises, on fewer simulated sweeps than ``python -m benchmarks.protocol`` has."""

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from benchmarks.protocol import DIFFERENT, Job, confirm_runs, confirmed, jobs, shares, verdicts

SWEEPS = 300


def gated(job: Job) -> bool:
    """Whether a promise is made of it, and it is not among those that take long or add little."""
    slow = job.options.get("strategies") == 15 or job.options.get("repeats") == 20 or job.options.get("ropes", 1) < 1
    return (job.least, job.most) != (0, 1) and not slow


@pytest.mark.parametrize(
    ("number", "job"),
    [
        pytest.param(n, job, id=" ".join([job.function.__name__, *job.cells]))
        for n, job in enumerate(jobs())
        if gated(job)
    ],
)
def test_the_promises(number, job):
    share = shares(job, SWEEPS, 0, number)[0]
    for bound, beyond in ((job.least, job.least - share), (job.most, share - job.most)):
        assert beyond <= 3 * np.sqrt(bound * (1 - bound) / SWEEPS)


def test_the_simulation_would_see_a_broken_promise():
    # each pair judged by itself: some pair of six equal strategies differs in a third of the sweeps
    rng = np.random.default_rng(0)
    claimed = [
        any(not DIFFERENT.isdisjoint(verdicts([a - b])) for a, b in combinations(sweep, 2))
        for sweep in confirmed(rng, SWEEPS, 6, 10)
    ]
    assert np.mean(claimed) > 0.3


def test_repeats_of_the_search_are_needed():
    # one search, its winner confirmed on twenty seeds, as though seeds were repeats
    sweeps = confirm_runs(np.random.default_rng(0), SWEEPS, 6, 1, seeds=20)[:, :, 0]
    pairs = [[np.subtract(*pair) for pair in combinations(sweep, 2)] for sweep in sweeps]
    assert np.mean([not DIFFERENT.isdisjoint(verdicts(each)) for each in pairs]) > 0.5


def test_the_command():
    command = [sys.executable, "-W", "error", "-m", "benchmarks.protocol", "--sweeps=2"]
    ran = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=300)
    assert not ran.stderr
    lines = [line for line in ran.stdout.splitlines() if line.startswith("| ")]
    assert len(lines) == len(list(jobs())) + 4 * 2
    broken = sum(line.endswith("BROKEN") for line in lines)
    assert f"2 sweeps per line, seed 0: {broken} guarantees broken" in ran.stdout
    assert ran.returncode == (1 if broken else 0)
