"""An optimizer's parameter groups: their base learning rates, and their identity when groups are added or removed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor
from torch.optim import Optimizer

from decaybench.schedules.validation import one_number


class Group(NamedTuple):
    """A parameter group when it was last read: its dict, its parameters and its base learning rate."""

    settings: dict[str, Any]
    parameters: tuple[Tensor, ...]
    base_lr: float


def innermost(optimizer: Any) -> Optimizer:
    """Unwrap the optimizer that makes the updates; wrappers such as accelerate's hold it as ``optimizer``.

    Raises TypeError, as torch does, if there is none.
    """
    while isinstance(inner := getattr(optimizer, "optimizer", None), Optimizer) and inner is not optimizer:
        optimizer = inner
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


def look(optimizer: Optimizer, before: Sequence[Group] = ()) -> tuple[list[Group], list[int | None]]:
    """Return the current groups, and for each its index in ``before``, or None for a new group.

    A group is recognised by its dict, or by any of its parameters, since ``optimizer.load_state_dict`` makes new dicts.
    Its base learning rate is its ``initial_lr``, as for torch's own schedulers; failing that, its earlier one; failing
    that, its ``lr``. A group that is recognised but has another base learning rate now counts as new.

    Raises ValueError for a learning rate that is not one finite number of at least 0 or cannot be set, and if no
    learning rate is above 0.
    """
    groups: list[Group] = []
    kept: list[int | None] = []
    for i, settings in enumerate(optimizer.param_groups):
        parameters = tuple(settings["params"])
        known = [j for j, group in enumerate(before) if _same(group, settings, parameters)][:1]
        base = _base_lr(i, settings, [before[j] for j in known], before)
        groups.append(Group(settings, parameters, base))
        kept.append(known[0] if known and before[known[0]].base_lr == base else None)
    if not any(group.base_lr for group in groups):
        raise ValueError("param_groups must have a learning rate above 0, got none")
    return groups, kept


def unchanged(optimizer: Optimizer, before: Sequence[Group]) -> bool:
    """Whether the groups are exactly those of ``before``, the same dicts in the same order."""
    now = optimizer.param_groups
    return len(now) == len(before) and all(a is b.settings for a, b in zip(now, before, strict=True))


def holds(group: Group, rate: float) -> bool:
    """Whether the group's learning rate is still ``rate``, as `assign` set it."""
    now = group.settings["lr"]
    return float(now) == (float(now.new_tensor(rate)) if isinstance(now, Tensor) else rate)


def assign(group: Group, rate: float) -> None:
    """Set the group's learning rate (a tensor in place) and, like torch's schedulers, its ``initial_lr``."""
    settings = group.settings
    if isinstance(settings["lr"], Tensor):
        settings["lr"].fill_(rate)
    else:
        settings["lr"] = rate
    settings["initial_lr"] = group.base_lr


def _same(group: Group, settings: Mapping[str, Any], parameters: Sequence[Tensor]) -> bool:
    return group.settings is settings or not {id(p) for p in group.parameters}.isdisjoint(map(id, parameters))


def _base_lr(i: int, settings: dict[str, Any], known: Sequence[Group], before: Sequence[Group]) -> float:
    """The base learning rate of group ``i``; ``known`` holds the same group as it was before, or nothing."""
    name = "initial_lr" if "initial_lr" in settings else "lr"
    held = settings["lr"]
    if isinstance(held, Tensor) and (held.requires_grad or not held.is_floating_point()):  # cannot be filled in place
        got = "one that requires a gradient" if held.requires_grad else f"one of {held.dtype}"
        raise ValueError(f"param_groups[{i}]['lr'] must be a number or a tensor of a floating type, got {got}")
    if known and (name == "lr" or settings is known[0].settings):
        return known[0].base_lr
    value = settings[name]
    if name == "lr" and isinstance(value, Tensor):
        for group in before:  # groups that use the default lr share one tensor, which has already been scheduled
            if group.settings["lr"] is value:
                settings["lr"] = value.clone()
                return group.base_lr
    base = one_number(f"param_groups[{i}][{name!r}]", value)
    if not (math.isfinite(base) and base >= 0):
        raise ValueError(f"param_groups[{i}][{name!r}] must be a finite number of at least 0, got {base}")
    return base
