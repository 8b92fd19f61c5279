"""The models that are really computed: L lanes, each of them one run, or several runs that are still identical."""

from collections.abc import Sequence, Set
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from decaybench import models
from decaybench.data import Examples, TaskData, augmented, batch_order, draw_augmentation, normalise
from decaybench.training.carried import Carried
from decaybench.training.chain import decays, make_chain
from decaybench.training.layers import Noise, Stack, flatten_buffers, flatten_parameters
from decaybench.training.loss import cross_entropy
from decaybench.training.recipe import COMPUTED_IN, Recipe, Run

# Fixed sizes, so that the order of a sum, and with it a run's bits, never depends on K.
EVALUATION_CHUNK = 250
MICRO_BATCH = 250


class Lanes:
    """L lanes: what they carry, their chain, and passes through the network, ``width`` lanes at a time.

    L and ``width`` do not affect a lane's numbers.
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
        initial = {
            seed: models.build(recipe.model, data.shape, data.classes, seed, recipe.dropout) for seed in self.seeds
        }
        self._template = initial[self.seeds[0]]
        self._stacks: dict[int, Stack] = {}
        self._noise = Noise(self.seeds)
        begun = [initial[seed] for seed in self.seeds]
        parameters, buffers = (flat(begun, self.dtype).to(device) for flat in (flatten_parameters, flatten_buffers))
        decaying = decays(self._template, biases=recipe.decay_biases).to(device, self.dtype)
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
        self.carried, self.order = self.carried.take(rows), self.order[rows]
        self._draws = None if self._draws is None else self._draws[rows]
        self.seeds = [self.seeds[i] for i in index]
        # Drop stacks of other sizes: that of a user's module holds a copy per run, with what the copy last computed.
        widths = {max(2, rows.stop - rows.start) for rows, _ in self._chunks(len(self))}
        self._stacks = {k: stack for k, stack in self._stacks.items() if k in widths}

    def shuffle(self, epoch: int) -> None:
        """Set ``order`` (L, N) to each lane's order of the epoch's examples; for full batches, it is ascending.

        Also make the draws of the epoch's augmentation.
        """
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
        leaves = [(rows, seats, parameters[seats].detach().requires_grad_()) for rows, seats in self._chunks(len(self))]
        held = [buffers[seats] for _, seats, _ in leaves]
        for part in torch.split(chosen, chunk, dim=1):
            self._noise.next_batch(self.seeds)
            for (rows, seats, leaf), own in zip(leaves, held, strict=True):
                mine = part[seats]
                images = self._images(mine, seats)
                self._noise.select(self.seeds[rows])
                logits = self._stack(len(mine)).forward(leaf, images, self._noise, buffers=own, training=True)
                labels = self.data.train.labels[mine]
                mean = trained = cross_entropy(logits, labels).sum(1) / size
                if self.recipe.label_smoothing:
                    trained = cross_entropy(logits, labels, self.recipe.label_smoothing).sum(1) / size
                # The gradient of the sum over runs is each run's own gradient, since no loss depends on another run's
                # parameters.
                trained.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                loss[rows] += mean.detach().double()[: rows.stop - rows.start]
        if len(self) == 1:  # it was computed twice, on copies of its buffers
            buffers.copy_(held[0][:1])
        gradients = [leaf.grad[: rows.stop - rows.start] for rows, _, leaf in leaves if leaf.grad is not None]
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
    def evaluate(self, examples: Examples, lanes: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
        """The mean loss and the accuracy on ``examples`` of these M ``lanes`` (default: all), both (M,) float64."""
        weights, buffers = self.chain.weights(self.carried, self.carried["parameters"]), self.carried["buffers"]
        if lanes is not None and len(lanes) < len(self):
            places = torch.tensor(lanes, device=self.device)
            weights, buffers = weights[places], buffers[places]
        loss = torch.zeros(len(weights), dtype=torch.float64, device=self.device)
        right = torch.zeros(len(weights), dtype=torch.int64, device=self.device)
        chunks = self._chunks(len(weights))
        for images, labels in zip(
            torch.split(examples.images, EVALUATION_CHUNK), torch.split(examples.labels, EVALUATION_CHUNK), strict=True
        ):
            x = normalise(images, self.data.mean, self.data.std, self.dtype).unsqueeze(1)
            for rows, seats in chunks:
                mine = weights[seats]
                repeated = x.expand(-1, len(mine), -1, -1, -1)
                logits = self._stack(len(mine)).forward(mine, repeated, buffers=buffers[seats])
                expected = labels.expand(len(mine), -1)
                size = rows.stop - rows.start
                loss[rows] += cross_entropy(logits, expected).sum(1).double()[:size]
                right[rows] += (logits.argmax(2) == expected).sum(1)[:size]
        n = len(examples.labels)
        return loss / n, right.double() / n

    def _stack(self, k: int) -> Stack:
        if k not in self._stacks:
            self._stacks[k] = self._built(k)
        return self._stacks[k]

    def _built(self, k: int) -> Stack:
        compute, vectorised = COMPUTED_IN[self.recipe.precision], self.device.type != "cpu"
        return Stack(self._template, k, compute, vectorised=vectorised)

    def _chunks(self, lanes: int) -> list[tuple[slice, slice | Tensor]]:
        """Divide so many lanes into parts of about ``width``. Each is a slice of lanes and the lanes to compute for it.

        A part never has only one lane: with one group, convolutions would use another kernel and give other bits. A
        single remaining lane is therefore computed twice.
        """
        if lanes == 1:
            return [(slice(0, 1), torch.zeros(2, dtype=torch.int64, device=self.device))]
        parts = max(1, min(-(-lanes // self.width), lanes // 2))
        cuts = [lanes * i // parts for i in range(parts + 1)]
        return [(slice(a, b), slice(a, b)) for a, b in pairwise(cuts)]
