"""A/A test: one schedule is trained under two labels. How often is one of them called better than the other?

    python -m benchmarks.same [--sweeps 50]

This trains sweeps on digits that differ only in their seed. Both labels are an exponential decay whose own parameter is
searched, so each label searches different points, selects its own best configuration and retrains it. Any verdict of
better or worse is wrong. Exits with 1 if more than one sweep in ten has one.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from decaybench import store
from decaybench.findings import Summary, collect, join, summarise
from decaybench.report.words.verdicts import reason
from decaybench.runner import run_sweep
from decaybench.sweep import Sweep

SAME = {"schedule": "exponential", "decay_steps": {"value": 1.0, "unit": "run"}}
MOST = 0.1


def compared(strategies: dict[str, dict[str, object]], seed: int, folder: Path) -> Summary:
    """Run a small sweep of these strategies on digits, with search, retraining and verdicts."""
    sweep = Sweep.from_mapping(
        {
            "name": f"same-{seed}",
            "task": {"data": "digits", "model": "small-cnn", "epochs": 4, "batch_size": 64, "train_size": 640},
            "budget": {"trials": 4, "repeats": 5, "confirm_seeds": 2},
            "search": {"seed": seed, "learning_rate": {"low": 1e-2, "high": 0.3, "log": True}},
            "strategies": strategies,
        },
        "same",
    )
    url = f"sqlite:///{folder}/same-{seed}.db"
    run_sweep(sweep, url=url, data_root=None, device="cpu")
    with store.open_storage(url, create=False) as storage:
        return summarise(collect(join([store.load(storage, sweep.name)])))


def main() -> None:
    """Print every sweep's verdict, and the number of wrong ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=50)
    given = parser.parse_args()
    verdicts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.sweeps):
            (pair,) = compared({"one": SAME, "other": SAME}, seed, Path(folder)).pairs
            assert pair.difference is not None
            verdicts[pair.verdict] += 1
            said = reason(pair.reason, pair.metric)
            print(f"seed {seed}: {100 * pair.difference.mean:+.1f} points, {pair.verdict}: {said}", flush=True)
    wrong = verdicts["better"] + verdicts["worse"]
    print(", ".join(f"{verdict} {n}" for verdict, n in verdicts.most_common()))
    print(f"{wrong} of {given.sweeps} sweeps of one schedule under two labels call one label better")
    sys.exit(wrong > MOST * given.sweeps)


if __name__ == "__main__":
    main()
