"""Describe Optuna's tables without importing Optuna; tests/store/test_judge.py compares this with the installed one."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_COLUMNS: Final = {
    name: columns.split()
    for name, columns in {
        "studies": "study_id study_name",
        "study_directions": "study_direction_id direction study_id objective",
        "study_user_attributes": "study_user_attribute_id study_id key value_json",
        "study_system_attributes": "study_system_attribute_id study_id key value_json",
        "trials": "trial_id number study_id state datetime_start datetime_complete",
        "trial_user_attributes": "trial_user_attribute_id trial_id key value_json",
        "trial_system_attributes": "trial_system_attribute_id trial_id key value_json",
        "trial_params": "param_id trial_id param_name param_value distribution_json",
        "trial_values": "trial_value_id trial_id objective value value_type",
        "trial_intermediate_values": "trial_intermediate_value_id trial_id step intermediate_value "
        "intermediate_value_type",
        "trial_heartbeats": "trial_heartbeat_id trial_id heartbeat",
        "version_info": "version_info_id schema_version library_version",
    }.items()
}
TABLES: Final = {name: frozenset(columns) for name, columns in _COLUMNS.items()}
"""Name -> columns, without alembic's table, `STAMP`."""
KEYS: Final = {name: columns[0] for name, columns in _COLUMNS.items()}
"""Name -> the column that is the primary key, an integer."""
INDEXES: Final = {"ix_studies_study_name": "studies", "ix_trials_study_id": "trials"}
"""The indexes that Optuna names itself: name -> the table it is created with."""
STAMP: Final = "alembic_version"
"""The table whose ``version_num`` is the revision of Optuna's tables, created last. Every user of alembic has one."""
ENUMS: Final = {
    name: frozenset(labels.split())
    for name, labels in {
        "studydirection": "NOT_SET MINIMIZE MAXIMIZE",
        "trialstate": "RUNNING COMPLETE PRUNED FAIL WAITING",
        "trialvaluetype": "FINITE INF_POS INF_NEG",
        "trialintermediatevaluetype": "FINITE INF_POS INF_NEG NAN",
    }.items()
}
"""The types that Optuna creates in PostgreSQL: name -> labels."""

_LINE = re.compile(r"^(?P<key>revision|down_revision) = (?:\"(?P<value>.+)\"|None)$", re.MULTILINE)


@cache
def revisions() -> tuple[str, ...]:
    """Return the revisions that the installed Optuna knows, oldest first; it accepts only the last.

    They are read from the text of its migration files, because importing those loads all of Optuna.
    """
    spec = find_spec("optuna")
    assert spec is not None and spec.origin is not None
    after: dict[str | None, str] = {}
    for file in (Path(spec.origin).parent / "storages" / "_rdb" / "alembic" / "versions").glob("*.py"):
        lines = {line["key"]: line["value"] for line in _LINE.finditer(file.read_text(encoding="utf-8"))}
        after[lines["down_revision"]] = lines["revision"]
    chain = [after[None]]
    while chain[-1] in after:
        chain.append(after[chain[-1]])
    return tuple(chain)
