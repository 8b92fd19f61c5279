"""A sweep's tables as plain values: what every table, sentence and figure of the report starts from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decaybench.compare import rope
from decaybench.errors import UserError
from decaybench.report.ledger import Plan

if TYPE_CHECKING:
    import pandas as pd

    from decaybench.store.read import Frames


NO_SCHEDULE = "no schedule"
DIGITS = 12  # means of the same fractions in another order differ in the 16th digit: they are equal


class Strategy(NamedTuple):
    """A strategy in the sweep file's order; ``control`` marks those of kind ``constant``.

    ``family`` is that of its schedule, or "no schedule" where an ``optimizer`` that promises to need none has none.
    """

    label: str
    schedule: str
    family: str
    optimizer: str = "sgd"

    @property
    def control(self) -> bool:
        return self.schedule == "constant" and self.family == "fixed"


class Run(NamedTuple):
    """A run that counts (not superseded), its values as compared.

    A diverged run has chance for its values, and a finished loss above chance counts as chance: a strategy
    gains nothing by diverging. All four values are None while the run is pending, or failed. Accuracies in
    [0, 1], losses in nats; ``params`` in native units, empty until they are chosen. ``pruned`` is "stopped" for a run
    that pruning ended, whose values are those of its last epoch, and "spared" for one that it would have.
    ``trained_loss`` is a finished run's validation loss as it came, above chance too.
    """

    id: str
    phase: str
    strategy: str
    repeat: int
    slot: int
    length: float
    seed: int
    outcome: str | None
    learning_rate: float | None
    validation_accuracy: float | None
    validation_loss: float | None
    test_accuracy: float | None
    test_loss: float | None
    params: Mapping[str, Any]
    epochs_done: int = 0
    attempt: int = 1
    updates_computed: int | None = None
    pruned: str | None = None
    trained_loss: float | None = None

    @property
    def stopped(self) -> bool:
        """Whether pruning ended it: then its result is not one of the end, and enters no comparison of ends."""
        return self.pruned == "stopped"

    @property
    def done(self) -> bool:
        return self.outcome in ("finished", "diverged")

    @property
    def diverged(self) -> bool:
        return self.outcome == "diverged"

    def value(self, part: str, metric: str) -> float | None:
        """The ``metric`` on ``part`` ("validation" or "test")."""
        found: float | None = getattr(self, f"{part}_{metric}")
        return found


class Curve(NamedTuple):
    """One run's epochs, all (E,): numbers from 1, losses in nats."""

    epoch: NDArray[np.int64]
    train_loss: NDArray[np.float64]
    validation_loss: NDArray[np.float64]


@dataclass(frozen=True)
class Results:
    """One sweep's results; lengths and strategies in the sweep file's order, ``superseded`` is a count.

    ``rope`` is the smallest difference that matters, in the metric's unit.
    """

    sweep: Mapping[str, Any]
    metric: str
    chance: Mapping[str, float]
    strategies: tuple[Strategy, ...]
    lengths: tuple[float, ...]
    repeats: int
    confirm_seeds: int
    rope: float
    plan: Plan
    runs: tuple[Run, ...]
    superseded: int
    curves: Mapping[str, Curve]
    traces: Mapping[str, NDArray[np.float32]]

    @property
    def longest(self) -> float:
        return max(self.lengths)

    @property
    def adaptive(self) -> bool:
        """Whether the strategies shared their slots: then nothing here is a comparison."""
        return bool(self.sweep["spec"]["search"].get("allocation") == "adaptive")

    def of(self, phase: str, strategy: str, length: float) -> list[Run]:
        """The runs of one phase, strategy and length, by repeat, slot and seed."""
        return self._groups.get((phase, strategy, length), [])

    @cached_property
    def _groups(self) -> dict[tuple[str, str, float], list[Run]]:
        """The runs by phase, strategy and length: asked for often, and there may be many thousands."""
        groups: dict[tuple[str, str, float], list[Run]] = {}
        for run in self.runs:
            groups.setdefault((run.phase, run.strategy, run.length), []).append(run)
        return groups

    def winners(self, strategy: str, length: float) -> list[Run]:
        """Each repeat's best slot so far; the one that was confirmed, where one was.

        Before, it is ranked as the search itself ranks (`runner.choose.winners`): by the metric on validation, where
        nothing is worse than chance, then lower loss, a diverged run's being infinite, then lower slot. A run that was
        stopped never is.
        """
        best: dict[int, tuple[tuple[float, float, int], Run]] = {}
        confirmed = {run.repeat: run.slot for run in self.of("confirm", strategy, length)}
        for run in self.of("search", strategy, length):
            if run.repeat in confirmed:  # chosen already: that it was is all there is to know
                if run.slot == confirmed[run.repeat]:
                    best[run.repeat] = (-math.inf, -math.inf, -1), run
                continue
            score = run.value("validation", self.metric)
            if score is None or run.stopped:
                continue
            cost = score if self.metric == "loss" else -max(score, self.chance.get("accuracy", -math.inf))
            key = (cost, math.inf if run.trained_loss is None else run.trained_loss, run.slot)
            if run.repeat not in best or key < best[run.repeat][0]:
                best[run.repeat] = (key, run)
        return [run for _, run in best.values()]

    def shown(self, strategy: str) -> list[Run]:
        """The runs whose curves are drawn: confirm runs that are done, else each repeat's best slot."""
        confirmed = [run for run in self.of("confirm", strategy, self.longest) if run.done]
        return confirmed or self.winners(strategy, self.longest)


