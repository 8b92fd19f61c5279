"""What is read: rows, counts, and frames whose types do not depend on what is in them."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from decaybench.errors import UserError
from decaybench.store import (
    EpochRow,
    Mirror,
    NewRun,
    Progress,
    RunResult,
    Storage,
    add_runs,
    create_sweep,
    data_columns,
    finish_runs,
    load_frames,
    offer,
    pending_runs,
    progress,
    runs,
    some_runs,
    supersede,
    sweep_id,
    sweep_names,
    sweep_row,
    write_epochs,
)
from decaybench.store.columns import RunRow
from decaybench.store.schema import EPOCHS, METADATA

CONTRACT = {
    "sweeps": "id name question spec spec_hash status created_at provenance",
    "runs": "id sweep_id phase strategy repeat slot length seed trial_number params outcome epochs_done "
    "validation_loss validation_accuracy test_loss test_accuracy diverged_step attempt device precision "
    "started_at finished_at stack superseded replay_of pruned updates_computed reason",
    "epochs": "run_id epoch train_loss validation_loss validation_accuracy learning_rate seconds",
    "traces": "run_id learning_rate",
    "looks": "sweep_id length step repeats spent margin strategies trained_next to_repeats margin_source outcome",
    "stacks": "sweep_id stack state attempt width worker lease_until reason",
    "attempts": "sweep_id stack attempt worker started_at ended_at ended reason",
    "checkpoints": "sweep_id stack attempt epochs made_with sha256 data",
    "decaybench_version": "version",
}
RUN_TYPES = (
    "str str str str int64 int64 float64 int64 float64 object str int64 float64 float64 float64 float64 "
    "float64 int64 str str datetime64[us, UTC] datetime64[us, UTC] float64 bool str str float64"
)
EPOCH_TYPES = "str int64 float64 float64 float64 float64 float64"


def test_columns_are_the_contract() -> None:
    tables = {name: " ".join(table.columns.keys()) for name, table in METADATA.tables.items()}
    assert tables == CONTRACT


def test_no_sweeps(storage: Storage) -> None:
    assert sweep_names(storage) == [] and sweep_row(storage, "quick") is None
    for read in (runs, pending_runs, progress, load_frames):
        with pytest.raises(UserError, match=r"no sweep 'quick' in .* \(known: none\)"):
            read(storage, "quick")  # type: ignore[operator]


def test_runs_are_sorted_and_filtered(sweep: Storage) -> None:
    add_runs(
        sweep,
        "quick",
        [NewRun("short", "search", "constant", 1, 0, 0.25, 0), NewRun("Upper", "search", "Z", 0, 0, 1.0, 0)],
    )
    assert [run.id for run in runs(sweep, "quick")] == [
        "Upper",
        "short",
        "search-constant-0",
        "search-constant-1",
        "search-staircase-0",
        "search-staircase-1",
        "confirm-constant-0",
        "confirm-constant-1",
        "confirm-staircase-0",
        "confirm-staircase-1",
    ]
    assert {run.phase for run in runs(sweep, "quick", phase="confirm")} == {"confirm"}
    assert runs(sweep, "quick", phase="replay") == []
    assert runs(sweep, "quick")[2].seed == 2**53 - 1


@pytest.fixture
def trained(sweep: Storage, epoch: Callable[..., EpochRow]) -> Storage:
    ids = ["search-constant-0", "search-constant-1", "search-staircase-0"]
    mirrors = [Mirror(ids[0], 7, {"learning_rate": 0.1}), *(Mirror(run_id, None, {}) for run_id in ids[1:])]
    offer(sweep, sweep_id("quick"), 0, mirrors, device="cpu", precision="fp32")
    write_epochs(sweep, [epoch(ids[0], 2), epoch(ids[0], 1), epoch(ids[1], 1)])
    finish_runs(
        sweep,
        [
            RunResult(
                ids[0],
                "finished",
                2,
                validation_loss=1.0,
                validation_accuracy=0.5,
                trace=np.array([0.1, 0.05], np.float32),
            ),
            RunResult(ids[1], "diverged", 1, diverged_step=9),
            RunResult(ids[2], "failed", 0),
        ],
    )
    supersede(sweep, ["confirm-staircase-0"])
    return sweep


def test_pending_are_those_to_train(trained: Storage) -> None:
    assert [run.id for run in pending_runs(trained, "quick", phase="search")] == [
        "search-staircase-0",
        "search-staircase-1",
    ]
    assert "confirm-staircase-0" not in [run.id for run in pending_runs(trained, "quick")]


def test_some_runs(sweep: Storage) -> None:
    ids = ["search-staircase-1", "confirm-constant-0"]
    assert [run.id for run in some_runs(sweep, ids)] == ids and some_runs(sweep, []) == []
    with pytest.raises(ValueError, match="no run x"):
        some_runs(sweep, [*ids, "x"])


def test_progress(trained: Storage) -> None:
    assert progress(trained, "quick") == [
        Progress("search", "constant", planned=2, finished=1, diverged=1, failed=0, pending=0),
        Progress("search", "staircase", planned=2, finished=0, diverged=0, failed=1, pending=1),
        Progress("confirm", "constant", planned=2, finished=0, diverged=0, failed=0, pending=2),
        Progress("confirm", "staircase", planned=1, finished=0, diverged=0, failed=0, pending=1),
    ]


def types(frame: pd.DataFrame) -> str:
    return " ".join(str(dtype) for dtype in frame.dtypes).replace("[us,UTC]", "[us, UTC]")


def test_frames(trained: Storage) -> None:
    sweep, frame, epochs, traces = load_frames(trained, "quick")
    assert sweep["name"] == "quick" and list(sweep["spec"]["strategies"]) == ["staircase", "constant"]
    assert list(frame.columns) == list(data_columns(RunRow)) and types(frame) == RUN_TYPES
    assert list(epochs.columns) == CONTRACT["epochs"].split() and types(epochs) == EPOCH_TYPES
    assert list(frame["id"]) == [run.id for run in runs(trained, "quick")]
    first, second = frame.iloc[0], frame.iloc[1]
    assert first["params"] == {"learning_rate": 0.1} and second["params"] == {}
    assert first["trial_number"] == 7 and np.isnan(second["trial_number"]) and second["diverged_step"] == 9
    assert first["seed"] == 2**53 - 1 and first["started_at"] > pd.Timestamp("2026-01-01", tz="UTC")
    assert pd.isna(second["test_loss"]) and frame["outcome"].isna().sum() == 5
    assert list(zip(epochs["run_id"], epochs["epoch"], strict=True)) == [
        ("search-constant-0", 1),
        ("search-constant-0", 2),
        ("search-constant-1", 1),
    ]
    assert epochs["validation_loss"][0] == 1 / 3
    (trace,) = traces.values()
    assert trace.dtype == np.float32 and trace.flags.writeable
    np.testing.assert_array_equal(trace, np.array([0.1, 0.05], np.float32))


def test_frames_of_a_sweep_without_runs(storage: Storage) -> None:
    create_sweep(storage, name="empty", question="", spec={}, spec_hash="", provenance={}, runs=[])
    frames = load_frames(storage, "empty")
    assert types(frames.runs) == RUN_TYPES and types(frames.epochs) == EPOCH_TYPES
    assert len(frames.runs) == len(frames.epochs) == len(frames.traces) == 0
    assert progress(storage, "empty") == []
    assert list(frames.runs.columns) == list(data_columns(RunRow)) == CONTRACT["runs"].split()[:-1]
    assert list(frames.epochs.columns) == [column.name for column in EPOCHS.columns]


def test_sweeps_are_kept_apart(trained: Storage) -> None:
    other = [NewRun("other", "search", "constant", 0, 0, 1.0, 1)]
    create_sweep(trained, name="other", question="", spec={}, spec_hash="", provenance={}, runs=other)
    assert sweep_names(trained) == ["quick", "other"]
    frames = load_frames(trained, "other")
    assert list(frames.runs["id"]) == ["other"] and len(frames.epochs) == 0 and frames.traces == {}
