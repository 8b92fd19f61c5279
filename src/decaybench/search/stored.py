"""A study's trials as the database holds them, read from its rows, with everything that Optuna would round or skip."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from optuna.distributions import json_to_distribution
from sqlalchemy import create_engine, text

from decaybench.search.study import study_exists


def _of_trials(columns: str, table: str = "") -> str:
    """A query for the numbers of our trials and ``columns``, of which those of a joined ``table`` are called x.COLUMN.

    Trials without a ``run_id`` are not ours (a notebook may add some). They are left out, as in
    `StudyMirror.reconcile`.
    """
    hanging = f"JOIN {table} x ON x.trial_id = t.trial_id " if table else ""
    return (
        f"SELECT t.number, {columns} FROM trials t JOIN studies s ON s.study_id = t.study_id "
        f"JOIN trial_user_attributes r ON r.trial_id = t.trial_id AND r.key = 'run_id' {hanging}"
        "WHERE s.study_name = :name"
    )


_QUERIES: Final = {
    "directions": "SELECT d.objective, d.direction FROM study_directions d "
    "JOIN studies s ON s.study_id = d.study_id WHERE s.study_name = :name",
    "trials": _of_trials("r.value_json, t.state, t.datetime_start, t.datetime_complete"),
    "params": _of_trials("x.param_name, x.param_value, x.distribution_json", "trial_params"),
    "values": _of_trials("x.objective, x.value, x.value_type", "trial_values"),
    "attributes": _of_trials("x.key, x.value_json", "trial_user_attributes"),
    "steps": _of_trials("x.step, x.intermediate_value, x.intermediate_value_type", "trial_intermediate_values"),
}


@dataclass(frozen=True)
class StoredTrial:
    """A trial that mirrors a run.

    ``state`` is Optuna's name for it. ``value`` is None until the trial ends. ``params`` are the study's parameters,
    including the strategy.
    """

    number: int
    run_id: str
    state: str
    value: float | None
    params: Mapping[str, Any]


class StoredStudy:
    """The rows of a study, their hash, and the trials that they describe."""

    def __init__(self, rows: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
        self._rows = rows

    @property
    def sha256(self) -> str:
        """The SHA-256 of every number, state, time, value, parameter, range and attribute of our trials."""
        text = json.dumps({table: sorted(repr(row) for row in rows) for table, rows in self._rows.items()})
        return hashlib.sha256(text.encode()).hexdigest()

    def trials(self) -> list[StoredTrial]:
        """Our trials, by number; ValueError or LookupError if the rows are not valid Optuna trials."""
        values = {number: value for number, _, value, _ in self._rows["values"]}
        params: dict[int, dict[str, Any]] = {}
        for number, name, value, distribution in self._rows["params"]:
            params.setdefault(number, {})[name] = json_to_distribution(distribution).to_external_repr(value)
        return [
            StoredTrial(number, json.loads(run_id), state, values.get(number), params.get(number, {}))
            for number, run_id, state, *_ in sorted(self._rows["trials"], key=lambda row: int(row[0]))
        ]


def read_study(url: str, name: str) -> StoredStudy | None:
    """The rows of the study ``name`` in the database at ``url``; None if there is none. Writes nothing."""
    if not study_exists(url, name):
        return None
    engine, of = create_engine(url), {"name": name}
    try:
        with engine.connect() as connection:
            return StoredStudy(
                {table: [*map(tuple, connection.execute(text(query), of))] for table, query in _QUERIES.items()}
            )
    finally:
        engine.dispose()
