"""What two optimizations that decaybench does not use would gain: ``python -m benchmarks.layers``.

- **compiled**: the stack's forward and backward pass through torch.compile. Compiling takes seconds, once per number of
  lanes. That is set against as many updates as quickstart makes in one process (200 runs of 180 updates, in stacks of
  K).
- **patches**: the first convolution as a batched product of its weights with patches of the images. Images never
  change and need no gradient, so normalised float32 patches are made once for the data set. Bias, ReLU and pooling are
  applied in the memory order of the product; then the smaller result is converted to channels last.

An update is the gradient and the optimizer's step of K models on one thread, without schedules. Times are CPU time,
medians over rounds in which the variants take turns; a ratio is the median of the rounds' ratios.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.work import MOMENTUM, Work, load
from decaybench.data import TaskData, batch_order, normalise
from decaybench.metrics import cross_entropy
from decaybench.models import build
from decaybench.optimizers import DEFAULT, OPTIMIZERS, OptimizerForm
from decaybench.training.carried import Carried
from decaybench.training.chain import Chain
from decaybench.training.layers import Architecture, Stack, flatten_parameters

QUICKSTART = 200 * 180  # updates of all runs of quickstart
NETS = {"small-cnn": ("digits", (8, 16)), "lenet": ("mnist", (2, 4))}
BATCH, IMAGES = 64, 1024

Pass = Callable[[Tensor, Tensor], Tensor]
"""Logits (K, B, classes) from the parameters (K, P) and the indices of a batch's examples (K, B)."""


class Update:
    """Updates of K models, with a given forward pass."""

    def __init__(self, model: str, data: TaskData, k: int, forward: Pass) -> None:
        models = [build(model, data.shape, data.classes, seed) for seed in range(k)]
        self.parameters, self._data, self._forward = flatten_parameters(models, torch.float32), data, forward
        self._chain = Chain([OPTIMIZERS[DEFAULT](OptimizerForm())])
        settings = {"parameters": self.parameters, "momentum": torch.full((k, 1), MOMENTUM)}
        self._carried = Carried(settings, self._chain.memory(self.parameters))
        self._order = torch.stack([batch_order(seed, 0, len(data.train.labels)) for seed in range(k)])
        self._rates = torch.full((k,), 0.01, dtype=torch.float64)

    def __call__(self, step: int) -> Tensor:
        """Make one update; return the gradient (K, P)."""
        batches = self._order.shape[1] // BATCH
        mine = self._order[:, step % batches * BATCH : (step % batches + 1) * BATCH]
        leaf = self.parameters.detach().requires_grad_()
        cross_entropy(self._forward(leaf, mine), self._data.train.labels[mine]).sum().div(BATCH).backward()
        assert leaf.grad is not None
        gradient = leaf.grad.clone()
        with torch.no_grad():
            direction = self._chain.direct(self._carried, leaf.grad)
            self._chain.step(self._carried, direction, self._rates.float())
        return gradient


def eager(data: TaskData, through: Callable[[Tensor, Tensor], Tensor], flat: Tensor, mine: Tensor) -> Tensor:
    """The forward pass of `decaybench.training.lanes`."""
    return through(flat, normalise(data.train.images[mine.T], data.mean, data.std, torch.float32))


