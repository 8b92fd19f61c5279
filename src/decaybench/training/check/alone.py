"""A user's model outside any stack: one run's logits and gradients, or the reason why there are none."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from decaybench.errors import reason
from decaybench.training.layers import DROPOUT, duplicate


class Refusal(Exception):  # noqa: N818  # a verdict, not an error
    """Why a model cannot be trained; the message completes a sentence that begins with the model's name."""


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn whatever the user's module raises into a Refusal that begins with ``what``."""
    try:
        yield
    except Refusal:
        raise
    except (Exception, SystemExit) as error:
        raise Refusal(f"{what}: {reason(error)}") from error


def listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def when(training: bool) -> str:
    return "in training" if training else "in evaluation"


class _DropsNothing(TorchFunctionMode):
    """Makes dropout, also a function's, the identity."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in DROPOUT:
            return args[0] if args else kwargs["input"]
        return func(*args, **(kwargs or {}))


class Alone:
    """A copy of a module that holds a run's parameters (P,) instead of its own.

    Without ``drops``, its dropout drops nothing.
    """

    def __init__(self, module: nn.Module, flat: Tensor, classes: int, *, drops: bool = True) -> None:
        with refusing("cannot be copied"):
            self.module = duplicate(module, flat.dtype).to(flat.device)
        self._classes = classes
        self._drops: AbstractContextManager[Any] = nullcontext() if drops else _DropsNothing()
        self.load(flat)

    def load(self, flat: Tensor) -> None:
        parameters = dict(self.module.named_parameters())
        parts = torch.split(flat, [p.numel() for p in parameters.values()])
        self._loaded = {}
        for (name, parameter), part in zip(parameters.items(), parts, strict=True):
            parameter.data = part.clone().view(parameter.shape)
            self._loaded[name] = parameter._version, part.view(parameter.shape)

    def changed(self) -> list[str]:
        """The names of the parameters that a pass wrote to, even if it wrote the same values."""
        now = dict(self.module.named_parameters())
        return [
            name
            for name, (version, value) in self._loaded.items()
            if name not in now or now[name]._version != version or not torch.equal(now[name], value)
        ]

    def logits(self, images: Tensor, training: bool) -> Tensor:
        """The module's logits (B, classes) for images (B, C, H, W); raises Refusal for anything else."""
        shared = torch.get_default_dtype()
        with refusing(f"cannot be run on a batch of {len(images)} {when(training)}"), self._drops:
            logits = self.module.train(training)(images.clone())  # the module may write into its input
        if torch.get_default_dtype() != shared:
            torch.set_default_dtype(shared)
            raise Refusal(f"changes torch's default dtype {when(training)}, which the rest of the program shares")
        wanted = f"must give {self._classes} logits per image, one tensor ({len(images)}, {self._classes}), got"
        if not isinstance(logits, Tensor):
            raise Refusal(f"{wanted} {'None' if logits is None else f'a {type(logits).__name__}'} {when(training)}")
        if logits.shape != (len(images), self._classes):
            raise Refusal(f"{wanted} one of shape {tuple(logits.shape)} {when(training)}")
        if not logits.is_floating_point():
            raise Refusal(f"{wanted} one of {logits.dtype} {when(training)}")
        return logits

    def gradient(self, logits: Tensor, weights: Tensor) -> Tensor:
        """The gradient (P,) of the logits' weighted sum; zero for parameters that were not used."""
        if not logits.requires_grad:
            raise Refusal("gives logits without a gradient: they are detached from its parameters")
        self.module.zero_grad()
        with refusing("cannot be trained"):
            torch.autograd.backward((logits * weights).sum())
            grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.module.parameters()]
            return torch.cat([grad.flatten() for grad in grads])

    def passed(self, images: Tensor, weights: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        """The logits and the gradient; in evaluation the gradient is empty."""
        with torch.set_grad_enabled(training):
            logits = self.logits(images, training)
            gradient = self.gradient(logits, weights) if training else logits.new_zeros(0)
        return logits.detach(), gradient
