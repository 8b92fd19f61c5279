"""The plan of sweeps that propose in batches, and of those whose strategies share their trials."""

import pytest

from decaybench.sweep import LedgerRow, all_slots, batch_of, ledger, plan_search, shares_slots

TWO = "[strategies.constant]\n[strategies.still]\nschedule = 'linear'\nlearning_rate = 0.1\n"
LENGTHS = ("trials = 3", "trials = 3\nlengths = [0.25, 1.0]")


def shared(sampler: str = "tpe") -> str:
    return f'[search]\nsampler = "{sampler}"\nallocation = "adaptive"\n{TWO}'


def test_trials_of_all(small):
    assert (shares_slots(small(TWO)), all_slots(small(TWO))) == (False, 3 * 2)
    assert (shares_slots(small(shared())), all_slots(small(shared()))) == (True, 3 * 2)


@pytest.mark.parametrize(("sampler", "batches"), [("sobol", [0] * 6), ("random", [0] * 6), ("tpe", [0, 0, 1, 1, 2, 2])])
def test_batches(small, sampler, batches):
    sweep = small(f'[search]\nsampler = "{sampler}"\nbatch = 2\n{TWO}')
    assert [batch_of(sweep, slot) for slot in range(6)] == batches


def test_the_default_batch_is_four(small):
    sweep = small(f'[search]\nsampler = "tpe"\n{TWO}')
    assert [batch_of(sweep, slot) for slot in (3, 4, 8)] == [0, 1, 2]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_samplers_change_no_run_of_a_balanced_sweep(small, sampler):
    both = {"constant": 2, "still": 2}
    assert plan_search(small(f'[search]\nsampler = "{sampler}"\n{TWO}'), both) == plan_search(small(TWO), both)


def test_an_adaptive_sweep_plans_what_is_chosen(small):
    sweep = small(shared(), LENGTHS)
    assert plan_search(sweep, {}) == ()
    chosen = {(1, 0, 0.25): "still", (0, 5, 1.0): "still", (0, 1, 0.25): "constant", (0, 0, 0.25): "still"}
    runs = plan_search(sweep, {}, chosen)
    assert [(r.length, r.repeat, r.slot, r.strategy) for r in runs] == [
        (0.25, 0, 0, "still"),
        (0.25, 0, 1, "constant"),
        (0.25, 1, 0, "still"),
        (1.0, 0, 5, "still"),
    ]
    # the same run as it would be in a balanced sweep of this name: its seed hangs on repeat and slot alone
    planned = plan_search(small(TWO, LENGTHS), {"constant": 2, "still": 2})
    balanced = {(r.strategy, r.repeat, r.slot, r.length): r for r in planned}
    assert runs[0] == balanced["still", 0, 0, 0.25]
    assert runs[1] == balanced["constant", 0, 1, 0.25]


def test_the_ledger_of_shared_trials(small):
    assert ledger(small(shared(), LENGTHS), 18) == (
        LedgerRow(None, 0.25, 12, 12, 2 * 18),
        LedgerRow(None, 1.0, 12, 12, 10 * 18),
    )
