"""The train, validation, signal and test splits, drawn once per sweep from its seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from decaybench import seeds
from decaybench.data.dataset import Dataset, sha256_of
from decaybench.errors import UserError

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Splits:
    """The splits as index tensors, int64 (n,), in ascending order.

    ``train``, ``validation`` and ``signal`` index into `Dataset.pool_images`, ``test`` into `Dataset.test_images`.
    ``signal`` is empty unless it was requested.
    """

    train: Tensor
    validation: Tensor
    signal: Tensor
    test: Tensor

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) over the four index tensors."""
        return sha256_of(self.train, self.validation, self.signal, self.test)

    @property
    def repeated(self) -> int:
        """How many examples occur more than once, within one split or across train, validation and signal.

        It is 0 unless there is a bug. The test split comes from another part of the source and is counted by itself.
        """
        drawn = torch.cat([self.train, self.validation, self.signal])
        return sum(len(index) - len(torch.unique(index)) for index in (drawn, self.test))


def draw_splits(
    dataset: Dataset,
    seed: int,
    *,
    train_size: int | None = None,
    validation_size: int | None = None,
    test_size: int | None = None,
    signal: bool = False,
) -> Splits:
    """Draw disjoint splits, stratified by label with scikit-learn; a pure function of the arguments.

    The splits are drawn in this order:

    1. validation (default: the dataset's ``validation_size``), from the validation part or, without one, the train
       part;
    2. signal (half as many as validation, but at least one per class), from the train part;
    3. train (default: all that is left), from the rest of the train part;
    4. test (default: all), from the test part.

    So ``train_size`` does not change the validation split of a seed. Each split, and what it leaves over, has at least
    as many examples as there are classes. Raises UserError if a size does not allow this, or if a class has only one
    example to draw from.
    """
    labels = dataset.pool_labels.numpy()
    rest, own = np.split(np.arange(len(labels), dtype=np.int64), [len(dataset.train_labels)])

    size = dataset.validation_size if validation_size is None else validation_size
    origin = " (the default, since the task sets none)" if validation_size is None else ""
    where = "the validation part" if len(own) else "the train part"
    pool = own if len(own) else rest
    _check_size(labels, pool, "task.validation_size", size, where, origin=origin, takes_all=len(own) > 0)
    validation, left = _draw(dataset, labels, pool, "task.validation_size", size, seed, "validation")
    rest = rest if len(own) else left

    steering: Indices = np.empty(0, dtype=np.int64)
    if signal:
        classes = dataset.classes
        wanted = max(size // 2, classes)
        if len(rest) - wanted < classes:
            if len(own):
                raise UserError(
                    f"task.validation_size: the signal split (half as large, at least one example per class) takes "
                    f"{wanted} of the {len(rest)} training examples and must leave {classes}, got {size}{origin}"
                )
            raise UserError(
                f"task.validation_size must leave at least {wanted + classes} training examples, "
                f"for a signal split of {wanted} and {classes} classes to train on, "
                f"got {size}{origin}, which leaves {len(rest)}"
            )
        steering, rest = _draw(dataset, labels, rest, "the signal split", wanted, seed, "signal")

    train = rest
    if train_size is not None:
        takers = [taker for taker, takes in (("validation", not len(own)), ("signal", signal)) if takes]
        where = f"the train part left by {' and '.join(takers)}" if takers else "the train part"
        _check_size(labels, rest, "task.train_size", train_size, where)
        train, _ = _draw(dataset, labels, rest, "task.train_size", train_size, seed, "train")

    test_labels = dataset.test_labels.numpy()
    test: Indices = np.arange(len(test_labels), dtype=np.int64)
    if test_size is not None:
        _check_size(test_labels, test, "task.test_size", test_size, "the test part")
        test, _ = _draw(dataset, test_labels, test, "task.test_size", test_size, seed, "test")

    return Splits(*(torch.from_numpy(np.sort(index)) for index in (train, validation, steering, test)))


def _check_size(
    labels: Indices,
    pool: Indices,
    key: str,
    size: object,
    where: str,
    *,
    origin: str = "",
    takes_all: bool = True,
) -> None:
    """Raise UserError unless a stratified draw of ``size`` examples from ``pool`` is possible."""
    classes = len(np.unique(labels[pool]))
    whole = len(pool) if takes_all else None
    if type(size) is int and (size == whole or classes <= size <= len(pool) - classes):
        return
    most = len(pool) - classes
    legal = [f"{most}" if most == classes else f"in {classes} .. {most}"] if classes <= most or not takes_all else []
    legal += [f"all {len(pool)}"] if takes_all else []
    raise UserError(
        f"{key} must be {', or '.join(legal)} "
        f"({where} has {len(pool)} examples of {classes} classes; one of each class must be drawn and one left), "
        f"got {size!r}{origin}"
    )


def _draw(
    dataset: Dataset, labels: Indices, pool: Indices, key: str, size: int, seed: int, *path: str
) -> tuple[Indices, Indices]:
    """A stratified draw of ``size`` indices from ``pool``, and the indices left over."""
    if size == len(pool):
        return pool, pool[:0]
    values, counts = np.unique(labels[pool], return_counts=True)
    if counts.min() < 2:
        raise UserError(
            f"{key}: a stratified draw of {size} from {len(pool)} examples needs at least 2 of each class, "
            f"got {counts.min()} of {dataset.called(int(values[counts.argmin()]))}"
        )
    from sklearn.model_selection import train_test_split

    drawn: Sequence[Indices] = train_test_split(
        pool,
        train_size=size,
        stratify=labels[pool],
        random_state=seeds.derive(seed, "split", *path) % 2**32,  # NumPy's RandomState takes 32 bits
    )
    return drawn[0], drawn[1]
