"""Whether cost grows linearly: time a run and peak memory at 64 and at 512 slots: ``python -m benchmarks.growth``."""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from decaybench.runner import run_sweep
from decaybench.sweep import Sweep

STRATEGIES = ("constant", "cosine", "step_decay", "exp_loss")


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
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        runs = run_sweep(sweep(slots), url=f"sqlite:///{Path(folder) / 'growth.db'}", data_root=None)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"slots": slots, "runs": runs, "ms": 1000 * seconds / runs, "mib": peak}))


def main() -> None:
    """Run both in processes of their own and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--once", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        once(given.once)
        return
    found = []
    for slots in given.slots:
        command = [sys.executable, "-m", "benchmarks.growth", "--once", str(slots)]
        found.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
        print("{slots} slots a strategy: {runs:,} runs, {ms:.1f} ms a run, peak {mib:.0f} MiB".format(**found[-1]))
    ratio = found[-1]["ms"] / found[0]["ms"]
    print(f"time a run, {found[-1]['slots']} slots over {found[0]['slots']}: {ratio:.3f}")


if __name__ == "__main__":
    main()
