"""The Optuna study beside our tables, for samplers and optuna-dashboard. Our tables are the source of truth."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import CategoricalDistribution, distribution_to_json
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import (
    StudyModel,
    TrialIntermediateValueModel,
    TrialModel,
    TrialParamModel,
    TrialUserAttributeModel,
    TrialValueModel,
)
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import create_engine, inspect, select, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from decaybench.errors import MachineError, UserError
from decaybench.search.slot import Slot
from decaybench.search.space import STRATEGY, Space, to_study

BUSY_TIMEOUT_S = 60


def study_exists(url: str, name: str) -> bool:
    """Whether the database at ``url`` holds an Optuna study called ``name``; nothing is made by asking."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
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

    A trial is mirrored, with the parameters that the sweep's sampler proposed for it, as a RUNNING Optuna trial when
    its training begins, and closed when its result is in our tables; one that a crash left RUNNING gets the outcome of
    its run. ``configure`` sets the pragmas on Optuna's own engine as on ours, and within ``plain_errors`` a database
    that is locked or full is a UserError, as is one that Optuna refuses when it is opened here. No method may be called
    inside an open transaction of ours: SQLite has one writer. ``begin``, ``tell`` and ``fail`` are a transaction each,
    and raise MachineError when somebody else changed the study meanwhile: `reconcile` mends that.

    A stack's trials are written at once through Optuna's models, which are no public interface: by ``Study.add_trial``
    and ``tell`` a trial is two transactions and some thirty statements, nine times the work, and quickstart spent 6 to
    8% of its time there. tests/search/test_study.py compares every row with what those two write.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        direction: Literal["minimize", "maximize"],
        spaces: Mapping[str, Space],
        configure: Callable[[Engine], None],
        plain_errors: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._spaces, self._plain_errors = dict(spaces), plain_errors
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        patient = {"connect_args": {"timeout": BUSY_TIMEOUT_S}} if url.startswith("sqlite") else None
        with plain_errors(), _optunas_errors():
            self._storage = _open(url, patient)
            try:
                if (found := self._storage.get_current_version()) != (head := self._storage.get_head_version()):
                    raise UserError(f"the database's Optuna tables changed: they are {found}, and Optuna needs {head}")
                configure(self._storage.engine)
                self._study = optuna.create_study(
                    study_name=name, storage=self._storage, direction=direction, load_if_exists=True
                )
            except BaseException:
                self.__exit__()
                raise

    def begin(self, slots: Mapping[Slot, Mapping[str, Any]]) -> dict[str, int]:
        """Mirror trials whose training begins as RUNNING Optuna trials; returns run id -> trial number.

        ``slots`` maps them to their parameters, in range units by dimension name.
        """
        if not slots:
            return {}
        trials = {slot.run_id: _row(self._template(slot, values)) for slot, values in slots.items()}
        with self._transaction() as session:
            # As Optuna does: behind a lock on the study, a trial's number is how many came before it.
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
        """Give RUNNING trials, by number, their objective values.

        PRUNED are those in ``stopped_after``, which says after which epoch: that epoch's value is theirs.
        """
        rungs = stopped_after or {}
        states = {number: TrialState.PRUNED if number in rungs else TrialState.COMPLETE for number in values}
        self._close(states, values, rungs)

    def fail(self, numbers: Iterable[int]) -> None:
        """Close trials whose training the machine did not finish."""
        self._close(dict.fromkeys(numbers, TrialState.FAIL), {}, {})

    def reconcile(
        self,
        results: Mapping[str, tuple[Slot, float]],
        propose: Callable[[Slot], Mapping[str, Any]],
        stopped_after: Mapping[str, int] | None = None,
    ) -> dict[str, int]:
        """After a crash, or if the study was deleted: bring the study in line with our tables.

        ``results`` holds every run of the search phase that has a result, by run id. A RUNNING trial is told its run's
        value, or FAIL when the run must be trained again; a result without a trial is added, at what ``propose`` says.
        ``stopped_after`` holds the epoch of those that pruning stopped. Trials that name no run are somebody else's and
        stay. Returns the trial number of every result.
        """
        numbers: dict[str, int] = {}
        rungs = stopped_after or {}

        def tell(told: Mapping[str, int]) -> None:
            values = {number: results[run_id][1] for run_id, number in told.items()}
            self.tell(values, {number: rungs[run_id] for run_id, number in told.items() if run_id in rungs})

        ended: dict[str, int] = {}
        lost: list[int] = []
        for trial in self._study.get_trials(deepcopy=False):
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
        """Let go of the database file."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def _close(self, states: Mapping[int, TrialState], values: Mapping[int, float], rungs: Mapping[int, int]) -> None:
        """End RUNNING trials, by number, in these states; ``rungs`` holds the epochs that the values of some are of."""
        if not states:
            return
        with self._transaction() as session:
            found = (
                select(TrialModel.number, TrialModel)
                .join(StudyModel)
                .where(StudyModel.study_name == self._study.study_name, TrialModel.state == TrialState.RUNNING)
                # A stack's numbers follow each other, and databases bound the number of values in a list.
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
                    session.add(_value(trial, values[number]))
                if number in rungs:
                    session.add(_step(trial, rungs[number], values[number]))

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with self._plain_errors(), Session(self._storage.engine) as session, session.begin():
            yield session

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
    """Optuna's storage. Where another process makes its tables at the same time neither waits, and the later one fails:
    it tries again.
    """
    try:
        # Optuna's own check of the revision would leave a connection that nobody can close.
        return RDBStorage(url, engine_kwargs=engine_kwargs, skip_compatibility_check=True)
    except DBAPIError as error:
        if attempts == 1 or not (isinstance(error, IntegrityError) or "already exists" in str(error.orig)):
            raise
    time.sleep(0.1)
    return _open(url, engine_kwargs, attempts - 1)


@contextmanager
def _optunas_errors() -> Iterator[None]:
    """What the database says to Optuna when it is opened, as that, and in a line where other tables are in the way."""
    try:
        yield
    except (StorageInternalError, ProgrammingError) as error:
        said = error.__cause__ if isinstance(error, StorageInternalError) else error
        if isinstance(said, ProgrammingError):
            line, _, _ = str(said.orig).partition("\n")
            raise UserError(f"Optuna cannot use the database: {line}") from error
        raise said or error from None


def _row(trial: FrozenTrial) -> TrialModel:
    """A trial as Optuna keeps it, its study and number aside."""
    return TrialModel(
        state=trial.state,
        datetime_start=trial.datetime_start,
        params=[
            TrialParamModel(
                param_name=name,
                param_value=distribution.to_internal_repr(trial.params[name]),
                distribution_json=distribution_to_json(distribution),
            )
            for name, distribution in trial.distributions.items()
        ],
        user_attributes=[
            TrialUserAttributeModel(key=key, value_json=json.dumps(value)) for key, value in trial.user_attrs.items()
        ],
    )


def _value(trial: TrialModel, value: float) -> TrialValueModel:
    stored, kind = TrialValueModel.value_to_stored_repr(value)
    return TrialValueModel(trial_id=trial.trial_id, objective=0, value=stored, value_type=kind)


def _step(trial: TrialModel, step: int, value: float) -> TrialIntermediateValueModel:
    stored, kind = TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
    row = {"intermediate_value": stored, "intermediate_value_type": kind}
    return TrialIntermediateValueModel(trial_id=trial.trial_id, step=step, **row)
