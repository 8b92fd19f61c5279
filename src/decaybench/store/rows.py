"""What `write` takes, as plain rows, and what may not stand in them.

numpy is imported where it is needed, here and in `read`, since ``decaybench status`` needs none.
"""

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from decaybench.store.schema import OUTCOMES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class NewRun:
    """A run that the plan asks for; ``id`` is its own, handed in."""

    id: str
    phase: str
    strategy: str
    repeat: int
    slot: int
    length: float
    seed: int
    replay_of: str | None = None


@dataclass(frozen=True)
class Mirror:
    """A run's trial in the Optuna study (None when it has none), and its parameters in native units."""

    run_id: str
    trial_number: int | None
    params: Mapping[str, Any]


@dataclass(frozen=True)
class EpochRow:
    """One epoch of a run: ``epoch`` from 1, losses in nats, accuracy in [0, 1], the last learning rate."""

    run_id: str
    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class RunResult:
    """How a run ended: ``epochs_done`` counts its epochs rows, ``trace`` (updates made,) its rates.

    ``updates_computed`` and ``pruned`` as in `schema.Run`.
    """

    run_id: str
    outcome: str
    epochs_done: int
    _: KW_ONLY
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    diverged_step: int | None = None
    updates_computed: int | None = None
    pruned: str | None = None
    trace: "NDArray[np.float32] | None" = None


def columns(row: NewRun | EpochRow) -> dict[str, Any]:
    """``row`` as columns in Python's own numbers; ValueError for a NaN or infinity.

    A driver does not know numpy's numbers: sqlite3 would store their bytes.
    """
    return _plain(vars(row), f"run {row.id if isinstance(row, NewRun) else row.run_id}")


def result_columns(result: RunResult) -> tuple[dict[str, Any], bytes | None]:
    """The result's ``runs`` columns without ``run_id``, and the trace's bytes; ValueError for a bad one."""
    import numpy as np

    what = f"run {result.run_id}"
    row = dict(vars(result))
    del row["run_id"]
    trace = row.pop("trace")
    row = _plain(row, what)
    if result.outcome not in OUTCOMES:
        raise ValueError(f"{what}: outcome must be one of {', '.join(OUTCOMES)}, got {result.outcome!r}")
    if result.outcome == "finished" and None in (result.validation_loss, result.validation_accuracy):
        raise ValueError(f"{what}: a finished run needs validation_loss and validation_accuracy")
    if (result.outcome == "diverged") != (result.diverged_step is not None):
        raise ValueError(f"{what}: diverged_step is for diverged runs, and for all of them")
    if not isinstance(row["updates_computed"], int | None):
        raise ValueError(f"{what}: updates_computed must be a whole number, got {row['updates_computed']!r}")
    if trace is None:
        return row, None
    rates = np.asarray(trace, dtype="<f4")
    if rates.ndim != 1 or not np.isfinite(rates).all():
        raise ValueError(f"{what}: its trace must be a row of finite numbers")
    return row, rates.tobytes()


def _plain(row: dict[str, Any], what: str) -> dict[str, Any]:
    import numpy as np

    plain = {column: value.item() if isinstance(value, np.generic) else value for column, value in row.items()}
    for column, value in plain.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{what}: {column} must be finite, got {value}")
    return plain
