"""The plan: equal trials, paired seeds, stable ids."""

from collections import Counter

import pytest

from decaybench.errors import UserError
from decaybench.sweep import (
    LedgerRow,
    confirm_seeds,
    least_retrained,
    ledger,
    most_retrained,
    plan_choosing,
    plan_further,
    plan_replay,
    plan_search,
    size,
)

TWO = "[strategies.constant]\n[strategies.still]\nschedule = 'linear'\nlearning_rate = 0.1\n"
LENGTHS = ("trials = 3", "trials = 3\nlengths = [0.25, 1.0]")
BOTH = {"constant": 2, "still": 2}


def test_every_strategy_gets_its_trials_also_with_nothing_to_search(small):
    runs = plan_search(small("[strategies.cosine]\n" + TWO, LENGTHS), BOTH | {"cosine": 2})
    counted = Counter((run.strategy, run.length) for run in runs)
    assert counted == {(label, length): 2 * 3 for label in ("cosine", "constant", "still") for length in (0.25, 1.0)}


def test_a_parked_strategy_has_the_repeats_that_it_reached(small):
    runs = plan_search(small(TWO, LENGTHS), {"constant": 5, "still": 2})
    repeats = Counter((run.strategy, run.repeat) for run in runs)
    assert repeats == {("constant", r): 3 * 2 for r in range(5)} | {("still", r): 3 * 2 for r in range(2)}
    caught_up = plan_search(small(TWO, LENGTHS), {"constant": 5, "still": 5})
    assert set(runs) < set(caught_up) and len(set(caught_up)) == len(caught_up)


def test_order_spreads_the_work(small):
    runs = plan_search(small(TWO, LENGTHS), BOTH)
    assert [(r.length, r.repeat, r.slot, r.strategy) for r in runs[:7]] == [
        (0.25, 0, 0, "constant"),
        (0.25, 0, 0, "still"),
        (0.25, 0, 1, "constant"),
        (0.25, 0, 1, "still"),
        (0.25, 0, 2, "constant"),
        (0.25, 0, 2, "still"),
        (0.25, 1, 0, "constant"),
    ]


def test_seeds_are_paired_across_strategies_and_lengths(small):
    runs = plan_search(small("[strategies.cosine]\n" + TWO, LENGTHS), BOTH | {"cosine": 2})
    seeds = {}
    for run in runs:
        assert seeds.setdefault((run.repeat, run.slot), run.seed) == run.seed
    assert len(set(seeds.values())) == len(seeds) == 6


def test_other_sweeps_with_the_same_seed_are_other_runs_with_the_same_seeds(small):
    here, there, other = (
        plan_search(sweep, {"constant": 2})
        for sweep in (
            small(),
            small("[strategies.constant]", ('"small"', '"other"')),
            small("[search]\nseed = 1\n[strategies.constant]"),
        )
    )
    assert [run.seed for run in here] == [run.seed for run in there]
    assert not {run.id for run in here} & {run.id for run in there}
    assert not {run.seed for run in here} & {run.seed for run in other}


PLACES = {"constant": [(1, 2), (0, 0)], "still": [(0, 1)]}


def test_configurations_are_retrained_on_seeds_of_their_own(small):
    sweep = small(TWO, LENGTHS)
    choosing, further = plan_choosing(sweep, PLACES), plan_further(sweep, {"constant": (1, 2)})
    assert Counter((run.strategy, run.repeat, run.slot) for run in choosing) == {
        ("constant", 1, 2): 2,
        ("constant", 0, 0): 2,
        ("still", 0, 1): 2,
    }
    assert [(run.strategy, run.repeat, run.slot) for run in further] == [("constant", 1, 2)] * 2
    assert {(run.phase, run.length) for run in (*choosing, *further)} == {("confirm", 1.0)}  # at the longest length
    for place in {(run.strategy, run.repeat, run.slot) for run in choosing}:
        mine = [run.seed for run in choosing if (run.strategy, run.repeat, run.slot) == place]
        assert tuple(mine) == confirm_seeds(sweep, further=False)
    assert tuple(run.seed for run in further) == confirm_seeds(sweep, further=True)
    seeds = {*confirm_seeds(sweep, further=False), *confirm_seeds(sweep, further=True)}
    assert len(seeds) == 4 and not seeds & {run.seed for run in plan_search(sweep, BOTH)}


