"""What torch is told for the time of a training, so that a run's numbers are its own and fp32 means fp32."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """One thread, and float32 multiplied as IEEE float32; both as they were afterwards.

    With two threads sums are split by size, so a run's bits would depend on K; and on a busy machine threads wait for
    each other. Convolutions on a GPU round their inputs to TF32's 10 bits unless torch is told otherwise, and so do
    products, on a CPU too (to bfloat16 even), after ``torch.set_float32_matmul_precision("medium")``.
    """
    threads, told = torch.get_num_threads(), []
    try:
        torch.set_num_threads(1)
        for place in _precisions():
            # What is inherited is left alone: it follows the place above again, once that is as it was.
            if (precision := place.fp32_precision) != "ieee":
                told.append((place, precision))
                place.fp32_precision = "ieee"
        yield
    finally:
        for place, precision in reversed(told):
            place.fp32_precision = precision
        torch.set_num_threads(threads)


def _precisions() -> list[Any]:
    """Where torch keeps how float32 is multiplied, from the general to the particular.

    torch's types do not know these objects. That of all of oneDNN is missing, since it sets the one of everything
    (PyTorch 2.13).
    """
    backends: Any = torch.backends
    cuda, cudnn, onednn = backends.cuda, backends.cudnn, backends.mkldnn
    return [backends, cudnn, cuda.matmul, cudnn.conv, cudnn.rnn, onednn.matmul, onednn.conv, onednn.rnn]
