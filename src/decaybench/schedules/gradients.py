"""What gradient rules look at, measured on the optimizer of a user's own loop."""

from collections.abc import Collection

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer


def check_optimizer(optimizer: Optimizer, kind: str) -> None:
    """Raise ValueError unless a gradient rule can follow the optimizer: torch.optim.SGD, going downhill."""
    if not isinstance(optimizer, SGD):
        raise ValueError(f"{kind} looks at gradients and is for torch.optim.SGD, got {type(optimizer).__name__}")
    if any(group["maximize"] for group in optimizer.param_groups):
        raise ValueError(f"{kind} needs an optimizer that minimises, got maximize=True")


@torch.no_grad()
def products(
    optimizer: Optimizer, asked: Collection[str], previous: list[Tensor]
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """The products asked for, each (1,) float64, between backward and step; and the directions to hand in next time.

    ``previous`` holds a tensor for each parameter: the direction of the update before ([] before the first). Directions
    are followed, and not empty, only where a product with one is asked for.
    """
    wants_direction = bool({"grad_dot_direction", "grad_dot_previous"} & set(asked))
    gradients, directions = [], []
    for group in optimizer.param_groups:
        for p in group["params"]:
            gradient = torch.zeros_like(p) if p.grad is None else p.grad
            gradients.append(gradient)
            if wants_direction:
                buffer = optimizer.state[p].get("momentum_buffer") if p in optimizer.state else None
                directions.append(_direction(group, p, gradient, buffer))
    pairs = {
        "grad_norm_sq": (gradients, gradients),
        "grad_dot_direction": (gradients, directions),
        "grad_dot_previous": (gradients, previous or [torch.zeros_like(g) for g in gradients]),
    }
    return {name: _dot(*pairs[name]) for name in asked}, directions


def _direction(group: dict[str, float], p: Tensor, gradient: Tensor, buffer: Tensor | None) -> Tensor:
    """What torch's SGD is about to multiply with the learning rate."""
    step = gradient + group["weight_decay"] * p
    momentum = group["momentum"]
    if not momentum:
        return step
    velocity = step if buffer is None else momentum * buffer + (1 - group["dampening"]) * step
    return step + momentum * velocity if group["nesterov"] else velocity


def _dot(left: list[Tensor], right: list[Tensor]) -> Tensor:
    total = torch.zeros(1, dtype=torch.float64)
    for a, b in zip(left, right, strict=True):
        total += (a.double() * b.double()).sum().cpu()
    return total
