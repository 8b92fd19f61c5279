"""The study mirrors our tables, whatever a crash left in it."""

from dataclasses import dataclass

import optuna
import pytest
from optuna.trial import TrialState

from decaybench.schedules import Range
from decaybench.search import BalancedSampler, Slot, StudyMirror


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


@pytest.fixture
def open_mirror(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"

    def opened() -> StudyMirror:
        sampler = BalancedSampler(SPACES, seed=0)
        return StudyMirror(
            url, "s", direction="maximize", spaces=SPACES, sampler=sampler, configure=lambda engine: None
        )

    opened.trials = lambda: optuna.load_study(study_name="s", storage=url).trials
    return opened


def test_trials_carry_their_run_and_its_parameters(open_mirror):
    with open_mirror() as mirror:
        numbers = mirror.begin(SLOTS)
        assert sorted(numbers) == sorted(slot.run_id for slot in SLOTS)
        proposed = {slot.run_id: mirror.propose(slot) for slot in SLOTS}
        mirror.tell({number: 0.1 * i for i, number in enumerate(numbers.values())})
    trials = open_mirror.trials()
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 8
    for trial in trials:
        assert trial.params["strategy"] == trial.user_attrs["strategy"]
        assert trial.params["learning_rate"] == proposed[trial.user_attrs["run_id"]]["learning_rate"]
        assert numbers[trial.user_attrs["run_id"]] == trial.number


def test_after_a_crash_running_trials_are_told_or_failed_and_missing_ones_added(open_mirror):
    with open_mirror() as mirror:
        told = mirror.begin(SLOTS[:2])
        mirror.tell(dict.fromkeys(told.values(), 0.5))
        mirror.begin(SLOTS[2:6])  # killed here: 2 and 3 had their results written, 4 and 5 had not
    with open_mirror() as mirror:
        results = {slot.run_id: (slot, 0.7) for slot in [*SLOTS[:4], SLOTS[7]]}  # 7 lost its trial
        new = mirror.reconcile(results)
        assert list(new) == [SLOTS[7].run_id]
        assert mirror.reconcile(results) == {}
    by_run = {t.user_attrs["run_id"]: t for t in open_mirror.trials()}
    states = [by_run[slot.run_id].state.name if slot.run_id in by_run else None for slot in SLOTS]
    assert states == ["COMPLETE"] * 4 + ["FAIL"] * 2 + [None, "COMPLETE"]
    assert [by_run[SLOTS[i].run_id].value for i in (0, 2, 7)] == [0.5, 0.7, 0.7]


def test_a_deleted_study_comes_back(open_mirror, tmp_path):
    with open_mirror() as mirror:
        mirror.tell(dict.fromkeys(mirror.begin(SLOTS[:3]).values(), 0.5))
    optuna.delete_study(study_name="s", storage=f"sqlite:///{tmp_path}/study.db")
    with open_mirror() as mirror:
        assert len(mirror.reconcile({slot.run_id: (slot, 0.5) for slot in SLOTS[:3]})) == 3
    assert [t.value for t in open_mirror.trials()] == [0.5] * 3
