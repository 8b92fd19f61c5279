"""The learning rates that KerasCallback sets, and what it shows a rule."""

import math
import random
import subprocess
import sys
from dataclasses import replace

import pytest

from decaybench.schedules import SCHEDULES, trace
from schedules.keras_fits import BASE, BatchLoss, KerasCallback, N, T, a_model, drive, fit, keras, np, refused
from schedules.samples import draw, losses

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own, on torch

SIGNALS = {kind: cls.options().get("signal", ()) for kind, cls in SCHEDULES.items()}
GRADIENT_RULES = [kind for kind, cls in SCHEDULES.items() if getattr(cls, "observes", ())]
BY_UPDATE = [(kind, signal) for kind, signals in SIGNALS.items() for signal in signals if signal in ("batch", "ema")]
BY_TIME_OR_EPOCH = [
    (kind, signal)
    for kind, signals in SIGNALS.items()
    if kind not in GRADIENT_RULES
    for signal in [s for s in signals if s in ("epoch", "held_out")] or [None]
]


def drawn(kind, signal, seed):
    return draw(kind, seed, T, N, **({} if signal is None else {"signal": signal}))


@pytest.mark.parametrize(("kind", "signal"), BY_TIME_OR_EPOCH)
@pytest.mark.parametrize("seed", range(2))
def test_every_update_has_the_learning_rate_of_trace(kind, signal, seed):
    schedule = drawn(kind, signal, seed)
    values = losses(schedule, seed, T, N)
    watched = "val_loss" if signal == "held_out" else "loss"
    logs = None if values is None else [{"loss": 9.0, "val_loss": 9.0} | {watched: value} for value in values]
    expected = BASE * trace(schedule, T, N, values, base_lr=BASE)
    assert drive(KerasCallback(schedule, T, N), logs=logs) == pytest.approx(expected.tolist(), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("kind", "signal"), BY_UPDATE)
@pytest.mark.parametrize("seed", range(2))
def test_a_rule_of_every_update_acts_one_update_late(kind, signal, seed):
    schedule = drawn(kind, signal, seed)
    values = [0.05 + loss for loss in losses(schedule, seed, T, N)]  # a loss of nearly 0 is not exact in float32
    at_once = trace(replace(schedule, warmup=0), T, N, values, base_lr=BASE).tolist()
    ramp = [min(1.0, (t + schedule.warmup_start) / max(schedule.warmup, 1)) for t in range(T)]
    expected = [BASE * factor * scale for factor, scale in zip(ramp, [1.0, *at_once[:-1]], strict=True)]
    rates = drive(KerasCallback(schedule, T, N), losses=values)
    assert rates == pytest.approx(expected, rel=1e-4)


def test_the_loss_shown_is_the_batch_s_own_as_keras_minimises_it():
    """Batches of 2, 2 and 1, weighted examples and a regularizer, over two epochs."""
    labels, weights = [0.1, 0.3, 1.0, 2.0, 0.5], [1.0, 2.0, 1.0, 0.5, 3.0]
    callback = KerasCallback(SCHEDULES["exp_loss"](gain=1.0), 6, 3)
    rates = fit(a_model(offset=0.25), callback, labels=labels, epochs=2, sample_weight=np.array(weights))
    shown = [0.25 + (0.1 + 2 * 0.3) / 2, 0.25 + (1.0 + 0.5 * 2.0) / 2, 0.25 + 3 * 0.5]
    assert rates == pytest.approx([BASE] + [BASE * math.exp(loss) for loss in (shown + shown)[:-1]], rel=1e-5)


def evaluates(hook, label):
    """Resets Keras' mean of the epoch so far, and leaves that of 20 examples in it."""

    def evaluate(batch, logs=None):
        callback.model.evaluate(np.zeros((20, 1)), np.full(20, label), verbose=0)

    callback = keras.callbacks.LambdaCallback(**{hook: evaluate})
    return callback


