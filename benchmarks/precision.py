"""Whether bf16 learns as well as fp32, by the test accuracy of the same runs: ``python -m benchmarks.precision``."""

import argparse
import os
from pathlib import Path

import numpy as np
import torch

from decaybench.data import TaskData, draw_splits, load_dataset, prepare
from decaybench.schedules import SCHEDULES
from decaybench.training import Recipe, Run, train

TASKS = {"digits": ("small-cnn", 15, 64), "mnist": ("lenet", 5, 64)}


def accuracies(data: TaskData, model: str, epochs: int, batch: int, seeds: int, precision: str) -> np.ndarray:
    """The test accuracy, in percentage points, of one run per seed, (seeds,)."""
    runs = [Run(seed, SCHEDULES["cosine"](floor=0.0), 0.05, 0.9, 0.0) for seed in range(seeds)]
    recipe = Recipe(model, epochs, batch, precision=precision)
    results = train(recipe, runs, data, device=torch.device("cpu"), width=4, read_test=True)
    return 100 * np.array([result.test["accuracy"] for result in results], dtype=float)


def main() -> None:
    """Print the mean difference over paired seeds, and its standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("DECAYBENCH_DATA"))
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--samples", type=int, default=2000, help="training images of a data folder")
    given = parser.parse_args()
    for source, (model, epochs, batch) in TASKS.items():
        if source != "digits" and not given.data:
            continue
        dataset = load_dataset(source, Path(given.data) if given.data else None)
        size = None if source == "digits" else given.samples
        data = prepare(dataset, draw_splits(dataset, 0, train_size=size))
        fp32, bf16 = (accuracies(data, model, epochs, batch, given.seeds, each) for each in ("fp32", "bf16"))
        apart = bf16 - fp32
        error = apart.std(ddof=1) / len(apart) ** 0.5
        means = f"fp32 {fp32.mean():.2f} %, bf16 {bf16.mean():.2f} %"
        print(f"{model} on {source}: {means}, {apart.mean():+.2f} +- {error:.2f} points")


if __name__ == "__main__":
    main()
