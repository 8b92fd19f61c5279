"""The Optuna study beside our tables: where samplers think and optuna-dashboard looks. Our tables are the truth."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import Engine, make_url

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
        for slot, values in slots.items():
            self._study.add_trial(self._template(slot, values))
        wanted = {slot.run_id for slot in slots}
        return {
            trial.user_attrs["run_id"]: trial.number
            for trial in self._running()
            if trial.user_attrs.get("run_id") in wanted
        }

    def tell(self, values: Mapping[int, float], stopped_after: Mapping[int, int] | None = None) -> None:
        """Give trials, by number, their objective values; PRUNED are those in ``stopped_after``, which says when."""
        rungs = stopped_after or {}
        # Not by Study.tell, which reads a trial twice to write it once.
        study = self._storage.get_study_id_from_name(self._study.study_name)
        for number, value in values.items():
            trial = self._storage.get_trial_id_from_study_id_trial_number(study, number)
            if number in rungs:
                self._storage.set_trial_intermediate_value(trial, rungs[number], value)
            state = TrialState.PRUNED if number in rungs else TrialState.COMPLETE
            self._storage.set_trial_state_values(trial, state, [value])

    def fail(self, numbers: Iterable[int]) -> None:
        """Close trials whose training the machine did not finish."""
        for number in numbers:
            self._study.tell(number, state=TrialState.FAIL)

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

        for trial in self._study.get_trials(deepcopy=False):
            run_id = trial.user_attrs.get("run_id")
            if run_id is not None and trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                numbers.setdefault(run_id, trial.number)
            elif run_id is not None and trial.state == TrialState.RUNNING:
                if run_id in results and run_id not in numbers:
                    tell({run_id: trial.number})
                    numbers[run_id] = trial.number
                else:
                    self._study.tell(trial.number, state=TrialState.FAIL)
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

    def _running(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

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
