"""The random numbers that layers draw in training."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from decaybench import seeds


class Noise:
    """Dropout's masks. Each seed has a generator of its own, so runs with the same seed get the same masks.

    A batch's masks are drawn once for all seeds, when a layer first needs them. When lanes are computed in several
    parts, later parts look them up.
    """

    def __init__(self, run_seeds: Sequence[int]) -> None:
        self._generators = {seed: seeds.generator(seed, "dropout") for seed in run_seeds}
        self._drawn: list[Tensor] = []  # for this batch, one (seeds, B, ...) per dropout layer
        self._layer = 0
        self._rows: list[int] = []

    def states(self, run_seeds: Sequence[int]) -> dict[int, Tensor]:
        """The states of the generators of ``run_seeds``."""
        return {seed: self._generators[seed].get_state() for seed in run_seeds}

    def resume(self, states: Mapping[int, Tensor]) -> None:
        """Go on from these states."""
        self._generators = {seed: torch.Generator().set_state(state) for seed, state in states.items()}

    def next_batch(self, run_seeds: Sequence[int]) -> None:
        """Discard the previous batch's masks, and all generators but those of ``run_seeds``."""
        self._generators = {seed: self._generators[seed] for seed in dict.fromkeys(run_seeds)}
        self._drawn = []

    def select(self, run_seeds: Sequence[int]) -> None:
        """Select the masks of these runs for the next forward pass."""
        places = {seed: place for place, seed in enumerate(self._generators)}
        self._rows, self._layer = [places[seed] for seed in run_seeds], 0

    def keep(self, shape: tuple[int, ...], share: float, like: Tensor) -> Tensor:
        """The factors (K, B, ...) for runs' activations of this shape, (B, ...): 0 for the ``share`` that is dropped,
        else 1 / (1 - share). Their dtype and device are those of ``like``.
        """
        if self._layer == len(self._drawn):
            drawn = [torch.rand(shape, generator=generator) for generator in self._generators.values()]
            self._drawn.append(torch.stack(drawn))
        kept = (self._drawn[self._layer] >= share)[self._rows].to(like.device, like.dtype)
        self._layer += 1
        return kept / (1 - share) if share < 1 else kept
