"""Convert rows to plain Python numbers, and check them, before they are written to the database.

numpy is imported where it is needed, here and in `read`, because ``decaybench status`` does without it.
"""

import math
from typing import Any

from decaybench.store.columns import OUTCOMES, EpochRow, LookRow, NewRun, RunResult


def plain_row(row: NewRun | EpochRow | LookRow) -> dict[str, Any]:
    """Return ``row`` as columns of plain Python numbers; ValueError for a NaN or infinity.

    Database drivers do not know numpy's numbers: sqlite3 would store their bytes.
    """
    if isinstance(row, LookRow):
        return _plain(vars(row), f"look {row.step}")
    return _plain(vars(row), f"run {row.id if isinstance(row, NewRun) else row.run_id}")


def plain_result(result: RunResult) -> tuple[dict[str, Any], bytes | None]:
    """Return the result's ``runs`` columns without ``run_id``, and the trace's bytes; ValueError for invalid values."""
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
        raise ValueError(f"{what}: every diverged run, and no other, has a diverged_step")
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
