"""What torch is told for the time of a training, so that a run's numbers are its own and fp32 means fp32."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """One thread, and no TF32; both as they were afterwards.

    With two threads sums are split by size, so a run's bits would depend on K; and on a busy machine threads wait for
    each other. Convolutions on a GPU round their inputs to TF32's 10 bits unless torch is told otherwise.
    """
    # torch's types do not know these objects, which say how float32 is multiplied.
    cudnn: Any = torch.backends.cudnn
    multiplying: list[Any] = [torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn]
    threads, precisions = torch.get_num_threads(), [operation.fp32_precision for operation in multiplying]
    torch.set_num_threads(1)
    for operation in multiplying:
        operation.fp32_precision = "ieee"
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        for operation, precision in zip(multiplying, precisions, strict=True):
            operation.fp32_precision = precision