@pytest.mark.parametrize("label", [7.0, 0.1])  # 0.1 leaves the first batch's mean as it was
@pytest.mark.parametrize(("hook", "ours_first"), [("on_train_batch_end", True), ("on_train_batch_begin", False)])
def test_a_callback_that_evaluates_between_the_batches_does_not_change_the_losses(hook, ours_first, label):
    labels, rule = [0.1, 0.1, 0.2, 0.2, 0.3, 0.3], SCHEDULES["exp_loss"]()

    def train(model, ours_first):
        both = [KerasCallback(rule, 3, 3), evaluates(hook, label)]
        return fit(model, *(both if ours_first else both[::-1]), labels=labels, epochs=1)

    rates = train(a_model(), ours_first)
    assert rates == pytest.approx([BASE, BASE * math.exp(0.1), BASE * math.exp(0.2)], rel=1e-5)
    model = a_model()
    with refused("KerasCallback: a batch's loss cannot be determined, since the model's metric 'loss' was reset"):
        train(model, not ours_first)
    assert int(model.optimizer.iterations) == 1
    assert len(fit(model, labels=labels, epochs=1)) == 3  # the model is as it was


class OwnStep(keras.Model):
    """A train_step that logs a loss, and keeps no metric unless it is ``told`` to."""

    def __init__(self, told):
        super().__init__()
        self.told, self.weight = told, self.add_weight(shape=())
        self.tracker = keras.metrics.Mean(name="loss" if told is not None else "error")

    @property
    def metrics(self):
        return [self.tracker]

    def train_step(self, data):
        loss = keras.ops.mean(data[1])
        if self.told:
            self.tracker.update_state(loss)
        self.optimizer.apply([keras.ops.zeros(())], [self.weight])
        return {"loss": self.tracker.result() if self.told else loss}

    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (True, None),
        (False, "KerasCallback: a batch's loss cannot be determined, since the model's metric 'loss' does not hold"),
        (None, "KerasCallback: the model must have Keras' own metric 'loss'"),
    ],
)
def test_a_train_step_of_ones_own_must_keep_the_metric(told, line):
    model, callback = OwnStep(told), KerasCallback(SCHEDULES["exp_loss"](), 3, 3)
    model.compile(optimizer=keras.optimizers.SGD(BASE))
    labels = [0.1, 0.1, 0.2, 0.2, 0.3]
    if line:
        with refused(line):
            fit(model, callback, labels=labels, epochs=1)
    else:
        rates = fit(model, callback, labels=labels, epochs=1)
        assert rates == pytest.approx([BASE, BASE * math.exp(0.1), BASE * math.exp(0.2)], rel=1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_leaves_no_trace_and_the_epochs_others_are_not_known(bad):
    values = [0.5, bad, 0.7, 0.2, 0.3, 0.4]
    callback = KerasCallback(SCHEDULES["exp_loss"](), 6, 3)
    rates = drive(callback, epochs=range(2), batches=3, losses=values)
    known = [None, 0.5, 0.5, 0.5, 0.2, 0.3]
    assert rates == pytest.approx([BASE if x is None else BASE * math.exp(x) for x in known], rel=1e-5)
    assert callback.state_dict()["state"]["capped"].tolist() == [0.0]


def test_a_batch_s_loss_is_as_exact_late_in_a_long_epoch_as_the_page_says():
    mean, batches, rng = keras.metrics.Mean(name="loss"), 3000, random.Random(0)
    own = BatchLoss(type("Model", (), {"metrics": [mean]}))
    for done in range(batches):
        loss = float(np.float32(rng.uniform(0.5, 3.0)))
        own.begin()
        mean.update_state(loss, sample_weight=32)
        assert abs(own.end({"loss": mean.result()}) - loss) <= max(done, 10) * 6e-8 * 1.75 * 1.1


PLATEAUS = [
    {"patience": 0, "cooldown": 0},
    {"patience": 1, "cooldown": 2},
    {"patience": 2, "cooldown": 1, "threshold": 0.05, "min_scale": 0.2},
]


@pytest.mark.parametrize("given", PLATEAUS, ids=str)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("signal", "name"), [("epoch", "loss"), ("held_out", "val_loss")])
def test_the_plateau_is_keras_own(given, seed, signal, name):
    rng = random.Random(seed)
    logs = [{"loss": 9.0, "val_loss": 9.0} | {name: rng.random() ** (1 + e / 4)} for e in range(T // N)]
    schedule = SCHEDULES["reduce_on_plateau"](factor=0.5, convention="keras", signal=signal, **given)
    rates = drive(KerasCallback(schedule, T, N), logs=logs)
    assert rates == pytest.approx(drive(theirs(schedule, name), logs=logs), rel=1e-6)
    assert rates[-1] < BASE


def theirs(schedule, monitor, mode="min"):
    return keras.callbacks.ReduceLROnPlateau(
        monitor=monitor,
        mode=mode,
        factor=schedule.factor,
        patience=schedule.patience,
        min_delta=schedule.threshold,
        cooldown=schedule.cooldown,
        min_lr=BASE * schedule.min_scale,
    )


@pytest.mark.parametrize("given", PLATEAUS, ids=str)
@pytest.mark.parametrize(("mode", "monitor"), [("max", "val_accuracy"), ("min", "mae")])
def test_the_plateau_watches_a_metric_as_keras_own_does(given, mode, monitor):
    rng = random.Random(mode)
    values = [rng.random() ** (1 + e / 4) for e in range(T // N)]
    logs = [{"loss": 9.0, monitor: 1.0 - value if mode == "max" else value} for value in values]
    schedule = SCHEDULES["reduce_on_plateau"](factor=0.5, convention="keras", mode=mode, **given)
    rates = drive(KerasCallback(schedule, T, N, monitor=monitor), logs=logs)
    assert rates == pytest.approx(drive(theirs(schedule, monitor, mode), logs=logs), rel=1e-6)
    assert rates[-1] < BASE


def test_a_metric_is_watched_only_by_a_rule_that_knows_better_from_worse():
    upwards = SCHEDULES["reduce_on_plateau"](mode="max", patience=0, factor=0.5, cooldown=0)
    with refused('KerasCallback: reduce_on_plateau with mode "max" needs monitor, such as "val_accuracy"'):
        KerasCallback(upwards, T, N)
    for kind in ("linear", "exp_loss"):
        with refused(f"KerasCallback: monitor needs a rule with a mode, but {kind} observes a loss"):
            KerasCallback(SCHEDULES[kind](), T, N, monitor="val_accuracy")
    for monitor in ("", 3, ["loss"], False):
        with refused(f'KerasCallback: monitor must be a name, such as "val_accuracy", got {monitor!r}'):
            KerasCallback(upwards, T, N, monitor=monitor)
    with refused("KerasCallback: reduce_on_plateau observes val_accuracy each epoch, but this one has loss, val_loss"):
        drive(KerasCallback(upwards, T, N, monitor="val_accuracy"))


def test_the_held_out_loss_is_that_of_validation_data():
    held_out = np.zeros((3, 1), "float32"), np.full((3, 1), 0.5, "float32")
    watching = SCHEDULES["exp_loss"](gain=2.0, signal="held_out")
    rates = fit(a_model(), KerasCallback(watching, 10, 5), epochs=2, validation_data=held_out)
    assert rates == pytest.approx([BASE] * 5 + [BASE * np.exp(1.0)] * 5, rel=1e-6)
    for given in ({}, {"validation_data": held_out, "validation_freq": 2}):
        with refused("exp_loss observes val_loss each epoch, but this one has loss: give fit vali"):
            fit(a_model(), KerasCallback(watching, 10, 5), epochs=2, **given)


@pytest.mark.parametrize("kind", GRADIENT_RULES)
def test_rules_that_look_at_gradients_are_refused(kind):
    line = f"KerasCallback: {kind} looks at gradients, which Keras does not pass to callbacks: use TorchScheduler"
    with refused(line):
        KerasCallback(draw(kind, 0, T, N), T, N)


def test_keras_is_imported_and_missed_when_the_callback_is_asked_for():
    code = """import sys; sys.modules['keras'] = None  # to import it is an ImportError
import decaybench.schedules
print(decaybench.schedules.TorchScheduler.__name__)
decaybench.schedules.KerasCallback"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stdout == "TorchScheduler\n"
    last = ended.stderr.splitlines()[-1]
    assert (
        last
        == "ImportError: KerasCallback needs Keras 3: install its extra, python3 -m pip install -e '.[keras]' in a clone"
    )
