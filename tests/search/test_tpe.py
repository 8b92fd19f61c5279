"""TPE in closed batches: a proposal is a pure function of what earlier batches were told."""

import math
import random
import warnings
from dataclasses import replace

import optuna
import pytest

from decaybench.search import Slot, Told, adaptive_sampler, balanced_sampler
from decaybench.search.space import from_study, to_study
from search.test_sampler import SPACES

LENGTH = 0.25


def slot(label: str, i: int, repeat: int = 0, length: float = LENGTH) -> Slot:
    return Slot(f"{label}{repeat}{i}{length}", label, repeat, i, length, 0)


def sampler(seed: int = 0, batch: int = 4, direction: str = "maximize"):
    return balanced_sampler("tpe", SPACES, seed, batch, direction)


def worth(values: dict) -> float:
    """Best at a learning rate of 0.05, whatever else."""
    return -abs(math.log(values["learning_rate"] / 0.05))


def search(tpe, label: str, trials: int, repeat: int = 0, length: float = LENGTH, objective=worth) -> list[Told]:
    history: list[Told] = []
    for i in range(trials):
        values = tpe.propose(slot(label, i, repeat, length), history)
        history.append(Told(slot(label, i, repeat, length), values, objective(values)))
    return history


@pytest.mark.parametrize("label", SPACES)
def test_proposals_lie_in_their_ranges(label):
    for told in search(sampler(), label, 24):
        params, distributions = to_study(SPACES[label], told.values)
        assert from_study(SPACES[label], params) == told.values
        for name, distribution in distributions.items():
            assert distribution._contains(distribution.to_internal_repr(params[name]))
        if label == "mixed":
            assert list(told.values["mixed.milestones"]) == sorted(told.values["mixed.milestones"])


