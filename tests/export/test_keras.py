"""The Keras code trains a model, on Keras' torch backend, with the learning rates of ``trace``."""

import math
import os
import re
from collections.abc import Sequence
from types import ModuleType

import numpy as np
import pytest
import torch

from chained import Chained
from decaybench.errors import UserError
from decaybench.export.formula import FORMULAS
from decaybench.export.keras import RATES, write
from decaybench.schedules import SCHEDULES, Schedule, trace
from export.settings import LEARNING_RATE, setting
from schedules.samples import draw, losses

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own, on torch

T, N = 60, 5  # updates, and updates an epoch
GRADIENT_RULES = [kind for kind, cls in SCHEDULES.items() if getattr(cls, "observes", ())]


def expected(schedule: Schedule, values: Sequence[float] | None) -> list[float]:
    """The learning rates of ``trace``; a rule of every update acts one update later."""
    if getattr(schedule, "when", "epoch") == "epoch":
        return (LEARNING_RATE * trace(schedule, T, N, values, base_lr=LEARNING_RATE)).tolist()
    still = type(schedule)(**{n: getattr(schedule, n) for n in schedule.parameters() if n != "warmup"})
    late = [1.0, *trace(still, T, N, values).tolist()[:-1]]
    length = max(1, round(schedule.warmup))
    ramp = [min(1.0, (t + schedule.warmup_start) / length) if schedule.warmup else 1.0 for t in range(T)]
    return [LEARNING_RATE * a * b for a, b in zip(ramp, late, strict=True)]


def test_every_way_has_its_line_in_the_table():
    assert {*RATES, *FORMULAS} <= {kind for kind, _, _ in EXACT} <= set(SCHEDULES)


@pytest.mark.parametrize("kind", [kind for kind in SCHEDULES if kind not in GRADIENT_RULES])
def test_a_kind_is_exact_or_falls_back(kind, monkeypatch):
    """With a warmup, which no schedule of Keras' has, it is the formula; without one, or in no table, decaybench's."""

    def code(seed: int) -> str:
        return write(setting(draw(kind, seed, T, N), T, N))

    general = "(keras.optimizers.schedules.LearningRateSchedule)" if kind in FORMULAS else f'SCHEDULES["{kind}"]('
    assert general in code(1)
    monkeypatch.setattr("decaybench.export.keras.RATES", {})
    assert general in code(0)
    monkeypatch.setattr("decaybench.export.keras.FORMULAS", {})
    for seed in (0, 1):
        assert f'SCHEDULES["{kind}"](' in code(seed)


@pytest.mark.parametrize("kind", GRADIENT_RULES)
def test_rules_that_look_at_gradients_are_refused(kind):
    with pytest.raises(UserError, match=f"^--format: Keras callbacks cannot see gradients, which {kind} needs"):
        write(setting(draw(kind, 0, T, N), T, N))


@pytest.mark.parametrize("optimizer", ["schedule-free", "prodigy"])
def test_optimizers_that_keras_lacks_are_refused(optimizer):
    with pytest.raises(UserError, match=f"^--format: Keras has no {optimizer}, the optimizer of it; use torch$"):
        write(setting(SCHEDULES["constant"](), T, N, optimizer=optimizer))


