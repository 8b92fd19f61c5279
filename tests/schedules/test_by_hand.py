"""Values worked out by hand, where schedules go wrong by one."""

import math

import pytest
import torch

from decaybench.schedules import SCHEDULES, Clock, trace

ROOT = 0.5**0.5  # cos(pi / 4)
PEAK_AT_4 = {"pct": 0.4, "div": 4.0, "final_div": 5.0}  # of 10 updates

#  kind, fields, {t: scale}, total_steps, steps_per_epoch; t may be total_steps: the end
TABLE = [
    ("constant", {}, {0: 1, 11: 1}, 12, 3),
    # Update 0 is undecayed. Per update t counts, per epoch only whole epochs do.
    ("time_based", {"decay": 0.5}, {0: 1, 1: 1 / 1.5, 2: 0.5, 3: 0.4, 4: 1 / 3}, 12, 3),
    (
        "time_based",
        {"decay": 0.5, "per": "epoch"},
        {0: 1, 2: 1, 3: 1 / 1.5, 5: 1 / 1.5, 6: 0.5, 9: 0.4},
        12,
        3,
    ),
    (
        "inverse_time",
        {"decay_rate": 2.0, "decay_steps": 4},
        {0: 1, 1: 1 / 1.5, 2: 0.5, 4: 1 / 3, 8: 0.2},
        12,
        3,
    ),
    (
        "inverse_time",
        {"decay_rate": 2.0, "decay_steps": 4, "staircase": True},
        {0: 1, 3: 1, 4: 1 / 3, 7: 1 / 3, 8: 0.2},
        12,
        3,
    ),
    # Epochs 0 1 2 3, a drop every 2: offset 0 drops at epoch 2 (t = 6), offset 1 at 1 and 3 (t = 3, 9).
    ("step_decay", {"drop": 0.5, "epochs_drop": 2}, {0: 1, 5: 1, 6: 0.5, 11: 0.5}, 12, 3),
    (
        "step_decay",
        {"drop": 0.5, "epochs_drop": 2, "offset": 1},
        {0: 1, 2: 1, 3: 0.5, 8: 0.5, 9: 0.25},
        12,
        3,
    ),
    ("step_decay", {"drop": 0.5, "epochs_drop": 1}, {0: 1, 2: 1, 3: 0.5, 6: 0.25, 9: 0.125}, 12, 3),
    ("step_decay", {"drop": 0.5, "epochs_drop": 1.5}, {3: 1, 6: 0.5, 9: 0.25}, 12, 3),
    # Passed from the milestone's first update on; a milestone within an epoch acts from the next one.
    (
        "multi_step",
        {"milestones": [1, 3], "gamma": 0.1},
        {0: 1, 2: 1, 3: 0.1, 8: 0.1, 9: 0.01, 11: 0.01},
        12,
        3,
    ),
    ("multi_step", {"milestones": [1, 3], "gamma": [0.5, 0.1]}, {2: 1, 3: 0.5, 8: 0.5, 9: 0.05}, 12, 3),
    ("multi_step", {"milestones": [1.5], "gamma": 0.1}, {5: 1, 6: 0.1}, 12, 3),
    ("multi_step", {"milestones": [0, 2, 2], "gamma": 0.5}, {0: 0.5, 5: 0.5, 6: 0.125}, 12, 3),
    (
        "exponential",
        {"decay_rate": 0.25, "decay_steps": 4},
        {0: 1, 2: 0.5, 4: 0.25, 6: 0.125, 8: 0.0625},
        12,
        3,
    ),
    (
        "exponential",
        {"decay_rate": 0.25, "decay_steps": 4, "staircase": True},
        {0: 1, 3: 1, 4: 0.25, 7: 0.25, 8: 0.0625},
        12,
        3,
    ),
    # The end is at t = T, one update after the last: 1/10 is left for update 9 of 10.
    ("linear", {}, {0: 1, 1: 0.9, 5: 0.5, 9: 0.1}, 10, 5),
    ("linear", {"end": 0.2}, {0: 1, 5: 0.6, 9: 0.28}, 10, 5),
    ("polynomial", {"power": 2.0, "end": 0.0}, {0: 1, 5: 0.25, 9: 0.01}, 10, 5),
    ("polynomial", {"power": 2.0, "end": 0.2}, {0: 1, 5: 0.4, 9: 0.208}, 10, 5),
    ("polynomial", {"power": 0, "end": 0.2}, {0: 1, 9: 1}, 10, 5),
    ("cosine", {"floor": 0.0}, {0: 1, 4: 0.75, 6: 0.5, 8: 0.25}, 12, 3),
    ("cosine", {"floor": 0.5}, {0: 1, 4: 0.875, 6: 0.75, 8: 0.625}, 12, 3),
    # (1 + t)^-0.5 and (1 + t/2)^-2.
    ("inv", {"gamma": 1.0, "power": 0.5}, {0: 1, 3: 0.5, 8: 1 / 3, 15: 0.25, 16: 17**-0.5}, 16, 4),
    ("inv", {"gamma": 0.5, "power": 2.0}, {0: 1, 2: 0.25, 8: 0.04}, 12, 3),
    # Cycles of 4 and 8 updates: a cycle's first update has its peak, the end of the run is a cycle's end.
    (
        "cosine_restarts",
        {"cycles": 2, "mult": 2},
        {0: 1, 2: 0.5, 3: (1 - ROOT) / 2, 4: 1, 6: (1 + ROOT) / 2, 8: 0.5, 10: (1 - ROOT) / 2, 12: 0},
        12,
        3,
    ),
    (
        "cosine_restarts",
        {"cycles": 2, "mult": 2, "decay": 0.5, "floor": 0.2},
        {0: 1, 2: 0.6, 4: 0.6, 8: 0.4, 12: 0.2},
        12,
        3,
    ),
    # Three equal ones of 4; 3 and 9; five of 2.4, so that update 3 is a quarter into the second.
    ("cosine_restarts", {"cycles": 3, "mult": 1}, {0: 1, 2: 0.5, 3: (1 - ROOT) / 2, 4: 1, 8: 1, 10: 0.5, 12: 0}, 12, 3),
    ("cosine_restarts", {"cycles": 2, "mult": 3}, {0: 1, 1: 0.75, 2: 0.25, 3: 1, 6: 0.75, 9: 0.25, 12: 0}, 12, 3),
    ("cosine_restarts", {"cycles": 5, "mult": 1}, {0: 1, 3: (1 + ROOT) / 2, 6: 0.5, 12: 0}, 12, 3),
    ("cosine_restarts", {"cycles": 1, "mult": 2, "floor": 0.5}, {0: 1, 4: 0.875, 6: 0.75, 12: 0.5}, 12, 3),
    # From 1/4 up to 1 at t = 4, then to 1/20 at T = 10; in three phases by 1/4 at 8 or at 6.
    ("one_cycle", PEAK_AT_4, {0: 0.25, 2: 0.625, 4: 1, 7: 0.525, 10: 0.05}, 10, 5),
    ("one_cycle", PEAK_AT_4, {1: 0.25 + 0.75 * (1 - ROOT) / 2, 6: 0.05 + 0.95 * 0.75, 8: 0.05 + 0.95 * 0.25}, 10, 5),
    (
        "one_cycle",
        PEAK_AT_4 | {"shape": "linear"},
        {0: 0.25, 1: 0.4375, 4: 1, 7: 0.525, 9: 0.05 + 0.95 / 6, 10: 0.05},
        10,
        5,
    ),
    ("one_cycle", PEAK_AT_4 | {"pct_down": 0.6}, {4: 1, 6: 0.05 + 0.95 * 0.75}, 10, 5),  # two phases: of no account
    (
        "one_cycle",
        PEAK_AT_4 | {"shape": "linear", "phases": 3},
        {0: 0.25, 1: 0.4375, 4: 1, 5: 0.8125, 6: 0.625, 8: 0.25, 9: 0.15, 10: 0.05},
        10,
        5,
    ),
    (
        "one_cycle",
        PEAK_AT_4 | {"shape": "linear", "phases": 3, "pct_down": 0.6},
        {4: 1, 5: 0.625, 6: 0.25, 8: 0.15, 9: 0.1, 10: 0.05},
        10,
        5,
    ),
    (
        "one_cycle",
        PEAK_AT_4 | {"phases": 3},
        {2: 0.625, 4: 1, 6: 0.625, 7: 0.25 + 0.75 * (1 - ROOT) / 2, 8: 0.25, 9: 0.15},
        10,
        5,
    ),
    # Two triangles of 6 updates from 0.2, peaks at 3 and 9; with 3 updates each no update is at the peak.
    (
        "triangular",
        {"cycles": 2, "low": 0.2},
        {0: 0.2, 1: 0.2 + 0.8 / 3, 3: 1, 6: 0.2, 9: 1, 11: 0.2 + 0.8 / 3, 12: 0.2},
        12,
        3,
    ),
    ("triangular", {"cycles": 3, "low": 0.1}, {0: 0.1, 1: 0.7, 2: 0.7, 3: 0.1, 8: 0.7, 9: 0.1}, 9, 3),
    (
        "triangular",
        {"cycles": 2, "low": 0.2, "gamma": 0.5, "per": "cycle"},
        {3: 1, 6: 0.2, 8: 0.2 + 0.8 / 3, 9: 0.6},
        12,
        3,
    ),
    (
        "triangular",
        {"cycles": 2, "low": 0.2, "gamma": 0.5},
        {0: 0.2, 1: 0.2 + 0.4 / 3, 3: 0.3, 6: 0.2, 9: 0.2 + 0.8 / 512},
        12,
        3,
    ),
    # Down over the last 4 of 10 updates.
    ("wsd", {"decay_fraction": 0.4}, {0: 1, 5: 1, 6: 1, 7: 0.75, 8: 0.5, 9: 0.25, 10: 0}, 10, 5),
    (
        "wsd",
        {"decay_fraction": 0.4, "shape": "sqrt"},
        {0: 1, 6: 1, 7: 0.5, 8: 1 - ROOT, 9: 1 - 0.75**0.5, 10: 0},
        10,
        5,
    ),
    ("wsd", {"decay_fraction": 1}, {0: 1, 1: 0.9, 9: 0.1}, 10, 5),
    ("rex", {}, {0: 1, 5: 2 / 3, 9: 0.2 / 1.1, 10: 0}, 10, 5),
    # Constant up to t = 4, then 2 / sqrt(t).
    ("inverse_sqrt", {"timescale": 4}, {0: 1, 4: 1, 5: 0.8**0.5, 16: 0.5, 36: 1 / 3, 40: 0.1**0.5}, 40, 5),
    # The fourth update, t = 3, is the peak.
    ("noam", {"warmup_steps": 4}, {0: 0.25, 1: 0.5, 2: 0.75, 3: 1, 4: 0.8**0.5, 15: 0.5, 35: 1 / 3}, 36, 6),
    # Warmup: (t + 1)/W, or t/W; then the schedule over what is left, its epochs counted from there.
    ("linear", {"warmup": 4}, {0: 0.25, 1: 0.5, 2: 0.75, 3: 1, 4: 1, 5: 0.9, 13: 0.1}, 14, 7),
    ("linear", {"warmup": 4, "warmup_start": 0}, {0: 0, 1: 0.25, 3: 0.75, 4: 1, 5: 0.9}, 14, 7),
    ("step_decay", {"drop": 0.5, "epochs_drop": 1, "warmup": 2}, {0: 0.5, 1: 1, 2: 1, 4: 1, 5: 0.5}, 12, 3),
    ("multi_step", {"milestones": [0], "gamma": 0.5, "warmup": 2}, {0: 0.25, 1: 0.5, 2: 0.5}, 12, 3),
    ("cosine_restarts", {"cycles": 2, "mult": 2, "warmup": 2}, {0: 0.5, 1: 1, 2: 1, 4: 0.5, 6: 1, 10: 0.5}, 14, 7),
    ("one_cycle", PEAK_AT_4 | {"warmup": 2}, {0: 0.125, 1: 0.25, 2: 0.25, 4: 0.625, 6: 1, 9: 0.525, 12: 0.05}, 12, 6),
    ("triangular", {"cycles": 2, "low": 0.2, "warmup": 2}, {0: 0.1, 2: 0.2, 5: 1, 8: 0.2, 11: 1, 14: 0.2}, 14, 7),
    ("constant", {"warmup": 2.4}, {0: 0.5, 1: 1, 2: 1}, 12, 3),  # 2.4 updates are 2
    ("constant", {"warmup": 20}, {0: 0.05, 11: 0.6}, 12, 3),  # longer than the run
]


