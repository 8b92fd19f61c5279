"""Sweeps: a file's tables as checked models, and the plan of every run that they need."""

from decaybench.sweep.arms import Arm, Dimension, arms
from decaybench.sweep.budget import Budget, Decide, Repeats
from decaybench.sweep.load import load_sweep, shipped
from decaybench.sweep.model import Prune, Search, Strategy, Sweep, Task
from decaybench.sweep.plan import (
    CANDIDATES,
    RETRAINED,
    LedgerRow,
    Place,
    PlannedRun,
    Size,
    all_slots,
    batch_of,
    confirm_seeds,
    least_retrained,
    ledger,
    most_retrained,
    plan_choosing,
    plan_further,
    plan_replay,
    plan_search,
    shares_slots,
    size,
)
from decaybench.sweep.pruning import is_spared, most_pruned, prune_group, rung
from decaybench.sweep.resolve import RunParameters, from_params, resolve
from decaybench.sweep.spec import extends, require_current, spec_hash
from decaybench.sweep.warmup import long_warmups

__all__ = [
    "CANDIDATES",
    "RETRAINED",
    "Arm",
    "Budget",
    "Decide",
    "Dimension",
    "LedgerRow",
    "Place",
    "PlannedRun",
    "Prune",
    "Repeats",
    "RunParameters",
    "Search",
    "Size",
    "Strategy",
    "Sweep",
    "Task",
    "all_slots",
    "arms",
    "batch_of",
    "confirm_seeds",
    "extends",
    "from_params",
    "is_spared",
    "least_retrained",
    "ledger",
    "load_sweep",
    "long_warmups",
    "most_pruned",
    "most_retrained",
    "plan_choosing",
    "plan_further",
    "plan_replay",
    "plan_search",
    "prune_group",
    "require_current",
    "resolve",
    "rung",
    "shares_slots",
    "shipped",
    "size",
    "spec_hash",
]
