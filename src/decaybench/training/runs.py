"""Who is whose lane: K runs, and the L lanes that stand for them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from decaybench.shared import SHARED
from decaybench.training.recipe import Run


class Places(NamedTuple):
    """A new order of lanes: ``rows``, the old lane of each new one, and ``lane``, the new lane of each run."""

    rows: list[int]
    lane: list[int]


class Runs:
    """K runs in L lanes. Tensors are (K,) unless a comment says otherwise.

    A lane is a row of parameters. With ``shares``, runs with the same seed and settings have one lane until their
    learning rates first differ. To notice that, the host must read the learning rates, which would stall a GPU's queue;
    without ``shares`` each run has a lane of its own, and nothing is read within an epoch. With ``by_length``, runs of
    different lengths have different lanes from the start.

    Which runs are ``active``, neither diverged nor at their ends, changes with each update, so methods are given it.
    """

    def __init__(
        self, runs: Sequence[Run], epochs: int, device: torch.device, *, shares: bool, by_length: bool
    ) -> None:
        self.shares, self._device = shares, device
        self.epochs = [run.epochs or epochs for run in runs]
        self._lengths = torch.tensor(self.epochs, device=device)
        self.updates = torch.zeros(len(runs), dtype=torch.int64, device=device)
        self.computed = torch.zeros_like(self.updates)  # those made while the run represented its lane
        self.counted = torch.zeros_like(self.updates)  # the updates that ``computed`` takes into account
        self.first = torch.zeros(0, dtype=torch.int64, device=device)  # the run that represents each lane, (L,)
        self.founders: list[Run] = []  # the run as which each lane begins
        lane_of: dict[object, int] = {}
        lane = []
        for i, run in enumerate(runs):
            settings = (run.seed, *(getattr(run, shared.name) for shared in SHARED))
            alike = (settings, self.epochs[i] if by_length else None) if shares else i
            if alike not in lane_of:
                lane_of[alike] = len(self.founders)
                self.founders.append(run)
            lane.append(lane_of[alike])
        self.take(Places(list(range(len(self.founders))), lane), torch.ones_like(self.updates, dtype=torch.bool))

    def __len__(self) -> int:
        return len(self.epochs)

    def take(self, places: Places, active: Tensor) -> None:
        """Give the lanes this new order."""
        self.lanes = len(places.rows)
        self.lane = torch.tensor(places.lane, device=self._device)
        self.settle(active)

    def settle(self, active: Tensor) -> None:
        """Choose the run that represents each lane, an active one if possible, and note whether runs share a lane."""
        self.count()
        lane, goes_on = self.lane.tolist(), active.tolist()
        first: dict[int, int] = {}
        for run in sorted(range(len(self)), key=lambda run: not goes_on[run]):
            first.setdefault(lane[run], run)
        self.first = torch.tensor([first[place] for place in range(self.lanes)], device=self._device)
        living = [place for place, lives in zip(lane, goes_on, strict=True) if lives]
        self.shared = len(set(living)) < len(living)

    def count(self) -> None:
        """Credit the updates made since the last count to the runs that represented their lanes."""
        self.computed[self.first] += (self.updates - self.counted)[self.first]
        self.counted = self.updates.clone()

    def apart(self, rate: Tensor, active: Tensor) -> Places | None:
        """The lanes that the runs need whose learning rates differ from their lane's; None if they have them."""
        differs = active & (rate != rate[self.first][self.lane])
        if not bool(differs.any()):
            return None
        lane, rates = self.lane.tolist(), rate.tolist()
        rows, opened = list(range(self.lanes)), dict[tuple[int, float], int]()
        for run in differs.nonzero().flatten().tolist():
            leaves = lane[run], rates[run]
            if leaves not in opened:
                opened[leaves] = len(rows)
                rows.append(lane[run])
            lane[run] = opened[leaves]
        return Places(rows, lane)

    def fewer(self, active: Tensor) -> Places | None:
        """The lanes to go on with when runs have ended; None if all of them are needed, or none."""
        lane = self.lane.tolist()
        needed = {place for place, goes_on in zip(lane, active.tolist(), strict=True) if goes_on}
        size = len(needed) if self.shares else bucket(len(needed))  # the rest are lanes whose runs have ended
        if not needed or size >= self.lanes:
            return None
        kept = sorted(sorted(range(self.lanes), key=lambda place: place not in needed)[:size])
        place = {old: new for new, old in enumerate(kept)}
        return Places(kept, [place.get(old, 0) for old in lane])

    def left(self, epochs: int) -> Tensor:
        """The epochs that each lane has left after so many, (L,)."""
        return self._lengths[self.first] - epochs

    def done(self, epochs: int) -> Tensor:
        """Marks the runs whose length is ``epochs``."""
        return torch.tensor([length == epochs for length in self.epochs], device=self._device)


def bucket(lanes: int) -> int:
    """Round ``lanes`` up to 1, 2, 3, 4, 6, 8, 12, 16, 24, ...

    A CUDA graph is recorded for one number of lanes. As runs end, this makes that number shrink in few steps, so graphs
    are rarely recorded anew.
    """
    power = 1 << (lanes - 1).bit_length()
    return power * 3 // 4 if lanes <= power * 3 // 4 else power
