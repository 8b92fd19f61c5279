"""Evaluate K schedules of any kinds as one (K,) tensor: each kind becomes one object with tensor fields."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Fixed, Observation, Reactive, Schedule
from decaybench.schedules.validation import plain, whole_number

# torch.pow gives other bits in the scalar tail of a vector than in its body. Groups are padded to whole vectors, so
# that a run's bits depend neither on K nor on its place: 16 x float64 covers AVX-512's unrolled loop.
LANES = 16

BankState = tuple[Any, ...]


class _Group(NamedTuple):
    schedule: Schedule
    runs: Tensor  # the indices of its runs, padded with the first one
    total_steps: Tensor  # of these runs, float64
    size: int  # the number of runs without the padding


def stack(schedules: Sequence[Schedule], device: torch.device | str = "cpu") -> Schedule:
    """Combine resolved schedules of one kind and equal options into one whose fields are float64 tensors (k,).

    Lists become (k, m): they are padded to the longest one with the value that their field declares. A number in place
    of a list stands for each of its entries.
    """
    kind = type(schedules[0])
    pads = {spec.name: spec.metadata["pad"] for spec in fields(kind) if spec.metadata.get("pad") is not None}
    lengths = (len(v) for name in pads for s in schedules if isinstance(v := getattr(s, name), tuple))
    longest = max(lengths, default=1)
    values: dict[str, Any] = {}
    for name in kind.parameters():
        column = [getattr(schedule, name) for schedule in schedules]
        if name in kind.options():
            values[name] = column[0]
        elif name == "warmup" and not any(column):
            values[name] = 0
        else:
            if name in pads:
                column = [_padded(value, longest, pads[name]) for value in column]
            values[name] = torch.tensor(column, dtype=torch.float64, device=device)
    return kind(**values)


def _padded(value: Any, length: int, pad: float) -> list[float]:
    return [*value, *[pad] * (length - len(value))] if isinstance(value, tuple) else [value] * length


class Bank:
    """K resolved schedules of any kinds, one per run, with base learning rates ``base_lr`` (K,), on its device.

    ``init()`` gives the state. ``observe_update`` and ``observe_epoch`` give the state after an observation of the
    update rules and the epoch rules. ``scale(state, step)`` is (K,) float64. ``total_steps`` is one number, or one per
    run. No method makes the host wait for the device.

    Raises ValueError for an unresolved schedule, for one whose fields are tensors, and for shapes or sizes that do not
    match.
    """

    def __init__(
        self,
        schedules: Sequence[Schedule],
        base_lr: Tensor,
        total_steps: int | Sequence[int],
        steps_per_epoch: int,
    ) -> None:
        if not schedules:
            raise ValueError("a bank needs at least one schedule")
        if base_lr.shape != (len(schedules),):
            raise ValueError(f"base_lr must be ({len(schedules)},), got {tuple(base_lr.shape)}")
        several = plain(total_steps, lists=True)
        each = several if isinstance(several, tuple) else [several] * len(schedules)
        if len(each) != len(schedules):
            raise ValueError(f"total_steps must be one number or {len(schedules)}, got {len(each)}")
        totals = [whole_number("total_steps", total, 1) for total in each]
        self.steps_per_epoch = whole_number("steps_per_epoch", steps_per_epoch, 1)
        self._base_lr = base_lr.to(torch.float64)
        members: dict[tuple[Any, ...], list[int]] = {}
        for i, schedule in enumerate(schedules):
            schedule.require_resolved()
            if any(isinstance(getattr(schedule, name), Tensor) for name in schedule.parameters()):
                raise ValueError(f"{type(schedule).__name__} has tensor fields: a bank takes one schedule per run")
            chosen = tuple(getattr(schedule, name) for name in schedule.options())
            members.setdefault((type(schedule), *chosen), []).append(i)
        device = base_lr.device
        self._groups = []
        for runs in members.values():
            padded = [*runs, *[runs[0]] * (-len(runs) % LANES)]
            together = stack([schedules[i] for i in padded], device)
            ends = torch.tensor([totals[i] for i in padded], dtype=torch.float64, device=device)
            self._groups.append(_Group(together, torch.tensor(padded, device=device), ends, len(runs)))
        order = torch.tensor([i for runs in members.values() for i in runs])
        self._place = torch.argsort(order).to(device)

    def init(self) -> BankState:
        """The state before the first observation: one NamedTuple of tensors per group."""
        return tuple(g.schedule.init(len(g.runs), self._base_lr[g.runs]) for g in self._groups)

    @property
    def observes(self) -> frozenset[str]:
        """The products of gradients that any of its rules observes."""
        return frozenset(n for g in self._groups if isinstance(g.schedule, Reactive) for n in g.schedule.observes)

    def observe_update(self, state: BankState, seen: Observation) -> BankState:
        """The state after the loss and products of an update, (K,) each, before its step; epoch rules do not change."""
        return tuple(
            g.schedule.observe(s, self._picked(seen, g.runs))
            if isinstance(g.schedule, Reactive) and g.schedule.when == "update"
            else s
            for g, s in zip(self._groups, state, strict=True)
        )

    def _picked(self, seen: Observation, runs: Tensor) -> Observation:
        """The part of an observation that belongs to ``runs``, in float64."""
        products = {name: value[runs].to(torch.float64) for name, value in seen.products.items()}
        return Observation(seen.loss[runs].to(torch.float64), products, self.steps_per_epoch)

    def observe_epoch(self, state: BankState, train_loss: Tensor, held_out_loss: Tensor | None) -> BankState:
        """The state after an epoch with these losses (K,); update rules do not change.

        Raises ValueError if a rule has signal "held_out" and ``held_out_loss`` is None.
        """
        return tuple(
            g.schedule.observe(
                s, self._picked(Observation(self._signal_loss(g.schedule, train_loss, held_out_loss)), g.runs)
            )
            if isinstance(g.schedule, Reactive) and g.schedule.when == "epoch"
            else s
            for g, s in zip(self._groups, state, strict=True)
        )

    @staticmethod
    def _signal_loss(rule: Reactive, train_loss: Tensor, held_out_loss: Tensor | None) -> Tensor:
        loss = held_out_loss if rule.held_out else train_loss
        if loss is None:
            raise ValueError(f"{type(rule).__name__}.signal is 'held_out', but no held-out loss was given")
        return loss

    def scale(self, state: BankState, step: int | Tensor) -> Tensor:
        """Learning rate / base learning rate, (K,), after ``step`` updates: an int, or a () tensor on the device."""
        device = self._base_lr.device  # the time is created there once, for all groups
        now = step if isinstance(step, Tensor) else torch.full((), step, dtype=torch.float64, device=device)
        parts = []
        for g, s in zip(self._groups, state, strict=True):
            clock = Clock(now, self.steps_per_epoch, g.total_steps).tensors(device)
            parts.append(g.schedule.scale(s, clock)[: g.size])
        return torch.cat(parts)[self._place]


def fixed_scales(schedule: Fixed, total_steps: int, steps_per_epoch: int) -> Tensor:
    """A fixed schedule's scales (total_steps,), computed many at a time, with the same bits as a Bank's."""
    size = min(1024, total_steps + -total_steps % LANES)
    wide = stack([schedule] * size)
    state = wide.init(size, torch.ones(size, dtype=torch.float64))
    steps = torch.arange(total_steps + -total_steps % size, dtype=torch.float64)
    parts = [wide.scale(state, Clock(block, steps_per_epoch, total_steps)) for block in steps.view(-1, size)]
    return torch.cat(parts)[:total_steps]
