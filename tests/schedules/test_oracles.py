"""The learning rates that timm, transformers and optax gave, frozen in data/oracles.json by freeze_oracles.py; and
those that torch's cycles give.
"""

import json
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from decaybench.schedules import SCHEDULES, Clock, trace

FROZEN = json.loads((Path(__file__).parents[1] / "data" / "oracles.json").read_text())
FIXED = [entry for entry in FROZEN["schedules"] if "losses" not in entry]
REACTIVE = [entry for entry in FROZEN["schedules"] if "losses" in entry]


class Ours(NamedTuple):
    """Our kind, its fields and total_steps. Theirs at t is ours at t + ahead."""

    kind: str
    fields: dict
    total: int
    ahead: int = 0


FOREVER = 1000  # for kinds that do not look at the length of the run


def warmed(steps):
    return {"warmup": steps, "warmup_start": 0} if steps else {}


def restarts(cycles, **fields):
    return {"cycles": cycles, "mult": 1, "decay": 1.0, "floor": 0.0} | fields


def one_cycle(p, **fields):
    p = {"pct_start": 0.3, "pct_final": 0.85, "div_factor": 25.0, "final_div_factor": 1e4} | p
    return {"pct": p["pct_start"], "div": p["div_factor"], "final_div": p["final_div_factor"]} | fields


def ours(source, p, base):
    """A frozen entry's source, parameters and base learning rate in our words."""
    match source.split("."):
        case ["timm", "scheduler", name]:
            return timm(name, p, p.get("warmup_t", 0), base)
        case ["transformers", "optimization", name]:
            return transformers(name, p, p["num_warmup_steps"], p.get("num_training_steps", FOREVER), base)
        case ["optax", name]:
            return optax(name, p, base)


def timm(name, p, warmup, base):
    floor, power, total = p.get("lr_min", 0.0) / base, p.get("power"), p.get("t_initial", FOREVER) + warmup
    match name:
        case "CosineLRScheduler" if "cycle_limit" not in p:
            return Ours("cosine", {"floor": floor} | warmed(warmup), total)
        case "CosineLRScheduler":
            cycles, mult = p["cycle_limit"], int(p.get("cycle_mul", 1))
            fields = restarts(cycles, mult=mult, decay=p.get("cycle_decay", 1.0), floor=floor)
            return Ours("cosine_restarts", fields, p["t_initial"] * sum(mult**i for i in range(cycles)))
        case "StepLRScheduler":
            return Ours("step_decay", {"drop": p["decay_rate"], "epochs_drop": p["decay_t"]} | warmed(warmup), FOREVER)
        case "MultiStepLRScheduler":  # an epoch early
            return Ours("multi_step", {"milestones": [t - 1 for t in p["decay_t"]], "gamma": p["decay_rate"]}, FOREVER)
        case "PolyLRScheduler":
            return Ours("polynomial", {"power": power, "end": floor} | warmed(warmup), total)
        case "WSDLRScheduler" if "stable_fn" in p:  # sqrt(k / (k + t)): ours from its k-th update on
            return Ours("inverse_sqrt", {"timescale": p["stable_timescale"]}, FOREVER, ahead=p["stable_timescale"])
        case "WSDLRScheduler":
            shape = {"linear": "linear", "1-sqrt": "sqrt"}[p["decay_fn"]]
            fields = {"decay_fraction": p["decay_t"] / p["t_initial"], "shape": shape}
            return Ours("wsd", fields | warmed(warmup), total)


