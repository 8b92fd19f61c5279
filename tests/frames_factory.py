"""Synthetic tables of a sweep: finished, diverged and pending runs, without a database or training; and what they show."""

import hashlib
import math
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from decaybench.findings import Evidence, Results, Summary, collect, join, summarise
from decaybench.findings.plan import look_rows, retrained, step, summary_at
from decaybench.report import ReportSummary, build_report, source
from decaybench.schedules import SCHEDULES
from decaybench.store import EpochRow, Frames, LookRow, RunRow, Stored
from decaybench.store import frames as as_frames
from decaybench.store.columns import described
from decaybench.sweep import PlannedRun, Sweep, plan_search

EPOCH_COLUMNS = [column.name for column in described(EpochRow)]
EPOCHS, UPDATES = 8, 19
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
THREE = {"constant": "constant", "cosine": "cosine", "exp_loss": "exp_loss"}


def draw(*path: object) -> float:
    """A number in [0, 1) that is a pure function of its path, in every process."""
    return int(hashlib.sha256(repr(path).encode()).hexdigest()[:12], 16) / 16**12


class Maker:
    """The rows of one sweep while they are made."""

    def __init__(self, strategies: Mapping[str, str], skill: Mapping[str, float], diverge: float) -> None:
        self.strategies, self.skill, self.diverge = strategies, skill, diverge
        self.rows: list[dict[str, Any]] = []
        self.epochs: list[tuple[Any, ...]] = []
        self.traces: dict[str, np.ndarray] = {}

    def frames(self, sweep: dict[str, Any]) -> Frames:
        """What is made so far, as the store gives it."""
        epochs = pd.DataFrame(self.epochs, columns=EPOCH_COLUMNS[:7]).reindex(columns=EPOCH_COLUMNS)
        return Frames(sweep, as_frames(Stored({}, self.runs(), {}, {}, [])).runs, epochs, self.traces)

    def runs(self) -> list[RunRow]:
        phases = {"search": 0, "confirm": 1, "replay": 2}
        rows = sorted(
            self.rows,
            key=lambda r: (phases[r["phase"]], r["strategy"], r["length"], r["repeat"], r["slot"], r["seed"]),
        )
        return [RunRow(**row) for row in rows]

    def run(
        self,
        phase: str,
        label: str,
        repeat: int,
        slot: int,
        length: float,
        seed: int,
        rate: float,
        planned: PlannedRun | None = None,
    ) -> dict:
        key = (phase, label, repeat, slot, length, seed)
        name = planned.id if planned else str(uuid.UUID(hashlib.sha256(repr(key).encode()).hexdigest()[:32]))
        eager = 2.5 if rate > 0.3 and phase == "search" else 0.5
        dead = draw("dead", *key) < self.diverge * eager
        skill = self.skill.get(label, 0.0) - 0.06 * abs(math.log10(rate / 0.08)) ** 2 - 0.03 * (1 - length)
        accuracy = min(0.999, max(0.12, 0.97 + skill + 0.012 * (draw("noise", *key) - 0.5)))
        done = int(3 * draw("epoch", *key)) if dead else round(EPOCHS * length)
        step = UPDATES * done + 7 if dead else None
        for epoch in range(1, done + 1):
            fall = math.exp(-3.0 * epoch / EPOCHS)
            loss = (1 - accuracy) * 3 + 1.8 * fall * (1 + 0.1 * draw("loss", epoch, *key))
            train = loss * (0.9 - 0.05 * epoch)
            self.epochs.append((name, epoch, train, loss, accuracy * (1 - fall), rate, 0.5))
        shape = _shape(self.strategies[label], UPDATES * round(EPOCHS * length), key)
        self.traces[name] = (rate * shape).astype(np.float32)[:step]
        test = not dead
        row = {column.name: column.kept.default for column in described(RunRow)} | {
            "id": name,
            "sweep_id": "s",
            "phase": phase,
            "strategy": label,
            "repeat": repeat,
            "slot": slot,
            "length": length,
            "seed": seed,
            "diverged_step": step,
            "epochs_done": done,
            "trial_number": len(self.rows) if phase == "search" else None,
            "params": {"momentum": 0.9, "learning_rate": rate, "weight_decay": 0.0},
            "outcome": "diverged" if dead else "finished",
            "validation_loss": None if dead else (1 - accuracy) * 3,
            "validation_accuracy": None if dead else accuracy,
            "test_loss": (1 - accuracy) * 3.1 if test else None,
            "test_accuracy": round(300 * accuracy) / 300 if test else None,
            "attempt": 1,
            "device": "cpu",
            "precision": "fp32",
            "stack": 0,
            "superseded": False,
            "replay_of": planned.replay_of if planned else None,
            "pruned": None,
            "updates_computed": UPDATES * done,
            "started_at": MOMENT,
            "finished_at": MOMENT,
        }
        self.rows.append(row)
        return row


