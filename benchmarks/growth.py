"""Whether cost grows linearly: time a run and peak memory at 64 and at 512 slots: ``python -m benchmarks.growth``.

Each sweep is run from its plan to its last result in a process of its own, after two of 4 slots: the first loads torch,
Optuna and the data and warms them up, the second says what a sweep costs before it grows (tables, study, plan, confirm)
and is subtracted, runs and time. Sizes take turns, every second round backwards; medians of the rounds, the ratio that
of the rounds' ratios.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from decaybench.runner import run_sweep
from decaybench.sweep import Sweep

STRATEGIES = ("constant", "cosine", "step_decay", "exp_loss")
SMALL = 4


def sweep(slots: int) -> Sweep:
    """Short trainings, so that what search and storage cost is seen."""
    return Sweep.from_mapping(
        {
            "name": f"growth-{slots}",
            "task": {"data": "digits", "model": "small-cnn", "epochs": 2, "batch_size": 64}
            | {"train_size": 256, "validation_size": 50, "test_size": 50},
            "budget": {"trials": slots, "repeats": 1, "confirm_seeds": 1},
            "strategies": {label: {} for label in STRATEGIES},
        },
        "growth",
    )


def once(slots: int) -> None:
    """Run one sweep in this process and print what it cost, as JSON."""
    _cost(SMALL)
    few, small_wall, small_cpu = _cost(SMALL)
    runs, wall, cpu = _cost(slots)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, cpu = (1000 * spent / (runs - few) for spent in (wall - small_wall, cpu - small_cpu))
    print(json.dumps({"runs": runs, "wall": wall, "cpu": cpu, "mib": peak, "small": small_cpu}))


def _cost(slots: int) -> tuple[int, float, float]:
    """Runs, wall and CPU seconds of a sweep."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        runs = run_sweep(sweep(slots), url=f"sqlite:///{Path(folder) / 'growth.db'}", data_root=None)
        return runs, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Run the sizes in turns and compare the last with the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--once", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        once(given.once)
        return
    found = defaultdict[int, list[dict[str, float]]](list)
    for i in range(given.rounds):
        for slots in given.slots[:: -1 if i % 2 else 1]:
            command = [sys.executable, "-m", "benchmarks.growth", "--once", str(slots)]
            found[slots].append(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))
    for slots in given.slots:
        of = {what: median(cost[what] for cost in found[slots]) for what in ("runs", "wall", "cpu", "mib", "small")}
        print(f"{slots} slots a strategy: {of['runs']:,.0f} runs, {of['wall']:.1f} ms a run, ", end="")
        print(f"of it {of['cpu']:.1f} of CPU; ", end="")
        print(f"{SMALL} slots {of['small']:.2f} s of CPU; peak {of['mib']:.0f} MiB")
    first, last = given.slots[0], given.slots[-1]
    for what in ("wall", "cpu"):
        ratios = [b[what] / a[what] for a, b in zip(found[first], found[last], strict=True)]
        print(f"{what} time a run, {last} slots over {first}: ", end="")
        print(f"{median(ratios):.3f} ({min(ratios):.3f} .. {max(ratios):.3f})")


if __name__ == "__main__":
    main()
