"""Attempts at a stack: one worker holds it, and only the current attempt may write."""

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import text, update

from decaybench.store import (
    LEASE_S,
    Claim,
    EpochRow,
    Mirror,
    RunResult,
    StaleError,
    Standing,
    Storage,
    begin_anew,
    end_attempt,
    finish_runs,
    give_up,
    offer,
    renew,
    runs,
    set_stacks,
    stack_runs,
    standings,
    sweep_id,
    take,
    width_of,
    write_epochs,
)
from decaybench.store.schema import STACKS

MakeEpoch = Callable[..., EpochRow]
SWEEP, A, B = sweep_id("quick"), "search-constant-0", "search-constant-1"
LAST = {"validation_loss": 1.0, "validation_accuracy": 0.5}


@pytest.fixture
def stacked(sweep: Storage) -> Storage:
    """The sweep with a stack of two runs, number 3."""
    set_stacks(sweep, {A: 3, B: 3})
    return sweep


def begin(storage: Storage, *, kept: int = 0, width: int | None = None) -> Claim:
    mirrors = [Mirror(A, 4, {"learning_rate": 0.1}), Mirror(B, 5, {"learning_rate": 0.2})]
    return offer(storage, SWEEP, 3, mirrors, device="cpu", precision="fp32", width=width, kept=kept)


def held(storage: Storage, *, kept: int = 0) -> Claim:
    claim = begin(storage, kept=kept)
    assert take(storage, claim, "w")
    return claim


def standing(storage: Storage) -> Standing:
    return standings(storage, SWEEP, [3, 8])[3]


def ends(storage: Storage) -> list[tuple[int, str | None, str | None]]:
    with storage.read() as connection:
        rows = connection.execute(text("SELECT attempt, ended, reason FROM attempts ORDER BY attempt"))
        return [tuple(row) for row in rows]


def test_an_offer_is_taken_once(stacked: Storage) -> None:
    claim = begin(stacked, width=2)
    assert claim == Claim(SWEEP, 3, 1) and standing(stacked) == Standing(1, "offered", False, None)
    assert [(run.trial_number, run.params) for run in stack_runs(stacked, claim)] == [
        (4, {"learning_rate": 0.1}),
        (5, {"learning_rate": 0.2}),
    ]
    assert take(stacked, claim, "first") and not take(stacked, claim, "second")
    assert standing(stacked).state == "held" and width_of(stacked, claim) == 2


def test_a_newer_offer_makes_all_of_the_older_one_stale(stacked: Storage, epoch: MakeEpoch) -> None:
    old = held(stacked)
    write_epochs(stacked, [epoch(A)], old)
    new = begin(stacked)
    assert new.attempt == 2
    results = [RunResult(run_id, "finished", 0, **LAST) for run_id in (A, B)]
    for write in (
        lambda: write_epochs(stacked, [epoch(B)], old),
        lambda: finish_runs(stacked, results, old),
        lambda: begin_anew(stacked, old, [A, B]),
        lambda: renew(stacked, old),
        lambda: renew(stacked, new),  # nobody holds it
    ):
        with pytest.raises(StaleError):
            write()
    assert not take(stacked, old, "late") and not end_attempt(stacked, old, "failed", "late")
    assert [(run.outcome, run.epochs_done, run.attempt) for run in stack_runs(stacked, new)] == 2 * [(None, 0, 2)]
    assert take(stacked, new, "w")
    finish_runs(stacked, results, new)
    assert standing(stacked).state == "done" and stack_runs(stacked, new) == []
    assert ends(stacked) == [(1, None, None), (2, "finished", None)]


def test_an_offer_keeps_the_epochs_before_a_checkpoint(stacked: Storage, epoch: MakeEpoch) -> None:
    first = held(stacked)
    write_epochs(stacked, [epoch(A, 1), epoch(B, 1)], first)
    write_epochs(stacked, [epoch(A, 2)], first)  # B has diverged
    write_epochs(stacked, [epoch(A, 3)], first)
    second = held(stacked, kept=2)
    assert [run.epochs_done for run in stack_runs(stacked, second)] == [2, 1]
    with stacked.read() as connection:
        rows = connection.execute(text("SELECT run_id, epoch FROM epochs ORDER BY 1, 2")).all()
    assert [tuple(row) for row in rows] == [(A, 1), (A, 2), (B, 1)]
    begin_anew(stacked, second, [A, B])
    assert [run.epochs_done for run in stack_runs(stacked, second)] == [0, 0]


def test_a_lease_ends_by_the_databases_clock_unless_it_is_renewed(stacked: Storage) -> None:
    claim = held(stacked)

    def later(seconds: float) -> None:
        with stacked.write() as connection:
            connection.execute(update(STACKS).values(lease_until=STACKS.c.lease_until - seconds))

    later(LEASE_S - 5)
    assert not standing(stacked).expired
    renew(stacked, claim)
    later(LEASE_S - 5)
    assert not standing(stacked).expired
    later(10)
    assert standing(stacked).expired
    renew(stacked, claim)  # nobody else has it: it was only late
    assert not standing(stacked).expired


def test_how_an_attempt_ended_is_written_once(stacked: Storage) -> None:
    claim = held(stacked)
    assert end_attempt(stacked, claim, "failed", "RuntimeError: no") and not end_attempt(stacked, claim, "lost")
    assert standing(stacked) == Standing(1, "ended", False, "RuntimeError: no")
    left = held(stacked)
    assert end_attempt(stacked, left, "left")
    assert ends(stacked) == [(1, "failed", "RuntimeError: no"), (2, "left", None)]


def test_a_stack_that_is_given_up_has_failed_until_it_is_offered_again(stacked: Storage) -> None:
    claim = held(stacked)
    end_attempt(stacked, claim, "lost", "killed")
    give_up(stacked, claim, "killed")
    assert standing(stacked) == Standing(1, "failed", False, "killed")
    outcomes = {run.id: run.outcome for run in runs(stacked, "quick")}
    assert [run_id for run_id, outcome in outcomes.items() if outcome == "failed"] == [A, B]
    again = held(stacked)
    assert again.attempt == 2 and standing(stacked).reason is None
    trace = np.ones(1, np.float32)
    finish_runs(stacked, [RunResult(run_id, "finished", 0, **LAST, trace=trace) for run_id in (A, B)], again)
    assert {run.outcome for run in runs(stacked, "quick") if run.stack == 3} == {"finished"}