def transformers(name, p, warmup, total, base):
    match name:
        case "get_constant_schedule_with_warmup":
            return Ours("constant", warmed(warmup), total)
        case "get_linear_schedule_with_warmup":
            return Ours("linear", {"end": 0.0} | warmed(warmup), total)
        case "get_cosine_schedule_with_warmup" | "get_cosine_with_min_lr_schedule_with_warmup":
            return Ours("cosine", {"floor": p.get("min_lr_rate", 0.0)} | warmed(warmup), total)
        case "get_cosine_with_min_lr_schedule_with_warmup_lr_rate":
            return Ours("cosine", {"floor": p["min_lr_rate"]} | warmed(warmup), total, ahead=1)
        case "get_cosine_with_hard_restarts_schedule_with_warmup":
            return Ours("cosine_restarts", restarts(p["num_cycles"]) | warmed(warmup), total)
        case "get_polynomial_decay_schedule_with_warmup":
            return Ours("polynomial", {"power": p["power"], "end": p["lr_end"] / base} | warmed(warmup), total)
        case "get_inverse_sqrt_schedule" if warmup:  # min(t / w, sqrt(w / t)): Noam's, which counts updates from 1
            return Ours("noam", {"warmup_steps": warmup}, FOREVER, ahead=-1)
        case "get_inverse_sqrt_schedule":
            return Ours("inverse_sqrt", {"timescale": p["timescale"]}, FOREVER, ahead=p["timescale"])
        case "get_wsd_schedule":
            shape = {"linear": "linear", "1-sqrt": "sqrt"}[p["decay_type"]]
            fields = {"decay_fraction": p["num_decay_steps"] / (total - warmup), "shape": shape}
            return Ours("wsd", fields | warmed(warmup), total)


def optax(name, p, base):
    warmup = warmed(p.get("warmup_steps", 0))
    match name:
        case "constant_schedule" | "warmup_constant_schedule":
            return Ours("constant", warmup, FOREVER)
        case "cosine_decay_schedule":
            return Ours("cosine", {"floor": p["alpha"]}, p["decay_steps"])
        case "warmup_cosine_decay_schedule":
            return Ours("cosine", {"floor": p["end_value"] / base} | warmup, p["decay_steps"])
        case "exponential_decay" | "warmup_exponential_decay_schedule":
            fields = {"decay_rate": p["decay_rate"], "decay_steps": p["transition_steps"]}
            return Ours("exponential", fields | {"staircase": p.get("staircase", False)} | warmup, FOREVER)
        case "polynomial_schedule":
            return Ours("polynomial", {"power": p["power"], "end": p["end_value"] / base}, p["transition_steps"])
        case "linear_schedule":
            return Ours("linear", {"end": p["end_value"] / base}, p["transition_steps"])
        case "piecewise_constant_schedule":  # the new value AT a boundary, unlike TensorFlow's
            scales = {int(t): scale for t, scale in p["boundaries_and_scales"].items()}
            return Ours("multi_step", {"milestones": [*scales], "gamma": [*scales.values()]}, FOREVER)
        case "cosine_onecycle_schedule":
            return Ours("one_cycle", one_cycle(p, shape="cos", phases=2), p["transition_steps"])
        case "linear_onecycle_schedule":
            fields = one_cycle(p, shape="linear", phases=3, pct_down=p.get("pct_final", 0.85))
            return Ours("one_cycle", fields, p["transition_steps"])
        case "sgdr_schedule":
            first, second, *_ = p["cosine_kwargs"]
            mult, decay = second["decay_steps"] // first["decay_steps"], second["peak_value"] / first["peak_value"]
            fields = restarts(len(p["cosine_kwargs"]), mult=mult, decay=decay)
            return Ours("cosine_restarts", fields, sum(cycle["decay_steps"] for cycle in p["cosine_kwargs"]))


def reactive(source, p, base):
    """A frozen rule's parameters in our words: its kind and fields."""
    match source.split(".")[-1]:
        case "GreedyLR":
            same = {name: p[name] for name in ("factor", "patience", "threshold", "cooldown") if name in p}
            bounds = {"min_scale": p["min_lr"] / base, "max_scale": p["max_lr"] / base}
            return "greedy_lr", same | bounds | {"cooldown_up": p.get("warmup", 0)}
        case "PlateauLRScheduler":
            fields = {"factor": p["decay_rate"], "patience": p["patience_t"], "cooldown": p["cooldown_t"]}
            fields |= {"threshold": p.get("threshold", 1e-4), "min_scale": p.get("lr_min", 0.0) / base}
            return "reduce_on_plateau", fields
        case "reduce_on_plateau":  # cuts AT patience, otherwise it counts as torch does
            fields = {"factor": p["factor"], "patience": p["patience"] - 1, "cooldown": p["cooldown"]}
            return "reduce_on_plateau", fields | {"threshold": p["rtol"], "min_scale": p["min_scale"]}


def label(entry):
    return entry["source"]


