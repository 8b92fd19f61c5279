"""Sweeps: a file's tables as checked models, and the plan of every run that they need."""

from decaybench.sweep.arms import Arm, Dimension, arms
from decaybench.sweep.load import load_sweep, shipped
from decaybench.sweep.model import Budget, Prune, Search, Strategy, Sweep, Task
from decaybench.sweep.plan import (
    LedgerRow,
    PlannedRun,
    Size,
    all_slots,
    batch_of,
    ledger,
    plan_confirm,
    plan_replay,
    plan_search,
    replays_each,
    shares_slots,
    size,
    slots,
)
from decaybench.sweep.pruning import is_spared, most_pruned, prune_group, rung
from decaybench.sweep.resolve import RunParameters, from_params, resolve
from decaybench.sweep.spec import extends, spec_hash
from decaybench.sweep.warmup import long_warmups

__all__ = [
    "Arm",
    "Budget",
    "Dimension",
    "LedgerRow",
    "PlannedRun",
    "Prune",
    "RunParameters",
    "Search",
    "Size",
    "Strategy",
    "Sweep",
    "Task",
    "all_slots",
    "arms",
    "batch_of",
    "extends",
    "from_params",
    "is_spared",
    "ledger",
    "load_sweep",
    "long_warmups",
    "most_pruned",
    "plan_confirm",
    "plan_replay",
    "plan_search",
    "prune_group",
    "replays_each",
    "resolve",
    "rung",
    "shares_slots",
    "shipped",
    "size",
    "slots",
    "spec_hash",
]
