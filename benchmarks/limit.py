"""The limits of this machine: the speed of a large matrix product, and of a copy."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from benchmarks.work import CORES

SIZES = {"cpu": 2048, "cuda": 8192}  # rows and columns of the matrices
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
COPIED = 2**28  # bytes, more than most caches hold
REPETITIONS = 5


@dataclass(frozen=True)
class Limit:
    """The best of several repetitions.

    ``products`` maps (precision, threads) to GFLOP/s, and ``copies`` maps threads to GB/s, both read and written bytes
    counted. The matrices have ``size`` rows and columns. On a GPU there is one "thread": the device.
    """

    size: int
    products: dict[tuple[str, int], float]
    copies: dict[int, float]

    def of(self, precision: str) -> float:
        """FLOP/s of the whole machine."""
        return 1e9 * max(rate for (name, _), rate in self.products.items() if name == precision)


def measure(device: str, precisions: Sequence[str], size: int | None) -> Limit:
    """The machine's limits, with one thread and with one per core. Leaves torch set to use all cores."""
    n = size or SIZES[device]
    products, copies = {}, {}
    for threads in [1] if device == "cuda" else sorted({1, CORES}):
        torch.set_num_threads(threads)
        for precision in precisions:
            a, b = (torch.randn(n, n, device=device).to(DTYPES[precision]) for _ in range(2))
            out = torch.empty_like(a)
            products[precision, threads] = 2 * n**3 / _seconds(partial(torch.mm, a, b, out=out)) / 1e9
        source = torch.ones(COPIED, dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        copies[threads] = 2 * COPIED / _seconds(partial(target.copy_, source)) / 1e9
    torch.set_num_threads(CORES)
    return Limit(n, products, copies)


def _seconds(call: Callable[[], object]) -> float:
    """The time of the fastest of several calls, after one that warms up."""
    taken = []
    for _ in range(REPETITIONS + 1):
        started = time.perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    return min(taken[1:])