@pytest.mark.parametrize("entry", FIXED, ids=label)
def test_a_fixed_schedules_learning_rates(entry):
    kind, fields, total, ahead = ours(entry["source"], entry["params"], entry["base"])
    schedule = SCHEDULES[kind](**fields)
    state = schedule.init(1, torch.ones(1, dtype=torch.float64))
    for t, theirs in enumerate(entry["lr"]):
        if t + ahead < 0:  # before our first update
            assert theirs == 0
            continue
        mine = entry["base"] * schedule.scale(state, Clock(t + ahead, 1, total)).item()
        assert mine == pytest.approx(theirs, rel=0, abs=1e-12), f"at {t}"


@pytest.mark.parametrize("entry", REACTIVE, ids=label)
def test_a_reactive_rules_learning_rates(entry):
    kind, fields = reactive(entry["source"], entry["params"], entry["base"])
    base, theirs = entry["base"], entry["lr"]
    schedule = SCHEDULES[kind](**fields)
    mine = (base * trace(schedule, len(theirs), 1, FROZEN["losses"][entry["losses"]], base_lr=base)).tolist()
    assert moves(mine) == moves(theirs) != []
    assert mine == pytest.approx(theirs, rel=1e-12, abs=0)


def moves(rates):
    """The epochs that begin with another learning rate."""
    return [e for e in range(1, len(rates)) if abs(rates[e] - rates[e - 1]) > 1e-12 * rates[e]]


def one_cycle_of_torch(pct, **fields):
    """Its points are at pct * 40 - 1 and at 39: a run of 39 updates with another pct."""
    return Ours("one_cycle", {"pct": (40 * pct - 1) / 39} | fields, 39)


LOW = 0.1
SHORT = {"total_steps": 40, "max_lr": 0.3, "cycle_momentum": False}
CYCLE = {"base_lr": LOW * 0.3, "max_lr": 0.3, "step_size_up": 5, "cycle_momentum": False}


@pytest.mark.parametrize(
    ("name", "params", "mine"),
    [
        ("CosineAnnealingWarmRestarts", {"T_0": 6, "T_mult": 2}, Ours("cosine_restarts", restarts(3, mult=2), 42)),
        (
            "CosineAnnealingWarmRestarts",
            {"T_0": 12, "eta_min": 0.03},
            Ours("cosine_restarts", restarts(3, floor=0.1), 36),
        ),
        ("CyclicLR", CYCLE, Ours("triangular", {"cycles": 4, "low": LOW}, 40)),
        (
            "CyclicLR",
            CYCLE | {"mode": "exp_range", "gamma": 0.95},
            Ours("triangular", {"cycles": 4, "low": LOW, "gamma": 0.95}, 40),
        ),
        (
            "CyclicLR",
            CYCLE | {"mode": "triangular2"},
            Ours("triangular", {"cycles": 4, "low": LOW, "gamma": 0.5, "per": "cycle"}, 40),
        ),
        ("OneCycleLR", SHORT, one_cycle_of_torch(0.3)),
        (
            "OneCycleLR",
            SHORT | {"pct_start": 0.2, "anneal_strategy": "linear"},
            one_cycle_of_torch(0.2, shape="linear"),
        ),
        ("OneCycleLR", SHORT | {"three_phase": True, "div_factor": 10.0}, one_cycle_of_torch(0.3, phases=3, div=10.0)),
    ],
)
def test_the_cycles_of_torch(name, params, mine):
    kind, fields, total, _ = mine
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **params)
    schedule, base = SCHEDULES[kind](**fields), torch.ones(1, dtype=torch.float64)
    for t in range(total):
        ours = 0.3 * schedule.scale(schedule.init(1, base), Clock(t, 1, total)).item()
        assert ours == pytest.approx(scheduler.get_last_lr()[0], rel=0, abs=1e-12), f"at {t}"
        optimizer.step()
        scheduler.step()


def test_the_rules_are_frozen_going_both_ways_and_stopping_at_their_bounds():
    greedy = [entry for entry in REACTIVE if "GreedyLR" in entry["source"]]
    steps = [b - a for entry in greedy for a, b in zip(entry["lr"], entry["lr"][1:], strict=False)]
    assert min(steps) < 0 < max(steps)
    for bound in ("min_lr", "max_lr"):
        assert any(entry["params"][bound] in entry["lr"] for entry in greedy)
