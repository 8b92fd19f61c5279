"""A model of one's own, tried on random images.

What is wanted of it: logits for an image that follow from that image and the parameters alone. So the module by itself
is compared with the stack, and with itself after other images, in other batches and under other random seeds.
"""

import pickle
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from decaybench import seeds
from decaybench.errors import reason
from decaybench.training.recipe import COMPUTED_IN, Precision
from decaybench.training.stack.forward import Stack, cross_entropy, duplicate, flatten_parameters
from decaybench.training.stack.memory import memory

RUNS, BATCH = 3, 5
CPU = torch.device("cpu")
# Of the largest value: sums in another order differ by far less, a layer that is computed otherwise by far more.
CLOSE = {torch.float64: 1e-8, torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.1}


class Refusal(Exception):  # noqa: N818  # a verdict, no error
    """Why a model cannot be trained: how the line goes on after its name."""


@contextmanager
def told(what: str) -> Iterator[None]:
    """Whatever a module of the user's own raises, as a reason."""
    try:
        yield
    except Refusal:
        raise
    except (Exception, SystemExit) as error:
        raise Refusal(f"{what}: {reason(error)}") from error


class Probe:
    """A module and what it is tried on: parameters (3, P) of three runs, and images (3, B, C, H, W) for each."""

    def __init__(
        self,
        template: nn.Module,
        siblings: Sequence[nn.Module],
        shape: tuple[int, int, int],
        classes: int,
        device: torch.device,
    ) -> None:
        self.template, self.classes, self.device = template, classes, device
        self.models = [template, *siblings, template, template][:RUNS]
        drawn = partial(torch.rand, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        flat = flatten_parameters(self.models, torch.float64)
        # Away from initial weights, of which many are zero; no sign changes, since a module may take a logarithm.
        flat[1:] = flat[1:] * (1 + 0.2 * drawn(flat[1:].shape)) + 0.02 * drawn(flat[1:].shape)
        self.flat = flat.to(device)
        self.images = (3 * drawn(RUNS, BATCH, *shape) - 1.5).to(device)
        self.weights = (drawn(RUNS, BATCH, classes) - 0.5).to(device)
        with told("cannot be copied"):
            self.wide = Stack(template, RUNS, torch.float64).wide
        try:
            self.dtype = torch.float64
            self._try()
        except Refusal:  # a .float() of its own, say
            self.dtype = torch.float32
            self._try()

    def _try(self) -> None:
        for training in (True, False):
            with torch.set_grad_enabled(training):
                self._logits(self._alone(0), 0, training)

    def independent(self, training: bool) -> None:
        """The module by itself: logits follow from an image and the parameters alone."""
        module, when = self._alone(0), "in training" if training else "in evaluation"
        with torch.set_grad_enabled(training):
            once, twice = self._watched(module, training, when)
        if not once.isfinite().all():
            raise Refusal(f"gives logits or gradients that are NaN or infinite {when}, with its initial weights")
        if not (torch.equal(once, twice) if self.device.type == "cpu" else _close(once, twice)):
            raise Refusal(f"gives other logits or gradients for the same images a second time {when}")
        with torch.no_grad():
            whole, *parts = [
                self._logits(module, 0, training, part) for part in (slice(None), slice(1), slice(1, None))
            ]
        if not _close(torch.cat(parts), whole):
            raise Refusal(
                f"gives an image other logits beside other images {when}, but evaluation and full batches go in parts"
            )

    def _watched(self, module: nn.Module, training: bool, when: str) -> list[Tensor]:
        """Two passes over the same images, forward and in training backward, which draw nothing and after which the
        module holds the same; the logits and gradients of each.
        """
        given, passes, held = memory(module), [], []
        for seed in range(2):
            with seeds.seeded(seed, self.device):
                before = _generators(self.device)
                logits = self._logits(module, 0, training)
                gradient = self._gradient(module, logits, 0) if training else logits
                after = _generators(self.device)
            passes.append(torch.cat([logits.detach().flatten(), gradient.flatten()]))
            if drawn := [name for name in before if before[name] != after[name]]:
                raise Refusal(f"draws from {listed(drawn)} {when}, so a run is not the same twice{self._dropout()}")
            held.append(memory(module))
        # A mask or features that are kept, but made anew or never changed, are the same after both.
        changed = [what for what in held[1] if held[1][what] != held[0].get(what)]
        changed += [what for what in given if what.startswith("parameter ") and given[what] != held[0][what]]
        if changed:
            raise Refusal(f"changes the {listed(changed)} {when}, which the runs of a stack share")
        return passes

    def _dropout(self) -> str:
        for part in self.template.modules():
            if isinstance(part, _DropoutNd) and part.p:
                possible = "nn.Dropout after the Flatten of a plain nn.Sequential of Conv2d, Linear, ReLU and MaxPool2d"
                return f": {part}; possible is {possible}"
        return ""

    def stacked(self) -> None:
        """Three runs in a stack have the logits and the gradients that each has alone."""
        stack = Stack(self.template, RUNS, self.dtype, vectorised=self.device.type != "cpu")
        for training in (True, False):
            flat = self.flat.to(self.dtype, copy=True).requires_grad_(training)
            modules = [self._alone(run) for run in range(RUNS)]
            with torch.set_grad_enabled(training):
                alone = [self._logits(module, run, training) for run, module in enumerate(modules)]
                with told("cannot be run in a stack"):
                    # Other runs in the same places before: nothing may be left of them.
                    stack.forward(flat.flip(0), self.images.flip(0).transpose(0, 1), training=training)
                    logits = stack.forward(flat, self.images.transpose(0, 1), training=training)
            self._require_same("logits", logits, torch.stack(alone))
            if training:
                with told("cannot be trained in a stack"):
                    torch.autograd.backward((logits * self.weights).sum())
                gradients = [self._gradient(module, alone[run], run) for run, module in enumerate(modules)]
                self._require_same("gradients", flat.grad, torch.stack(gradients))

    def _require_same(self, what: str, stacked: Tensor | None, alone: Tensor) -> None:
        if stacked is None or not _close(stacked.detach(), alone.detach()):
            first, *others = [memory(model) for model in self.models]
            drawn = [
                name for name in first if "parameter " not in name and any(first[name] != o.get(name) for o in others)
            ]
            why = f": the runs share {listed(drawn)}, which is not the same for every seed" if drawn else ""
            raise Refusal(f"has other {what} in a stack of runs than alone{why}")

    def trained(self, precision: Precision) -> None:
        """An update and an evaluation in the sweep's own precision."""
        dtype = COMPUTED_IN[precision]
        stack = Stack(self.template, 2, dtype, vectorised=self.device.type != "cpu")
        flat = self.flat[[0, 0]].to(torch.float64 if precision == "fp64" else torch.float32).requires_grad_()
        images = self.images[[0, 0]].transpose(0, 1)
        with told(f"cannot be trained in {precision}"):
            for training in (True, False):
                with torch.set_grad_enabled(training):
                    logits = stack.forward(flat, images, training=training)
                    loss = cross_entropy(logits, torch.zeros(2, BATCH, dtype=torch.int64, device=self.device))
                if training:
                    torch.autograd.backward(loss.sum())
                if not logits.isfinite().all():
                    raise Refusal(f"gives logits that are NaN or infinite in {precision}, with its initial weights")

    def _gradient(self, module: nn.Module, logits: Tensor, run: int) -> Tensor:
        """The gradient (P,) of a module alone; zero where none comes, as in a branch that is not used."""
        if not logits.requires_grad:
            raise Refusal("gives logits that no gradient goes through: they are detached from its parameters")
        module.zero_grad()
        with told("cannot be trained"):
            torch.autograd.backward((logits * self.weights[run]).sum())
            grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in module.parameters()]
            return torch.cat([grad.flatten() for grad in grads])

    def _alone(self, run: int) -> nn.Module:
        """The module of a run by itself, with the run's parameters."""
        with told("cannot be copied"):
            module = duplicate(self.models[run], self.dtype).to(self.device)
        parameters = list(module.parameters())
        flat = self.flat[run].to(self.dtype, copy=True)
        parts = torch.split(flat, [p.numel() for p in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.data = part.clone().view(parameter.shape)
        for layer in module.modules():
            if self.wide and isinstance(layer, nn.Dropout):  # a stack without noise drops nothing
                layer.p = 0.0
        return module

    def _logits(self, module: nn.Module, run: int, training: bool, part: slice = slice(None)) -> Tensor:
        """What the module alone gives for a run's images (or some of them): logits (B, classes)."""
        images = self.images[run, part].to(self.dtype, copy=True)  # a module may write into them
        with told(f"cannot be run on a batch of {len(images)}"):
            logits = module.train(training)(images)
        wanted = f"must give {self.classes} logits per image, one tensor ({len(images)}, {self.classes}), got"
        if not isinstance(logits, Tensor):
            raise Refusal(f"{wanted} {'None' if logits is None else f'a {type(logits).__name__}'}")
        if logits.shape != (len(images), self.classes):
            raise Refusal(f"{wanted} one of shape {tuple(logits.shape)}")
        if not logits.is_floating_point():
            raise Refusal(f"{wanted} one of {logits.dtype}")
        return logits


def _close(a: Tensor, b: Tensor) -> bool:
    size = torch.cat([b.new_zeros(1), b[b.isfinite()].abs()]).max()
    return torch.allclose(a.double(), b.double(), rtol=0, atol=CLOSE[b.dtype] * float(size), equal_nan=True)


def listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _generators(device: torch.device) -> dict[str, bytes]:
    """The state of every global generator."""
    states = {
        "Python's random": pickle.dumps(random.getstate()),
        "NumPy's random": pickle.dumps(np.random.get_state()),
        "torch's generator": torch.get_rng_state().numpy().tobytes(),
    }
    if device.type == "cuda":
        states["torch's generator of the GPU"] = torch.cuda.get_rng_state(device).numpy().tobytes()
    return states
