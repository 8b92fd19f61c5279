"""The models that are really computed: L lanes, each of them one run, or several runs that are still identical."""

from collections.abc import Sequence, Set
from functools import lru_cache, partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from decaybench import models
from decaybench.data import Examples, TaskData, augmented, batch_order, draw_augmentation, normalise
from decaybench.metrics import METRICS, cross_entropy, widened
from decaybench.training.carried import Carried
from decaybench.training.chain import decays, make_chain
from decaybench.training.layers import Architecture, Noise, Stack, flatten_parameters
from decaybench.training.recipe import COMPUTED_IN, Recipe, Run

# Fixed sizes, so that the order of a sum, and with it a run's bits, never depends on K.
EVALUATION_CHUNK = 250
MICRO_BATCH = 250
ESTIMATED_ON = 50
"""The training batches on which batch norm's statistics are estimated for weights that are averages."""


def parts_of(examples: int, size: int) -> set[int]:
    """The numbers of examples that go through the network together when so many are divided into parts of ``size``."""
    return {min(size, examples), examples % size or min(size, examples)}


class _Part(NamedTuple):
    """Lanes that go through the network together: ``rows``, the lanes whose results are used, and the lanes that are
    computed for them, as an index on the device (``seats``) and on the host (``lanes``).
    """

    rows: slice
    seats: slice | Tensor
    lanes: list[int]

    @property
    def size(self) -> int:
        """The number of ``rows``; a single lane is computed twice, unless the width is 1."""
        return int(self.rows.stop - self.rows.start)


@lru_cache(maxsize=4)
def _architecture(
    builder: models.Builder, model: str | models.Model, shape: models.Shape, classes: int, dropout: float
) -> Architecture:
    """A model's architecture, which a process with many stacks traces once.

    ``builder`` is part of the key, because a name may come to mean another one.
    """
    return Architecture(models.build(model, shape, classes, seed=0, dropout=dropout), shape)


