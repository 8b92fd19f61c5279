"""torch's global settings during training, so that a run's numbers do not depend on K and fp32 means fp32."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Use one thread and IEEE float32 multiplication; restore torch's settings afterwards.

    One thread: several threads split a sum by its size, so a run's bits would depend on K. On a busy machine threads
    also wait for each other.

    IEEE float32: by default, convolutions on a GPU round their inputs to TF32, which has 10 bits of mantissa. After
    ``torch.set_float32_matmul_precision("medium")``, matrix products round theirs too, even on a CPU and even to
    bfloat16.
    """
    threads, changed = torch.get_num_threads(), []
    try:
        torch.set_num_threads(1)
        for place in _precisions():
            # A setting inherited from a broader one already reads "ieee" here. Setting it would end the inheritance.
            if (precision := place.fp32_precision) != "ieee":
                changed.append((place, precision))
                place.fp32_precision = "ieee"
        yield
    finally:
        for place, precision in reversed(changed):
            place.fp32_precision = precision
        torch.set_num_threads(threads)


def _precisions() -> list[Any]:
    """The objects whose ``fp32_precision`` sets how float32 is multiplied, from the general to the particular.

    torch's type stubs lack them. ``backends.mkldnn`` itself is left out: in PyTorch 2.13, setting it changes the
    precision of all backends.
    """
    backends: Any = torch.backends
    cuda, cudnn, onednn = backends.cuda, backends.cudnn, backends.mkldnn
    return [backends, cudnn, cuda.matmul, cudnn.conv, cudnn.rnn, onednn.matmul, onednn.conv, onednn.rnn]
