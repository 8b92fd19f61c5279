"""One update of all runs of a stack."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from decaybench.schedules import Bank, Observation
from decaybench.schedules.bank import BankState
from decaybench.training.chain import observed
from decaybench.training.lanes import Lanes
from decaybench.training.record import Record
from decaybench.training.runs import Places, Runs


class State(NamedTuple):
    """What an update makes anew, in tensors (K,). All else it changes in place, where a CUDA graph can find it.

    ``rules`` is the state of the schedules. ``active`` marks the runs that have neither diverged nor come to their
    ends. ``diverged`` is the update at which a run diverged, or -1. ``loss`` (float64) is the sum of the losses of the
    epoch's updates so far, and ``rate`` the learning rate of the last update; a run that did not make one adds 0.
    """

    rules: BankState
    active: Tensor
    diverged: Tensor
    loss: Tensor
    rate: Tensor


class Update:
    """Makes updates: called with a state, it changes what lanes carry and returns the next state.

    ``base`` (K,) are the base learning rates. Unless runs share lanes, the host never waits for the device.
    """

    def __init__(self, runs: Runs, lanes: Lanes, bank: Bank, base: Tensor) -> None:
        self.runs, self.lanes, self.bank, self.base = runs, lanes, bank, base

    def start(self) -> State:
        """The state before the first update."""
        nothing = torch.zeros_like(self.base)
        return State(
            rules=self.bank.init(),
            active=torch.ones_like(nothing, dtype=torch.bool),
            diverged=torch.full_like(nothing, -1, dtype=torch.int64),
            loss=nothing,
            rate=nothing.to(self.lanes.dtype),
        )

    def __call__(self, state: State, order: Tensor, batch: int, step: int | Tensor) -> State:
        """Make update ``step`` of each active run, with batch number ``batch`` of ``order`` (L, N)."""
        runs, lanes, names = self.runs, self.lanes, self.bank.observes
        lane_loss, gradient = lanes.gradient(order, batch)
        with torch.no_grad():
            own = gradient.clone() if names else gradient  # the chain may overwrite the gradient
            direction = lanes.chain.direct(lanes.carried, gradient)
            products = observed(names, lanes.carried, own, direction)

            loss = lane_loss[runs.lane]
            seen = Observation(loss, {name: value[runs.lane] for name, value in products.items()})
            rules = self.bank.observe_update(state.rules, seen)
            rate = (self.base * self.bank.scale(rules, step)).to(lanes.dtype)

            # A learning rate that overflows in the float32 trace counts as divergence: no infinity is ever stored.
            moving = state.active & loss.isfinite() & rate.float().isfinite()
            rate = torch.where(moving, rate, 0.0)
            runs.updates += moving
            if runs.shared and (places := runs.apart(rate, state.active)) is not None:
                direction = direction[places.rows]
                self.take(places, state.active)
            lanes.chain.step(lanes.carried, direction, rate[runs.first])

            # The largest magnitude is NaN or infinite if any parameter is; this takes one pass and no temporary tensor.
            largest = torch.linalg.vector_norm(lanes.carried["parameters"], ord=float("inf"), dim=1)[runs.lane]
        made = State(rules, state.active, state.diverged, state.loss + torch.where(moving, loss, 0.0), rate)
        return self.bury(made, state.active & ~(moving & largest.isfinite()), step)

    def bury(self, state: State, died: Tensor, step: int | Tensor) -> State:
        """The state when the runs in ``died`` have diverged at ``step``; zeroes the lanes that no active run needs."""
        state = state._replace(active=state.active & ~died, diverged=torch.where(died, step, state.diverged))
        # Reading whether any run died would stall a GPU's queue, so there the lanes are always zeroed.
        if self.runs.shares:
            if not bool(died.any()):
                return state
            self.runs.settle(state.active)
        self.lanes.carried.clear(~state.active[self.runs.first])
        return state

    def end(self, state: State, ends: Tensor) -> State:
        """The state after an epoch with which the runs in ``ends`` end; drops lanes that no active run needs."""
        state = state._replace(active=state.active & ~ends, loss=torch.zeros_like(state.loss))
        if (places := self.runs.fewer(state.active)) is not None:
            self.take(places, state.active)
        elif self.runs.shares:
            self.runs.settle(state.active)
        return state

    def take(self, places: Places, active: Tensor) -> None:
        """Give the lanes this new order."""
        self.lanes.take(places.rows)
        self.runs.take(places, active)


class OneByOne:
    """An epoch's updates on a CPU."""

    def __init__(self, update: Update, record: Record) -> None:
        """``record`` receives each update's learning rates."""
        self._update, self._record = update, record

    def epoch(self, state: State, first: int) -> Iterator[State]:
        """Make the updates that the epoch still lacks; its first one has number ``first``.

        Yields the state after each update.
        """
        for batch in range(self._record.made, self._record.steps):
            state = self._update(state, self._update.lanes.order, batch, first + batch)
            self._record.rates[:, batch] = state.rate
            self._record.made = batch + 1
            yield state
