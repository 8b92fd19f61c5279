"""Measure on a GPU what no CPU can show, in at most 6 minutes: ``python -m benchmarks.device [--out FOLDER]``.

Each section is a process of its own, which ends after its share of the time at the latest, so that an error on the
device or a slow kernel costs one section. What was measured until then is kept. The results are one JSON file and one
page of Markdown.
"""

import argparse
import gc
import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.device import agreement, convolutions, throughput, whole
from benchmarks.device.page import page
from benchmarks.device.setting import Section, Setting

FORK = multiprocessing.get_context("fork")
RESULTS, PAGE = "device.json", "device.md"


class Planned(NamedTuple):
    """A section and the seconds that it may take."""

    title: str
    measure: Section
    seconds: float


SECTIONS = {
    "environment": Planned("Environment", whole.environment, 10),
    "tests": Planned("The tests that need a GPU", whole.tests, 60),
    "plain-loop": Planned("float64 beside the plain loop", agreement.plain_loop, 20),
    "bits": Planned("Does a run have the same bits in any company?", agreement.bits, 45),
    "throughput": Planned("Training samples per second", throughput.throughput, 120),
    "convolutions": Planned("Ways to compute the convolutions of 16 models", convolutions.convolutions, 45),
    "recording": Planned("CUDA graphs", throughput.recording, 25),
    "extras": Planned("Rules that react, and augmentation", throughput.extras, 20),
    "sweep": Planned("A whole sweep", whole.sweep, 20),
}

Row = dict[str, Any]


def main() -> int:
    """Measure, print and write the page; return the exit code."""
    options = _parser().parse_args()
    if options.device == "cuda" and not _has_cuda():
        print("error: there is no CUDA device; --device cpu --quick tries the command without one", file=sys.stderr)
        return 2
    setting = Setting(torch.device(options.device), options.quick)
    options.out.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + options.seconds
    rows: list[Row] = []
    for name in options.sections:
        print(f"{SECTIONS[name].title} ...", file=sys.stderr, flush=True)
        seconds = min(SECTIONS[name].seconds, ends - time.monotonic())
        found = here(name, setting, seconds) if options.here else in_a_process(name, setting, seconds, options.out)
        rows += [{"section": SECTIONS[name].title, **row} for row in found]
        text = page(rows, gpu=setting.cuda, quick=setting.quick)  # written after each section, should this one be ended
        (options.out / RESULTS).write_text(
            json.dumps({"gpu": setting.cuda, "quick": setting.quick, "rows": rows}, indent=1)
        )
        (options.out / PAGE).write_text(text)
    print(text, end="")
    return 0


def _has_cuda() -> bool:
    """Asked in another process, since a process that has asked cannot be forked."""
    asking = FORK.Process(target=lambda: sys.exit(not torch.cuda.is_available()))
    asking.start()
    asking.join()
    return asking.exitcode == 0


def here(name: str, setting: Setting, seconds: float, note: Callable[[Row], object] = lambda row: None) -> list[Row]:
    """Measure a section; ``note`` is called with each row. An error becomes part of its row."""
    ends = time.monotonic() + seconds
    rows: list[Row] = []
    for labels, measure in SECTIONS[name].measure(setting):
        row: Row = dict(labels)
        if time.monotonic() > ends:
            row["left out"] = "no time was left"
        else:
            try:
                row |= measure()
            except Exception as error:
                row["error"] = f"{type(error).__name__}: {error}"
            if setting.cuda:
                _forget()
        rows.append(row)
        note(row)
    return rows


def _forget() -> None:
    """Give the memory of a measurement back, so that the next one has all of it."""
    gc.collect()
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    except RuntimeError:  # an earlier error has broken the device for this process: the rows say so
        pass


def in_a_process(name: str, setting: Setting, seconds: float, folder: Path) -> list[Row]:
    """The same in a process, which is killed when its time is over; its rows come through a file."""
    file = folder / f"{name}.rows"
    file.write_text("")
    started = time.monotonic()
    # Forked, since importing torch again takes seconds. So this process must not touch the device.
    process = FORK.Process(target=_measure, args=(name, setting, 0.85 * seconds, file))
    process.start()
    process.join(max(1.0, seconds))
    if process.is_alive():
        process.kill()
        process.join()
    rows: list[Row] = [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]
    file.unlink()
    if process.exitcode != 0:
        rows.append({"error": f"the process ended with {process.exitcode} after {time.monotonic() - started:.0f} s"})
    return rows


def _measure(name: str, setting: Setting, seconds: float, file: Path) -> None:
    with file.open("a") as out:

        def note(row: Row) -> None:
            out.write(json.dumps(row) + "\n")
            out.flush()

        here(name, setting, seconds, note)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.device", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the command")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="SECTION")
    parser.add_argument("--seconds", type=float, default=345.0, help="for all sections together")
    parser.add_argument("--here", action="store_true", help="measure in this process")
    parser.add_argument("--out", type=Path, default=Path("build/device"), metavar="FOLDER")
    return parser


if __name__ == "__main__":
    sys.exit(main())
