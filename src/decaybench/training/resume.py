"""Making checkpoints of a training, and going on from them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from decaybench.data import TaskData
from decaybench.metrics import METRICS
from decaybench.training.checkpoint import Checkpoint, CheckpointError, Interrupted, Keeper
from decaybench.training.recipe import Recipe, Run
from decaybench.training.record import Record
from decaybench.training.runs import Places
from decaybench.training.update import State, Update


def identity(recipe: Recipe, runs: Sequence[Run], data: TaskData, *how: object) -> str:
    """Identifies a training: two that differ in any of this do not go on from each other's checkpoints."""
    sizes = [len(part) for part in (data.train, data.validation, data.test, data.signal) if part is not None]
    facts = recipe, list(runs), data.shape, data.classes, sizes, list(METRICS), how
    return hashlib.sha256(repr(facts).encode()).hexdigest()


@dataclass(frozen=True)
class Resumable:
    """A training that can be interrupted after any update, and resumed."""

    identity: str
    update: Update
    record: Record

    def keep(self, keeper: Keeper, state: State) -> None:
        """Make a checkpoint if one is due. Raises Interrupted, once it is saved, if the keeper wants to leave."""
        leaves = keeper.leave()
        if leaves or keeper.due():
            keeper.save(self.checkpoint(state))
        if leaves:
            raise Interrupted

    def checkpoint(self, state: State) -> Checkpoint:
        """The checkpoint after the update that made ``state``."""
        lanes = self.update.lanes
        return Checkpoint(
            training=self.identity,
            epochs=self.record.epochs,
            updates=self.record.made,
            seconds=self.record.seconds,
            seeds=list(lanes.seeds),
            lane=self.update.runs.lane.tolist(),
            state=[_copied(leaf) for leaf in tree_leaves(state)],
            tensors={name: _copied(tensor) for name, tensor in self._tensors().items()},
            generators=lanes.noise.states(lanes.seeds),
            record=self.record.pack(),
        )

    def resumed(self, saved: Checkpoint, start: State) -> State:
        """Bring a training that has not yet made an update to the checkpoint; returns the state there.

        ``start`` is the state before the first update. Raises CheckpointError if the checkpoint does not fit. Part of
        it may have been restored then, so the training must not go on.
        """
        if saved.training != self.identity:
            raise CheckpointError("the checkpoint is that of another training")
        lanes = self.update.lanes
        try:
            fresh, structure = tree_flatten(start)
            leaves = [_fitting("state", *pair) for pair in zip(saved.state, fresh, strict=True)]
            state: State = tree_unflatten(leaves, structure)
            rows = [lanes.seeds.index(seed) for seed in saved.seeds]
            if len(saved.lane) != len(self.update.runs) or {*saved.lane} != {*range(len(rows))}:
                raise ValueError(f"{len(self.update.runs)} runs cannot be in lanes {saved.lane}")
            self.update.take(Places(rows, saved.lane), state.active)
            tensors = self._tensors()
            if saved.tensors.keys() != tensors.keys():
                raise ValueError(f"the tensors must be {', '.join(tensors)}, got {', '.join(saved.tensors)}")
            for name, tensor in tensors.items():
                tensor.copy_(_fitting(name, saved.tensors[name], tensor))
            generators = lanes.noise.states(lanes.seeds).items()
            lanes.noise.resume({seed: _fitting("generators", saved.generators[seed], now) for seed, now in generators})
            self.record.resume(saved.record, saved.epochs, saved.updates, saved.seconds)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"the checkpoint does not fit this training: {error}") from error
        return state

    def _tensors(self) -> dict[str, Tensor]:
        """What an update changes in place, by name: copied to make a checkpoint, and copied back to resume."""
        runs, carried = self.update.runs, self.update.lanes.carried
        counts = {"updates": runs.updates, "computed": runs.computed, "counted": runs.counted, "first": runs.first}
        return {**counts, "rates": self.record.rates, **{f"carried.{name}": own for name, own in carried.items()}}


def _copied(tensor: Tensor) -> Tensor:
    return tensor.to("cpu", copy=True)


def _fitting(name: str, saved: Tensor, like: Tensor) -> Tensor:
    """``saved``, copied to the device of ``like``. Raises ValueError unless it has the same shape and dtype."""
    if saved.shape != like.shape or saved.dtype != like.dtype:
        wanted, got = (f"{tuple(each.shape)} of {each.dtype}" for each in (like, saved))
        raise ValueError(f"{name} must be {wanted}, got {got}")
    return saved.to(like.device, copy=True)