def make(
    strategies: Mapping[str, str] = THREE,
    *,
    trials: int = 6,
    repeats: int = 6,
    to: int | None = None,
    confirm_seeds: int = 2,
    lengths: tuple[float, ...] = (1.0,),
    metric: str = "accuracy",
    question: str = "Which decay is best?",
    skill: Mapping[str, float] | None = None,
    diverge: float = 0.08,
    until: str = "one",
    rope: float | None = None,
    confirmed: bool = True,
) -> Frames:
    """A sweep of ``strategies`` (label -> kind); ``skill`` shifts a label's accuracy, ``diverge`` is a rate.

    Every strategy has ``repeats`` closed ones, of at most ``to`` (default: no more). What is retrained and replayed
    follows from them, unless it is not ``confirmed``.
    """
    maker = Maker(strategies, skill or {}, diverge)
    spec = {
        "name": "synthetic",
        "question": question,
        "task": {"data": "digits", "model": "small-cnn", "epochs": EPOCHS, "batch_size": 16, "metric": metric},
        "budget": {
            "trials": trials,
            "repeats": {"from": min(6, repeats), "to": to or repeats},
            "confirm_seeds": confirm_seeds,
            "lengths": list(lengths),
        },
        "decide": {"until": until, "control": False},
        "search": {"sampler": "sobol", "learning_rate": {"low": 1e-3, "high": 1.0, "log": True}},
        "strategies": {label: {"schedule": kind} for label, kind in strategies.items()},
    }
    if rope is not None:
        spec["task"]["rope"] = rope
    provenance = {
        "chance_accuracy": 0.1,
        "chance_loss": math.log(10),
        "torch": "2.13.0",
        "device": "cpu",
        "steps_per_epoch": UPDATES,
        "examples": {"train": 1197, "validation": 300, "signal": 0, "test": 300},
    }
    sweep = {
        "id": "s",
        "name": "synthetic",
        "question": question,
        "spec": spec,
        "spec_hash": "ab" * 32,
        "status": "complete",
        "created_at": MOMENT,
        "provenance": provenance,
    }
    for planned in plan_search(Sweep.from_mapping(spec, "s"), dict.fromkeys(strategies, repeats)):
        rate = 10 ** (-3 + 3 * draw("rate", planned.repeat, planned.slot))
        maker.run("search", planned.strategy, planned.repeat, planned.slot, planned.length, planned.seed, rate)
    while confirmed and (missing := unmade(sweep, maker.runs())):
        for planned in missing:
            rate = next(
                row["params"]["learning_rate"]
                for row in maker.rows
                if (row["phase"], row["strategy"], row["repeat"], row["slot"])
                == ("search", planned.strategy, planned.repeat, planned.slot)
            )
            at = planned.repeat, planned.slot, planned.length, planned.seed
            maker.run(planned.phase, planned.strategy, *at, rate, planned)
    return maker.frames(sweep)


def unmade(row: Mapping[str, Any], runs: list[RunRow]) -> list[PlannedRun]:
    """The confirm and replay runs that follow from the sweep's last look and are not there yet."""
    known = {run.id for run in runs}
    summary = summary_at(row, runs, looks_of(row, runs))
    return [run for run in retrained(Sweep.from_mapping(row["spec"], "s"), summary) if run.id not in known]


def looks_of(row: Mapping[str, Any], runs: list[RunRow]) -> list[LookRow]:
    """The looks that the driver would have taken at these runs."""
    sweep, looks = Sweep.from_mapping(row["spec"], "s"), list[LookRow]()
    while sweep.search.allocation == "balanced" and (following := step(sweep, looks)) is not None:
        summary = summary_at(row, runs, looks, following)
        closed = summary.results.closed
        if summary.decisive.decision is None or any(closed[label] < following[label] for label in following):
            break
        looks += look_rows(summary, looks[-1].step + 1 if looks else 0, "s")
    return looks


