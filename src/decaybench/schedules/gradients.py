"""What gradient rules look at, measured on the optimizer of a user's own loop."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

ANY = "any"  # gradients that are not 0, counted by parameter: norms of small ones may be 0 in float32


def check_optimizer(optimizer: Optimizer, kind: str) -> None:
    """Raise ValueError unless a gradient rule can follow the optimizer: torch.optim.SGD, going downhill."""
    if not isinstance(optimizer, SGD):
        raise ValueError(f"{kind} looks at gradients and is for torch.optim.SGD, got {type(optimizer).__name__}")
    if any(group["maximize"] for group in optimizer.param_groups):
        raise ValueError(f"{kind} needs an optimizer that minimises, got maximize=True")


@torch.no_grad()
def products(
    optimizer: Optimizer,
    asked: Collection[str],
    previous: Mapping[Tensor, Tensor],
    base_lrs: Sequence[float],
    rates: Sequence[Hashable],
) -> tuple[dict[str, list[float]], dict[Tensor, Tensor], bool]:
    """The products asked for, (G,) each, between backward and step; the directions to hand in next time; and whether
    every gradient is 0.

    ``previous`` holds the last update's direction of each parameter ({} before the first). It is followed, and not
    empty, only where a product with it is asked for. Groups whose ``base_lrs`` is 0 are frozen: their gradients do
    not count. Of the others, ``grad_norm_sq`` is that of the whole gradient; ``grad_dot_direction`` goes along the
    whole direction, in units of each group's own learning rate (a group with a base learning rate twice as high has
    twice the share in it); ``grad_dot_previous`` is of what one learning rate multiplies: the groups with equal
    ``rates``. Sums are made on the gradients' devices, in their own type, halves in float32: nothing asks for float64
    where there is none. Raises RuntimeError where there is no gradient.
    """
    if not asked:
        return {}, {}, False
    wants_direction = bool({"grad_dot_direction", "grad_dot_previous"} & set(asked))
    directions: dict[Tensor, Tensor] = {}
    own = {name: [0.0] * len(base_lrs) for name in (*asked, ANY)}  # of each group alone
    waiting: dict[torch.device, list[tuple[str, int, Tensor]]] = {}
    for g, (group, base) in enumerate(zip(optimizer.param_groups, base_lrs, strict=True)):
        for p in group["params"] if base else ():
            if p.grad is None:  # it stays where it is
                continue
            if wants_direction:
                buffer = optimizer.state[p].get("momentum_buffer") if p in optimizer.state else None
                directions[p] = _direction(group, p, buffer)
            others = {
                "grad_norm_sq": p.grad,
                "grad_dot_direction": directions.get(p, p.grad),
                # 0 before the first: what is not finite is seen then too (0 * inf is NaN), and must not be remembered
                "grad_dot_previous": previous.get(p, torch.zeros_like(p)),
            }
            parts = waiting.setdefault(p.grad.device, [])
            parts.extend((name, g, _dot(p.grad, others[name])) for name in asked)
            parts.append((ANY, g, p.grad.any().to(torch.float32)))
    if not waiting:
        raise RuntimeError("the rule looks at gradients, and there are none: observe(loss) comes after loss.backward()")
    for parts in waiting.values():  # one transfer a device
        for (name, g, _), number in zip(parts, torch.stack([dot for *_, dot in parts]).tolist(), strict=True):
            own[name][g] += number
    measured = {name: _combined(name, own[name], base_lrs, rates) for name in asked}
    return measured, directions if "grad_dot_previous" in asked else {}, not any(own[ANY])


def _direction(group: Mapping[str, Any], p: Tensor, buffer: Tensor | None) -> Tensor:
    """What torch's SGD is about to multiply with the group's learning rate."""
    assert p.grad is not None
    step = p.grad + group["weight_decay"] * p if group["weight_decay"] else p.grad
    momentum = group["momentum"]
    if momentum:
        velocity = step if buffer is None else momentum * buffer + (1 - group["dampening"]) * step
        step = step + momentum * velocity if group["nesterov"] else velocity
    return step.clone()


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """The sum of the products, () on a's device, in a's type; of halves in float32; of complex numbers by their parts,
    which SGD takes for numbers of their own.
    """
    if a.is_complex():
        a, b = (torch.view_as_real(number.resolve_conj()) for number in (a, b))
    kind = torch.promote_types(a.dtype, torch.float32)
    return (a.to(kind) * b.to(a.device, kind)).sum()


def _combined(name: str, own: Sequence[float], base_lrs: Sequence[float], rates: Sequence[Hashable]) -> list[float]:
    """What each group's row of the rule is shown, (G,), from each group's ``own``."""
    if name == "grad_norm_sq":
        return [sum(own)] * len(own)
    if name == "grad_dot_previous":
        return [sum(b for b, other in zip(own, rates, strict=True) if other == rate) for rate in rates]
    return [sum(b * base / mine for b, base in zip(own, base_lrs, strict=True)) if mine else 0.0 for mine in base_lrs]