class Patches:
    """The first convolution, its ReLU and pooling from patches; the rest of the net as a stack."""

    def __init__(self, template: nn.Sequential, data: TaskData, k: int) -> None:
        conv, relu, pool, *rest = template
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None
        self._after = nn.Sequential(relu, pool)
        self._weight, self._out = conv.weight[0].numel(), conv.out_channels
        self._first = conv.weight.numel() + self._out
        assert isinstance(conv.padding, tuple)
        rows, columns = conv.padding
        images = normalise(data.train.images, data.mean, data.std, torch.float32)
        images = F.pad(images, (columns, columns, rows, rows))
        self._size = [side - kernel + 1 for side, kernel in zip(images.shape[2:], conv.kernel_size, strict=True)]
        _, *maps = self._after(torch.empty(1, self._out, *self._size)).shape
        self._rest = Stack(Architecture(nn.Sequential(*rest), (maps[0], maps[1], maps[2])), k, torch.float32)
        self.patches = F.unfold(images, conv.kernel_size).transpose(1, 2).contiguous()  # (N, H*W, C*k*k)

    def __call__(self, flat: Tensor, mine: Tensor) -> Tensor:
        """A `Pass`."""
        k, batch = mine.shape
        first, others = torch.split(flat, [self._first, flat.shape[1] - self._first], dim=1)
        weight = first[:, : -self._out].reshape(k, self._out, self._weight).transpose(1, 2)
        x = torch.baddbmm(first[:, None, -self._out :], self.patches[mine].flatten(1, 2), weight)
        x = x.view(k * batch, *self._size, self._out).permute(0, 3, 1, 2)  # channels last
        x = self._after(x)
        x = x.view(k, batch, *x.shape[1:]).transpose(0, 1)
        return self._rest.forward(others, x)


def measure(model: str, data: TaskData, k: int, rounds: int, updates: int) -> None:
    """Print how both compare with the eager stack."""
    template = build(model, data.shape, data.classes, 0)
    assert isinstance(template, nn.Sequential)
    stack = Stack(Architecture(template, data.shape), k, torch.float32)
    patches = Patches(template, data, k)
    ways: dict[str, Pass] = {
        "eager": partial(eager, data, stack.forward),
        "compiled": partial(eager, data, torch.compile(stack.forward, dynamic=False)),
        "patches": patches,
    }
    run = {name: Update(model, data, k, way) for name, way in ways.items()}
    compiling = time.perf_counter()
    first = {"compiled": run["compiled"](0)}
    compiling = time.perf_counter() - compiling
    first |= {name: run[name](0) for name in ("eager", "patches")}
    scale = first["eager"].abs().max()
    off = {name: float((gradient - first["eager"]).abs().max() / scale) for name, gradient in first.items()}
    if max(off.values()) > 1e-4:
        raise SystemExit(f"the gradients of the variants of {model} differ: {off}")
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for i in range(rounds):
        for name in list(ways)[:: -1 if i % 2 else 1]:
            run[name](0)
            began = time.process_time()
            for step in range(updates):
                run[name](step)
            spent[name].append((time.process_time() - began) / updates)
    size = 4 * patches.patches[0].numel()
    print(f"{model}, K = {k}, B = {BATCH}: eager {1000 * median(spent['eager']):.2f} ms per update")
    for name in ("compiled", "patches"):
        ratios = [a / b for a, b in zip(spent["eager"], spent[name], strict=True)]
        print(f"  {name}: {median(ratios):.2f}x as fast ({min(ratios):.2f} .. {max(ratios):.2f})", end="")
        print(f", gradients differ by {off[name]:.0e} of the largest", end="; ")
        if name == "patches":
            print(f"{size / 1024:.1f} KiB per image, {size / data.train.images[0].numel():.0f} times the image")
            continue
        saved = (median(spent["eager"]) - median(spent[name])) * QUICKSTART / k
        print(f"compiled in {compiling:.1f} s for one K, saves {saved:.1f} s in quickstart's number of updates")


def main() -> None:
    """Measure the given nets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--updates", type=int, default=30, help="of each variant in a round")
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(NETS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.compiler.config.force_disable_caches = True  # otherwise, what an earlier call compiled would take no time
    root = os.environ.get("DECAYBENCH_DATA")
    for model in given.nets:
        name, widths = NETS[model]
        work = Work(model, name, BATCH, IMAGES, 1, 1, "cpu", Path(root) if root else None)
        for k in widths:
            measure(model, load(work), k, given.rounds, given.updates)


if __name__ == "__main__":
    main()
