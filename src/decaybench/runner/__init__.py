"""The runner: plan, train, resume, retrain. It uses training, search and store, and does not print anything."""

from decaybench.runner.audit import audit
from decaybench.runner.check import Plan, PlanRow, check_sweep
from decaybench.runner.driver import run_sweep
from decaybench.runner.plain import run_worker
from decaybench.runner.progress import Share, Watcher

__all__ = ["Plan", "PlanRow", "Share", "Watcher", "audit", "check_sweep", "run_sweep", "run_worker"]
