"""The Optuna study that mirrors our tables for optuna-dashboard. Our tables are the source of truth."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import StudyModel, TrialModel
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import create_engine, inspect, select, text
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from decaybench.errors import MachineError, UserError
from decaybench.search.rows import step_row, trial_row, value_row
from decaybench.search.slot import Slot
from decaybench.search.space import STRATEGY, Space, to_study

BUSY_TIMEOUT_S = 60

T = TypeVar("T")


class Database(Protocol):
    """The database that our tables and Optuna's share."""

    @property
    def url(self) -> str:
        """Its URL for Optuna."""

    def plain_errors(self) -> AbstractContextManager[None]:
        """Turn a locked database, a full disk or a lost server into an error of one line."""

    def write(self, engine: Engine) -> AbstractContextManager[Connection]:
        """Open a write transaction on ``engine``, with its errors as above."""

    def patiently(self, step: Callable[[], T]) -> T:
        """Do ``step`` again while the database is unavailable, if the caller of everything wants to wait."""


def study_exists(url: str, name: str) -> bool:
    """Whether the database at ``url`` holds an Optuna study called ``name``. Creates nothing."""
    parsed = make_url(url)
    plain_file = parsed.get_backend_name() == "sqlite" and not parsed.query  # with options, it is known to exist
    if plain_file and not Path(parsed.database or "").exists():
        return False
    engine = create_engine(parsed)
    try:
        if not inspect(engine).has_table("studies"):
            return False
        with engine.connect() as connection:
            found = connection.execute(text("SELECT 1 FROM studies WHERE study_name = :name"), {"name": name})
            return found.first() is not None
    finally:
        engine.dispose()


