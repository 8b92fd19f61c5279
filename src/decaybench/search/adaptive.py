"""Samplers that also choose the strategy: the strategies of a sweep share the trials of a repeat and length.

This searches for one good configuration: trials go where results are good, so it does not compare the strategies.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from decaybench.errors import UserError
from decaybench.search.balanced import point, uniform
from decaybench.search.slot import Slot, Told
from decaybench.search.space import Space
from decaybench.search.tpe import STARTUP, Direction, ask, closed
from decaybench.seeds import derive


class AdaptiveRandom:
    """Draws the strategy and its parameters at random; a pure function of (seed, repeat, slot)."""

    def __init__(self, spaces: Mapping[str, Space], seed: int) -> None:
        self._spaces, self._seed = dict(spaces), seed

    def choose(self, repeat: int, length: float, slot: int, history: Sequence[Told]) -> str:
        """The label of the trial's strategy; all are equally likely, and ``history`` is ignored."""
        u = float(uniform(derive(self._seed, "strategy", repeat), 1, slot)[0])
        return list(self._spaces)[int(u * len(self._spaces))]

    def propose(self, slot: Slot, history: Sequence[Told]) -> dict[str, Any]:
        """The trial's parameters, in range units; UserError if the trial belongs to another strategy."""
        _require(slot, self.choose(slot.repeat, slot.length, slot.slot, history))
        return point(self._seed, slot.repeat, slot.strategy, slot.slot, self._spaces[slot.strategy], "random")


class AdaptiveTPE:
    """TPE over all strategies: the strategy is a categorical parameter, on which all others depend.

    A batch spans all strategies of one repeat and length. It is fitted on earlier batches as in ``BatchedTPE``.
    """

    def __init__(self, spaces: Mapping[str, Space], seed: int, batch: int, direction: Direction) -> None:
        self._spaces, self._seed, self._batch, self._direction = dict(spaces), seed, batch, direction
        # Try most strategies before one is preferred.
        self._startup = max(STARTUP, 2 * len(self._spaces))
        self._last: dict[tuple[int, float], tuple[int, list[Told], list[tuple[str, dict[str, Any]]]]] = {}

    def choose(self, repeat: int, length: float, slot: int, history: Sequence[Told]) -> str:
        """The strategy of the trial; ValueError if an earlier batch is not closed."""
        return self._proposal(repeat, length, slot, history)[0]

    def propose(self, slot: Slot, history: Sequence[Told]) -> dict[str, Any]:
        """The trial's parameters, in range units.

        Raises UserError if the trial belongs to another strategy, ValueError if an earlier batch is not closed.
        """
        label, values = self._proposal(slot.repeat, slot.length, slot.slot, history)
        _require(slot, label)
        return values

    def _proposal(self, repeat: int, length: float, slot: int, history: Sequence[Told]) -> tuple[str, dict[str, Any]]:
        batch, place = divmod(slot, self._batch)
        here = (told for told in history if (told.slot.repeat, told.slot.length) == (repeat, length))
        earlier = closed(here, batch * self._batch)
        key = (repeat, length)
        if key not in self._last or self._last[key][:2] != (batch, earlier):
            seed = derive(self._seed, "adaptive", repeat, repr(length), batch)
            asked = ask(self._spaces, earlier, seed, self._batch, self._direction, self._startup)
            self._last[key] = (batch, earlier, asked)
        return self._last[key][2][place]


def _require(slot: Slot, label: str) -> None:
    """UserError if the sampler now proposes another strategy than the stored one: the versions must have changed."""
    if label != slot.strategy:
        raise UserError(
            f"trial {slot.slot} of repeat {slot.repeat} was given to strategy {slot.strategy}, but the versions"
            f" installed here would give it to {label}: finish the sweep with the versions in its provenance"
        )
