"""The learning rates that the original frameworks gave, frozen in data/frameworks.json."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from decaybench.schedules import SCHEDULES, Clock, trace

FROZEN = json.loads((Path(__file__).parents[1] / "data" / "frameworks.json").read_text())


def ours(entry):
    """(kind, fields, total_steps, base learning rate) that express a frozen schedule."""
    p = entry["params"]
    base = p.get("lr0", p.get("init_value") or p.get("peak_value"))
    match entry["kind"]:
        case "exponential" | "inverse_time" as kind:
            return kind, {n: p[n] for n in ("decay_rate", "decay_steps", "staircase")}, len(entry["t"]), base
        case "polynomial":
            return "polynomial", {"power": p["power"], "end": p["end_lr"] / base}, p["decay_steps"], base
        case "cosine":
            return "cosine", {"floor": p.get("floor", p.get("alpha"))}, p["decay_steps"], base
        case "cosine_restarts":  # 20, 40 and 80 updates, of which the first 100 are frozen
            values = {"cycles": 3, "mult": p["t_mul"], "decay": p["m_mul"]}
            return "cosine_restarts", values, 7 * p["first_decay_steps"], base
        case "onecycle_linear":
            values = {"pct": 0.3, "pct_down": 0.85, "shape": "linear", "phases": 3}
            return "one_cycle", values, p["transition_steps"], base
        case "onecycle_cosine":
            return "one_cycle", {"pct": 0.3, "shape": "cos", "phases": 2}, p["transition_steps"], base
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
    raise AssertionError(f"no kind expresses {entry['source']}")


@pytest.mark.parametrize(
    "entry", FROZEN["schedules"], ids=[f"{e['source']}-{i}" for i, e in enumerate(FROZEN["schedules"])]
)
def test_the_learning_rates_of_the_framework(entry):
    kind, values, total_steps, base = ours(entry)
    scales = trace(SCHEDULES[kind](**values), total_steps, 1, entry.get("loss"), base_lr=base)
    past = max(len(entry["t"]) - total_steps, 0)
    held = torch.cat([scales, end(SCHEDULES[kind](**values), total_steps).expand(past)])
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