STAIRS = "decay_rate=0.5, decay_steps=15, staircase=True"
EXACT = [
    ("constant", {}, "learning_rate=0.3, "),
    ("constant", {"warmup": 7}, "LearningRateSchedule"),
    ("exponential", {"decay_rate": 0.5, "decay_steps": 15, "staircase": True}, f"ExponentialDecay(0.3, {STAIRS})"),
    ("inverse_time", {"decay_rate": 0.5, "decay_steps": 15, "staircase": True}, f"InverseTimeDecay(0.3, {STAIRS})"),
    ("inverse_time", {"decay_rate": 0.5, "decay_steps": 7.5}, "InverseTimeDecay(0.3, decay_rate=0.5, decay_steps=7.5)"),
    ("time_based", {"decay": 0.1}, "InverseTimeDecay(0.3, decay_rate=0.1, decay_steps=1)"),
    ("time_based", {"decay": 0.1, "per": "epoch"}, "decay_rate=0.1, decay_steps=5, staircase=True)"),
    ("step_decay", {"drop": 0.5, "epochs_drop": 3}, f"ExponentialDecay(0.3, {STAIRS})"),
    ("step_decay", {"drop": 0.5, "epochs_drop": 3, "offset": 1}, "LearningRateSchedule"),
    ("multi_step", {"milestones": [0, 3, 7.2, 7.9], "gamma": 0.5}, "boundaries=[-1, 14, 39, 39]"),
    ("multi_step", {"milestones": [3, 7], "gamma": [0.1, 0.5], "warmup": 7}, "ops.where(e >= 3, 0.1, 1.0)"),
    ("polynomial", {"power": 2, "end": 0.1}, "PolynomialDecay("),
    ("linear", {"end": 0.1}, "PolynomialDecay("),
    ("cosine", {"floor": 0.1}, "CosineDecay(0.3, decay_steps=60, alpha=0.1)"),
    ("cosine", {"floor": 0.1, "warmup": 9.6, "warmup_start": 0}, "LearningRateSchedule"),
    ("inv", {"gamma": 0.1, "power": 0.75}, "LearningRateSchedule"),
    ("cosine_restarts", {"cycles": 3, "mult": 1, "floor": 0.1, "decay": 0.5}, "CosineDecayRestarts(0.3, first_decay_steps=20, t_mul=1.0, m_mul=0.5, alpha=0.1)"),
    ("cosine_restarts", {"cycles": 4, "mult": 2}, "CosineDecayRestarts(0.3, first_decay_steps=4, t_mul=2.0, m_mul=1.0, alpha=0.0)"),
    ("cosine_restarts", {"cycles": 9, "mult": 1, "decay": 0.9}, "LearningRateSchedule"),
    ("cosine_restarts", {"cycles": 3, "mult": 2, "decay": 0.5}, "in [9, 26])"),
    ("cosine_restarts", {"cycles": 2, "mult": 3, "floor": 0.1}, "in [15])"),
    ("one_cycle", {"pct": 0.3}, "LearningRateSchedule"),
    ("one_cycle", {"pct": 0.3, "phases": 3, "pct_down": 0.85, "shape": "linear", "warmup": 7}, "LearningRateSchedule"),
    ("triangular", {"cycles": 4, "low": 0.1, "gamma": 0.5, "per": "cycle"}, "LearningRateSchedule"),
    ("wsd", {"decay_fraction": 0.2, "shape": "sqrt"}, "LearningRateSchedule"),
    ("rex", {}, "LearningRateSchedule"),
    ("inverse_sqrt", {"timescale": 4}, "LearningRateSchedule"),
    ("noam", {"warmup_steps": 6}, "LearningRateSchedule"),
    ("exp_loss", {"gain": 0.5, "max_scale": 2.0, "warmup": 7}, "one\n# update later than in decaybench"),
    ("exp_loss", {"gain": 0.5, "signal": "ema"}, 'KerasCallback(SCHEDULES["exp_loss"](gain=0.5, signal="ema"), 60, 5)'),
    ("exp_loss_relative", {"gain": 0.5, "signal": "held_out"}, 'KerasCallback(SCHEDULES["exp_loss_relative"](gain=0.5, signal="held_out"), 60, 5)'),
    ("loss_ratio", {"power": 0.5, "signal": "epoch", "warmup": 7}, 'KerasCallback(SCHEDULES["loss_ratio"]('),
    ("loss_ratio", {"power": 0.5, "floor": 0.1}, 'KerasCallback(SCHEDULES["loss_ratio"](power=0.5, floor=0.1), 60, 5)'),
    ("bold_driver", {"up": 1.05, "down": 0.5}, 'KerasCallback(SCHEDULES["bold_driver"]('),
    ("greedy_lr", {"factor": 0.7, "patience": 0}, 'KerasCallback(SCHEDULES["greedy_lr"]('),
    ("greedy_lr", {"factor": 0.7, "patience": 0, "signal": "batch"}, 'KerasCallback(SCHEDULES["greedy_lr"](factor=0.7, patience=0, signal="batch"), 60, 5)'),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 1, "cooldown": 1, "min_scale": 0.1, "convention": "keras"}, "ReduceLROnPlateau"),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 1, "cooldown": 2, "convention": "keras", "warmup": 7}, "KerasCallback("),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 1, "cooldown": 2, "convention": "keras", "threshold_mode": "rel"}, "KerasCallback("),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 1, "cooldown": 2, "signal": "held_out"}, "KerasCallback("),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "given", "says"), EXACT)
