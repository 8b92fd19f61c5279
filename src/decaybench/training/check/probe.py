"""Try a user's model on random images.

An image's logits must depend on that image and the parameters alone. So the module alone is compared with the stack,
and with itself after other images, in other batches and under other random seeds.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from decaybench import seeds
from decaybench.metrics import cross_entropy
from decaybench.training.check.alone import Alone, Refusal, listed, refusing, when
from decaybench.training.layers import Architecture, Stack, Untraceable, flatten_parameters, trace
from decaybench.training.memory import memory
from decaybench.training.recipe import COMPUTED_IN, Precision

RUNS, BATCH = 3, 5
CPU = torch.device("cpu")
# Tolerance relative to the largest value. Sums in another order differ by far less, wrong computations by far more.
CLOSE = {torch.float64: 1e-8, torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.1}


class Probe:
    """A module with the inputs to try it on: three runs' parameters, (3, P), and images, (3, B, C, H, W)."""

    def __init__(
        self,
        template: nn.Module,
        siblings: Sequence[nn.Module],
        shape: tuple[int, int, int],
        classes: int,
        device: torch.device,
    ) -> None:
        self.template, self.shape, self.classes, self.device = template, shape, classes, device
        self.models = [template, *siblings, template, template][:RUNS]
        drawn = partial(torch.rand, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        flat = flatten_parameters(self.models, torch.float64)
        # Move away from the initial weights, many of which are zero, but keep signs: a module may take a logarithm.
        for row in flat[1:]:
            row.mul_(drawn(row.shape).mul_(0.2).add_(1)).add_(drawn(row.shape).mul_(0.02))
        self.flat = flat.to(device)
        self.images = (3 * drawn(RUNS, BATCH, *shape) - 1.5).to(device)
        self.weights = (drawn(RUNS, BATCH, classes) - 0.5).to(device)
        self.architecture = Architecture(template, shape)
        self.wide = self.architecture.wide is not None
        self.mixes = self.architecture.wide is not None and self.architecture.wide.mixes
        self.buffers = self.architecture.flatten_buffers(self.models, torch.float64).to(device)
        try:
            self.dtype = torch.float64
            self._try()
        except Refusal:  # for example, the module calls .float()
            self.dtype = torch.float32
            self._try()

    def _try(self) -> None:
        module = self._alone(0)
        for training in (True, False):
            with torch.set_grad_enabled(training):
                module.logits(self._images(0), training)

    def independent(self, training: bool, batch: int) -> None:
        """Check that the module's logits depend on an image and the parameters alone, also in batches of ``batch``."""
        module = self._alone(0)
        once, twice = self._watched(module, training)
        if not all(values.isfinite().all() for values in once):
            raise Refusal(f"gives NaN or infinite logits or gradients {when(training)}, with its initial weights")
        if not self._same(once, twice):
            raise Refusal(f"gives different logits or gradients for the same images the second time {when(training)}")
        with _spoilt(self.template):
            away = self._pass(module, 0, training)
        if not self._same(once, away):
            raise Refusal(
                f"uses parameters {when(training)} that no run trains: a lambda, closure or hook refers to the module "
                f"in which it was made, but each run has a copy of that module; use a method instead"
            )
        module.load(self._flat(1))
        for other in (training, not training):
            self._pass(module, 1, other)
        module.load(self._flat(0))
        if not self._same(once, self._pass(module, 0, training)):
            raise Refusal(
                f"gives different logits or gradients for the same images {when(training)} after it has seen other "
                f"images or weights: it keeps them in memory that the runs of a stack share"
            )
        self._require_no_neighbours(module, training, batch)

    def _require_no_neighbours(self, module: Alone, training: bool, batch: int) -> None:
        images = self._images(0)
        more = (
            3 * torch.rand(max(batch - BATCH, 0), *self.shape, generator=torch.Generator().manual_seed(1)) - 1.5
        ).to(images)
        with torch.no_grad():
            whole, first, others = (module.logits(part, training) for part in (images, images[:1], images[1:]))
            if not self._close(torch.cat([first, others]), whole):
                raise Refusal(
                    f"gives an image different logits beside other images {when(training)}, but evaluation and full "
                    f"batches are computed in parts"
                )
            if len(more) and not self._close(module.logits(torch.cat([images, more]), training)[:BATCH], whole):
                raise Refusal(
                    f"gives an image different logits in a batch of {batch} than in one of 5 {when(training)}"
                )

    def _watched(self, module: Alone, training: bool) -> list[tuple[Tensor, Tensor]]:
        """Make two passes over the same images (in training also backward) and return the logits and gradients of each.

        Raises Refusal if a pass draws random numbers or changes the module's state.
        """
        passes, held = [], []
        for seed in range(2):
            for _ in range(seeds.TRIES):
                with seeds.seeded(seed, self.device):
                    before = seeds.states(self.device)
                    made = self._pass(module, 0, training)
                    after = seeds.states(self.device)
                if not (drawn := [name for name in before if before[name] != after[name]]):
                    break
            else:
                raise Refusal(
                    f"draws from {listed(drawn)} {when(training)}, so a run cannot be repeated{self._dropout()}"
                )
            passes.append(made)
            held.append(memory(module.module))
        # State that each pass recomputes alike (a mask, stored features) is the same after both, and so is allowed.
        changed = [what for what in held[1] if held[1][what] != held[0].get(what)]
        changed += [f"parameter {name}" for name in module.changed()]
        if changed:
            raise Refusal(f"changes the {listed(changed)} {when(training)}, which the runs of a stack share")
        return passes

    def _dropout(self) -> str:
        for part in self.template.modules():
            if isinstance(part, _DropoutNd) and part.p:
                why = self.architecture.why_whole
                return f": {part}; dropout is possible only in a model of known layers, but this one {why}"
        return ""

    def batches(self, training: bool, sizes: Collection[int]) -> None:
        """Check that a K-wide model makes the same calls in batches of these sizes."""
        try:
            traced = trace(self.template, self.shape, training=training, batches=sizes)
            siblings = [model for model in self.models if model is not self.template]
            others = [trace(model, self.shape, training=training) for model in siblings]
        except Untraceable as reason:
            raise Refusal(f"{reason} {when(training)}") from reason
        if any(other != traced for other in others):
            raise Refusal(f"makes other calls for another seed {when(training)}")

    def stacked(self) -> None:
        """Check that three runs have the same logits and gradients in a stack as each has alone."""
        alone: dict[bool, list[tuple[Tensor, Tensor]]] = {True: [], False: []}
        modules = [self._alone(run) for run in range(RUNS)]
        for run, module in enumerate(modules):
            for training, passes in alone.items():
                passes.append(self._pass(module, run, training))
        stack = self._stack(RUNS, self.dtype)
        flat, images = self.flat.to(self.dtype, copy=True).requires_grad_(), self.images.transpose(0, 1)
        buffers = self.buffers.to(self.dtype, copy=True)
        for training, passes in alone.items():
            with torch.set_grad_enabled(training), refusing(f"cannot be run in a stack {when(training)}"):
                # First run others in the same places, of which nothing may be left.
                stack.forward(flat.detach().flip(0), images.flip(1), buffers=buffers.clone(), training=training)
                logits = stack.forward(flat, images, buffers=buffers, training=training)
            self._require_same("logits", logits.detach(), [own for own, _ in passes])
            if training:
                with refusing("cannot be trained in a stack"):
                    torch.autograd.backward((logits * self.weights).sum())
                self._require_same("gradients", flat.grad, [own for _, own in passes])
        held = self.architecture.flatten_buffers([module.module for module in modules], self.dtype)
        self._require_same("running statistics", buffers, list(held))

    def _require_same(self, what: str, stacked: Tensor | None, alone: Sequence[Tensor]) -> None:
        if stacked is None or not all(map(self._close, stacked, alone)):
            first, *others = [memory(model) for model in self.models]
            drawn = [name for name in first if any(first[name] != other.get(name) for other in others)]
            verb = "is" if len(drawn) == 1 else "are"
            why = f": the runs share {listed(drawn)}, which {verb} not the same for every seed" if drawn else ""
            raise Refusal(f"has different {what} in a stack of runs than alone{why}")

    def trained(self, precision: Precision) -> None:
        """Check that one update and one evaluation work in the sweep's precision."""
        dtype = COMPUTED_IN[precision]
        stack, held_in = self._stack(2, dtype), torch.float64 if precision == "fp64" else torch.float32
        flat, buffers = self.flat[[0, 0]].to(held_in).requires_grad_(), self.buffers[[0, 0]].to(held_in)
        images = self.images[[0, 0]].transpose(0, 1)
        with refusing(f"cannot be trained in {precision}"):
            for training in (True, False):
                with torch.set_grad_enabled(training):
                    logits = stack.forward(flat, images, buffers=buffers, training=training)
                    loss = cross_entropy(logits, torch.zeros(2, BATCH, dtype=torch.int64, device=self.device))
                if training:
                    torch.autograd.backward(loss.sum())
                if not logits.isfinite().all():
                    raise Refusal(f"gives NaN or infinite logits in {precision}, with its initial weights")

    def _stack(self, k: int, dtype: torch.dtype) -> Stack:
        return Stack(self.architecture, k, dtype, vectorised=self.device.type != "cpu")

    def _alone(self, run: int) -> Alone:
        """The module of ``run`` outside the stack, with the run's parameters."""
        # A stack without noise drops nothing.
        return Alone(self.models[run], self._flat(run), self.classes, drops=not self.wide)

    def _flat(self, run: int) -> Tensor:
        return self.flat[run].to(self.dtype)

    def _images(self, run: int) -> Tensor:
        return self.images[run].to(self.dtype)

    def _pass(self, module: Alone, run: int, training: bool) -> tuple[Tensor, Tensor]:
        return module.passed(self._images(run), self.weights[run], training)

    def _same(self, once: Sequence[Tensor], again: Sequence[Tensor]) -> bool:
        """Whether the numbers are bit for bit the same; on a GPU, nearly the same."""
        same = torch.equal if self.device.type == "cpu" else self._close
        return all(same(a, b) for a, b in zip(once, again, strict=True))

    def _close(self, a: Tensor, b: Tensor) -> bool:
        return torch.equal(a, b) or _within(CLOSE[b.dtype], a, b) or _within(self._coarsest, a, b)

    @cached_property
    def _coarsest(self) -> float:
        """The tolerance for this module: that of the coarsest dtype in which it computes, which may be internal."""
        module = self._alone(0)
        with _Types() as types:
            for training in (True, False):
                self._pass(module, 0, training)
        return max(CLOSE.get(dtype.to_real(), 0.0) for dtype in types.seen)


def _within(share: float, a: Tensor, b: Tensor) -> bool:
    size = torch.where(b.isfinite(), b, 0).abs().max() if b.numel() else 0.0
    return torch.allclose(a.double(), b.double(), rtol=0, atol=share * float(size), equal_nan=True)


class _Types(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Records the dtypes in which torch computes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.seen = {torch.float64}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.seen |= {leaf.dtype for leaf in tree_leaves(out) if isinstance(leaf, Tensor) and _real(leaf)}
        return out


def _real(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


@contextmanager
def _spoilt(module: nn.Module) -> Iterator[None]:
    """Fill a module's parameters with NaN for a while, to expose code that uses them instead of a copy's."""
    kept = [(p.data, p.data.clone()) for p in module.parameters()]
    try:
        for data, _ in kept:
            data.fill_(torch.nan)
        yield
    finally:
        for data, value in kept:
            data.copy_(value)