def test_ids_are_unique_and_frozen(small):
    sweep = small(TWO, LENGTHS)
    choosing, further = plan_choosing(sweep, PLACES), plan_further(sweep, {"constant": (1, 2)})
    runs = [*plan_search(sweep, BOTH), *choosing, *further, *plan_replay(sweep, further)]
    assert len({run.id for run in runs}) == len(runs)
    # These stand in people's databases.
    assert (runs[0].id, runs[0].seed) == ("0b2823b8-d02d-53e8-91d6-75c9470fdc15", 8112344936556825)
    assert (choosing[0].id, choosing[0].seed) == ("a576db34-dd59-59e9-8936-731b8aaf545a", 8243719630449586)


def test_raising_the_budget_moves_nothing(small):
    before = plan_search(small(TWO), BOTH)
    assert set(before) < set(plan_search(small(TWO, ("trials = 3", "trials = 5")), BOTH))
    assert set(before) < set(plan_search(small(TWO), {"constant": 3, "still": 3}))
    more = small(TWO, ("confirm_seeds = 2", "confirm_seeds = 3"))
    assert set(plan_choosing(small(TWO), PLACES)) < set(plan_choosing(more, PLACES))
    # The first of the runs that were reported now help to choose, and as many others are reported.
    assert set(confirm_seeds(small(TWO), further=True)) - set(confirm_seeds(more, further=True)) == {
        confirm_seeds(more, further=False)[-1]
    }


def test_size(small):
    sweep = small("[strategies.constant]", LENGTHS)
    whole, quarter = size(sweep, 1197, 1.0), size(sweep, 1197, 0.25)
    assert (whole.steps_per_epoch, whole.epochs, whole.total_steps) == (18, 10, 180)
    assert (quarter.epochs, quarter.total_steps) == (2, 36)
    assert size(sweep, 64, 1.0).steps_per_epoch == 1
    full = small("[strategies.constant]", ("batch_size = 64", 'batch_size = "full"'))
    assert size(full, 1197, 1.0).total_steps == 10
    one = small("[strategies.constant]", ("epochs = 10", "epochs = 1"), ("trials = 3", "trials = 3\nlengths = [0.1]"))
    assert size(one, 640, 0.1).epochs == 1


def test_a_batch_larger_than_the_data(small):
    rule = r"^task.batch_size: must be <= the 63 examples of the training split, got 64$"
    with pytest.raises(UserError, match=rule):
        size(small(), 63, 1.0)


def test_ledger(small):
    repeats = ("repeats = 2", "repeats = {from = 6, to = 40}")
    assert ledger(small(TWO, LENGTHS, repeats), 18) == (
        LedgerRow("constant", 0.25, 18, 120, 2 * 18),
        LedgerRow("constant", 1.0, 18, 120, 10 * 18),
        LedgerRow("still", 0.25, 18, 120, 2 * 18),
        LedgerRow("still", 1.0, 18, 120, 10 * 18),
    )


def test_further_runs_are_replayed_in_a_cycle(small):
    sweep = small("[strategies.exp_loss]", ("confirm_seeds = 2", "confirm_seeds = 3"))
    further = plan_further(sweep, {"exp_loss": (1, 2)})
    replay = plan_replay(sweep, further)
    assert {(run.phase, run.strategy, run.repeat, run.slot) for run in replay} == {("replay", "exp_loss", 1, 2)}
    assert [run.seed for run in replay] == [run.seed for run in further]
    assert [run.replay_of for run in replay] == [further[i].id for i in (2, 0, 1)]
    assert plan_replay(sweep, further[:1]) == ()


def test_how_much_is_retrained(small):
    sweep = small("[strategies.constant]\n[strategies.exp_loss]\n[strategies.cosine]\n")
    assert most_retrained(sweep) == 3 * (3 + 1) * 2 + 2  # three strategies, and the replays of one
    assert least_retrained(sweep) == 2 * (3 + 1) * 2 + 2  # the best of each family
    fixed = small("[strategies.constant]\n[strategies.cosine]\n")
    assert (least_retrained(fixed), most_retrained(fixed)) == ((3 + 1) * 2, 2 * (3 + 1) * 2)
    none = small("[strategies.exp_loss]", ("confirm_seeds = 2", "confirm_seeds = 0"))
    assert least_retrained(none) == most_retrained(none) == 0
    adaptive = small('[search]\nsampler = "tpe"\nallocation = "adaptive"\n[strategies.exp_loss]')
    assert least_retrained(adaptive) == most_retrained(adaptive) == (3 + 1) * 2
