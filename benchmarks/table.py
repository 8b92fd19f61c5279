"""The results as Markdown, and writing them into README.md."""

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.limit import COPIED, Limit
from benchmarks.rounds import Measured
from benchmarks.work import CORES

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- results: written by --write -->", "<!-- end of results -->"
COLUMNS = (
    *("precision", "variant", "samples/s (lowest .. highest)", "over (a) fp32", "over (a)"),
    *("GFLOP/s", "of the limit", "training loss", "accuracy"),
)


def results(measured: Sequence[Measured], limit: Limit, rounds: int, device: str, load: str) -> str:
    """All results as Markdown, without a heading."""
    today = datetime.now(UTC).date()
    head = f"{today}, {machine(device)}, torch {torch.__version__}; medians of {rounds}; load average before: {load}."
    return "\n\n".join([head, _limits(limit, device), *(_net(one, limit) for one in measured)])


def write(text: str, path: Path = README) -> None:
    """Write the results between the markers of a README; ValueError if it has none."""
    page = path.read_text()
    if BEGIN not in page or END not in page:
        raise ValueError(f"{path} must have the lines {BEGIN!r} and {END!r}")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def machine(device: str) -> str:
    """The processor's name and cores, or the GPU's name."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return f"{found.group(1) if found else platform.processor()}, {CORES} cores"


def busy() -> str:
    """The load average over the last minute, as text."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def _limits(limit: Limit, device: str) -> str:
    shape = f"{limit.size} x {limit.size}"
    products = {f"product of {shape}, {precision}, GFLOP/s": precision for precision, _ in limit.products}
    rows = [
        [what, *(f"{limit.products[precision, threads]:,.0f}" for threads in limit.copies)]
        for what, precision in products.items()
    ]
    copies = [f"copy of {COPIED // 2**20} MiB, read and written, GB/s", *(f"{r:,.1f}" for r in limit.copies.values())]
    counts = ["the device" if device == "cuda" else f"{n} thread{'s' * (n > 1)}" for n in limit.copies]
    return _table(["limit", *counts], [*rows, copies])


def _net(one: Measured, limit: Limit) -> str:
    work = one.work
    rows = []
    for variant in one.variants:
        first, same = one.find("a", "fp32"), one.find("a", variant.precision)
        rate = variant.speed * one.flops
        rows.append(
            [
                variant.precision,
                f"({variant.letter}) {variant.name}",
                f"{variant.speed:,.0f} ({min(variant.speeds):,.0f} .. {max(variant.speeds):,.0f})",
                *(f"{variant.over(base):.2f}" if base else "" for base in (first, same)),
                f"{rate / 1e9:,.1f}",
                f"{rate / limit.of(variant.precision):.1%}",
                f"{variant.loss:.4f}",
                f"{variant.accuracy:.4f}",
            ]
        )
    tried = "; ".join(
        f"{precision}: " + ", ".join(f"K = {k} {speed:,.0f}" for k, speed in speeds.items())
        for precision, speeds in one.tried.items()
    )
    about = (
        f"{work.runs} runs of {work.updates} updates on {work.samples:,} images; {one.flops / 1e6:.2f} MFLOP per "
        f"training sample, forward and backward. Short measurement, samples/s: {tried}."
    )
    return f"### {work.name}\n\n{about}\n\n{_table(COLUMNS, rows)}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    left = ("precision", "variant", "limit")
    rule = [":--" if column in left else "--:" for column in columns]
    return "\n".join("| " + " | ".join(row) + " |" for row in (columns, rule, *rows))
