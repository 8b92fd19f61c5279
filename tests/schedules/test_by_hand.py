"""Values worked out by hand, where schedules go wrong by one."""

import math

import pytest
import torch

from decaybench.schedules import SCHEDULES, trace

#  kind, fields, {t: scale}, total_steps, steps_per_epoch
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
    # Warmup: (t + 1)/W, or t/W; then the schedule over what is left, its epochs counted from there.
    ("linear", {"warmup": 4}, {0: 0.25, 1: 0.5, 2: 0.75, 3: 1, 4: 1, 5: 0.9, 13: 0.1}, 14, 7),
    ("linear", {"warmup": 4, "warmup_start": 0}, {0: 0, 1: 0.25, 3: 0.75, 4: 1, 5: 0.9}, 14, 7),
    ("step_decay", {"drop": 0.5, "epochs_drop": 1, "warmup": 2}, {0: 0.5, 1: 1, 2: 1, 4: 1, 5: 0.5}, 12, 3),
    ("multi_step", {"milestones": [0], "gamma": 0.5, "warmup": 2}, {0: 0.25, 1: 0.5, 2: 0.5}, 12, 3),
    ("constant", {"warmup": 2.4}, {0: 0.5, 1: 1, 2: 1}, 12, 3),  # 2.4 updates are 2
    ("constant", {"warmup": 20}, {0: 0.05, 11: 0.6}, 12, 3),  # longer than the run
]


@pytest.mark.parametrize(("kind", "values", "expected", "total_steps", "steps_per_epoch"), TABLE)
def test_fixed(kind, values, expected, total_steps, steps_per_epoch):
    scales = trace(SCHEDULES[kind](**values), total_steps, steps_per_epoch)
    assert scales.shape == (total_steps,)
    assert scales.dtype == torch.float64
    assert {t: scales[t].item() for t in expected} == pytest.approx(expected, rel=1e-14, abs=0)


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
