"""The plan: equal slots, paired seeds, stable ids."""

from collections import Counter

import pytest

from decaybench.errors import UserError
from decaybench.sweep import LedgerRow, arms, ledger, plan_confirm, plan_replay, plan_search, size, slots

TWO = "[strategies.constant]\n[strategies.still]\nschedule = 'linear'\nlearning_rate = 0.1\n"
LENGTHS = ("trials = 3", "trials = 3\nlengths = [0.25, 1.0]")


def test_every_strategy_gets_its_slots(small):
    sweep = small("[strategies.cosine]\n" + TWO, LENGTHS)
    counted = Counter((run.strategy, run.length) for run in plan_search(sweep))
    assert counted == {
        (label, length): 2 * n for label, n in (("cosine", 3), ("constant", 3), ("still", 1)) for length in (0.25, 1.0)
    }
    assert [slots(sweep, arm) for arm in arms(sweep)] == [3, 3, 1]


def test_order_spreads_the_work(small):
    runs = plan_search(small(TWO, LENGTHS))
    assert [(r.length, r.repeat, r.slot, r.strategy) for r in runs[:5]] == [
        (0.25, 0, 0, "constant"),
        (0.25, 0, 0, "still"),
        (0.25, 0, 1, "constant"),
        (0.25, 0, 2, "constant"),
        (0.25, 1, 0, "constant"),
    ]


def test_seeds_are_paired_across_strategies_and_lengths(small):
    runs = plan_search(small("[strategies.cosine]\n" + TWO, LENGTHS))
    seeds = {}
    for run in runs:
        assert seeds.setdefault((run.repeat, run.slot), run.seed) == run.seed
    assert len(set(seeds.values())) == len(seeds) == 6


def test_other_sweeps_with_the_same_seed_are_other_runs_with_the_same_seeds(small):
    one, other = small(), small("[strategies.constant]", ('"small"', '"other"'))
    assert [run.seed for run in plan_search(one)] == [run.seed for run in plan_search(other)]
    assert not {run.id for run in plan_search(one)} & {run.id for run in plan_search(other)}
    assert plan_search(one) != plan_search(small("[search]\nseed = 1\n[strategies.constant]"))


def test_confirm_seeds_are_fresh_and_paired(small):
    sweep = small(TWO, LENGTHS)
    winners = {(s, r, n): 0 for s in ("constant", "still") for r in range(2) for n in (0.25, 1.0)}
    runs = plan_confirm(sweep, winners | {("constant", 1, 1.0): 2})
    assert len(runs) == 2 * 2 * 2 * 2
    seeds = {(r, n, s): [run.seed for run in runs if (run.repeat, run.length, run.strategy) == (r, n, s)]
             for s, r, n in winners}  # fmt: skip
    for repeat in range(2):
        assert len({tuple(v) for (r, _, _), v in seeds.items() if r == repeat}) == 1
    fresh = {run.seed for run in runs}
    assert len(fresh) == 4
    assert not fresh & {run.seed for run in plan_search(sweep)}
    assert {run.slot for run in runs if (run.strategy, run.repeat, run.length) == ("constant", 1, 1.0)} == {2}


def test_confirm_needs_no_complete_search(small):
    runs = plan_confirm(small(TWO), {("still", 1, 1.0): 0})
    assert {(run.phase, run.strategy, run.repeat) for run in runs} == {("confirm", "still", 1)}


@pytest.mark.parametrize("stray", [("other", 0, 1.0), ("constant", 2, 1.0), ("constant", 0, 0.5)])
def test_confirm_refuses_strangers(small, stray):
    with pytest.raises(ValueError, match="no such strategy"):
        plan_confirm(small(), {stray: 0})


def test_ids_are_unique_and_frozen(small):
    sweep = small(TWO, LENGTHS)
    winners = {("constant", 0, 1.0): 1}
    runs = [*plan_search(sweep), *plan_confirm(sweep, winners), *plan_confirm(sweep, {("constant", 0, 1.0): 2})]
    assert len({run.id for run in runs}) == len(runs)
    # These stand in people's databases.
    assert (runs[0].id, runs[0].seed) == ("0b2823b8-d02d-53e8-91d6-75c9470fdc15", 8112344936556825)
    confirm = plan_confirm(sweep, winners)[0]
    assert (confirm.id, confirm.seed) == ("811d4ea6-9b19-5eff-beb3-2d8b71df3f2b", 5411818739240250)


def test_raising_the_budget_moves_nothing(small):
    before = plan_search(small(TWO))
    for raised in (("trials = 3", "trials = 5"), ("repeats = 2", "repeats = 3")):
        assert set(before) < set(plan_search(small(TWO, raised)))
    winners = {("constant", 0, 1.0): 1}
    more = ("confirm_seeds = 2", "confirm_seeds = 3")
    assert set(plan_confirm(small(TWO), winners)) < set(plan_confirm(small(TWO, more), winners))


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
    assert ledger(small(TWO, LENGTHS), 18) == (
        LedgerRow("constant", 0.25, 6, 4, 0, 10 * 2 * 18),
        LedgerRow("constant", 1.0, 6, 4, 0, 10 * 10 * 18),
        LedgerRow("still", 0.25, 2, 4, 0, 6 * 2 * 18),
        LedgerRow("still", 1.0, 2, 4, 0, 6 * 10 * 18),
    )


def test_reactive_winners_are_replayed_and_planned_for(small):
    sweep = small("[strategies.constant]\n[strategies.exp_loss]")
    winners = {(label, repeat, 1.0): 1 for label in ("constant", "exp_loss") for repeat in (0, 1)}
    confirm = {run.id: run for run in plan_confirm(sweep, winners)}
    replay = plan_replay(sweep, winners)
    assert [(run.phase, run.strategy, run.slot) for run in replay] == [("replay", "exp_loss", 1)] * 4
    for run in replay:
        source = confirm[run.replay_of]
        assert (source.strategy, source.repeat, source.length) == (run.strategy, run.repeat, run.length)
        assert source.seed != run.seed
    assert {run.seed for run in replay} == {run.seed for run in confirm.values()}
    assert [row.replays for row in ledger(sweep, 18)] == [0, 4]
    assert not plan_replay(
        small("[strategies.exp_loss]", ("confirm_seeds = 2", "confirm_seeds = 1")), {("exp_loss", 0, 1.0): 0}
    )
