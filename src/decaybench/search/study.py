"""The Optuna study beside our tables: where samplers think and optuna-dashboard looks. Our tables are the truth."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.engine import Engine

from decaybench.search.space import STRATEGY, Space, from_study

BUSY_TIMEOUT_S = 60


@dataclass(frozen=True)
class Slot:
    """One run of the search phase as the study sees it."""

    run_id: str
    strategy: str
    repeat: int
    slot: int
    length: float
    seed: int


class StudyMirror:
    """One sweep's study.

    A slot is proposed by the sampler, mirrored as a RUNNING trial when its training begins and told when its result is
    in our tables; a trial that a crash left RUNNING is told what became of its run. ``configure`` sets the pragmas on
    Optuna's own engine as on ours. No method may be called inside an open transaction of ours: SQLite has one writer.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        direction: Literal["minimize", "maximize"],
        spaces: Mapping[str, Space],
        sampler: BaseSampler,
        configure: Callable[[Engine], None],
    ) -> None:
        self._spaces = dict(spaces)
        self._sampler = sampler
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        patient = {"connect_args": {"timeout": BUSY_TIMEOUT_S}} if url.startswith("sqlite") else None
        self._storage = RDBStorage(url, engine_kwargs=patient)
        configure(self._storage.engine)
        self._study = optuna.create_study(
            study_name=name, storage=self._storage, sampler=sampler, direction=direction, load_if_exists=True
        )

    def propose(self, slot: Slot) -> dict[str, Any]:
        """The slot's parameters, in range units by dimension name."""
        return from_study(self._spaces[slot.strategy], self._template(slot).params)

    def begin(self, slots: Sequence[Slot]) -> dict[str, int]:
        """Mirror slots whose training begins as RUNNING trials; returns run id -> trial number."""
        if not slots:
            return {}
        for slot in slots:
            self._study.add_trial(self._template(slot))
        wanted = {slot.run_id for slot in slots}
        return {
            trial.user_attrs["run_id"]: trial.number
            for trial in self._running()
            if trial.user_attrs.get("run_id") in wanted
        }

    def tell(self, values: Mapping[int, float]) -> None:
        """Give trials, by number, their objective values."""
        for number, value in values.items():
            self._study.tell(number, value)

    def fail(self, numbers: Iterable[int]) -> None:
        """Close trials whose training the machine did not finish."""
        for number in numbers:
            self._study.tell(number, state=TrialState.FAIL)

    def reconcile(self, results: Mapping[str, tuple[Slot, float]]) -> dict[str, int]:
        """After a crash, or when the study was deleted: make the study say what our tables say.

        ``results`` holds every run of the search phase that has a result, by run id. A RUNNING trial is told its run's
        value, or FAIL when the run must be trained again; a result without a trial is added. Returns the trial numbers
        of ``results`` that are new.
        """
        mirrored: set[str] = set()
        for trial in self._study.get_trials(deepcopy=False):
            run_id = trial.user_attrs.get("run_id", "")
            if trial.state == TrialState.COMPLETE:
                mirrored.add(run_id)
            elif trial.state == TrialState.RUNNING:
                if run_id in results and run_id not in mirrored:
                    self._study.tell(trial.number, results[run_id][1])
                    mirrored.add(run_id)
                else:
                    self._study.tell(trial.number, state=TrialState.FAIL)
        missing = {run_id: slot_value for run_id, slot_value in results.items() if run_id not in mirrored}
        numbers = self.begin([slot for slot, _ in missing.values()])
        self.tell({numbers[run_id]: value for run_id, (_, value) in missing.items()})
        return numbers

    def __enter__(self) -> "StudyMirror":
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the database file."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def _running(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def _template(self, slot: Slot) -> FrozenTrial:
        """The RUNNING trial that mirrors a slot, its parameters from the sampler."""
        attributes = {
            "run_id": slot.run_id,
            STRATEGY: slot.strategy,
            "repeat": slot.repeat,
            "slot": slot.slot,
            "length": slot.length,
            "seed": slot.seed,
        }
        blank = create_trial(state=TrialState.RUNNING, user_attrs=attributes)
        space = self._sampler.infer_relative_search_space(self._study, blank)
        params = self._sampler.sample_relative(self._study, blank, space)
        return create_trial(state=TrialState.RUNNING, params=params, distributions=space, user_attrs=attributes)
