"""Whether cost grows linearly: time per run and peak memory with 64 and with 512 trials per strategy.

    python -m benchmarks.growth

Each sweep runs from its plan to its last result in its own process, after two sweeps of 4 trials. The first one loads
torch, Optuna and the data, and warms up. The second one measures the fixed cost of a sweep (tables, study, plan,
retraining); its runs and its time are subtracted. The sizes take turns, in reverse order in every second round. Numbers
are medians over rounds, and a ratio is the median of the rounds' ratios.
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
    """A sweep of short runs, so that the cost of search and storage is visible."""
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
    """Run one sweep in this process and print its cost as JSON."""
    _cost(SMALL)
    few, small_wall, small_cpu = _cost(SMALL)
    runs, wall, cpu = _cost(slots)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, cpu = (1000 * spent / (runs - few) for spent in (wall - small_wall, cpu - small_cpu))
    print(json.dumps({"runs": runs, "wall": wall, "cpu": cpu, "mib": peak, "small": small_cpu}))


def _cost(slots: int) -> tuple[int, float, float]:
    """The number of runs, and the wall and CPU seconds, of a sweep."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        runs = run_sweep(sweep(slots), url=f"sqlite:///{Path(folder) / 'growth.db'}", data_root=None)
        return runs, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Run the sizes in turn and compare the last with the first."""
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
        print(f"{slots} trials per strategy: {of['runs']:,.0f} runs, {of['wall']:.1f} ms per run, ", end="")
        print(f"{of['cpu']:.1f} ms of it CPU; ", end="")
        print(f"{SMALL} trials {of['small']:.2f} s of CPU; peak {of['mib']:.0f} MiB")
    first, last = given.slots[0], given.slots[-1]
    for what in ("wall", "cpu"):
        ratios = [b[what] / a[what] for a, b in zip(found[first], found[last], strict=True)]
        print(f"{what} time per run, {last} trials over {first}: ", end="")
        print(f"{median(ratios):.3f} ({min(ratios):.3f} .. {max(ratios):.3f})")


if __name__ == "__main__":
    main()
