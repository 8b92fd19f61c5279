"""What it saves that a process keeps the memory that it frees (`decaybench.training.allocator`), on CIFAR-10:
``python -m benchmarks.allocator``.

Each training has a process of its own, since a process cannot be told to return memory again. Processes with and
without it take turns. The CPU time is that of a whole epoch; the fastest of several counts. Losses must be equal.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch

from benchmarks.work import MOMENTUM, Work, load, without_validation
from decaybench.schedules import SCHEDULES
from decaybench.training import EpochCurves, Recipe, Run, loop, train

NETS = {"small-cnn": 8, "lenet": 4, "resnet8": 4}  # and the number of models at once
BATCH, EPOCHS = 128, 4


@dataclass(frozen=True)
class Training:
    """The least CPU seconds of an epoch, the process's peak memory in MiB, and the last losses."""

    seconds: float
    memory: float
    losses: list[float]


def train_once(model: str, updates: int, root: Path | None, *, keeps: bool) -> Training:
    """Train in this process, which must have trained nothing before."""
    if not keeps:
        loop.keep_freed_memory = lambda: None
    work = Work(model, "cifar10", BATCH, BATCH * updates, EPOCHS, NETS[model], "cpu", root)
    ends, losses = [], []

    def note(curves: EpochCurves) -> None:
        ends.append(time.process_time())
        losses[:] = curves.train_loss.tolist()

    runs = [Run(seed, SCHEDULES["constant"](), 0.01, MOMENTUM, 0.0) for seed in range(work.runs)]
    data = without_validation(load(work))
    train(Recipe(model, EPOCHS, BATCH), runs, data, device=torch.device("cpu"), on_epoch=note)
    seconds = min(after - before for before, after in pairwise(ends))
    return Training(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, losses)


def main() -> int:
    """Measure the given nets; return 1 if a loss differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(NETS))
    parser.add_argument("--processes", type=int, default=3, help="with and without it, each")
    parser.add_argument("--updates", type=int, default=8, help="per epoch")
    given = parser.parse_args()
    folder = os.environ.get("DECAYBENCH_DATA")
    same = True
    for model in given.nets:
        found: dict[bool, list[Training]] = {False: [], True: []}
        for _ in range(given.processes):
            for keeps in found:
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
                    root = Path(folder) if folder else None
                    found[keeps].append(alone.submit(train_once, model, given.updates, root, keeps=keeps).result())
        seconds = {keeps: min(one.seconds for one in trained) for keeps, trained in found.items()}
        memory = {keeps: max(one.memory for one in trained) for keeps, trained in found.items()}
        equal = all(one.losses == found[True][0].losses for trained in found.values() for one in trained)
        same = same and equal
        print(
            f"{model}, K = {NETS[model]}, B = {BATCH}: {seconds[True] / seconds[False]:.2f} times the CPU time", end=""
        )
        print(f", {memory[True] / memory[False]:.2f} times the peak memory, losses {'equal' if equal else 'DIFFER'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
