"""What a stopped run is to Optuna: a pruned trial, worse than every complete one."""

import optuna
from optuna.trial import TrialState

from decaybench.search import Told
from decaybench.search.tpe import BatchedTPE
from search.test_study import SLOTS, SPACES, open_mirror, propose, proposed  # noqa: F401 (a fixture)


def test_a_stopped_run_is_a_pruned_trial_however_it_is_told(open_mirror):  # noqa: F811
    values = {slot.run_id: (slot, 0.1 * i) for i, slot in enumerate(SLOTS)}
    rungs = {slot.run_id: 2 for slot in SLOTS[3:]}  # the best values are theirs
    with open_mirror() as mirror:
        numbers = mirror.begin(proposed(SLOTS[:6]))
        told = {numbers[slot.run_id]: values[slot.run_id][1] for slot in SLOTS[:4]}
        mirror.tell(told, {numbers[SLOTS[3].run_id]: 2})
        # two are RUNNING, two were never begun
        numbers = mirror.reconcile(values, propose, rungs)
        assert mirror.reconcile(values, propose, rungs) == numbers
    trials = {trial.number: trial for trial in open_mirror.trials()}
    assert len(trials) == len(SLOTS)
    for slot in SLOTS:
        trial = trials[numbers[slot.run_id]]
        assert trial.value == values[slot.run_id][1]
        assert trial.state == (TrialState.PRUNED if slot.run_id in rungs else TrialState.COMPLETE)
        assert trial.intermediate_values == ({2: trial.value} if slot.run_id in rungs else {})
    study = optuna.load_study(study_name="s", storage=open_mirror.url)
    assert study.best_trial.number == numbers[SLOTS[2].run_id]


def test_tpe_does_not_follow_what_was_stopped():
    """The stopped half has the better values: told as complete it would be followed."""
    slots = [slot for slot in SLOTS if slot.strategy == "a"]
    slots = [type(slot)(f"a{i}", "a", 0, i, 1.0, i) for i, slot in enumerate(slots * 6)]
    spaces = {"a": SPACES["a"]}

    def asked(stopped_after: int | None) -> list[float]:
        history = [
            Told(slot, {"learning_rate": 0.5 + 0.01 * i}, 0.9, stopped_after)
            if i % 2
            else Told(slot, {"learning_rate": 0.002 + 0.0001 * i}, 0.5)
            for i, slot in enumerate(slots)
        ]
        sampler = BatchedTPE(spaces, 0, len(slots), "maximize")
        later = [type(slot)(f"b{i}", "a", 0, len(slots) + i, 1.0, i) for i, slot in enumerate(slots)]
        return sorted(sampler.propose(slot, history)["learning_rate"] for slot in later)

    complete, pruned = asked(None), asked(1)
    assert complete[len(complete) // 2] > 0.1
    assert pruned[len(pruned) // 2] < 0.01
