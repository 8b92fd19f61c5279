"""The Keras code: compiled for every kind, run on a stand-in for what it takes of Keras, and on Keras where there is one.

Keras 3 is no dependency of decaybench: ``pip install keras`` and ``KERAS_BACKEND=torch`` turn the last tests on.
"""

import importlib.util
import math
import os
import re
import sys
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace

import pytest
import torch

from decaybench.export.keras import RATES, write
from decaybench.schedules import SCHEDULES, Schedule, trace
from decaybench.training.optimizer import Optimizer, OptimizerForm
from export.settings import LEARNING_RATE, setting
from schedules.samples import draw, losses

T, N = 60, 5  # updates, and updates an epoch


def expected(schedule: Schedule, values: Sequence[float] | None) -> list[float]:
    """The learning rates of ``trace``; a rule of every update acts one update later."""
    if getattr(schedule, "when", "epoch") == "epoch":
        return (LEARNING_RATE * trace(schedule, T, N, values, base_lr=LEARNING_RATE)).tolist()
    still = type(schedule)(**{n: getattr(schedule, n) for n in schedule.parameters() if n != "warmup"})
    late = [1.0, *trace(still, T, N, values).tolist()[:-1]]
    length = max(1, round(schedule.warmup))
    ramp = [min(1.0, (t + schedule.warmup_start) / length) if schedule.warmup else 1.0 for t in range(T)]
    return [LEARNING_RATE * a * b for a, b in zip(ramp, late, strict=True)]


def stand_in(monkeypatch) -> None:
    """What our code takes of Keras: two base classes to inherit from and ``ops`` on tensors."""

    def pair(function):
        return lambda a, b: function(torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64))

    def stored(**given: object) -> SimpleNamespace:
        return SimpleNamespace(**given)

    keras, base = ModuleType("keras"), type("Base", (), {})
    keras.callbacks = SimpleNamespace(Callback=base)
    keras.optimizers = SimpleNamespace(
        SGD=type("SGD", (), {"__init__": lambda self, **given: vars(self).update(given)})
    )
    keras.optimizers.Adam = stored
    keras.optimizers.schedules = SimpleNamespace(LearningRateSchedule=base)
    keras.ops = SimpleNamespace(
        cast=lambda t, dtype: torch.as_tensor(t, dtype=torch.float64),
        floor=torch.floor,
        cos=torch.cos,
        minimum=pair(torch.minimum),
        maximum=pair(torch.maximum),
        where=torch.where,
    )
    monkeypatch.setitem(sys.modules, "keras", keras)


def fit_stand_in(code: str, values: Sequence[float] | None, schedule: Schedule) -> list[float]:
    """The learning rates of a training that calls the code's callback, or its schedule, as Keras does."""
    space: dict = {}
    exec(compile(code, "code", "exec"), space)
    optimizer = space["optimizer"]
    rates: list[float] = []
    calls = space.get("callbacks", [])
    for call in calls:
        call.model = SimpleNamespace(optimizer=optimizer)

    def each(name: str, *arguments: object) -> None:
        for call in calls:
            getattr(call, name, lambda *_: None)(*arguments)

    each("on_train_begin", {})
    for epoch in range(T // N):
        each("on_epoch_begin", epoch, {})
        of_updates = values is not None and schedule.when == "update"
        own = [values[epoch * N + i] if of_updates else 0.0 if values is None else values[epoch] for i in range(N)]
        for batch in range(N):
            each("on_train_batch_begin", batch, {})
            rate = optimizer.learning_rate
            rates.append(float(rate(len(rates))) if callable(rate) else rate)
            each("on_train_batch_end", batch, {"loss": sum(own[: batch + 1]) / (batch + 1)})
        each("on_epoch_end", epoch, {"loss": own[0], "val_loss": own[0]})
    return rates


def test_every_kind_has_its_way():
    ours = {kind for kind, cls in SCHEDULES.items() if cls.__module__.startswith("decaybench.")}
    assert set(RATES) == ours


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("seed", range(6))
def test_all_compiles_and_what_is_not_keras_own_has_the_learning_rates_of_trace(monkeypatch, kind, seed):
    schedule = draw(kind, seed, T, N)
    code = write(setting(schedule, T, N))
    compile(code, "code", "exec")
    if "Decay(" in code or "callbacks.ReduceLROnPlateau" in code:
        return  # Keras' own class: compared with Keras itself below
    stand_in(monkeypatch)
    values = losses(schedule, seed, T, N)
    assert fit_stand_in(code, values, schedule) == pytest.approx(expected(schedule, values), rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("kind", ["cosine", "exp_loss", "reduce_on_plateau"])
def test_a_kind_of_another_package_is_left_to_decaybench(monkeypatch, kind):
    monkeypatch.setattr("decaybench.export.keras.RATES", {})
    stand_in(monkeypatch)
    schedule = draw(kind, 1, T, N, warmup=0)
    values, code = losses(schedule, 1, T, N), write(setting(schedule, T, N))
    assert "TorchScheduler" in code
    assert fit_stand_in(code, values, schedule) == pytest.approx(expected(schedule, values), rel=1e-6)


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
    ("exp_loss", {"gain": 0.5, "max_scale": 2.0, "warmup": 7}, "one\n# update later than in decaybench"),
    ("exp_loss", {"gain": 0.5, "signal": "ema"}, "class LearningRate(keras.callbacks.Callback)"),
    ("exp_loss_relative", {"gain": 0.5, "signal": "held_out"}, 'float(logs["val_loss"])'),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 1, "cooldown": 1, "min_scale": 0.1, "convention": "keras"}, "ReduceLROnPlateau"),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 1, "cooldown": 2, "convention": "keras", "warmup": 7}, "counted as keras counts"),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 1, "cooldown": 2, "convention": "keras", "threshold_mode": "rel"}, "counted as keras counts"),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 1, "cooldown": 2, "signal": "held_out"}, "counted as torch counts"),
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
]


