"""The Optuna study beside our tables: where samplers think and optuna-dashboard looks. Our tables are the truth."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import CategoricalDistribution, distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import (
    StudyModel,
    TrialModel,
    TrialParamModel,
    TrialUserAttributeModel,
    TrialValueModel,
)
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import create_engine, inspect, select, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.orm import Session

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

    A slot is mirrored, with the parameters that the sweep's sampler proposed for it, as a RUNNING trial when its
    training begins, and told when its result is in our tables; a trial that a crash left RUNNING is told what became of
    its run. ``configure`` sets the pragmas on Optuna's own engine as on ours. No method may be called inside an open
    transaction of ours: SQLite has one writer.

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
    ) -> None:
        self._spaces = dict(spaces)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        patient = {"connect_args": {"timeout": BUSY_TIMEOUT_S}} if url.startswith("sqlite") else None
        self._storage = RDBStorage(url, engine_kwargs=patient)
        configure(self._storage.engine)
        self._study = optuna.create_study(
            study_name=name, storage=self._storage, direction=direction, load_if_exists=True
        )

    def begin(self, slots: Mapping[Slot, Mapping[str, Any]]) -> dict[str, int]:
        """Mirror slots whose training begins as RUNNING trials; returns run id -> trial number.

        ``slots`` maps them to their parameters, in range units by dimension name.
        """
        if not slots:
            return {}
        trials = {slot.run_id: _row(self._template(slot, values)) for slot, values in slots.items()}
        with Session(self._storage.engine) as session, session.begin():
            # As Optuna does: behind a lock on the study, a trial's number is how many came before it.
            named = select(StudyModel.study_id).where(StudyModel.study_name == self._study.study_name)
            study = session.scalars(named.with_for_update()).one()
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
        """Give RUNNING trials, by number, their objective values; KeyError when one is not there.

        PRUNED are those in ``stopped_after``, which says after which epoch.
        """
        rungs = stopped_after or {}
        study = self._storage.get_study_id_from_name(self._study.study_name)
        for number, epoch in rungs.items():
            trial = self._storage.get_trial_id_from_study_id_trial_number(study, number)
            self._storage.set_trial_intermediate_value(trial, epoch, values[number])
        self._close({number: values[number] for number in rungs}, TrialState.PRUNED)
        rest = {number: value for number, value in values.items() if number not in rungs}
        self._close(rest, TrialState.COMPLETE)

    def fail(self, numbers: Iterable[int]) -> None:
        """Close trials whose training the machine did not finish."""
        self._close(dict.fromkeys(numbers), TrialState.FAIL)

    def reconcile(
        self,
        results: Mapping[str, tuple[Slot, float]],
        propose: Callable[[Slot], Mapping[str, Any]],
        stopped_after: Mapping[str, int] | None = None,
    ) -> dict[str, int]:
        """After a crash, or when the study was deleted: make the study say what our tables say.

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

    def _close(self, values: Mapping[int, float | None], state: TrialState) -> None:
        """End RUNNING trials, by number, in one transaction."""
        if not values:
            return
        with Session(self._storage.engine) as session, session.begin():
            found = (
                select(TrialModel.number, TrialModel)
                .join(StudyModel)
                .where(StudyModel.study_name == self._study.study_name, TrialModel.state == TrialState.RUNNING)
            )
            running: dict[int, TrialModel] = dict(session.execute(found).all())
            for number, value in values.items():
                trial = running[number]
                trial.state, trial.datetime_complete = state, datetime.now()
                if value is not None:
                    stored, kind = TrialValueModel.value_to_stored_repr(value)
                    session.add(TrialValueModel(trial_id=trial.trial_id, objective=0, value=stored, value_type=kind))

    def _template(self, slot: Slot, values: Mapping[str, Any]) -> FrozenTrial:
        """The RUNNING trial that mirrors a slot."""
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
