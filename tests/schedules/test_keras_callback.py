"""KerasCallback in Keras' own training, on its torch backend."""

import os
import subprocess
import sys

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")  # read when Keras is imported
keras = pytest.importorskip("keras", reason="pip install 'decaybench[keras]'")
np = pytest.importorskip("numpy")

from decaybench.schedules import SCHEDULES, KerasCallback, Schedule, trace  # noqa: E402
from schedules.samples import draw, losses  # noqa: E402

T, N, BASE = 60, 5, 0.25  # updates, updates an epoch, base learning rate (a float32)
FOLLOWED = [
    kind for kind, cls in SCHEDULES.items() if cls.family == "fixed" or "epoch" in cls.options().get("signal", ())
]
GRADIENT_RULES = [kind for kind in SCHEDULES if kind not in FOLLOWED]


class Shown(keras.callbacks.Callback):
    """Notes the learning rate of every update, and tells those after it ``values`` as the epochs' held-out losses."""

    def __init__(self, values):
        super().__init__()
        self.values, self.rates = values, []

    def on_epoch_end(self, epoch, logs=None):
        if self.values is not None:
            logs["val_loss"] = self.values[epoch]

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))


def a_model(rate=BASE, **options):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, **options)
    model.compile(optimizer=optimizer, loss=lambda y, p: keras.ops.mean(y) + 0.0 * keras.ops.mean(p))
    return model


