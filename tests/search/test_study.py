"""The study mirrors our tables, whatever a crash left in it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import BaseModel
from optuna.trial import TrialState, create_trial
from pandas.testing import assert_frame_equal
from sqlalchemy import create_engine

from decaybench import store
from decaybench.errors import MachineError, UserError
from decaybench.schedules import Range
from decaybench.search import BalancedSampler, Slot, StudyMirror, read_study, study


@dataclass(frozen=True)
class Dim:
    name: str
    range: Range
    shared: bool


SPACES = {
    "a": (Dim("learning_rate", Range(1e-3, 1.0, log=True), True),),
    "b": (
        Dim("learning_rate", Range(1e-4, 0.1, log=True), True),
        Dim("b.floor", Range(1e-3, 0.1, log=True, zero_or=True), False),
    ),
}
SLOTS = [Slot(f"{label}{i}", label, 0, i, 1.0, 11 + i) for i in range(4) for label in SPACES]


def propose(slot: Slot) -> dict:
    return BalancedSampler(SPACES, seed=0).propose(slot, [])


def proposed(slots: list[Slot]) -> dict[Slot, dict]:
    return {slot: propose(slot) for slot in slots}


@pytest.fixture
def open_mirror(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"

    def opened() -> StudyMirror:
        database = store.Storage(create_engine(url), url)
        return StudyMirror(database, "s", direction="maximize", spaces=SPACES, configure=lambda engine: None)

    opened.url = url
    opened.trials = lambda: optuna.load_study(study_name="s", storage=url).trials
    return opened


def test_trials_carry_their_run_and_its_parameters(open_mirror):
    with open_mirror() as mirror:
        numbers = mirror.begin(proposed(SLOTS))
        assert sorted(numbers) == sorted(slot.run_id for slot in SLOTS)
        mirror.tell({number: 0.1 * i for i, number in enumerate(numbers.values())})
    rates = {slot.run_id: propose(slot)["learning_rate"] for slot in SLOTS}
    trials = open_mirror.trials()
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 8
    for trial in trials:
        assert trial.params["strategy"] == trial.user_attrs["strategy"]
        assert trial.params["learning_rate"] == rates[trial.user_attrs["run_id"]]
        assert numbers[trial.user_attrs["run_id"]] == trial.number


TABLES = ("trials", "trial_params", "trial_user_attributes", "trial_values", "trial_intermediate_values")
TIMES = ("datetime_start", "datetime_complete")


def rows(database: Path) -> dict[str, pd.DataFrame]:
    """Optuna's tables of trials, in the order of their keys but without them: relations write in another order."""
    with closing(sqlite3.connect(database)) as connection:
        tables = {name: pd.read_sql(f"SELECT * FROM {name}", connection) for name in TABLES}
    own = {name: table.columns[0] for name, table in tables.items() if name != "trials"}
    return {
        name: table if name == "trials" else table.drop(columns=own[name]).sort_values(list(table.columns[1:3]))
        for name, table in tables.items()
    }


def test_every_row_is_as_optuna_writes_it(open_mirror, tmp_path):
    with open_mirror() as mirror:
        for part in (SLOTS[:3], SLOTS[3:]):
            numbers = list(mirror.begin(proposed(part)).values())
            # Each part has a trial that is stopped, some that are complete and one that fails.
            mirror.tell({number: 0.1 * number for number in numbers[:-1]}, {numbers[1]: 7})
            mirror.fail(numbers[-1:])
    templates = open_mirror.trials()
    storage = RDBStorage(f"sqlite:///{tmp_path}/optuna.db")
    study = optuna.create_study(study_name="s", storage=storage, direction="maximize")
    for template in templates:
        study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=template.params,
                distributions=template.distributions,
                user_attrs=template.user_attrs,
            )
        )
        if template.state == TrialState.PRUNED:
            storage.set_trial_intermediate_value(template.number + 1, 7, template.value)
            study.tell(template.number, state=template.state)
        else:
            study.tell(template.number, template.value, state=template.state)
    storage.engine.dispose()
    ours, theirs = rows(tmp_path / "study.db"), rows(tmp_path / "optuna.db")
    for name in TABLES:
        times = [column for column in TIMES if column in ours[name]]
        for column in times:
            apart = pd.to_datetime(theirs[name][column]) - pd.to_datetime(ours[name][column])
            assert apart.abs().max() < pd.Timedelta(minutes=1)  # hours, if a time zone were forgotten
        assert_frame_equal(*(table[name].drop(columns=times).reset_index(drop=True) for table in (ours, theirs)))
    assert list(ours["trials"].number) == list(range(8)) and len(ours["trial_values"]) == 6
    assert list(ours["trial_intermediate_values"].step) == [7, 7]


def test_a_trial_that_does_not_run_cannot_be_told(open_mirror):
    with open_mirror() as mirror:
        numbers = mirror.begin(proposed(SLOTS[:2]))
        mirror.tell({0: 0.5})
        with pytest.raises(MachineError, match="trial 0 is no longer RUNNING; run the same command again to continue"):
            mirror.tell({0: 0.6, 1: 0.7}, {1: 2})
    assert numbers == {"a0": 0, "b0": 1}
    assert [trial.value for trial in open_mirror.trials()] == [0.5, None]


