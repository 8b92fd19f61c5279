"""Which examples train, choose, steer and judge: drawn once per sweep, from its seed."""

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
    """Index tensors, int64 (n,), ascending: ``train``, ``validation`` and ``signal`` into the source's train part,
    which its validation part follows if it has one; ``test`` into its test part. ``signal`` is empty unless it was
    asked for.
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
        """How many examples stand in more than one of train, validation and signal, or twice in any split: 0.

        The test split is drawn from another part of the source.
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
    """Disjoint splits, stratified by label with scikit-learn; a pure function of the arguments.

    Validation is drawn first (default: the dataset's ``validation_size``), from the dataset's validation part or else
    from its train part; then the signal split (half of validation's size, at least one example per class) from the
    train part, then train from what is left of that (default: all of it); test is drawn from the test part (default:
    all of it). So the same seed gives the same validation split whatever ``train_size`` is. A split, and what it
    leaves, hold at least as many examples as classes. Raises UserError where a size does not fit, and where a class
    has a single example to be drawn from.
    """
    labels = dataset.pool_labels.numpy()
    rest, own = np.split(np.arange(len(labels), dtype=np.int64), [len(dataset.train_labels)])

    size = dataset.validation_size if validation_size is None else validation_size
    origin = " (the default, as the task has none)" if validation_size is None else ""
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
                    f"task.validation_size: the signal split, half as large but at least one of each class, takes "
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
    """Raise UserError unless ``size`` examples can be drawn by strata from ``pool``."""
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
    """``size`` indices out of ``pool``, by strata, and those left."""
    if size == len(pool):
        return pool, pool[:0]
    values, counts = np.unique(labels[pool], return_counts=True)
    if counts.min() < 2:
        raise UserError(
            f"{key}: a stratified draw of {size} from {len(pool)} examples needs at least 2 of every class, "
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