def fit(model, callback, values=None, *, batches=N, epochs=range(T // N), **options):
    """The learning rates of a training whose epochs' losses are ``values``."""
    shown = Shown(values)

    def examples():
        for epoch in epochs:
            loss = 1.0 if values is None else values[epoch]
            for _ in range(batches):
                yield np.zeros((4, 1), "float32"), np.full((4, 1), loss, "float32")

    given = {
        "steps_per_epoch": batches,
        "initial_epoch": epochs.start,
        "epochs": epochs.stop,
        "verbose": 0,
        "shuffle": False,
    } | options
    model.fit(examples(), callbacks=[shown, callback], **given)
    return shown.rates


def drawn(kind: str, seed: int) -> Schedule:
    signal = SCHEDULES[kind].options().get("signal")
    given = {"signal": ("epoch", "held_out")[seed // 2 % 2]} if signal else {}
    return draw(kind, seed, T, N, **given)


@pytest.mark.parametrize("kind", FOLLOWED)
@pytest.mark.parametrize("seed", range(4))
def test_every_update_has_the_learning_rate_of_trace(kind, seed):
    schedule = drawn(kind, seed)
    values = losses(schedule, seed, T, N)
    rates = fit(a_model(), KerasCallback(schedule, T, N), values)
    expected = BASE * trace(schedule, T, N, values, base_lr=BASE)
    assert rates == pytest.approx(expected.tolist(), rel=1e-6, abs=1e-12)


PLATEAUS = [
    {"patience": 0, "cooldown": 0},
    {"patience": 1, "cooldown": 2},
    {"patience": 2, "cooldown": 1, "threshold": 0.05, "min_scale": 0.2},
]


@pytest.mark.parametrize("given", PLATEAUS, ids=str)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own
def test_the_plateau_is_keras_own(given, seed):
    schedule = SCHEDULES["reduce_on_plateau"](factor=0.5, convention="keras", **given)
    values = losses(schedule, seed, T, N)
    theirs = keras.callbacks.ReduceLROnPlateau(
        monitor="loss",
        mode="min",
        factor=0.5,
        patience=schedule.patience,
        min_delta=schedule.threshold,
        cooldown=schedule.cooldown,
        min_lr=BASE * schedule.min_scale,
    )
    rates = fit(a_model(), KerasCallback(schedule, T, N), values)
    assert rates == pytest.approx(fit(a_model(), theirs, values), rel=1e-6)
    assert rates[-1] < BASE


def test_the_held_out_loss_is_that_of_validation_data():
    held_out = np.zeros((3, 1), "float32"), np.full((3, 1), 0.5, "float32")
    callback = KerasCallback(SCHEDULES["exp_loss"](gain=2.0, signal="held_out"), 10, 5)
    rates = fit(a_model(), callback, epochs=range(2), validation_data=held_out)
    assert rates == pytest.approx([BASE] * 5 + [BASE * np.exp(1.0)] * 5, rel=1e-6)


def test_updates_are_counted_across_fits_and_other_callbacks_cannot_move_the_base():
    model, callback = a_model(), KerasCallback(SCHEDULES["linear"](), T, N)
    rates = fit(model, callback, epochs=range(5))
    model.optimizer.learning_rate = 7.0
    rates += fit(model, callback, epochs=range(5, 12))
    assert rates == pytest.approx([BASE * (1 - t / T) for t in range(T)], rel=1e-6)


@pytest.mark.parametrize(("kind", "seed"), [("cosine", 1), ("reduce_on_plateau", 0), ("exp_loss_relative", 1)])
def test_state_is_resumed_exactly(kind, seed):
    schedule = drawn(kind, seed)
    values = losses(schedule, seed, T, N)
    first, resumed = (KerasCallback(schedule, T, N) for _ in range(2))
    with pytest.raises(RuntimeError, match="no state before training"):
        first.state_dict()
    rates = fit(a_model(), first, values, epochs=range(7))
    resumed.load_state_dict(first.state_dict())
    rates += fit(a_model(9.0), resumed, values, epochs=range(7, 12))
    assert rates == fit(a_model(), KerasCallback(schedule, T, N), values)


@pytest.mark.parametrize("kind", ["exp_loss", *GRADIENT_RULES])
def test_rules_of_every_update_are_refused(kind):
    sees = "each loss before its update" if kind == "exp_loss" else "gradients, which Keras shows no callback"
    with pytest.raises(ValueError, match=f"^KerasCallback: {kind} looks at {sees}: TorchScheduler can show them$"):
        KerasCallback(draw(kind, 0, T, N, **({"signal": "batch"} if kind == "exp_loss" else {})), T, N)


def test_what_does_not_fit_is_refused():
    linear = SCHEDULES["linear"]()
    with pytest.raises(ValueError, match="steps_per_epoch must be a whole number of at least 1, got 0"):
        KerasCallback(linear, T, 0)
    with pytest.raises(ValueError, match="steps_per_epoch must be 5 in this fit, got 6"):
        fit(a_model(), KerasCallback(linear, T, 6))
    with pytest.raises(ValueError, match="steps_per_epoch must be 4 or more in this fit, got 3"):
        fit(a_model(), KerasCallback(linear, T, 3), epochs=range(1), steps_per_epoch=None)
    with pytest.raises(ValueError, match="gradient_accumulation_steps must be 1 in this fit, got 2"):
        fit(a_model(gradient_accumulation_steps=2), KerasCallback(linear, T, N))
    several, callback = a_model(), KerasCallback(linear, T, N)
    several.steps_per_execution = 3  # which Keras itself refuses on torch, but not on its other backends
    callback.set_model(several)
    callback.set_params({"steps": N})
    with pytest.raises(ValueError, match="steps_per_execution must be 1 in this fit, got 3"):
        callback.on_train_begin()
    watching = SCHEDULES["bold_driver"](1.1, 0.5, signal="held_out")
    with pytest.raises(ValueError, match="bold_driver watches val_loss each epoch: give fit validation_data"):
        fit(a_model(), KerasCallback(watching, T, N))


def test_keras_is_imported_when_the_callback_is_asked_for():
    code = "import sys, decaybench.schedules as s; assert 'keras' not in sys.modules; s.KerasCallback; sys.modules['keras']"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_keras_the_line_says_what_to_install():
    code = "import sys; sys.modules['keras'] = None; from decaybench.schedules import KerasCallback"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = ended.stderr.splitlines()[-1]
    assert last == "ImportError: KerasCallback needs Keras 3: pip install 'decaybench[keras]'"
