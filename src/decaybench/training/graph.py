"""An epoch on a GPU: chunks of updates that never wait for the host, recorded once as a CUDA graph and then replayed.

A replayed graph reads and writes the memory it was recorded with. Therefore tensors that an update changes in place are
never replaced, and tensors that it creates are copied back to a fixed place at the end of each chunk. On a CPU the same
chunks run without a graph.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

LENGTH = 16  # updates per chunk: enough to leave the host idle while they run, few enough to record quickly


class Recorded:
    """Device operations that are the same at each call; with ``record`` they are replayed as a CUDA graph.

    This follows PyTorch's advice for capturing a whole network. The first call runs on a side stream, so that
    libraries and autograd finish their set-up. The second call is recorded and replayed, and all later calls are only
    replayed. The graph's memory comes from ``pool``, which other graphs may use between calls, so nothing may be kept
    there from one call to the next.
    """

    def __init__(self, *, record: bool, pool: Any) -> None:
        self._record, self._pool, self._warm = record, pool, False
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, operations: Callable[[], None]) -> None:
        if not self._record:
            operations()
        elif not self._warm:
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                operations()
            torch.cuda.current_stream().wait_stream(side)
            self._warm = True
        else:
            if self._graph is None:
                self._graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self._graph, pool=self._pool):
                    operations()
            self._graph.replay()


class Trained(Protocol):
    """What `Chunks` needs of K runs in training."""

    def update(self, order: Tensor, batch: int, step: Tensor) -> tuple[Tensor, Tensor]:
        """Make update ``step``, int64 (), with batch number ``batch`` of ``order``; return losses and rates, (K,)."""

    def state(self) -> list[Tensor]:
        """The tensors that an update replaces with new ones; it changes all others in place."""

    def resume(self, state: Sequence[Tensor]) -> None:
        """Continue with these tensors in place of those from ``state()``."""


class _Chunk(NamedTuple):
    """``n`` updates: their inputs (the examples of their batches, (L, n·B), and the number of the first update), their
    output (the learning rates, (K, n)), and their recorded operations.
    """

    order: Tensor
    first: Tensor
    rates: Tensor
    recorded: Recorded


class Chunks:
    """Makes the updates of K runs chunk by chunk, for a fixed number of lanes."""

    def __init__(self, runs: Trained, rates: Tensor, *, record: bool) -> None:
        """``rates`` (K, steps) receives each epoch's learning rates."""
        self._rates, self._record = rates, record
        # An epoch's two graphs run one after the other, so they can share memory for intermediate results.
        self._pool = torch.cuda.graph_pool_handle() if record else None
        self._kept = [tensor.clone() for tensor in runs.state()]
        self._loss = torch.zeros(len(rates), dtype=torch.float64, device=rates.device)
        self._chunks: dict[int, _Chunk] = {}  # by length: at most two, as only an epoch's last chunk may be shorter

    def epoch(self, runs: Trained, order: Tensor, size: int, first: int) -> Tensor:
        """Make an epoch's updates, the first of which has number ``first``, in batches of ``size`` from ``order``
        (L, N). Returns the sum of their losses, (K,) float64.
        """
        self._loss.zero_()
        self._keep(runs)  # the end of the previous epoch has replaced some of the state
        steps = self._rates.shape[1]
        for begin in range(0, steps, LENGTH):
            end = min(begin + LENGTH, steps)
            examples, rates = order[:, begin * size : end * size], self._rates[:, begin:end]
            if end - begin not in self._chunks:
                given = torch.empty_like(examples), order.new_zeros(()), torch.empty_like(rates)
                self._chunks[end - begin] = _Chunk(*given, Recorded(record=self._record, pool=self._pool))
            chunk = self._chunks[end - begin]
            chunk.order.copy_(examples)
            chunk.first.fill_(first + begin)
            chunk.recorded(partial(self._updates, runs, chunk))
            rates.copy_(chunk.rates)
        return self._loss.clone()

    def _updates(self, runs: Trained, chunk: _Chunk) -> None:
        for i in range(chunk.rates.shape[1]):
            loss, chunk.rates[:, i] = runs.update(chunk.order, i, chunk.first + i)
            self._loss.add_(loss)
        self._keep(runs)

    def _keep(self, runs: Trained) -> None:
        """Copy the state to its fixed place. All of it is cloned first: a new value may lie in another's place."""
        for place, value in zip(self._kept, [tensor.clone() for tensor in runs.state()], strict=True):
            place.copy_(value)
        runs.resume(self._kept)


def bucket(lanes: int) -> int:
    """Round ``lanes`` up to 1, 2, 3, 4, 6, 8, 12, 16, 24, ...

    A graph is recorded for one number of lanes. As runs end, this makes that number shrink in few steps, so graphs are
    rarely recorded anew.
    """
    power = 1 << (lanes - 1).bit_length()
    return power * 3 // 4 if lanes <= power * 3 // 4 else power