def searched(*more: str, **options: Any) -> Frames:
    """A sweep in which kinds search fields of their own: a range, one that may be 0, a list, choices; ``more`` do not."""
    kinds = {"constant": "constant", "stairs": "exponential", "cosine": "cosine", "steps": "multi_step"}
    frames = make(kinds | {kind: kind for kind in more}, **options)
    frames.sweep["spec"]["search"]["momentum"] = {"low": 0.5, "high": 0.99, "log": True}
    frames.sweep["spec"]["strategies"]["stairs"]["decay_rate"] = {"low": 0.1, "high": 0.9, "log": False}

    def params(row: Any) -> dict[str, Any]:
        u = [draw(i, row.strategy, row.repeat, row.slot) for i in range(3)]
        own = {
            "stairs": {"decay_rate": 0.1 + 0.8 * u[0], "staircase": True, "decay_steps": 18},
            "cosine": {"floor": 0.0 if u[0] < 0.5 else 0.1 * u[1]},
            "steps": {"milestones": [10, 20][: 1 + round(u[0])], "gamma": [0.1, 0.2, 0.5][int(3 * u[1])]},
        }.get(row.strategy, {})
        return {**row.params, **own, "momentum": 0.5 + 0.49 * u[2]}

    frames.runs["params"] = [params(row) for row in frames.runs.itertuples()]
    return frames


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Runs as the store gives them."""
    return as_frames(Stored({}, [RunRow(**row) for row in rows], {}, {}, [])).runs


def stored(frames: Frames) -> Stored:
    """The rows and arrays behind the frames, as the store reads them."""
    columns = {column.name: column for column in described(RunRow)}
    blank = {name: column.kept.default for name, column in columns.items()}
    runs = []
    for values in frames.runs.astype(object).where(frames.runs.notna(), None).to_dict("records"):
        # floats in a frame, since they may be missing
        whole = {
            name: int(value) for name, value in values.items() if columns[name].python is int and value is not None
        }
        runs.append(RunRow(**blank | values | whole))
    # All epochs at once and then split: to handle a run's alone takes pandas a millisecond or two.
    ordered = frames.epochs.sort_values(["run_id", "epoch"])
    names, starts = np.unique(ordered.pop("run_id").to_numpy(object), return_index=True)
    values = ordered.to_records(index=False).view(np.ndarray)
    epochs = dict(zip(names, np.split(values, starts)[1:], strict=True))
    return Stored(frames.sweep, runs, epochs, frames.traces, looks_of(frames.sweep, runs))


def evidence_of(*frames: Frames) -> Evidence:
    """The evidence of one sweep's frames, or of several sweeps' joined."""
    return join([stored(each) for each in frames])


def results_of(*frames: Frames) -> Results:
    return collect(evidence_of(*frames))


def summary_of(*frames: Frames) -> Summary:
    return summarise(results_of(*frames))


def write_report(frames: Frames, out: Path) -> ReportSummary:
    """The report of one sweep without a study."""
    return build_report(evidence_of(frames), out, [source(frames)])


def named(frames: Frames, name: str) -> Frames:
    """A copy of the sweep under another name."""
    return frames._replace(sweep=frames.sweep | {"name": name, "spec": frames.sweep["spec"] | {"name": name}})


def change(frames: Frames, which: Callable[[pd.DataFrame], pd.Series], **columns: Any) -> Frames:
    """A copy in which the runs that ``which`` selects have other values."""
    runs = frames.runs.copy()
    for column, value in columns.items():
        runs.loc[which(runs), column] = value
    return frames._replace(runs=runs)


def unconfirm(frames: Frames, which: Callable[[pd.DataFrame], pd.Series]) -> Frames:
    """A copy in which the confirm runs that ``which`` selects are pending."""
    nothing = {"outcome": None, "test_accuracy": None, "test_loss": None}
    return change(frames, lambda r: (r.phase == "confirm") & which(r), **nothing)


def scored(frames: Frames, scores: Mapping[str, list[float]], column: str = "test_accuracy") -> Frames:
    """A copy in which all trials of a repeat finished with the test result that the label's list has for it."""
    for label, values in scores.items():
        for repeat, value in enumerate(values):
            frames = change(
                frames,
                lambda r, at=(label, repeat): (r.phase == "search") & (r.strategy == at[0]) & (r.repeat == at[1]),
                **{column: value},
            )
    return frames


def ordered(frames: Frames) -> Frames:
    """A copy in which learning rates and validation results rise with the trial's number.

    The last trial of every repeat is then the best in its stratum, so a strategy's estimate is the mean over repeats of
    that trial's test result, and its error the usual one of a mean.
    """
    runs = frames.runs.copy()
    last = int(runs.slot.max())
    runs["params"] = [
        {**params, "learning_rate": 10.0 ** (slot - last)} for params, slot in zip(runs.params, runs.slot, strict=True)
    ]
    good = runs.outcome != "diverged"
    runs.loc[good, "validation_accuracy"] = 0.5 + 0.4 * runs.loc[good, "slot"] / last
    runs.loc[good, "validation_loss"] = 1 - 0.5 * runs.loc[good, "slot"] / last
    return frames._replace(runs=runs)


def fifteen() -> dict[str, str]:
    """Fifteen strategies of both families, one with the longest label there may be."""
    fixed = [kind for kind, cls in SCHEDULES.items() if cls.family == "fixed"]
    reactive = [kind for kind, cls in SCHEDULES.items() if cls.family == "reactive"]
    labels = {kind: kind for kind in [*fixed[:9], *reactive[:3]]}
    return labels | {"a_very_long_label-" + "x" * 46: "cosine", "gentle": "exp_loss", "cosine2": "cosine"}


def _shape(kind: str, updates: int, key: tuple[object, ...]) -> np.ndarray:
    s = np.arange(updates) / updates
    known = {"cosine": (1 + np.cos(np.pi * s)) / 2, "linear": 1 - s, "constant": np.ones(updates)}
    if kind in known:
        return known[kind]
    wobble = np.array([draw("wobble", t, *key) for t in range(updates)])
    return np.exp(1.5 * np.exp(-4 * s) * (0.7 + 0.6 * wobble))
