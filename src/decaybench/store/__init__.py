"""The database: the only room that knows SQLAlchemy. `open_storage` opens it, all else takes a `Storage`."""

from decaybench.store.open import Storage, configure, find_storage, open_storage
from decaybench.store.read import (
    Frames,
    Progress,
    RunRow,
    load_frames,
    pending_runs,
    progress,
    runs,
    some_runs,
    sweep_names,
    sweep_row,
)
from decaybench.store.rows import EpochRow, Mirror, NewRun, RunResult
from decaybench.store.schema import OUTCOMES, PHASES, STATUSES, VERSION, sweep_id
from decaybench.store.url import DEFAULT_STORAGE, storage_url
from decaybench.store.write import (
    add_runs,
    begin_attempt,
    create_sweep,
    finish_runs,
    set_mirror,
    set_stacks,
    supersede,
    update_sweep,
    write_epochs,
)

__all__ = [
    "DEFAULT_STORAGE",
    "OUTCOMES",
    "PHASES",
    "STATUSES",
    "VERSION",
    "EpochRow",
    "Frames",
    "Mirror",
    "NewRun",
    "Progress",
    "RunResult",
    "RunRow",
    "Storage",
    "add_runs",
    "begin_attempt",
    "configure",
    "create_sweep",
    "find_storage",
    "finish_runs",
    "load_frames",
    "open_storage",
    "pending_runs",
    "progress",
    "runs",
    "set_mirror",
    "set_stacks",
    "some_runs",
    "storage_url",
    "supersede",
    "sweep_id",
    "sweep_names",
    "sweep_row",
    "update_sweep",
    "write_epochs",
]
