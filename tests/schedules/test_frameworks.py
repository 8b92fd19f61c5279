"""The learning rates that the original frameworks gave, frozen in data/frameworks.json."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from decaybench.schedules import SCHEDULES, Clock, trace

FROZEN = json.loads((Path(__file__).parents[1] / "data" / "frameworks.json").read_text())


def ours(entry):
    """(kind, fields, total_steps, base learning rate) that express a frozen schedule; None: no kind does."""
    p = entry["params"]
    base = p.get("lr0", p.get("init_value") or p.get("peak_value"))
    match entry["kind"]:
        case "exponential" | "inverse_time" as kind:
            return kind, {n: p[n] for n in ("decay_rate", "decay_steps", "staircase")}, len(entry["t"]), base
        case "polynomial":
            return "polynomial", {"power": p["power"], "end": p["end_lr"] / base}, p["decay_steps"], base
        case "cosine":
            return "cosine", {"floor": p.get("floor", p.get("alpha"))}, p["decay_steps"], base
        case "multi_step":
            base, *later = p["values"]
            ratios = [b / a for a, b in zip(p["values"], later, strict=False)]
            values = {
                "milestones": [b + 1 for b in p["boundaries"]],
                "gamma": ratios,
            }  # the old value AT a boundary
            return "multi_step", values, len(entry["t"]), base
        case "step":
            return "step_decay", {n: p[n] for n in ("drop", "epochs_drop", "offset")}, len(entry["t"]), base
        case "plateau":
            values = {n: p[n] for n in ("factor", "patience", "cooldown", "threshold_mode")}
            values |= {"threshold": p["min_delta"], "min_scale": p["min_lr"] / base, "convention": "keras"}
            return "reduce_on_plateau", values, len(entry["t"]), base
        case "warmup_cosine":
            values = {"floor": p["end_value"] / base, "warmup": p["warmup_steps"], "warmup_start": 0}
            return "cosine", values, p["decay_steps"], base
        case "warmup_exponential":
            values = {"decay_rate": p["decay_rate"], "decay_steps": p["transition_steps"]}
            return (
                "exponential",
                values | {"warmup": p["warmup_steps"], "warmup_start": 0},
                len(entry["t"]),
                base,
            )
    return None


EXPRESSED = [(entry, ours(entry)) for entry in FROZEN["schedules"] if ours(entry)]


def test_what_is_left_out_has_no_kind_here():
    left = {entry["kind"] for entry in FROZEN["schedules"] if not ours(entry)}
    assert left == {"cosine_restarts", "onecycle_linear", "onecycle_cosine"}
    assert not left & set(SCHEDULES)


@pytest.mark.parametrize(("entry", "mine"), EXPRESSED, ids=[f"{e['source']}-{i}" for i, (e, _) in enumerate(EXPRESSED)])
def test_the_learning_rates_of_the_framework(entry, mine):
    kind, values, total_steps, base = mine
    scales = trace(SCHEDULES[kind](**values), total_steps, 1, entry.get("loss"), base_lr=base)
    held = torch.cat([scales, end(SCHEDULES[kind](**values), total_steps).expand(len(entry["t"]) - total_steps)])
    difference = (base * held[entry["t"]] - torch.tensor(entry["lr"], dtype=torch.float64)).abs()
    assert difference.max() <= 2e-6 * base


def end(schedule, total_steps):
    """What a schedule holds past total_steps."""
    state = schedule.init(1, torch.ones(1, dtype=torch.float64))
    return schedule.scale(state, Clock(total_steps + 7, 1, total_steps))


@pytest.mark.parametrize("entry", FROZEN["sgd"], ids=lambda e: str(e["params"]))
def test_the_nominal_learning_rates_of_keras_sgd(entry):
    decay, lr = entry["params"]["decay"], entry["params"]["lr"]
    scales = trace(SCHEDULES["time_based"](decay), len(entry["lr"]), 10)
    assert (lr * scales).tolist() == pytest.approx(entry["lr"], rel=4 * np.finfo(float).eps, abs=0)
