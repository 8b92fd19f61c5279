"""Checks the rules that `driver` and `worker` keep in a sweep's tables, whatever has written to them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from decaybench.findings.plan import look_rows, retrained, summary_at, wanted
from decaybench.findings.results import reached
from decaybench.findings.selection import Chance, chance_of, told
from decaybench.metrics import METRICS
from decaybench.runner.proposals import ENDED
from decaybench.search import STRATEGY, StoredStudy, StoredTrial, from_study
from decaybench.store import PHASES, Frames, LookRow, RunRow
from decaybench.sweep import (
    Arm,
    PlannedRun,
    Size,
    Sweep,
    arms,
    plan_search,
    require_current,
    resolve,
    rung,
    shares_slots,
    size,
)

if TYPE_CHECKING:
    import pandas as pd

VALIDATION = tuple(f"validation_{metric}" for metric in METRICS)
CURVES = ("epoch", "learning_rate", *VALIDATION)


def audit(frames: Frames, runs: Sequence[RunRow], looks: Sequence[LookRow], study: StoredStudy | None) -> list[str]:
    """Contradictions in a sweep's tables and its study, one line each; ``runs`` are its rows.

    It compares curves with results and learning rates used, rows with the plan, retrained trials with the selection,
    and the study's values with the tables. In an incomplete sweep it checks only what holds at any moment. It never
    raises: if foreign content makes a check impossible, the line says so.
    """
    found: list[str] = []
    try:
        found.extend(_contradictions(frames, runs, looks, study))
    except Exception as error:
        found.append(f"sweep {frames.sweep['name']} cannot be checked: {type(error).__name__}: {error}")
    return found


def _contradictions(
    frames: Frames, runs: Sequence[RunRow], looks: Sequence[LookRow], study: StoredStudy | None
) -> Iterator[str]:
    require_current(frames.sweep["spec"])
    sweep = Sweep.from_mapping(frames.sweep["spec"], f"sweep {frames.sweep['name']}")
    provenance, complete = frames.sweep["provenance"], frames.sweep["status"] == "complete"
    sizes = {length: size(sweep, provenance["examples"]["train"], length) for length in sweep.budget.lengths}
    yield from _against_curves(frames, runs, sizes, {length: rung(sweep, length) for length in sizes})
    yield from _against_sources(frames, runs)
    yield from _against_looks(frames, sweep, runs, looks, complete)
    yield from _against_plan(frames, sweep, runs, looks, complete)
    if study is not None:
        yield from _against_study(sweep, runs, study, chance_of(provenance), sizes, complete)


def _against_curves(
    frames: Frames, runs: Sequence[RunRow], sizes: Mapping[float, Size], rungs: Mapping[float, int | None]
) -> Iterator[str]:
    curves = _by_run(frames.epochs)
    none = np.empty((0, len(CURVES)))
    for run in runs:
        epoch, rate, *values = curves.get(run.id, none).T
        if run.epochs_done != len(epoch) or not np.array_equal(epoch, np.arange(1, len(epoch) + 1)):
            yield f"{_called(run)}: epochs_done is {run.epochs_done}, but its epochs are {_shown(epoch.astype(int))}"
        trace = frames.traces.get(run.id)
        if run.outcome not in ENDED:
            if trace is not None:
                yield f"{_called(run)}: has a trace, but no result"
            continue
        for what, value in zip(VALIDATION, values, strict=True):
            stored, last = getattr(run, what), value[-1:][~np.isnan(value[-1:])]  # NaN: not measured
            if [stored] != (last.tolist() or [None]):
                yield f"{_called(run)}: {what} is {stored}, but its last epoch's is {_shown(last)}"
        of = sizes[run.length]
        if run.pruned == "stopped":
            epochs = rungs[run.length] or 0
            of = Size(of.steps_per_epoch, epochs, epochs * of.steps_per_epoch)
        yield from _against_trace(run, of, epoch.astype(int), rate, trace)


def _against_trace(
    run: RunRow, of: Size, epoch: NDArray[np.int64], rate: NDArray[np.float64], trace: NDArray[np.float32] | None
) -> Iterator[str]:
    if trace is None:
        yield f"{_called(run)}: {run.outcome}, but has no trace"
        return
    # A run that diverges at an update either made it or was stopped before it.
    step = run.diverged_step
    legal = (of.total_steps,) if step is None else (step, step + 1)
    if len(trace) not in legal:
        yield f"{_called(run)}: its trace has {len(trace)} learning rates, but it made {legal[-1]} updates"
    if run.outcome == "finished" and len(epoch) != of.epochs:
        yield f"{_called(run)}: finished after {len(epoch)} of {of.epochs} epochs"
    for number, given in zip(epoch, rate, strict=True):
        used = trace[number * of.steps_per_epoch - 1 :][:1].astype(np.float64)
        if [given] != used.tolist():
            yield f"{_called(run)}: epoch {number}: learning_rate is {given}, but its trace has {_shown(used)}"


def _against_sources(frames: Frames, runs: Sequence[RunRow]) -> Iterator[str]:
    """A replay run must have been trained with the rates that another run recorded."""
    for run in runs:
        if run.replay_of is None or run.outcome not in ENDED or run.superseded:
            continue
        source, made = frames.traces.get(run.replay_of), frames.traces.get(run.id)
        if source is None or made is None:
            yield f"{_called(run)}: it or run {run.replay_of}, whose learning rates it uses, has no trace"
        elif not np.array_equal(source[: len(made)], made[: len(source)]):
            yield f"{_called(run)}: its learning rates are not those of run {run.replay_of}"


def _against_plan(
    frames: Frames, sweep: Sweep, runs: Sequence[RunRow], looks: Sequence[LookRow], complete: bool
) -> Iterator[str]:
    search = [run for run in runs if run.phase == "search"]
    chosen = {(run.repeat, run.slot, run.length): run.strategy for run in search} if shares_slots(sweep) else None
    planned = list(plan_search(sweep, wanted(sweep, looks), chosen))
    needed = planned
    after: tuple[PlannedRun, ...] = ()
    if not complete:
        # Only what was looked at holds at any moment: between a look and its step, the rows of the step are missing or
        # too many, and while a sweep is running there may be confirm runs of a former best trial.
        needed = list(plan_search(sweep, reached(looks))) if looks else []
        planned = list(plan_search(sweep, dict.fromkeys(sweep.strategies, _furthest(sweep, looks)), chosen))
    # A sweep that its time limit stopped is retrained, too. Without one of the trials nobody knows what is retrained.
    status, there = frames.sweep["status"], {run.id for run in search if not run.superseded}
    searched = status in ("complete", "stopped") and {plan.id for plan in needed} <= there
    if searched:
        after = retrained(sweep, summary_at(frames.sweep, runs, looks))
        needed, planned = [*needed, *after], [*planned, *after]
    phases = PHASES if searched else ("search",)
    rows = {run.id: run for run in runs if run.phase in phases and not run.superseded}
    wanted_runs = {run.id: run for run in planned}
    # While a run that chooses a configuration is missing, nobody knows what is retrained on further seeds.
    known = None if all(plan.id in rows for plan in after) else {plan.seed for plan in after}
    for plan in needed:
        run_id = plan.id
        if run_id not in rows:
            why = "is planned" if plan.phase == "search" else "is planned for a selected trial"
            yield f"{_called(plan)}: {why}, but has no row"
    for run_id, row in rows.items():
        if known is not None and row.phase != "search" and row.seed not in known:
            continue
        if run_id not in wanted_runs or _key(row) != _key(wanted_runs[run_id]):
            yield f"{_called(row)}: is not in the plan{'' if row.phase == 'search' else ', nor selected'}"
        elif row.replay_of != wanted_runs[run_id].replay_of:
            yield f"{_called(row)}: takes the learning rates of {row.replay_of}, not of {wanted_runs[run_id].replay_of}"
        elif (complete or row.phase != "search") and row.outcome not in ENDED:
            yield f"{_called(row)}: has no result, although the sweep is {status}"


def _furthest(sweep: Sweep, looks: Sequence[LookRow]) -> int:
    """The most repeats to which a strategy can have been trained."""
    return max([sweep.budget.repeats.to, *(int(look.trained_next.get("repeats", 0)) for look in looks)])


def _against_looks(
    frames: Frames, sweep: Sweep, runs: Sequence[RunRow], looks: Sequence[LookRow], complete: bool
) -> Iterator[str]:
    """Every look must follow from the results of its repeats, and from the looks before it."""
    for number in range(max((look.step for look in looks), default=-1) + 1):
        here = [look for look in looks if look.step == number]
        before = [look for look in looks if look.step < number]
        if sorted(look.length for look in here) != sorted(sweep.budget.lengths):
            yield f"look {number}: is missing, or is not there at every length"
            continue
        asked = [wanted(sweep, before), *([reached(before)] if before else [])]  # the latter where the file changed
        if reached(here) not in asked:
            yield f"look {number}: is of repeats {reached(here)}, but the look before it asks for {asked[0]}"
        try:
            spec = as_decided(frames.sweep["spec"], here[0])
            summary = summary_at({**frames.sweep, "spec": spec}, runs, before, reached(here))
            again = look_rows(summary, number, here[0].sweep_id)
        except (AssertionError, KeyError, ValueError) as error:
            yield f"look {number}: cannot be taken again: {error or type(error).__name__}"
            continue
        if complete and number == looks[-1].step and spec != frames.sweep["spec"]:
            yield f"look {number}: is not of the sweep's own to, until and rope"
        for look, other in zip(here, sorted(again, key=lambda row: row.length), strict=True):
            for column in vars(look):
                if (kept := getattr(look, column)) != (found := getattr(other, column)):
                    yield f"look {number}, length {look.length:g}: {column} is {kept}, but its trials give {found}"


def as_decided(spec: Mapping[str, Any], look: LookRow) -> dict[str, Any]:
    """The sweep's spec with the rules that were in force at a look, since these may change while it runs."""
    repeats = {**spec["budget"]["repeats"], "to": look.to_repeats}
    task = {key: value for key, value in spec["task"].items() if key != "rope"}
    return {
        **spec,
        "task": task | ({"rope": look.margin} if look.margin_source == "file" else {}),
        "budget": {**spec["budget"], "repeats": repeats},
        "decide": {**spec["decide"], "until": look.outcome["until"]},
    }


