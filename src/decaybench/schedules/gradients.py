"""Measure the products that gradient rules observe, on the optimizer of a user's own loop."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

ANY = "any"  # the number of parameters with a nonzero gradient; the norm of a small gradient may be 0 in float32


def check_optimizer(optimizer: Optimizer, kind: str) -> None:
    """Raise ValueError unless a gradient rule can follow the optimizer: torch.optim.SGD that minimises."""
    if not isinstance(optimizer, SGD):
        raise ValueError(f"{kind} looks at gradients and needs torch.optim.SGD, got {type(optimizer).__name__}")
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
    """Measure the products in ``asked`` between backward and step, for G parameter groups.

    Returns three things: the products by name, (G,) each; the directions to pass as ``previous`` next time; and whether
    every gradient is 0. ``previous`` is the last update's direction of each parameter ({} before the first update); it
    is used only if ``asked`` has a product with it, and otherwise the returned directions are empty.

    Groups whose ``base_lrs`` is 0 are frozen, and their gradients do not count. Over the other groups:

    * ``grad_norm_sq`` is that of the whole gradient.
    * ``grad_dot_direction`` is along the whole direction, in units of each group's own learning rate: a group whose
      base learning rate is twice as high has twice the share.
    * ``grad_dot_previous`` covers what one learning rate multiplies: all groups with equal ``rates``.

    Sums are computed on the gradients' devices and in their dtypes (half precision in float32), because some devices
    lack float64. Raises RuntimeError if there are no gradients.
    """
    if not asked:
        return {}, {}, False
    wants_direction = bool({"grad_dot_direction", "grad_dot_previous"} & set(asked))
    directions: dict[Tensor, Tensor] = {}
    own = {name: [0.0] * len(base_lrs) for name in (*asked, ANY)}  # each group's contribution
    waiting: dict[torch.device, list[tuple[str, int, Tensor]]] = {}
    for g, (group, base) in enumerate(zip(optimizer.param_groups, base_lrs, strict=True)):
        for p in group["params"] if base else ():
            if p.grad is None:  # the optimizer does not change it
                continue
            if wants_direction:
                buffer = optimizer.state[p].get("momentum_buffer") if p in optimizer.state else None
                directions[p] = _direction(group, p, buffer)
            others = {
                "grad_norm_sq": p.grad,
                "grad_dot_direction": directions.get(p, p.grad),
                # 0 before the first update. A non-finite gradient still shows (0 * inf is NaN): it must be ignored.
                "grad_dot_previous": previous.get(p, torch.zeros_like(p)),
            }
            parts = waiting.setdefault(p.grad.device, [])
            parts.extend((name, g, _dot(p.grad, others[name])) for name in asked)
            parts.append((ANY, g, p.grad.any().to(torch.float32)))
    if not waiting:
        raise RuntimeError("the rule looks at gradients, but there are none: call observe(loss) after loss.backward()")
    for parts in waiting.values():  # one transfer per device
        for (name, g, _), number in zip(parts, torch.stack([dot for *_, dot in parts]).tolist(), strict=True):
            own[name][g] += number
    measured = {name: _combined(name, own[name], base_lrs, rates) for name in asked}
    return measured, directions if "grad_dot_previous" in asked else {}, not any(own[ANY])


def _direction(group: Mapping[str, Any], p: Tensor, buffer: Tensor | None) -> Tensor:
    """What torch's SGD will multiply by the group's learning rate in its next step."""
    assert p.grad is not None
    step = p.grad + group["weight_decay"] * p if group["weight_decay"] else p.grad
    momentum = group["momentum"]
    if momentum:
        velocity = step if buffer is None else momentum * buffer + (1 - group["dampening"]) * step
        step = step + momentum * velocity if group["nesterov"] else velocity
    return step.clone()


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """The dot product, a () tensor on a's device in a's dtype (half precision in float32).

    The real and imaginary parts of complex numbers count as separate numbers, as in torch's SGD.
    """
    if a.is_complex():
        a, b = (torch.view_as_real(number.resolve_conj()) for number in (a, b))
    kind = torch.promote_types(a.dtype, torch.float32)
    return (a.to(kind) * b.to(a.device, kind)).sum()


def _combined(name: str, own: Sequence[float], base_lrs: Sequence[float], rates: Sequence[Hashable]) -> list[float]:
    """The product (G,) that the rule observes for each group, from each group's contribution ``own``."""
    if name == "grad_norm_sq":
        return [sum(own)] * len(own)
    if name == "grad_dot_previous":
        return [sum(b for b, other in zip(own, rates, strict=True) if other == rate) for rate in rates]
    return [sum(b * base / mine for b, base in zip(own, base_lrs, strict=True)) if mine else 0.0 for mine in base_lrs]