def test_a_study_that_was_deleted_meanwhile_cannot_be_written(open_mirror):
    with open_mirror() as mirror:
        mirror.begin(proposed(SLOTS[:2]))
        optuna.delete_study(study_name="s", storage=open_mirror.url)
        with pytest.raises(MachineError, match="trial 0 is no longer RUNNING"):
            mirror.tell({0: 0.6, 1: 0.7})
        with pytest.raises(
            MachineError, match="study s: it is no longer there; run the same command again to continue"
        ):
            mirror.begin(proposed(SLOTS[2:4]))


def test_a_locked_database_is_the_users_to_mend(tmp_path, monkeypatch):
    monkeypatch.setattr("decaybench.store.storage.BUSY_TIMEOUT", 0.05)
    path = tmp_path / "s.db"
    with store.open_storage(f"sqlite:///{path}", create=True) as storage:
        how = {"direction": "maximize", "spaces": SPACES, "configure": store.configure}
        with StudyMirror(storage, "s", **how) as mirror:
            mirror.begin(proposed(SLOTS[:1]))
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                for change in (lambda: mirror.begin(proposed(SLOTS[1:2])), lambda: mirror.tell({0: 0.5})):
                    with pytest.raises(UserError, match=f"{path} has been locked by another process"):
                        change()
            mirror.tell({0: 0.5})


def test_another_process_that_makes_the_tables_at_the_same_time_is_waited_for(open_mirror, monkeypatch):
    def beaten(url, **options):
        """Optuna's storage in a process that looked before another one made the tables, and makes them after it."""
        monkeypatch.setattr(study, "RDBStorage", RDBStorage)
        RDBStorage(url).engine.dispose()
        engine = create_engine(url)
        try:
            BaseModel.metadata.create_all(engine, checkfirst=False)
        finally:
            engine.dispose()

    monkeypatch.setattr(study, "RDBStorage", beaten)
    with open_mirror() as mirror:
        assert len(mirror.begin(proposed(SLOTS))) == len(SLOTS)


def test_after_a_crash_running_trials_are_told_or_failed_and_missing_ones_added(open_mirror):
    with open_mirror() as mirror:
        told = mirror.begin(proposed(SLOTS[:2]))
        mirror.tell(dict.fromkeys(told.values(), 0.5))
        mirror.begin(proposed(SLOTS[2:6]))  # killed here: 2 and 3 had their results written, 4 and 5 had not
    with open_mirror() as mirror:
        results = {slot.run_id: (slot, 0.7) for slot in [*SLOTS[:4], SLOTS[7]]}  # 7 lost its trial
        numbers = mirror.reconcile(results, propose)
        assert numbers.keys() == results.keys()
        assert numbers[SLOTS[7].run_id] == 6  # added after the six that were there
        assert mirror.reconcile(results, propose) == numbers
    by_run = {t.user_attrs["run_id"]: t for t in open_mirror.trials()}
    states = [by_run[slot.run_id].state.name if slot.run_id in by_run else None for slot in SLOTS]
    assert states == ["COMPLETE"] * 4 + ["FAIL"] * 2 + [None, "COMPLETE"]
    assert [by_run[SLOTS[i].run_id].value for i in (0, 2, 7)] == [0.5, 0.7, 0.7]


def test_a_deleted_study_comes_back(open_mirror, tmp_path):
    with open_mirror() as mirror:
        mirror.tell(dict.fromkeys(mirror.begin(proposed(SLOTS[:3])).values(), 0.5))
    optuna.delete_study(study_name="s", storage=f"sqlite:///{tmp_path}/study.db")
    with open_mirror() as mirror:
        assert len(mirror.reconcile({slot.run_id: (slot, 0.5) for slot in SLOTS[:3]}, propose)) == 3
    assert [t.value for t in open_mirror.trials()] == [0.5] * 3


def test_what_is_stored_is_read_without_somebody_elses_trials(open_mirror, tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    assert read_study(url, "s") is None
    with open_mirror() as mirror:
        numbers = mirror.begin(proposed(SLOTS))
        mirror.tell(dict.fromkeys(list(numbers.values())[:3], 0.5))
    first = read_study(url, "s")
    trials = optuna.load_study(study_name="s", storage=url).trials
    assert [(t.number, t.run_id, t.state, t.params) for t in first.trials()] == [
        (t.number, t.user_attrs["run_id"], t.state.name, t.params) for t in trials
    ]
    assert [t.value for t in first.trials()] == [0.5] * 3 + [None] * 5
    study = optuna.load_study(study_name="s", storage=url)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert read_study(url, "s").sha256 == first.sha256
    study.tell(7, 0.5)
    assert read_study(url, "s").sha256 != first.sha256
    assert read_study(url, "t") is None