@pytest.mark.parametrize(("given", "name"), OPTIMIZERS, ids=str)
def test_the_optimizer_is_keras_own_where_that_is_exact(given, name):
    code = write(setting(SCHEDULES["linear"](), T, N, **given))
    compile(code, "code", "exec")
    assert f"optimizer = {name}(" in code


def real_keras():
    """Keras on torch; looked for before it is imported, since its import reads the backend."""
    if importlib.util.find_spec("keras") is None:
        pytest.skip("keras is not installed: no dependency of decaybench, see this file's first lines")
    if os.environ.get("KERAS_BACKEND") != "torch":
        pytest.skip("KERAS_BACKEND is not torch, the one backend that is installed for certain")
    return pytest.importorskip("keras", reason="keras is no dependency of decaybench")


def fit(code: str, values: Sequence[float] | None, schedule: Schedule) -> list[float]:
    """The learning rates of ``model.fit`` with the code's optimizer and callbacks."""
    keras, np = real_keras(), pytest.importorskip("numpy")
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
    model.fit(batches(), epochs=T // N, steps_per_epoch=N, callbacks=calls, verbose=0)
    return rates


def check_real(schedule: Schedule, seed: int) -> None:
    values = losses(schedule, seed, T, N)
    rates = fit(write(setting(schedule, T, N)), values, schedule)
    # float32: its rounding of 1 - t/T weighs most near the end, where the rest is small
    assert rates == pytest.approx(expected(schedule, values), rel=3e-5, abs=3e-7 * LEARNING_RATE)


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore")  # Keras' own
def test_keras_trains_with_the_learning_rates_of_trace(kind, seed):
    real_keras()
    check_real(draw(kind, seed, T, N), seed)


@pytest.mark.parametrize(("kind", "given"), [case[:2] for case in EXACT])
@pytest.mark.filterwarnings("ignore")
def test_keras_trains_with_the_exact_ones_too(kind, given):
    real_keras()
    check_real(SCHEDULES[kind](**given), 0)


@pytest.mark.parametrize("given", [given for given, _ in OPTIMIZERS], ids=str)
@pytest.mark.filterwarnings("ignore")
def test_the_optimizer_makes_the_same_steps(given):
    keras = real_keras()
    space: dict = {}
    code = write(setting(SCHEDULES["exponential"](decay_rate=0.5, decay_steps=2), 20, N, **given))
    exec(compile(code, "code", "exec"), space)
    torch.manual_seed(0)
    start = torch.randn(8, dtype=torch.float32)
    weight, bias = (keras.Variable(part.numpy()) for part in (start[:6].view(2, 3), start[6:]))
    form = OptimizerForm(given.get("optimizer", "sgd"), given.get("nesterov", False), given.get("velocity", "torch"))
    biases = 1.0 if given.get("decay_biases", True) else 0.0
    ours = Optimizer(
        form,
        torch.tensor([given["momentum"]], dtype=torch.float64),
        torch.tensor([given.get("weight_decay", 0.0)], dtype=torch.float64),
        torch.tensor([1.0] * 6 + [biases] * 2, dtype=torch.float64),
    )
    parameters = start.double()[None]
    for t in range(20):
        gradient = torch.randn(1, 8)
        parts = [gradient[0, :6].view(2, 3), gradient[0, 6:]]
        with torch.no_grad():
            space["optimizer"].apply(parts, [weight, bias])
        rate = LEARNING_RATE * math.pow(0.5, t / 2)
        ours.step(parameters, gradient.double(), torch.tensor([rate], dtype=torch.float64))
    now = torch.cat([torch.as_tensor(v.numpy()).flatten() for v in (weight, bias)])
    torch.testing.assert_close(now.double(), parameters[0], rtol=1e-4, atol=1e-5)
