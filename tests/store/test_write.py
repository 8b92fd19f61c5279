"""Each write is one transaction that keeps the tables true, or changes nothing."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import delete, event, insert, text, update
from sqlalchemy.exc import IntegrityError

from decaybench.errors import UserError
from decaybench.store import (
    Claim,
    EpochRow,
    Mirror,
    NewRun,
    RunResult,
    RunRow,
    Storage,
    add_runs,
    create_sweep,
    finish_runs,
    load_frames,
    offer,
    replay_other,
    runs,
    set_mirror,
    set_stacks,
    supersede,
    sweep_id,
    sweep_row,
    update_sweep,
    write_epochs,
)
from decaybench.store.schema import EPOCHS, RUNS, SWEEPS

MakeEpoch = Callable[..., EpochRow]
START = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
A, B = "search-constant-0", "search-constant-1"
LAST = {"validation_loss": 1.0, "validation_accuracy": 0.5}
BAD = [math.nan, math.inf, -math.inf, np.float32("nan")]


def run(storage: Storage, run_id: str = A) -> RunRow:
    (found,) = [row for row in runs(storage, "quick") if row.id == run_id]
    return found


def begin(storage: Storage, run_ids: list[str]) -> Claim:
    """Begin an attempt at these runs as stack 0."""
    mirrors = [Mirror(run_id, None, {}) for run_id in run_ids]
    return offer(storage, sweep_id("quick"), 0, mirrors, device="cpu", precision="fp32")


def count(storage: Storage, table: str) -> int:
    with storage.read() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def fail_on(storage: Storage, statement: str) -> None:
    """Let the database fail at the first statement that begins so."""

    @event.listens_for(storage.engine, "before_cursor_execute")
    def _fail(connection, cursor, sql, parameters, context, many):  # type: ignore[no-untyped-def]
        if sql.startswith(statement):
            raise RuntimeError("injected")


class TestSweeps:
    def test_row(self, sweep: Storage) -> None:
        row = sweep_row(sweep, "quick")
        assert row is not None and row["id"] == sweep_id("quick") and len(row["id"]) == 36
        assert row["question"] == "Why?" and row["status"] == "pending" and row["spec_hash"] == "abc"
        assert list(row["spec"]["strategies"]) == ["staircase", "constant"]
        assert row["created_at"].utcoffset() == timedelta(0)

    def test_name_is_taken_once(self, sweep: Storage) -> None:
        with pytest.raises(UserError, match="sweep 'quick' is already in"):
            create_sweep(sweep, name="quick", question="", spec={}, spec_hash="", provenance={}, runs=[])

    def test_sweep_and_runs_are_one_transaction(self, storage: Storage, planned: list[NewRun]) -> None:
        with pytest.raises(IntegrityError):
            create_sweep(
                storage,
                name="quick",
                question="",
                spec={},
                spec_hash="",
                provenance={},
                runs=[*planned, planned[0]],
            )
        assert count(storage, "sweeps") == count(storage, "runs") == 0

    def test_update_changes_what_is_given(self, sweep: Storage) -> None:
        update_sweep(sweep, "quick", status="running", question="")
        update_sweep(sweep, "quick", spec={"b": 1, "a": 2}, spec_hash="new", provenance={"b": 1, "a": "é"})
        update_sweep(sweep, "quick")
        row = sweep_row(sweep, "quick")
        assert row is not None
        assert (row["status"], row["question"], row["spec_hash"]) == ("running", "", "new")
        with sweep.read() as connection:
            stored = connection.execute(text("SELECT spec, provenance FROM sweeps")).one()
        assert tuple(stored) == ('{"b": 1, "a": 2}', '{"a": "é", "b": 1}')

    def test_unknown(self, sweep: Storage) -> None:
        with pytest.raises(UserError, match=r"no sweep 'slow' in .* \(known: quick\)"):
            update_sweep(sweep, "slow", status="running")
        with pytest.raises(UserError, match=r"no sweep 'slow' in .* \(known: quick\)"):
            add_runs(sweep, "slow", [])

    def test_nan_in_json(self, sweep: Storage) -> None:
        with pytest.raises(ValueError, match="not JSON compliant"):
            update_sweep(sweep, "quick", provenance={"x": math.nan})

    def test_deleting_cascades(self, sweep: Storage, epoch: MakeEpoch) -> None:
        write_epochs(sweep, [epoch(A)])
        finish_runs(sweep, [RunResult(A, "finished", 1, **LAST, trace=np.ones(3, np.float32))])
        with sweep.write() as connection:
            connection.execute(delete(SWEEPS))
        assert [count(sweep, table) for table in ("runs", "epochs", "traces")] == [0, 0, 0]


class TestPlan:
    def test_add_leaves_the_present_alone(self, sweep: Storage, planned: list[NewRun]) -> None:
        set_stacks(sweep, {A: 3})
        new = NewRun("new", "replay", "constant", 0, 0, 0.5, 1)
        assert add_runs(sweep, "quick", [*planned, new]) == 1
        assert add_runs(sweep, "quick", [*planned, new]) == 0
        assert run(sweep).stack == 3 and run(sweep, "new").length == 0.5

    def test_numpy_numbers_are_plain(self, sweep: Storage) -> None:
        slot, length, seed = np.int64(3), np.float32(0.5), np.int64(2**53 - 1)
        add_runs(sweep, "quick", [NewRun("n", "search", "s", 0, slot, length, seed)])  # type: ignore[arg-type]
        assert (run(sweep, "n").slot, run(sweep, "n").length, run(sweep, "n").seed) == (3, 0.5, 2**53 - 1)

    def test_one_row_for_each_place(self, sweep: Storage, planned: list[NewRun]) -> None:
        one = planned[0]
        twin = NewRun("twin", one.phase, one.strategy, one.repeat, one.slot, one.length, one.seed)
        with pytest.raises(IntegrityError):
            add_runs(sweep, "quick", [twin])

    def test_a_large_plan(self, storage: Storage) -> None:
        plan = [NewRun(f"{n}", "search", "s", 0, n, 1.0, n) for n in range(2500)]
        create_sweep(storage, name="quick", question="", spec={}, spec_hash="", provenance={}, runs=plan)
        ids = [one.id for one in plan]
        begin(storage, ids)
        assert {row.attempt for row in runs(storage, "quick")} == {1}

    def test_mirror(self, sweep: Storage) -> None:
        set_mirror(sweep, [Mirror(A, 4, {"momentum": 0.9, "learning_rate": 0.1}), Mirror(B, None, {})])
        assert run(sweep).trial_number == 4 and run(sweep, B).trial_number is None
        with sweep.read() as connection:
            stored = connection.execute(text(f"SELECT params FROM runs WHERE id = '{A}'")).scalar_one()
        assert stored == '{"learning_rate": 0.1, "momentum": 0.9}'

    def test_supersede_and_back(self, sweep: Storage) -> None:
        supersede(sweep, ["confirm-constant-0"])
        assert [row.id for row in runs(sweep, "quick") if row.superseded] == ["confirm-constant-0"]
        supersede(sweep, ["confirm-constant-0"], False)
        assert not any(row.superseded for row in runs(sweep, "quick"))

    def test_nothing_to_do(self, sweep: Storage) -> None:
        set_mirror(sweep, [])
        set_stacks(sweep, {})
        supersede(sweep, [])
        write_epochs(sweep, [])
        finish_runs(sweep, [])

    def test_unknown_runs(self, sweep: Storage, epoch: MakeEpoch) -> None:
        for change in (
            lambda: set_stacks(sweep, {A: 1, "x": 1}),
            lambda: supersede(sweep, [A, "x"]),
            lambda: set_mirror(sweep, [Mirror("x", 1, {})]),
            lambda: begin(sweep, ["x"]),
            lambda: write_epochs(sweep, [epoch("x")]),
            lambda: finish_runs(sweep, [RunResult("x", "failed", 0)]),
        ):
            with pytest.raises(ValueError, match="no run x"):
                change()
        assert run(sweep).stack is None and not run(sweep).superseded

    def test_named_twice(self, sweep: Storage) -> None:
        with pytest.raises(ValueError, match="named twice"):
            begin(sweep, [A, A])


class TestTraining:
    def test_epochs_count(self, sweep: Storage, epoch: MakeEpoch) -> None:
        write_epochs(sweep, [epoch(A, 1), epoch(A, 2), epoch(B, 1)])
        write_epochs(sweep, [epoch(A, 3)])
        assert run(sweep).epochs_done == 3 and run(sweep, B).epochs_done == 1
        assert count(sweep, "epochs") == 4

    def test_an_epoch_is_written_once(self, sweep: Storage, epoch: MakeEpoch) -> None:
        write_epochs(sweep, [epoch(A)])
        with pytest.raises(IntegrityError):
            write_epochs(sweep, [epoch(B), epoch(A)])
        assert run(sweep, B).epochs_done == 0 and count(sweep, "epochs") == 1

    @pytest.mark.parametrize("bad", BAD)
    @pytest.mark.parametrize("column", ["train_loss", "validation_loss", "learning_rate", "seconds"])
    def test_epochs_refuse_nan(self, sweep: Storage, epoch: MakeEpoch, bad: float, column: str) -> None:
        with pytest.raises(ValueError, match=f"run {A}: {column} must be finite"):
            write_epochs(sweep, [epoch(B), epoch(A, **{column: bad})])
        assert count(sweep, "epochs") == 0

    def test_results(self, sweep: Storage, epoch: MakeEpoch) -> None:
        begin(sweep, [A, B])
        write_epochs(sweep, [epoch(A)])
        confirmed = "confirm-constant-0"
        results = [
            RunResult(
                A,
                "finished",
                1,
                validation_loss=np.float32(0.25),
                validation_accuracy=0.5,
                trace=np.array([0.1, 0.2], np.float64),
            ),  # type: ignore[arg-type]
            RunResult(B, "diverged", 0, diverged_step=12, trace=np.zeros(0, np.float32)),
            RunResult(
                confirmed, "finished", 0, **LAST | {"validation_loss": 1 / 3}, test_loss=2 / 3, test_accuracy=1.0
            ),
        ]
        finish_runs(sweep, results)
        one = run(sweep)
        assert (one.outcome, one.validation_loss, one.validation_accuracy) == ("finished", 0.25, 0.5)
        assert one.started_at is not None and one.finished_at is not None and one.finished_at > one.started_at > START
        assert (run(sweep, B).outcome, run(sweep, B).diverged_step) == ("diverged", 12)
        assert run(sweep, B).validation_loss is None
        assert (run(sweep, confirmed).validation_loss, run(sweep, confirmed).test_loss) == (1 / 3, 2 / 3)
        traces = load_frames(sweep, "quick").traces
        assert set(traces) == {A, B} and traces[B].shape == (0,)
        with sweep.read() as connection:
            stored = connection.execute(text(f"SELECT learning_rate FROM traces WHERE run_id = '{A}'")).scalar_one()
        assert bytes(stored) == np.array([0.1, 0.2], "<f4").tobytes()

    @pytest.mark.parametrize("bad", BAD)
    @pytest.mark.parametrize("column", ["validation_loss", "validation_accuracy", "test_loss", "test_accuracy"])
    def test_results_refuse_nan(self, sweep: Storage, bad: float, column: str) -> None:
        values = {"validation_loss": 1.0, "validation_accuracy": 0.5, column: bad}
        good = RunResult(B, "finished", 0, **LAST)
        with pytest.raises(ValueError, match=f"run {A}: {column} must be finite"):
            finish_runs(sweep, [good, RunResult(A, "finished", 0, **values)])
        assert run(sweep, B).outcome is None

    @pytest.mark.parametrize("trace", [np.array([1.0, np.nan]), np.array([np.inf]), np.array([1e39]), np.ones((2, 2))])
    def test_traces_refuse_nan(self, sweep: Storage, trace: np.ndarray) -> None:  # type: ignore[type-arg]
        with pytest.raises(ValueError, match=f"run {A}: its trace"), np.errstate(over="ignore"):
            finish_runs(sweep, [RunResult(A, "finished", 0, **LAST, trace=trace)])

    @pytest.mark.parametrize(
        ("result", "said"),
        [
            (
                RunResult(A, "stopped", 0, **LAST),
                "outcome must be one of finished, diverged, failed, got 'stopped'",
            ),
            (RunResult(A, "finished", 0, validation_loss=1.0), "needs validation_loss and validation_accuracy"),
            (
                RunResult(A, "finished", 0, **LAST, diverged_step=3),
                "every diverged run, and no other, has a diverged_step",
            ),
            (RunResult(A, "diverged", 0), "every diverged run, and no other, has a diverged_step"),
            (RunResult(A, "failed", 0, updates_computed=np.ones(3)), "updates_computed must be a whole number"),  # type: ignore[arg-type]
            (RunResult(A, "failed", 1), "epochs_done is 1, but 0 epochs are written"),
        ],
    )
    def test_untrue_results(self, sweep: Storage, result: RunResult, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            finish_runs(sweep, [result])
        assert run(sweep).outcome is None

    def test_no_second_result(self, sweep: Storage) -> None:
        finish_runs(sweep, [RunResult(A, "finished", 0, **LAST)])
        with pytest.raises(ValueError, match=f"run {A} already has a result: finished"):
            finish_runs(
                sweep, [RunResult(B, "failed", 0), RunResult(A, "finished", 0, **LAST | {"validation_loss": 2.0})]
            )
        assert run(sweep).validation_loss == 1.0 and run(sweep, B).outcome is None

    def test_a_new_attempt_clears_the_old(self, sweep: Storage, epoch: MakeEpoch) -> None:
        set_mirror(sweep, [Mirror(A, 1, {"learning_rate": 0.1})])
        begin(sweep, [A])
        write_epochs(sweep, [epoch(A), epoch(B)])
        finish_runs(sweep, [RunResult(A, "diverged", 1, **LAST, diverged_step=3, trace=np.ones(3, np.float32))])
        again = [Mirror(A, 1, {"learning_rate": 0.1})]
        offer(sweep, sweep_id("quick"), 0, again, device="cuda", precision="bf16")
        one = run(sweep)
        assert (one.attempt, one.device, one.precision) == (2, "cuda", "bf16")
        assert one.started_at is not None and one.started_at > START and one.started_at.tzinfo is UTC
        cleared = (one.outcome, one.epochs_done, one.validation_loss, one.diverged_step, one.finished_at)
        assert cleared == (None, 0, None, None, None)
        assert one.trial_number == 1 and one.params == {"learning_rate": 0.1}
        assert count(sweep, "epochs") == 1 and count(sweep, "traces") == 0
        write_epochs(sweep, [epoch(A)])
        finish_runs(sweep, [RunResult(A, "finished", 1, **LAST)])

    def test_a_replay_of_another_begins_with_nothing(self, sweep: Storage, epoch: MakeEpoch) -> None:
        one, other = (NewRun(f"r{i}", "replay", "constant", 0, 0, 1.0, i, replay_of=f"c{i}") for i in range(2))
        add_runs(sweep, "quick", [one, other])
        write_epochs(sweep, [epoch("r0"), epoch("r1")])
        trace = np.ones(3, np.float32)
        finish_runs(sweep, [RunResult(i, "finished", 1, **LAST, updates_computed=3, trace=trace) for i in ("r0", "r1")])
        replay_other(sweep, {"r0": "c2"})
        moved, kept = run(sweep, "r0"), run(sweep, "r1")
        assert (moved.replay_of, moved.outcome, moved.finished_at, moved.epochs_done) == ("c2", None, None, 0)
        assert (moved.validation_loss, moved.updates_computed) == (None, None)
        assert (kept.replay_of, kept.outcome, kept.epochs_done) == ("c1", "finished", 1)
        frames = load_frames(sweep, "quick")
        assert list(frames.epochs["run_id"]) == list(frames.traces) == ["r1"]

    def test_naive_time(self, sweep: Storage) -> None:
        with pytest.raises(ValueError, match="must have a time zone"), sweep.write() as connection:
            connection.execute(update(RUNS).values(started_at=datetime(2026, 1, 1)))

    @pytest.mark.parametrize("statement", ["DELETE FROM traces", "UPDATE runs"])
    def test_begin_is_atomic(self, sweep: Storage, epoch: MakeEpoch, statement: str) -> None:
        write_epochs(sweep, [epoch(A)])
        fail_on(sweep, statement)
        with pytest.raises(RuntimeError, match="injected"):
            begin(sweep, [A])
        assert count(sweep, "epochs") == 1 and run(sweep).attempt == 0

    def test_finish_is_atomic(self, sweep: Storage) -> None:
        fail_on(sweep, "INSERT INTO traces")
        with pytest.raises(RuntimeError, match="injected"):
            finish_runs(sweep, [RunResult(A, "finished", 0, **LAST, trace=np.ones(2, np.float32))])
        assert run(sweep).outcome is None

    def test_epochs_are_atomic(self, sweep: Storage, epoch: MakeEpoch) -> None:
        fail_on(sweep, "UPDATE runs")
        with pytest.raises(RuntimeError, match="injected"):
            write_epochs(sweep, [epoch(A)])
        assert count(sweep, "epochs") == 0


@pytest.mark.parametrize(
    "values",
    [
        {"phase": "train"},
        {"repeat": -1},
        {"slot": -1},
        {"length": 0.0},
        {"length": 1.5},
        {"seed": -1},
        {"seed": 2**53},
        {"epochs_done": -1},
        {"attempt": -1},
        {"validation_accuracy": 1.01},
        {"validation_accuracy": -0.01},
        {"validation_loss": math.inf},
        {"validation_loss": -math.inf},
        {"diverged_step": -1},
        {"test_accuracy": 1.01},
        {"test_loss": math.inf},
        {"length": math.nan},
    ],
    ids=str,
)
def test_the_database_itself_refuses(sweep: Storage, values: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), sweep.write() as connection:
        connection.execute(update(RUNS).where(RUNS.c.id == A).values(values))


@pytest.mark.parametrize(
    "values",
    [
        {"epoch": 0},
        {"train_loss": math.inf},
        {"validation_accuracy": 50.0},
        {"seconds": math.nan},
        {"run_id": "x"},
    ],
    ids=str,
)
def test_the_database_itself_refuses_epochs(sweep: Storage, epoch: MakeEpoch, values: dict[str, object]) -> None:
    row = vars(epoch(A)) | values
    with pytest.raises(IntegrityError), sweep.write() as connection:
        connection.execute(insert(EPOCHS), row)


def test_unknown_statuses_and_outcomes(sweep: Storage) -> None:
    with pytest.raises(ValueError, match="status must be one of pending, running, stopped, complete, got 'paused'"):
        update_sweep(sweep, "quick", status="paused")
    with pytest.raises(ValueError, match="status must be one of"):
        create_sweep(sweep, name="n", question="", spec={}, spec_hash="", provenance={}, runs=[], status="paused")
    with pytest.raises(ValueError, match="outcome must be one of"):
        finish_runs(sweep, [RunResult(A, "stopped", 0)])


def test_the_database_itself_takes_what_later_versions_write(sweep: Storage) -> None:
    """Test results of search runs, and new names: no CHECK can be dropped from a file without making its table anew."""
    with sweep.write() as connection:
        later = {"test_accuracy": 0.5, "test_loss": 0.5, "outcome": "parked"}
        connection.execute(update(RUNS).where(RUNS.c.id == A).values(later))
        connection.execute(update(SWEEPS).values(status="not settled"))
    assert (run(sweep).test_accuracy, run(sweep).test_loss, run(sweep).outcome) == (0.5, 0.5, "parked")
