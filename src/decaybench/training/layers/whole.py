"""Any other module: called as it is, with each run's parameters in turn."""

import copy
from typing import Any

import torch
from torch import Tensor, nn


class Whole:
    """Any nn.Module over K parameter sets: one copy per run, or one copy vectorised over all runs."""

    def __init__(self, template: nn.Module, copies: int, dtype: torch.dtype) -> None:
        self._modules = [duplicate(template, dtype) for _ in range(copies)]
        self._shapes = [(name, tuple(p.shape)) for name, p in template.named_parameters()]
        self._sizes = [p.numel() for p in template.parameters()]
        self._dtype = dtype
        # The places that hold each parameter: several for a tied one.
        self._places = []
        for module in self._modules:
            names = {id(p): name for name, p in module.named_parameters()}
            held = [(part._parameters, name, p) for part in module.modules() for name, p in part._parameters.items()]
            self._places.append([(holder, name, names[id(p)]) for holder, name, p in held if p is not None])

    def __call__(self, flat: Tensor, images: Tensor, training: bool) -> Tensor:
        # Each run gets its images in memory of its own, as a model alone would: a module may write into them or view
        # them. Its parameters, too, are cloned, so that their address does not depend on the run's place in the stack.
        x = images.to(self._dtype).transpose(0, 1)
        if len(self._modules) < len(flat):
            self._modules[0].to(flat.device).train(training)
            together: Tensor = torch.func.vmap(self._called)(flat, x.clone(memory_format=torch.contiguous_format))
            return together
        runs = zip(self._modules, self._places, flat.unbind(), x.unbind(), strict=True)
        return torch.stack([self._alone(*run, training) for run in runs])

    def _alone(
        self, module: nn.Module, places: list[tuple[Any, str, str]], flat: Tensor, images: Tensor, training: bool
    ) -> Tensor:
        """Call one run's copy. It keeps the run's parameters until the next call, since the backward pass may run parts
        of it again, for example with activation checkpointing.
        """
        values = self._values(flat.clone())
        for holder, name, parameter in places:
            holder[name] = values[parameter]
        out: Tensor = module.train(training)(images.clone(memory_format=torch.contiguous_format))
        return out

    def _called(self, flat: Tensor, images: Tensor) -> Tensor:
        out: Tensor = torch.func.functional_call(self._modules[0], self._values(flat), (images,))
        return out

    def _values(self, flat: Tensor) -> dict[str, Tensor]:
        parts = torch.split(flat, self._sizes)
        return {name: part.view(shape).to(self._dtype) for (name, shape), part in zip(self._shapes, parts, strict=True)}


def duplicate(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Copy a module and convert its floating-point buffers to ``dtype``: a float32 constant would widen a bf16 run.

    Complex buffers keep their type; ``Module.to`` would discard their imaginary part.
    """
    # Tensors that a hook computed from parameters (weight_norm, prune) are not leaves, and torch copies only leaves.
    held = [value for part in module.modules() for value in vars(part).values() if isinstance(value, Tensor)]
    made = copy.deepcopy(module, {id(value): value.detach().clone() for value in held if not value.is_leaf})
    for part in made.modules():
        for name, buffer in part._buffers.items():
            if buffer is not None and buffer.is_floating_point():
                part._buffers[name] = buffer.to(dtype)
    return made
