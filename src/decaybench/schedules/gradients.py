"""What gradient rules look at, measured on the optimizer of a user's own loop."""

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer


def check_optimizer(optimizer: Optimizer, kind: str) -> None:
    """Raise ValueError unless a gradient rule can follow the optimizer: torch.optim.SGD, going downhill."""
    if not isinstance(optimizer, SGD):
        raise ValueError(f"{kind} looks at gradients and is for torch.optim.SGD, got {type(optimizer).__name__}")
    if any(group["maximize"] for group in optimizer.param_groups):
        raise ValueError(f"{kind} needs an optimizer that minimises, got maximize=True")
    if any(group["lr"] <= 0 for group in optimizer.param_groups):
        raise ValueError(f"{kind} computes with the base learning rate, which must be above 0, got 0")


@torch.no_grad()
def products(
    optimizer: Optimizer, asked: Collection[str], previous: Sequence[Tensor], base_lrs: Sequence[float]
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """The products asked for, each (1,) float64, between backward and step; and the directions to hand in next time.

    ``previous`` holds a tensor for each parameter: the direction of the update before ([] before the first). It is
    followed, and not empty, only where a product with it is asked for. A direction is what the first group's learning
    rate multiplies: the others' go by their share of it (``base_lrs``). Raises RuntimeError where there is no gradient.
    """
    if not asked:
        return {}, []
    wants_direction = bool({"grad_dot_direction", "grad_dot_previous"} & set(asked))
    gradients, directions = [], []
    for group, base in zip(optimizer.param_groups, base_lrs, strict=True):
        for p in group["params"]:
            gradients.append(p.grad)
            if wants_direction:
                buffer = optimizer.state[p].get("momentum_buffer") if p in optimizer.state else None
                directions.append(_direction(group, p, buffer, base / base_lrs[0]))
    if all(gradient is None for gradient in gradients):
        raise RuntimeError("the rule looks at gradients, and there are none: observe(loss) comes after loss.backward()")
    partners = {"grad_norm_sq": gradients, "grad_dot_direction": directions, "grad_dot_previous": previous}
    measured = {name: _dot(gradients, partners[name]) for name in asked}
    return measured, directions if "grad_dot_previous" in asked else []


def _direction(group: dict[str, Any], p: Tensor, buffer: Tensor | None, share: float) -> Tensor:
    """What torch's SGD is about to multiply with the first group's learning rate; a parameter without a gradient stays
    where it is.
    """
    if p.grad is None:
        return torch.zeros_like(p)
    step = p.grad + group["weight_decay"] * p if group["weight_decay"] else p.grad
    momentum = group["momentum"]
    if momentum:
        velocity = step if buffer is None else momentum * buffer + (1 - group["dampening"]) * step
        step = step + momentum * velocity if group["nesterov"] else velocity
    return step.clone() if share == 1 else step * share


def _dot(gradients: Sequence[Tensor | None], others: Sequence[Tensor | None]) -> Tensor:
    """The sum of the products of all pairs, (1,) float64; nothing to sum before the first update."""
    pairs = zip(gradients, others, strict=True) if others else ()
    sums = [(a.double() * b.to(a).double()).sum() for a, b in pairs if a is not None and b is not None]
    if not sums:
        return torch.zeros(1, dtype=torch.float64)
    return torch.stack([part.to(sums[0].device) for part in sums]).sum().cpu()[None]
