"""An optimizer's parameter groups: their base learning rates, and which is which when groups come and go."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor
from torch.optim import Optimizer

from decaybench.schedules.validation import one_number


class Group(NamedTuple):
    """A parameter group as it was last seen: its dict, its parameters, and its base learning rate."""

    settings: dict[str, Any]
    parameters: tuple[Tensor, ...]
    base_lr: float


def innermost(optimizer: Any) -> Optimizer:
    """The optimizer that makes the updates, which wrappers such as accelerate's hold as ``optimizer``.

    Raises TypeError, as torch does, where there is none.
    """
    while isinstance(inner := getattr(optimizer, "optimizer", None), Optimizer) and inner is not optimizer:
        optimizer = inner
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


def look(optimizer: Optimizer, before: Sequence[Group] = ()) -> tuple[list[Group], list[int | None]]:
    """The groups as they are now, and which of ``before`` each one was: None is a new one.

    A group is known by its dict, or by any of its parameters, since ``optimizer.load_state_dict`` makes new dicts.
    Its base learning rate is its ``initial_lr``, as of torch's own schedulers; else what it was; else its ``lr``. A
    group that is known but has another base learning rate now begins anew. Raises ValueError for a learning rate that
    is not one finite number or below 0, or that cannot be set, and where none is above 0.
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
    """Whether the groups are the very ones of ``before``."""
    now = optimizer.param_groups
    return len(now) == len(before) and all(a is b.settings for a, b in zip(now, before, strict=True))


def holds(group: Group, rate: float) -> bool:
    """Whether the group's learning rate is ``rate`` still, as ``assign`` set it."""
    now = group.settings["lr"]
    return float(now) == (float(now.new_tensor(rate)) if isinstance(now, Tensor) else rate)


def assign(group: Group, rate: float) -> None:
    """Set the group's learning rate, a tensor in place, and mark its base learning rate as torch's schedulers do."""
    settings = group.settings
    if isinstance(settings["lr"], Tensor):
        settings["lr"].fill_(rate)
    else:
        settings["lr"] = rate
    settings["initial_lr"] = group.base_lr


def _same(group: Group, settings: Mapping[str, Any], parameters: Sequence[Tensor]) -> bool:
    return group.settings is settings or not {id(p) for p in group.parameters}.isdisjoint(map(id, parameters))


def _base_lr(i: int, settings: dict[str, Any], known: Sequence[Group], before: Sequence[Group]) -> float:
    """The base learning rate of group ``i``, which was the one in ``known``, or is new ([])."""
    name = "initial_lr" if "initial_lr" in settings else "lr"
    held = settings["lr"]
    if isinstance(held, Tensor) and (held.requires_grad or not held.is_floating_point()):  # it is filled in place
        got = "one that requires a gradient" if held.requires_grad else f"one of {held.dtype}"
        raise ValueError(f"param_groups[{i}]['lr'] must be a number or a tensor of a floating type, got {got}")
    if known and (name == "lr" or settings is known[0].settings):
        return known[0].base_lr
    value = settings[name]
    if name == "lr" and isinstance(value, Tensor):
        for group in before:  # a default that is a tensor is one tensor for all groups, and has been scheduled
            if group.settings["lr"] is value:
                settings["lr"] = value.clone()
                return group.base_lr
    base = one_number(f"param_groups[{i}][{name!r}]", value)
    if not (math.isfinite(base) and base >= 0):
        raise ValueError(f"param_groups[{i}][{name!r}] must be a finite number of at least 0, got {base}")
    return base