def _against_study(
    sweep: Sweep,
    runs: Sequence[RunRow],
    study: StoredStudy,
    chance: Chance,
    sizes: Mapping[float, Size],
    complete: bool,
) -> Iterator[str]:
    trials = {(trial.run_id, trial.state): trial for trial in study.trials()}
    of = {arm.label: arm for arm in arms(sweep)}
    for run in runs:
        if run.phase != "search" or run.outcome not in ENDED:
            continue
        trial = trials.get((run.id, "PRUNED" if run.pruned == "stopped" else "COMPLETE"))
        if trial is None:
            if complete:
                yield f"{_called(run)}: has no trial in the Optuna study"
            continue
        if trial.number != run.trial_number:
            yield f"{_called(run)}: trial_number is {run.trial_number}, but its Optuna trial is number {trial.number}"
        if trial.value != (worth := told(run, sweep.task.metric, chance)):
            yield f"{_called(run)}: Optuna trial {trial.number} has the value {trial.value}, but the result is {worth}"
        if (asked := _asked(of[run.strategy], trial, sizes[run.length])) != _plain(run.params):
            yield f"{_called(run)}: Optuna trial {trial.number} specifies {asked}, but params is {_plain(run.params)}"


def _asked(arm: Arm, trial: StoredTrial, of: Size) -> str:
    """A run's ``params`` as its trial has them."""
    if trial.params[STRATEGY] != arm.label:
        return f"strategy {trial.params[STRATEGY]}"
    values = from_study(arm.space, trial.params)
    return _plain(resolve(arm, values, total_steps=of.total_steps, steps_per_epoch=of.steps_per_epoch).params)


def _plain(params: Mapping[str, Any] | None) -> str:
    return json.dumps(params, sort_keys=True)


def _by_run(epochs: "pd.DataFrame") -> dict[str, NDArray[np.float64]]:
    """The CURVES of each run, (E, columns)."""
    if epochs.empty:
        return {}
    ids, values = epochs["run_id"].to_numpy(object), epochs[list(CURVES)].to_numpy(np.float64)
    starts = np.flatnonzero(ids[1:] != ids[:-1]) + 1
    return dict(zip(ids[[0, *starts]], np.split(values, starts), strict=True))


def _key(run: RunRow | PlannedRun) -> tuple[Any, ...]:
    return run.phase, run.strategy, run.repeat, run.slot, run.length, run.seed


def _called(run: RunRow | PlannedRun) -> str:
    phase, strategy, repeat, slot, length, seed = _key(run)
    return f"run {run.id} ({phase} of {strategy}, repeat {repeat}, trial {slot}, length {length:g}, seed {seed})"


def _shown(values: NDArray[Any]) -> str:
    return ", ".join(map(str, values.tolist())) or "none"
