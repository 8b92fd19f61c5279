"""A GPU's epoch: updates in chunks that never wait for the host, each recorded once as a CUDA graph and replayed.

A replayed graph reads and writes the memory that it was recorded with. So what an update works on in place stays where
it is, and what it makes anew is copied back at a chunk's end. On a CPU the same chunks are simply run.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

LENGTH = 16  # updates in a chunk: the host is idle while they run, and they are soon recorded


class Recorded:
    """Operations on a device that are the same at each call, and recorded where ``record`` says so.

    It goes as PyTorch asks for when a whole network is captured: the first call runs on a side stream, so that
    libraries and autograd settle, the second is recorded, and it and all others are replayed. The memory that it
    works in is of ``pool``, which others may work in at other times: nothing is left there for the next call.
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
    """K runs in training, as far as their updates go."""

    def update(self, order: Tensor, batch: int, step: Tensor) -> tuple[Tensor, Tensor]:
        """Make update ``step``, int64 (), with the batch'th batch of ``order``: losses and learning rates, (K,)."""

    def state(self) -> list[Tensor]:
        """The tensors that an update makes anew; all others it changes in place."""

    def resume(self, state: Sequence[Tensor]) -> None:
        """Go on with these in the place of ``state``'s."""


class _Chunk(NamedTuple):
    """What some updates are given, the examples of their batches (L, n·B) and the first one's number; their learning
    rates (K, n); and their operations.
    """

    order: Tensor
    first: Tensor
    rates: Tensor
    recorded: Recorded


class Chunks:
    """The updates of K runs, a chunk at a time, for one number of lanes."""

    def __init__(self, runs: Trained, rates: Tensor, *, record: bool) -> None:
        """``rates`` (K, steps) takes an epoch's learning rates."""
        self._rates, self._record = rates, record
        # An epoch's two graphs run one after the other, so they share the memory of what they make on the way.
        self._pool = torch.cuda.graph_pool_handle() if record else None
        self._kept = [tensor.clone() for tensor in runs.state()]
        self._loss = torch.zeros(len(rates), dtype=torch.float64, device=rates.device)
        self._chunks: dict[int, _Chunk] = {}  # by length; an epoch has one length, and perhaps a shorter one at its end

    def epoch(self, runs: Trained, order: Tensor, size: int, first: int) -> Tensor:
        """Make an epoch's updates, from number ``first`` on, with batches of ``size`` from ``order`` (L, N); returns
        the sum of their losses, (K,) float64.
        """
        self._loss.zero_()
        self._keep(runs)  # the end of the epoch before has made some anew
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
        """Copy the state to where it is kept; all of it is read first, since one place's new value may be another."""
        for place, value in zip(self._kept, [tensor.clone() for tensor in runs.state()], strict=True):
            place.copy_(value)
        runs.resume(self._kept)


def bucket(lanes: int) -> int:
    """The least of 1, 2, 3, 4, 6, 8, 12, 16, 24 ... that is not below ``lanes``: a graph is of one number of lanes, so
    lanes whose runs have ended are left behind in few steps.
    """
    power = 1 << (lanes - 1).bit_length()
    return power * 3 // 4 if lanes <= power * 3 // 4 else power