def collect(frames: Frames) -> Results:
    """Plain values from a sweep's tables.

    Raises UserError for a kind of schedule that is not installed, and where a run diverged but the sweep's
    provenance does not say what chance level is.
    """
    sweep = frames.sweep
    spec = sweep["spec"]
    budget = spec["budget"]
    provenance = sweep["provenance"] or {}
    chance = {
        metric: float(provenance[f"chance_{metric}"])
        for metric in ("accuracy", "loss")
        if provenance.get(f"chance_{metric}") is not None
    }
    rows = records(frames.runs)
    live = [row for row in rows if not row["superseded"]]
    if len(chance) < 2 and any(row["outcome"] == "diverged" for row in live):
        raise UserError(
            f"sweep {sweep['name']}: provenance must hold chance_accuracy and chance_loss, since a diverged"
            f" run counts at chance, got {sorted(chance)}"
        )
    runs = sorted((_run(row, chance) for row in live), key=lambda r: (r.repeat, r.slot, r.seed, r.id))
    return Results(
        sweep=sweep,
        metric=spec["task"]["metric"],
        chance=chance,
        strategies=strategies(spec),
        lengths=tuple(float(length) for length in budget["lengths"]),
        repeats=int(budget["repeats"]),
        confirm_seeds=int(budget["confirm_seeds"]),
        rope=_rope(spec["task"], provenance),
        plan=Plan(sweep),
        runs=tuple(runs),
        superseded=len(rows) - len(live),
        curves=_curves(frames.epochs),
        traces=frames.traces,
    )


def _rope(task: Mapping[str, Any], provenance: Mapping[str, Any]) -> float:
    """The sweep's own smallest difference that matters, else the protocol's for its test split."""
    examples = (provenance.get("examples") or {}).get("test") or 1000  # so many and more make no difference
    return rope(task["metric"], examples, task.get("rope"))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The frame's rows as dicts of Python values, None where a value is missing."""
    columns = [frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame.columns]
    return [dict(zip(frame.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def strategies(spec: Mapping[str, Any]) -> tuple[Strategy, ...]:
    """The strategies of a sweep's spec; UserError for a kind of schedule that is not installed."""
    sweep, task, entries = spec["name"], spec["task"], spec["strategies"]
    from decaybench.schedules import SCHEDULES
    from decaybench.sweep.arms import WITHOUT_SCHEDULE

    found = []
    for label, entry in entries.items():
        kind = entry["schedule"]
        if kind not in SCHEDULES:
            raise UserError(f"sweep {sweep}: strategies.{label}.schedule: kind {kind!r} is not installed here")
        optimizer = entry.get("optimizer") or task.get("optimizer", "sgd")
        without = kind == "constant" and optimizer in WITHOUT_SCHEDULE
        family = NO_SCHEDULE if without else SCHEDULES[kind].family
        found.append(Strategy(label, kind, family, optimizer))
    return tuple(found)


def _run(row: Mapping[str, Any], chance: Mapping[str, float]) -> Run:
    def value(part: str, metric: str) -> float | None:
        if row["outcome"] == "diverged":
            # a search run reads no test split, diverged or not
            return None if part == "test" and row["phase"] == "search" else chance[metric]
        stored = row[f"{part}_{metric}"]
        if row["outcome"] != "finished" or stored is None:
            return None
        return min(float(stored), chance.get("loss", math.inf)) if metric == "loss" else float(stored)

    params = row["params"] or {}
    rate = params.get("learning_rate")
    return Run(
        id=row["id"],
        phase=row["phase"],
        strategy=row["strategy"],
        repeat=int(row["repeat"]),
        slot=int(row["slot"]),
        length=float(row["length"]),
        seed=int(row["seed"]),
        outcome=row["outcome"],
        learning_rate=None if rate is None else float(rate),
        validation_accuracy=value("validation", "accuracy"),
        validation_loss=value("validation", "loss"),
        test_accuracy=value("test", "accuracy"),
        test_loss=value("test", "loss"),
        params=params,
        epochs_done=int(row["epochs_done"]),
        attempt=int(row["attempt"]),
        updates_computed=None if row["updates_computed"] is None else int(row["updates_computed"]),
        pruned=row["pruned"],
        trained_loss=None if row["outcome"] != "finished" else row["validation_loss"],
    )


def _curves(epochs: pd.DataFrame) -> dict[str, Curve]:
    if epochs.empty:
        return {}
    runs, ids = epochs["run_id"].factorize(sort=True)
    order = np.lexsort((epochs["epoch"].to_numpy(), runs))
    ends = np.flatnonzero(np.diff(runs[order])) + 1
    number, train, held_out = (
        np.split(epochs[name].to_numpy(kind)[order], ends)
        for name, kind in (("epoch", np.int64), ("train_loss", np.float64), ("validation_loss", np.float64))
    )
    return {run: Curve(*own) for run, *own in zip(ids, number, train, held_out, strict=True)}
