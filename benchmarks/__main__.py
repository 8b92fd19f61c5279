"""Compare training speeds: ``python3 -m nox -s bench -- [options]``, or ``python -m benchmarks`` in the repository."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import optuna
import torch

from benchmarks import limit, table
from benchmarks.rounds import compare
from benchmarks.work import CORES, Work, load, processes
from decaybench.errors import UserError

AUGMENT = ("crop4", "flip")
# Enough updates for a variant to take a few seconds. ``runs`` is per process; more runs allow a larger K.
NETS = {
    "small-cnn": Work("small-cnn", "digits", 64, samples=1152, epochs=4, runs=16, device="cpu", root=None),
    "lenet": Work("lenet", "mnist", 64, samples=2000, epochs=1, runs=8, device="cpu", root=None),
    "3c3d": Work("3c3d", "cifar10", 128, samples=1024, epochs=1, runs=4, device="cpu", root=None),
    "resnet8": Work(
        "resnet8", "cifar10", 128, samples=1024, epochs=1, runs=4, device="cpu", root=None, augment=AUGMENT
    ),
    "resnet20": Work(
        "resnet20", "cifar10", 128, samples=512, epochs=1, runs=2, device="cpu", root=None, augment=AUGMENT
    ),
    "resnet18": Work(
        "resnet18", "cifar10", 128, samples=256, epochs=1, runs=2, device="cpu", root=None, augment=AUGMENT
    ),
}
ON_REQUEST = ("resnet18",)  # takes as long as all others together
RUNS_ON_CUDA = 256


def main() -> int:
    """Measure and print the results; return the exit code."""
    options = _parser().parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    count = 1 if device == "cuda" else CORES
    works = [_work(NETS[name], options, device, count) for name in options.nets]
    before = table.busy()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        for work in works:
            load(work)  # so that errors in the data are reported before anything is measured
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    limits = limit.measure(device, options.precisions, options.matrix)
    with processes(works, count) as pool:
        measured = [compare(work, options.precisions, options.rounds, pool, count) for work in works]
    text = table.results(measured, limits, options.rounds, device, before)
    print(text)
    if options.write is not None:
        table.write(text, options.write)
    return 0


def _work(work: Work, options: argparse.Namespace, device: str, count: int) -> Work:
    return replace(
        work,
        samples=options.samples or work.samples,
        epochs=options.epochs or work.epochs,
        runs=(options.runs or (RUNS_ON_CUDA if device == "cuda" else work.runs)) * count,
        device=device,
        root=options.data,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    usual = [name for name in NETS if name not in ON_REQUEST]
    parser.add_argument("--nets", nargs="+", choices=NETS, default=usual, metavar="NET")
    parser.add_argument("--precisions", nargs="+", choices=limit.DTYPES, default=["fp32", "bf16"], metavar="PRECISION")
    parser.add_argument("--rounds", type=_positive, default=5)
    parser.add_argument("--samples", type=_positive, help="training images of every net")
    parser.add_argument("--epochs", type=_positive)
    parser.add_argument("--runs", type=_positive, help="runs per process")
    parser.add_argument("--matrix", type=_positive, help="rows of the matrix product that measures the machine")
    folder = os.environ.get("DECAYBENCH_DATA")
    parser.add_argument("--data", type=Path, default=Path(folder) if folder else None, metavar="DIR")
    parser.add_argument("--write", nargs="?", type=Path, const=table.README, metavar="FILE", help="default: README.md")
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
