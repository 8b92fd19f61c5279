"""An epoch on a GPU: chunks of updates that never wait for the host, recorded once as a CUDA graph and then replayed.

A replayed graph reads and writes the memory it was recorded with. Therefore tensors that an update changes in place are
never replaced within an epoch, and those that it makes anew (`State`) are copied back to a fixed place at the end of
each chunk. On a CPU the same chunks run without a graph.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from decaybench.training.carried import Carried
from decaybench.training.record import Record
from decaybench.training.update import State, Update

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


class _Chunk(NamedTuple):
    """``n`` updates: their inputs (the examples of their batches, (L, n·B), and the number of the first update), their
    output (the learning rates, (K, n)), and their recorded operations.
    """

    order: Tensor
    first: Tensor
    rates: Tensor
    recorded: Recorded


class Chunks:
    """An epoch's updates, made chunk by chunk, on a GPU as CUDA graphs if every pass runs the same operations."""

    def __init__(self, update: Update, record: Record) -> None:
        """``record`` receives each update's learning rates."""
        self._update, self._record = update, record
        self._graphs = record.rates.is_cuda and update.lanes.fixed
        self._carried: Carried | None = None  # what lanes carried when the chunks were made

    def epoch(self, state: State, first: int) -> Iterator[State]:
        """Make the updates that the epoch still lacks; its first one has number ``first``.

        Yields the state after each chunk, in memory that the next chunk overwrites.
        """
        lanes, record = self._update.lanes, self._record
        if self._carried is not lanes.carried:
            self._renew(state)
        self._keep(state)  # the end of the previous epoch has replaced some of the state
        for begin in range(record.made, record.steps, LENGTH):
            end = min(begin + LENGTH, record.steps)
            examples, rates = lanes.order[:, begin * lanes.batch : end * lanes.batch], record.rates[:, begin:end]
            if end - begin not in self._chunks:
                given = torch.empty_like(examples), lanes.order.new_zeros(()), torch.empty_like(rates)
                self._chunks[end - begin] = _Chunk(*given, Recorded(record=self._graphs, pool=self._pool))
            chunk = self._chunks[end - begin]
            chunk.order.copy_(examples)
            chunk.first.fill_(first + begin)
            chunk.recorded(partial(self._updates, chunk))
            rates.copy_(chunk.rates)
            record.made = end
            yield self._kept

    def _renew(self, state: State) -> None:
        """Forget the chunks, which know the memory of lanes that are no longer there."""
        self._carried = self._update.lanes.carried
        # An epoch's two graphs run one after the other, so they can share memory for intermediate results.
        self._pool = torch.cuda.graph_pool_handle() if self._graphs else None
        self._chunks: dict[int, _Chunk] = {}  # by length: at most two, as only an epoch's last chunk may be shorter
        self._kept: State = tree_map(torch.clone, state)

    def _updates(self, chunk: _Chunk) -> None:
        state = self._kept
        for i in range(chunk.rates.shape[1]):
            state = self._update(state, chunk.order, i, chunk.first + i)
            chunk.rates[:, i] = state.rate
        self._keep(state)

    def _keep(self, state: State) -> None:
        """Copy the state to its fixed place. All of it is cloned first: a new value may lie in another's place."""
        tree_map(Tensor.copy_, self._kept, tree_map(torch.clone, state))