class Lanes:
    """L lanes: what they carry, their chain, and passes through the network, ``width`` lanes at a time.

    Neither L nor a ``width`` of at least 2 affects a lane's numbers. Width 1 is a mode of its own: each lane goes
    through the network alone, as the module would. In fp32 its bits differ from those of a wider network.
    """

    def __init__(
        self,
        recipe: Recipe,
        runs: Sequence[Run],
        data: TaskData,
        device: torch.device,
        width: int,
        observes: Set[str] = frozenset(),
    ) -> None:
        """One lane for each of ``runs``, whose rules observe the products of gradients in ``observes``."""
        self.recipe, self.data, self.device, self.width = recipe, data, device, width
        self.dtype = torch.float64 if recipe.precision == "fp64" else torch.float32
        self.seeds = [run.seed for run in runs]
        what = (recipe.model, data.shape, data.classes)
        initial = {seed: models.build(*what, seed, recipe.dropout) for seed in self.seeds}
        self._architecture = _architecture(models.builder(recipe.model), *what, recipe.dropout)
        self._stacks: dict[int, Stack] = {}
        self._estimated: Tensor | None = None  # this epoch's statistics for averages
        self.noise = Noise(self.seeds)
        begun = [initial[seed] for seed in self.seeds]
        parameters = flatten_parameters(begun, self.dtype).to(device)
        buffers = self._architecture.flatten_buffers(begun, self.dtype).to(device)
        decaying = decays(self._architecture.template, biases=recipe.decay_biases).to(device, self.dtype)
        self.chain = make_chain(recipe, runs, decaying, observes)
        settings = {
            name: torch.tensor([[getattr(run, name)] for run in runs], dtype=self.dtype, device=device)
            for name in ("momentum", "weight_decay")
        }
        self.batch = len(data.train) if recipe.batch_size == "full" else recipe.batch_size  # examples per update
        self.order = torch.zeros(len(runs), 0, dtype=torch.int64, device=device)
        self._draws: Tensor | None = None  # what an epoch's augmentation draws for each example, (L, N, draws)
        state = {"parameters": parameters, "buffers": buffers}
        self.carried = Carried(state, settings, self.chain.memory(parameters))

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def fixed(self) -> bool:
        """Whether each pass runs the same operations on the device: no code of the user's, no draws on the host."""
        return self._built(2).fixed

    def take(self, index: Sequence[int]) -> None:
        """Keep the lanes in ``index``, in this order; a lane that occurs twice is duplicated."""
        rows = torch.tensor(index, device=self.device)
        self.carried, self.order, self._estimated = self.carried.take(rows), self.order[rows], None
        self._draws = None if self._draws is None else self._draws[rows]
        self.seeds = [self.seeds[i] for i in index]
        # Drop stacks of other sizes: that of a user's module holds a copy per run, with what the copy last computed.
        widths = {len(part.lanes) for part in self._parts(len(self))}
        self._stacks = {k: stack for k, stack in self._stacks.items() if k in widths}

    def shuffle(self, epoch: int) -> None:
        """Set ``order`` (L, N) to each lane's order of the epoch's examples; for full batches, it is ascending.

        Also make the draws of the epoch's augmentation.
        """
        self._estimated = None
        n, own = len(self.data.train), dict.fromkeys(self.seeds)
        if augment := self.recipe.augment:
            draws = {seed: draw_augmentation(augment, seed, epoch, n, self.data.shape[1:]) for seed in own}
            drawn = torch.stack([draws[seed] for seed in self.seeds]).to(self.device)
            # A CUDA graph reads them where they were when it was recorded.
            self._draws = drawn if self._draws is None else self._draws.copy_(drawn)
        if self.recipe.batch_size == "full":
            self.order = torch.arange(n, device=self.device).expand(len(self), n)
            return
        orders = {seed: batch_order(seed, epoch, n) for seed in own}
        self.order = torch.stack([orders[seed] for seed in self.seeds]).to(self.device)

    def gradient(self, order: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """The mean loss of batch number ``batch`` of ``order`` (L, N), (L,) float64, and its gradient (L, P).

        With label smoothing, the gradient is that of the smoothed loss; the loss is the one without it.
        """
        size = self.batch
        chosen = order[:, batch * size : (batch + 1) * size]
        chunk = MICRO_BATCH if self.recipe.batch_size == "full" else size
        loss = torch.zeros(len(self), dtype=torch.float64, device=self.device)
        parameters, buffers = self.carried["parameters"], self.carried["buffers"]
        parts = self._parts(len(self))
        leaves = [self._seated(parameters, part.seats).detach().requires_grad_() for part in parts]
        held = [buffers[part.seats] for part in parts]
        for some in torch.split(chosen, chunk, dim=1):
            self.noise.next_batch(self.seeds)
            for part, leaf, own in zip(parts, leaves, held, strict=True):
                mine = some[part.seats]
                images = self._images(mine, part.seats)
                self.noise.select([self.seeds[lane] for lane in part.lanes])
                logits = self._stack(len(mine)).forward(leaf, images, self.noise, buffers=own, training=True)
                labels = self.data.train.labels[mine]
                trained = cross_entropy(logits, labels, self.recipe.label_smoothing).sum(1) / size
                plain = cross_entropy(logits.detach(), labels).sum(1) / size if self.recipe.label_smoothing else trained
                # The gradient of the sum over runs is each run's own gradient, since no loss depends on another run's
                # parameters.
                trained.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                loss[part.rows] += plain.detach().double()[: part.size]
        if len(self) == 1 and self.width > 1:  # it was computed twice, on copies of its buffers
            buffers.copy_(held[0][:1])
        gradients = []
        for part, leaf in zip(parts, leaves, strict=True):
            assert leaf.grad is not None
            gradients.append(leaf.grad[: part.size])
        return loss, gradients[0] if len(gradients) == 1 else torch.cat(gradients)

    def _images(self, chosen: Tensor, seats: slice | Tensor) -> Tensor:
        """What the K lanes in ``seats`` train on: the images of examples ``chosen`` (K, B), as (B, K, C, H, W)."""
        images = self.data.train.images[chosen.T]
        normalised = partial(normalise, mean=self.data.mean, std=self.data.std, dtype=self.dtype)
        if self._draws is None:
            return normalised(images)
        lanes = torch.arange(len(self), device=self.device)[seats]
        return augmented(self.recipe.augment, images, self._draws[lanes, chosen.T], normalised)

    @torch.no_grad()
    def evaluate(self, examples: Examples, lanes: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Each metric of these M ``lanes`` (default: all) on ``examples``, (M,) float64."""
        weights = self.chain.weights(self.carried, self.carried["parameters"])
        buffers = self._statistics(weights)
        if lanes is not None and len(lanes) < len(self):
            places = torch.tensor(lanes, device=self.device)
            weights, buffers = weights[places], buffers[places]
        sums = {name: torch.zeros(len(weights), dtype=torch.float64, device=self.device) for name in METRICS}
        parts = self._parts(len(weights))
        for images, labels in zip(
            torch.split(examples.images, EVALUATION_CHUNK), torch.split(examples.labels, EVALUATION_CHUNK), strict=True
        ):
            x = normalise(images, self.data.mean, self.data.std, self.dtype).unsqueeze(1)
            for part in parts:
                mine = self._seated(weights, part.seats)
                repeated = x.expand(-1, len(mine), -1, -1, -1)
                logits = widened(self._stack(len(mine)).forward(mine, repeated, buffers=buffers[part.seats]))
                expected = labels.expand(len(mine), -1)
                for name, metric in METRICS.items():
                    sums[name][part.rows] += metric.measure(logits, expected).double()[: part.size]
        return {name: total / len(examples.labels) for name, total in sums.items()}

    def _statistics(self, weights: Tensor) -> Tensor:
        """The buffers (L, S) with which to evaluate ``weights`` (L, P).

        Averages are not the weights with which running statistics were kept. For lanes that have one, the statistics
        are means over the first training batches, in file order, as in torch.optim.swa_utils.update_bn.
        """
        kept = self.carried["buffers"]
        averaged = self.chain.averaged(self.carried)
        if averaged is None or not self._architecture.tracks:
            return kept
        if self._estimated is None:
            self._estimated, parts = kept.clone(), self._parts(len(weights))
            for batch in range(min(ESTIMATED_ON, len(self.data.train) // self.batch)):
                images = self.data.train.images[batch * self.batch : (batch + 1) * self.batch]
                x = normalise(images, self.data.mean, self.data.std, self.dtype).unsqueeze(1)
                for part in parts:
                    mine, own = self._seated(weights, part.seats), self._estimated[part.seats]
                    repeated = x.expand(-1, len(mine), -1, -1, -1)
                    self._stack(len(mine)).forward(mine, repeated, buffers=own, training=True, momentum=1 / (batch + 1))
                    self._estimated[part.rows] = own[: part.size]
            self._estimated = torch.where(averaged, self._estimated, kept)
        return self._estimated

    def _stack(self, k: int) -> Stack:
        if k not in self._stacks:
            self._stacks[k] = self._built(k)
        return self._stacks[k]

    def _built(self, k: int) -> Stack:
        compute, vectorised = COMPUTED_IN[self.recipe.precision], self.device.type != "cpu"
        return Stack(self._architecture, k, compute, vectorised=vectorised)

    def _parts(self, lanes: int) -> list[_Part]:
        """Divide so many lanes into parts of about ``width``.

        Unless all parts have one lane, none has: with one group, convolutions would use another kernel and give other
        bits. A single remaining lane is therefore computed twice.
        """
        if lanes == 1 and self.width > 1:
            return [_Part(slice(0, 1), torch.zeros(2, dtype=torch.int64, device=self.device), [0, 0])]
        parts = lanes if self.width == 1 else max(1, min(-(-lanes // self.width), lanes // 2))
        cuts = [lanes * i // parts for i in range(parts + 1)]
        return [_Part(slice(a, b), slice(a, b), list(range(a, b))) for a, b in pairwise(cuts)]

    def _seated(self, rows: Tensor, seats: slice | Tensor) -> Tensor:
        """The rows to compute together. A lane that goes through the network alone gets memory of its own, whose
        alignment does not depend on the lane's place.
        """
        return rows[seats].clone() if self.width == 1 else rows[seats]