class StudyMirror:
    """One sweep's study.

    When a trial's training begins, it is mirrored as a RUNNING Optuna trial with the parameters that the sampler
    proposed. When its result is in our tables, the Optuna trial is closed. If a crash left it RUNNING, `reconcile`
    gives it the outcome of its run.

    ``configure`` sets the same pragmas on Optuna's engine as on ours. Opening raises UserError if Optuna cannot use the
    database. ``begin``, ``tell`` and ``fail`` are one transaction each, which is done again if ``database`` waits. They
    raise MachineError if another program has changed the study meanwhile, which `reconcile` repairs. SQLite has one
    writer, so no method may be called inside an open transaction of ours.

    The trials of a stack are written together through Optuna's models, although these are not a public interface.
    ``Study.add_trial`` and ``tell`` take two transactions and some thirty statements per trial, nine times the work:
    6 to 8% of quickstart's time. tests/search/test_study.py compares every row with what those two write.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        *,
        direction: Literal["minimize", "maximize"],
        spaces: Mapping[str, Space],
        configure: Callable[[Engine], None],
    ) -> None:
        self._spaces, self._database = dict(spaces), database
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        patient = {"connect_args": {"timeout": BUSY_TIMEOUT_S}} if database.url.startswith("sqlite") else None

        def opened() -> None:
            with database.plain_errors(), _optunas_errors():
                self._storage = _open(database.url, patient)
                try:
                    if (found := self._storage.get_current_version()) != (head := self._storage.get_head_version()):
                        raise UserError(
                            f"the database's Optuna tables changed: they are {found}, and Optuna needs {head}"
                        )
                    configure(self._storage.engine)
                    self._study = optuna.create_study(
                        study_name=name, storage=self._storage, direction=direction, load_if_exists=True
                    )
                except BaseException:
                    self.__exit__()
                    raise

        database.patiently(opened)

    def begin(self, slots: Mapping[Slot, Mapping[str, Any]]) -> dict[str, int]:
        """Mirror trials whose training begins as RUNNING Optuna trials; return their numbers by run id.

        ``slots`` maps trials to their parameters, in range units by dimension name.
        """
        return self._database.patiently(lambda: self._begin(slots)) if slots else {}

    def _begin(self, slots: Mapping[Slot, Mapping[str, Any]]) -> dict[str, int]:
        trials = {slot.run_id: trial_row(self._template(slot, values)) for slot, values in slots.items()}
        with self._transaction() as session:
            # As in Optuna, a trial's number is the count of earlier ones, read under a lock on the study.
            named = select(StudyModel.study_id).where(StudyModel.study_name == self._study.study_name)
            study = session.scalar(named.with_for_update())
            if study is None:
                raise self._changed("it is no longer there")
            for trial in trials.values():
                trial.study_id = study
            session.add_all(trials.values())
            session.flush()
            ordered = sorted(trials, key=lambda run_id: trials[run_id].trial_id)
            first = trials[ordered[0]].count_past_trials(session)
            numbers = {run_id: first + place for place, run_id in enumerate(ordered)}
            for run_id, number in numbers.items():
                trials[run_id].number = number
        return numbers

    def tell(self, values: Mapping[int, float], stopped_after: Mapping[int, int] | None = None) -> None:
        """Close RUNNING trials, by number, with their objective values.

        Trials in ``stopped_after`` become PRUNED. It maps their numbers to the epoch after which they were stopped,
        and their value is that epoch's.
        """
        rungs = stopped_after or {}
        states = {number: TrialState.PRUNED if number in rungs else TrialState.COMPLETE for number in values}
        self._close(states, values, rungs)

    def fail(self, numbers: Iterable[int]) -> None:
        """Close, as FAIL, RUNNING trials whose training the machine did not finish."""
        self._close(dict.fromkeys(numbers, TrialState.FAIL), {}, {})

    def reconcile(
        self,
        results: Mapping[str, tuple[Slot, float]],
        propose: Callable[[Slot], Mapping[str, Any]],
        stopped_after: Mapping[str, int] | None = None,
    ) -> dict[str, int]:
        """After a crash, or if the study was deleted: bring the study in line with our tables.

        ``results`` holds the trial and value of every run of the search phase that has a result, by run id. A RUNNING
        trial is closed with its run's value, or as FAIL if the run must be trained again. A result without a trial gets
        one, with the parameters that ``propose`` returns. ``stopped_after`` holds the epochs of runs that pruning
        stopped. Trials without a ``run_id`` are not ours, and stay as they are. Returns trial numbers by run id.
        """
        numbers: dict[str, int] = {}
        rungs = stopped_after or {}

        def tell(told: Mapping[str, int]) -> None:
            values = {number: results[run_id][1] for run_id, number in told.items()}
            self.tell(values, {number: rungs[run_id] for run_id, number in told.items() if run_id in rungs})

        ended: dict[str, int] = {}
        lost: list[int] = []
        for trial in self._database.patiently(self._trials):
            run_id = trial.user_attrs.get("run_id")
            if run_id is not None and trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                numbers.setdefault(run_id, trial.number)
            elif run_id is not None and trial.state == TrialState.RUNNING:
                if run_id in results and run_id not in numbers:
                    ended[run_id] = trial.number
                    numbers[run_id] = trial.number
                else:
                    lost.append(trial.number)
        tell(ended)
        self.fail(lost)
        missing = {run_id: slot_value for run_id, slot_value in results.items() if run_id not in numbers}
        added = self.begin({slot: propose(slot) for slot, _ in missing.values()})
        tell(added)
        return {run_id: (numbers | added)[run_id] for run_id in results}

    def __enter__(self) -> "StudyMirror":
        return self

    def __exit__(self, *_: object) -> None:
        """Close the database."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def _close(self, states: Mapping[int, TrialState], values: Mapping[int, float], rungs: Mapping[int, int]) -> None:
        """End RUNNING trials, by number, in these states; ``rungs`` maps those that were stopped to their epochs."""
        if states:
            self._database.patiently(lambda: self._end(states, values, rungs))

    def _end(self, states: Mapping[int, TrialState], values: Mapping[int, float], rungs: Mapping[int, int]) -> None:
        with self._transaction() as session:
            found = (
                select(TrialModel.number, TrialModel)
                .join(StudyModel)
                .where(StudyModel.study_name == self._study.study_name, TrialModel.state == TrialState.RUNNING)
                # A range, since databases limit the length of a list, and a stack's numbers are consecutive.
                .where(TrialModel.number.between(min(states), max(states)))
                .with_for_update(of=TrialModel)
            )
            running: dict[int, TrialModel] = dict(session.execute(found).all())
            if ended := sorted(states.keys() - running.keys()):
                raise self._changed(f"trial {ended[0]} is no longer RUNNING")
            for number, state in states.items():
                trial = running[number]
                trial.state, trial.datetime_complete = state, datetime.now()
                if number in values:
                    session.add(value_row(trial, values[number]))
                if number in rungs:
                    session.add(step_row(trial, rungs[number], values[number]))

    def _trials(self) -> list[FrozenTrial]:
        try:
            with self._database.plain_errors(), _optunas_errors():
                return self._study.get_trials(deepcopy=False)
        except ValueError as error:  # such as JSON with a changed character, which no check of the file finds
            what = f"the Optuna study {self._study.study_name} is damaged: {error}"
            raise UserError(f"{what}; restore a backup, or delete the study, which is then written anew") from error

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with self._database.write(self._storage.engine) as connection, Session(connection) as session:
            yield session
            session.flush()

    def _changed(self, how: str) -> MachineError:
        return MachineError(
            f"another program changed the Optuna study {self._study.study_name}: {how}; "
            "run the same command again to continue"
        )

    def _template(self, slot: Slot, values: Mapping[str, Any]) -> FrozenTrial:
        """The RUNNING Optuna trial that mirrors one of our trials."""
        attributes = {
            "run_id": slot.run_id,
            STRATEGY: slot.strategy,
            "repeat": slot.repeat,
            "slot": slot.slot,
            "length": slot.length,
            "seed": slot.seed,
        }
        params, distributions = to_study(self._spaces[slot.strategy], values)
        return create_trial(
            state=TrialState.RUNNING,
            params={STRATEGY: slot.strategy, **params},
            distributions={STRATEGY: CategoricalDistribution(tuple(self._spaces)), **distributions},
            user_attrs=attributes,
        )


def _open(url: str, engine_kwargs: dict[str, Any] | None, attempts: int = 20) -> RDBStorage:
    """Optuna's storage. If another process creates Optuna's tables at the same time, the later one fails: try again."""
    try:
        # Optuna's own check of the revision leaves a connection that cannot be closed.
        return RDBStorage(url, engine_kwargs=engine_kwargs, skip_compatibility_check=True)
    except DBAPIError as error:
        if attempts == 1 or not (isinstance(error, IntegrityError) or "already exists" in str(error.orig)):
            raise
    time.sleep(0.1)
    return _open(url, engine_kwargs, attempts - 1)


@contextmanager
def _optunas_errors() -> Iterator[None]:
    """Raise the database's own error instead of Optuna's; UserError if tables of other programs are in the way."""
    try:
        yield
    except (StorageInternalError, ProgrammingError) as error:
        said = error.__cause__ if isinstance(error, StorageInternalError) else error
        if isinstance(said, ProgrammingError):
            line, _, _ = str(said.orig).partition("\n")
            raise UserError(f"Optuna cannot use the database: {line}") from error
        raise said or error from None