@pytest.mark.parametrize(("kind", "values", "expected", "total_steps", "steps_per_epoch"), TABLE)
def test_fixed(kind, values, expected, total_steps, steps_per_epoch):
    schedule = SCHEDULES[kind](**values)
    scales = trace(schedule, total_steps, steps_per_epoch)
    assert scales.shape == (total_steps,)
    assert scales.dtype == torch.float64
    state = schedule.init(1, torch.ones(1, dtype=torch.float64))
    scales = torch.cat([scales, schedule.scale(state, Clock(total_steps, steps_per_epoch, total_steps))])
    assert {t: scales[t].item() for t in expected} == pytest.approx(expected, rel=1e-14, abs=1e-16)


E_, LN2, LN4 = math.e, math.log(2), math.log(4)
#  kind, fields, losses, all scales, steps_per_epoch (total_steps is the number of scales)
REACTIVE = [
    # Update t's loss sets update t's own rate, from the base each time.
    ("exp_loss", {}, [LN2, LN4, 0.0, LN2], [2, 4, 1, 2], 2),
    ("exp_loss", {"gain": 2.0}, [LN2, LN4, 0.0, LN2], [4, 16, 1, 4], 2),
    ("exp_loss", {"max_scale": 3.0}, [LN2, LN4, 0.0, 1e9], [2, 3, 1, 3], 2),
    ("exp_loss", {"warmup": 2}, [LN2, LN2, LN2, LN2], [1, 2, 2, 2], 2),
    ("exp_loss", {"warmup": 2, "warmup_start": 0}, [LN2, LN2, LN2, LN2], [0, 1, 2, 2], 2),
    # An average starts at the first loss: ln 4, then half way to 0 each time.
    ("exp_loss", {"signal": "ema", "smoothing": 0.5}, [LN4, 0.0, 0.0, LN4], [4, 2, 2**0.5, 4**0.625], 2),
    # Epoch e's loss acts from epoch e + 1; until then the scale is 1. The last one is never used.
    ("exp_loss", {"signal": "epoch"}, [LN2, LN4, 7.0], [1, 1, 2, 2, 4, 4], 2),
    ("exp_loss", {"signal": "held_out"}, [LN2, LN4, 7.0], [1, 1, 2, 2, 4], 2),
    # Relative to the first loss, never above 1, never below the floor.
    ("exp_loss_relative", {"gain": 1.0}, [LN4, LN2, 0.0, 9.0], [1, 0.5, 0.25, 1], 2),
    ("exp_loss_relative", {"gain": 1.0, "floor": 0.3}, [LN4, LN2, 0.0, LN4], [1, 0.5, 0.3, 1], 2),
    ("exp_loss_relative", {"gain": 2.0, "signal": "epoch"}, [LN4, LN2, 0.0], [1, 1, 1, 1, 0.25, 0.25], 2),
    # Patience 1: torch cuts at the second bad epoch (e = 2, seen from 3), Keras at the first (e = 1, from 2).
    (
        "reduce_on_plateau",
        {"factor": 0.5, "patience": 1, "cooldown": 0},
        [1.0] * 7,
        [1, 1, 1, 0.5, 0.5, 0.25, 0.25],
        1,
    ),
    (
        "reduce_on_plateau",
        {"factor": 0.5, "patience": 1, "cooldown": 0, "convention": "keras"},
        [1.0] * 5,
        [1, 1, 0.5, 0.25, 0.125],
        1,
    ),
    # A cooldown of 1: torch forgets that epoch, Keras counts the epoch in which the cooldown ends.
    (
        "reduce_on_plateau",
        {"factor": 0.5, "patience": 0, "cooldown": 1},
        [1.0] * 6,
        [1, 1, 0.5, 0.5, 0.25, 0.25],
        1,
    ),
    (
        "reduce_on_plateau",
        {"factor": 0.5, "patience": 1, "cooldown": 2, "convention": "keras"},
        [1.0] * 7,
        [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125],
        1,
    ),
    # An improvement of 0.1% is none at a threshold of 1%, relative to 10 or absolute 0.02.
    (
        "reduce_on_plateau",
        {"factor": 0.5, "patience": 0, "cooldown": 0, "threshold": 0.01, "min_scale": 0.4},
        [10.0, 9.99, 9.8, 9.79, 9.79],
        [1, 1, 0.5, 0.5, 0.4],
        1,
    ),
    (
        "reduce_on_plateau",
        {"factor": 0.5, "patience": 0, "cooldown": 0, "threshold": 0.02, "threshold_mode": "abs"},
        [10.0, 9.99, 9.9, 9.8],
        [1, 1, 0.5, 0.5],
        1,
    ),
]


@pytest.mark.parametrize(("kind", "values", "losses", "expected", "steps_per_epoch"), REACTIVE)
def test_reactive(kind, values, losses, expected, steps_per_epoch):
    scales = trace(SCHEDULES[kind](**values), len(expected), steps_per_epoch, losses)
    assert scales.tolist() == pytest.approx(expected, rel=1e-13, abs=0)


def test_the_two_readings_of_time_based_end_36_times_apart():
    per_update = trace(SCHEDULES["time_based"](0.002), 50 * 391, 391)[-1]
    per_epoch = trace(SCHEDULES["time_based"](0.002, per="epoch"), 50 * 391, 391)[-1]
    assert (per_epoch / per_update).item() == pytest.approx(36.5, abs=0.1)