def test_the_schedule_is_keras_own_where_that_is_exact(kind, given, says):
    code = write(setting(SCHEDULES[kind](**given), T, N))
    compile(code, "code", "exec")
    on_one_line = re.sub(r",\s*\n\)", ")", code).replace("(\n    ", "(").replace(",\n    ", ", ")
    assert says in on_one_line


OPTIMIZERS = [
    ({"momentum": 0.8}, "TorchSGD"),
    ({"momentum": 0.8, "nesterov": True, "weight_decay": 0.01}, "TorchSGD"),
    ({"momentum": 0.8, "velocity": "keras"}, "keras.optimizers.SGD"),
    ({"momentum": 0.8, "velocity": "keras", "nesterov": True, "weight_decay": 0.01}, "DecayingSGD"),
    ({"momentum": 0.8, "velocity": "keras", "weight_decay": 0.01, "decay_biases": False}, "DecayingSGD"),
    ({"momentum": 0.0}, "keras.optimizers.SGD"),
    ({"momentum": 0.8, "optimizer": "adam"}, "keras.optimizers.Adam"),
    ({"momentum": 0.8, "optimizer": "adam", "weight_decay": 0.01}, "DecayingAdam"),
    ({"momentum": 0.8, "optimizer": "adamw"}, "keras.optimizers.AdamW"),
    ({"momentum": 0.8, "optimizer": "adamw", "weight_decay": 0.1}, "keras.optimizers.AdamW"),
    ({"momentum": 0.8, "optimizer": "adamw", "weight_decay": 0.1, "decay_biases": False}, "keras.optimizers.AdamW"),
    ({"momentum": 0.8, "weight_decay": 0.01, "clip_norm": 2.0}, "TorchSGD"),
    ({"momentum": 0.8, "average": {"ema": 0.5}}, "TorchSGD"),
    (
        {"momentum": 0.8, "optimizer": "adamw", "weight_decay": 0.1, "clip_norm": 2.0, "average": {"ema": 0.5}},
        "keras.optimizers.AdamW",
    ),
]


@pytest.mark.parametrize(("given", "name"), OPTIMIZERS, ids=str)
def test_the_optimizer_is_keras_own_where_that_is_exact(given, name):
    code = write(setting(SCHEDULES["linear"](), T, N, **given))
    compile(code, "code", "exec")
    assert f"optimizer = {name}(" in code


@pytest.fixture
def keras() -> ModuleType:
    """Keras on torch: the backend is read when Keras is imported."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras", reason="pip install 'decaybench[keras]'")


def fit(keras: ModuleType, code: str, values: Sequence[float] | None, schedule: Schedule) -> list[float]:
    """The learning rates of ``model.fit`` with the code's optimizer and callbacks."""
    space: dict = {}
    exec(compile(code, "code", "exec"), space)
    rates: list[float] = []
    per_epoch = getattr(schedule, "when", "update") == "epoch"

    class Held(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = 0.0 if values is None else values[epoch if per_epoch else 0]

    class Recorder(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            rates.append(float(self.model.optimizer.learning_rate))

    def batches():
        for t in range(T):
            value = 0.0 if values is None else values[t // N if per_epoch else t]
            yield np.zeros((4, 1), "float32"), np.full((4, 1), value, "float32")

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=space["optimizer"], loss=lambda y, p: keras.ops.mean(y) + 0.0 * keras.ops.mean(p))
    calls = [Held(), *space.get("callbacks", []), Recorder()]
    model.fit(batches(), epochs=T // N, steps_per_epoch=N, callbacks=calls, verbose=0, shuffle=False)
    return rates


def check(keras: ModuleType, schedule: Schedule, seed: int) -> None:
    values = losses(schedule, seed, T, N)
    rates = fit(keras, write(setting(schedule, T, N)), values, schedule)
    # float32: its rounding of 1 - t/T weighs most near the end, where the rest is small
    assert rates == pytest.approx(expected(schedule, values), rel=3e-5, abs=3e-7 * LEARNING_RATE)


@pytest.mark.parametrize("kind", [kind for kind in SCHEDULES if kind not in GRADIENT_RULES])
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 6))])
def test_keras_trains_with_the_learning_rates_of_trace(keras, kind, seed):
    check(keras, draw(kind, seed, T, N), seed)


@pytest.mark.parametrize(("kind", "given"), [case[:2] for case in EXACT])
def test_keras_trains_with_the_exact_ones_too(keras, kind, given):
    check(keras, SCHEDULES[kind](**given), 0)


