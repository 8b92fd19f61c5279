"""A/A test: one schedule is trained under three labels. How often is one of them called better than another?

    python -m benchmarks.same [--sweeps 20]

This trains sweeps on digits that differ only in their seed. All labels are an exponential decay whose own parameter is
searched, so each label searches different points. Any verdict of better or worse, and any strategy ruled out, is wrong;
and a sweep of equals should settle, since each of them is good. Exits with 1 if more than one sweep in twenty is wrong,
or one does not settle.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from decaybench import store
from decaybench.findings import Summary, collect, join, summarise
from decaybench.runner import run_sweep
from decaybench.sweep import Sweep

SAME = {"schedule": "exponential", "decay_steps": {"value": 1.0, "unit": "run"}}
TASK = {"data": "digits", "model": "small-cnn", "epochs": 4, "batch_size": 64, "train_size": 640}
MOST = 0.05


def compared(
    strategies: dict[str, dict[str, object]], seed: int, folder: Path, repeats: object = 5, task: object = TASK
) -> Summary:
    """Run a small sweep of these strategies on digits, without retraining."""
    sweep = Sweep.from_mapping(
        {
            "name": f"same-{seed}",
            "task": task,
            "budget": {"trials": 6, "repeats": repeats, "confirm_seeds": 0},
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
    parser.add_argument("--sweeps", type=int, default=20)
    given = parser.parse_args()
    wrong = unsettled = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.sweeps):
            labels = ("one", "two", "three")
            summary = compared(dict.fromkeys(labels, SAME), seed, Path(folder), {"from": 6, "to": 40})
            verdicts = Counter(pair.verdict for pair in summary.pairs)
            out = [row.strategy.label for row in summary.rows if row.state == "ruled out"]
            wrong += bool(out or verdicts["better"] or verdicts["worse"])
            unsettled += not summary.settled
            said = ", ".join(f"{verdict} {n}" for verdict, n in verdicts.most_common())
            told = "settled" if summary.settled else "not settled"
            print(
                f"seed {seed}: {told} after {summary.trainings} trainings; {said}; ruled out: {out or 'none'}",
                flush=True,
            )
    print(f"{wrong} of {given.sweeps} sweeps of equals tell them apart, {unsettled} do not settle")
    sys.exit(wrong > MOST * given.sweeps or unsettled > 0)


if __name__ == "__main__":
    main()