def test_a_proposal_depends_on_earlier_batches_of_its_own_strategy_repeat_and_length_only():
    mine = search(sampler(), "mixed", 16)
    others = [
        *search(sampler(1), "mixed", 12, repeat=1),
        *search(sampler(2), "mixed", 12, length=1.0),
        *search(sampler(3), "twin", 12),
    ]
    order = list(range(16))
    random.Random(0).shuffle(order)
    one = sampler()  # asked in any order, with everything there is to know in any order
    for i in order:
        everything = [*mine, *others]
        random.Random(i).shuffle(everything)
        assert one.propose(slot("mixed", i), everything) == mine[i].values
        assert (
            sampler().propose(slot("mixed", i), mine[: i // 4 * 4]) == mine[i].values
        )  # fresh, and no more than needed
    changed = [replace(mine[0], value=9.0), *mine[1:]]
    assert sampler().propose(slot("mixed", 2), changed) == mine[2].values
    assert sampler().propose(slot("mixed", 9), changed) != mine[9].values


def test_seed_strategy_repeat_length_and_batch_each_have_their_own_stream():
    first = sampler().propose(slot("twin", 0), [])
    assert first != sampler(1).propose(slot("twin", 0), [])
    assert first != sampler().propose(slot("twin", 0, repeat=1), [])
    assert first != sampler().propose(slot("twin", 0, length=1.0), [])
    assert first["learning_rate"] != sampler().propose(slot("staircase", 0), [])["learning_rate"]
    assert len({told.values["learning_rate"] for told in search(sampler(), "twin", 12)}) == 12


def test_slots_of_a_batch_do_not_hang_on_how_many_are_wanted():
    """Six trials, then eight: the second batch is completed as if eight had been asked for at once."""
    eight = search(sampler(), "mixed", 8)
    grown = search(sampler(), "mixed", 6)
    assert grown == eight[:6]
    for i in (6, 7):
        assert sampler().propose(slot("mixed", i), grown) == eight[i].values


def test_an_open_batch_is_an_error():
    told = search(sampler(), "twin", 4)
    with pytest.raises(ValueError, match="history must hold trials 0 to 3 once, got"):
        sampler().propose(slot("twin", 4), told[:3])
    with pytest.raises(ValueError, match="trials 0 to 3 once, got"):
        sampler().propose(slot("twin", 4), [*told, told[0]])


@pytest.mark.parametrize(("direction", "sign"), [("maximize", 1), ("minimize", -1)])
def test_it_learns(direction, sign):
    def objective(values: dict) -> float:
        return sign * worth(values)

    found = search(sampler(direction=direction), "staircase", 40, objective=objective)
    far = [abs(math.log(told.values["learning_rate"] / 0.05)) for told in found]
    assert sum(far[28:]) / 12 < 0.5 * sum(far[:8]) / 8
    # by the second batch: Optuna's own ten start-up trials would be random here
    other = search(sampler(direction=direction), "staircase", 8, objective=lambda values: 0.0)
    assert [t.values for t in found[:4]] == [t.values for t in other[:4]]
    assert [t.values for t in found[4:8]] != [t.values for t in other[4:8]]


def test_diverged_runs_stay_in_the_history():
    """Above 0.1 everything diverges and is told as chance: TPE keeps away from there."""

    def objective(values: dict) -> float:
        return 0.1 if values["learning_rate"] > 0.1 else 0.5 + 0.1 * values["staircase.decay_rate"]

    told = search(sampler(5), "staircase", 48, objective=objective)
    assert sum(t.value == 0.1 for t in told[:8]) >= 2
    assert sum(t.value == 0.1 for t in told[24:]) <= 4


def test_a_strategy_with_nothing_to_search():
    assert balanced_sampler("tpe", {"still": ()}, 0, 4, "maximize").propose(slot("still", 0), []) == {}


def test_nothing_is_said_and_no_warning_escapes(capfd):
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search(sampler(), "mixed", 6)
    optuna.logging.set_verbosity(verbosity)
    assert capfd.readouterr() == ("", "")


# -- adaptive: the strategies share the slots


def shared(kind: str, seed: int = 0):
    return adaptive_sampler(kind, SPACES, seed, 4, "maximize")


def share_out(chooser, slots: int, objective, repeat: int = 0) -> list[Told]:
    history: list[Told] = []
    for i in range(slots):
        label = chooser.choose(repeat, LENGTH, i, history)
        values = chooser.propose(slot(label, i, repeat), history)
        history.append(Told(slot(label, i, repeat), values, objective(label, values)))
    return history


def test_adaptive_tpe_favours_the_better_strategy():
    def objective(label: str, values: dict) -> float:
        return 0.9 if label == "twin" else 0.1

    told = share_out(shared("tpe"), 60, objective)
    late = [t.slot.strategy for t in told[20:]]
    assert late.count("twin") >= 20  # by chance alone: 8
    assert len({t.slot.strategy for t in told}) >= 4


def test_adaptive_random_favours_none():
    told = share_out(shared("random"), 200, lambda label, values: 0.9 if label == "twin" else 0.1)
    counts = [sum(t.slot.strategy == label for t in told) for label in SPACES]
    assert min(counts) >= 20 and max(counts) <= 60
    assert told == share_out(shared("random"), 200, lambda label, values: 0.9 if label == "twin" else 0.1)


@pytest.mark.parametrize("kind", ["tpe", "random"])
def test_adaptive_proposals_are_pure(kind):
    mine = share_out(shared(kind), 24, lambda label, values: values["learning_rate"])
    others = share_out(shared(kind), 24, lambda label, values: 1.0, repeat=1)
    order = list(range(24))
    random.Random(1).shuffle(order)
    one = shared(kind)
    for i in order:
        everything = [*others, *mine]
        random.Random(i).shuffle(everything)
        for chooser in (one, shared(kind)):
            assert chooser.choose(0, LENGTH, i, everything) == mine[i].slot.strategy
            assert chooser.propose(mine[i].slot, everything) == mine[i].values
    assert [t.slot.strategy for t in mine] != [t.slot.strategy for t in others]


@pytest.mark.parametrize("kind", ["tpe", "random"])
def test_a_slot_of_another_strategy_is_refused(kind):
    label = shared(kind).choose(0, LENGTH, 0, [])
    other = next(name for name in SPACES if name != label)
    with pytest.raises(Exception, match=f"trial 0 of repeat 0 was given to strategy {other}, but the versions"):
        shared(kind).propose(slot(other, 0), [])


def test_sobol_cannot_choose():
    with pytest.raises(ValueError, match="sobol cannot choose strategies"):
        adaptive_sampler("sobol", SPACES, 0, 4, "maximize")