@pytest.mark.parametrize("kind", ["cosine", "exp_loss", "reduce_on_plateau"])
def test_a_kind_of_another_package_is_left_to_decaybench(keras, monkeypatch, kind):
    monkeypatch.setattr("decaybench.export.keras.RATES", {})
    monkeypatch.setattr("decaybench.export.keras.FORMULAS", {})
    schedule = draw(kind, 1, T, N)
    assert 'SCHEDULES["' in write(setting(schedule, T, N))
    check(keras, schedule, 1)


@pytest.mark.parametrize("given", [given for given, _ in OPTIMIZERS], ids=str)
def test_the_optimizer_makes_the_same_steps(keras, given):
    space: dict = {}
    made = setting(SCHEDULES["exponential"](decay_rate=0.5, decay_steps=2), 20, N, **given)
    exec(compile(write(made), "code", "exec"), space)
    torch.manual_seed(0)
    start = torch.randn(8, dtype=torch.float32)
    parts = {"kernel": start[:6].view(2, 3), "bias": start[6:]}
    weight, bias = (keras.Variable(part.numpy(), name=name) for name, part in parts.items())
    biases = 1.0 if given.get("decay_biases", True) else 0.0
    parameters = start.double()[None]
    ours = Chained(
        made.arm.form,
        parameters,
        momentum=torch.tensor([given["momentum"]], dtype=torch.float64),
        weight_decay=torch.tensor([given.get("weight_decay", 0.0)], dtype=torch.float64),
        decays=torch.tensor([1.0] * 6 + [biases] * 2, dtype=torch.float64),
        clip_norm=given.get("clip_norm"),
    )
    for t in range(20):
        gradient = torch.randn(1, 8)
        parts = [gradient[0, :6].view(2, 3), gradient[0, 6:]]
        with torch.no_grad():
            space["optimizer"].apply(parts, [weight, bias])
        rate = torch.tensor([LEARNING_RATE * math.pow(0.5, t / 2)], dtype=torch.float64)
        ours.update(gradient.double(), rate)
    now = torch.cat([torch.as_tensor(v.numpy()).flatten() for v in (weight, bias)])
    torch.testing.assert_close(now.double(), parameters[0], rtol=1e-4, atol=1e-5)
    if "average" in given:  # after 20 updates, where it began no longer shows
        space["optimizer"].finalize_variable_values([weight, bias])
        now = torch.cat([torch.as_tensor(v.numpy()).flatten() for v in (weight, bias)])
    torch.testing.assert_close(now.double(), ours.weights()[0], rtol=1e-4, atol=1e-5)


def test_the_loss_is_smoothed_as_in_torch(keras):
    code = write(setting(SCHEDULES["constant"](), T, N, label_smoothing=0.1))
    assert "# model.compile(optimizer=optimizer, loss=loss, metrics=[...])\n" in code
    space: dict = {}
    exec(compile(code, "code", "exec"), space)
    logits, labels = torch.randn(4, 10), torch.tensor([3, 0, 9, 3])
    theirs = float(space["loss"](torch.nn.functional.one_hot(labels, 10).float(), logits))
    assert theirs == pytest.approx(
        float(torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)), rel=1e-6
    )


@pytest.mark.parametrize(
    ("kind", "task", "line"),
    [
        (
            "cosine",
            {"average": {"last": 2}},
            "Keras cannot average the last epochs' weights, which it needs; use torch",
        ),
        (
            "exp_loss",
            {"label_smoothing": 0.1},
            "Keras callbacks see the loss with label smoothing, it needs the one without; use torch",
        ),
    ],
)
def test_what_keras_cannot_train_with_is_refused(kind, task, line):
    with pytest.raises(UserError, match=f"^--format: {line}$"):
        write(setting(draw(kind, 0, T, N), T, N, **task))


@pytest.mark.parametrize(("signal", "callbacks"), [("held_out", "*callbacks, "), (None, "")])
def test_the_average_is_evaluated_in_every_epoch(signal, callbacks):
    schedule = SCHEDULES["exp_loss"](gain=0.5, signal=signal) if signal else SCHEDULES["constant"]()
    code = write(setting(schedule, T, N, average={"ema": 0.9}))
    assert f"# model.fit(batches, epochs=12, callbacks=[{callbacks}keras.callbacks.SwapEMAWeights()]" in code
