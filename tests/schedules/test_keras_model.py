"""What KerasCallback refuses of a model, its optimizer and its batches: before any training wherever it can be known."""

import itertools
import math

import pytest
import torch

from decaybench.schedules import SCHEDULES
from schedules.keras_fits import BASE, KerasCallback, N, T, a_model, close, drive, fit, keras, np, refused
from schedules.samples import draw

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own, on torch

LINEAR = SCHEDULES["linear"]()
FALLING = [BASE * (1 - t / T) for t in range(T)]


def test_one_callback_is_for_one_run():
    callback = KerasCallback(LINEAR, T, N)
    assert fit(a_model(), callback, epochs=6) == close(FALLING[: 6 * N])
    model, line = (
        a_model(),
        "KerasCallback: one callback is for one run, and this one has trained another model or optim",
    )
    with refused(line):
        fit(model, callback, epochs=6)
    assert int(model.optimizer.iterations) == 0
    own = KerasCallback(LINEAR, T, N)
    fit(model, own, epochs=2)
    model.compile(optimizer=keras.optimizers.SGD(1e-5), loss="mse")  # as for fine-tuning
    with refused(line):
        fit(model, own, epochs=4, initial_epoch=2)
    rates = fit(model, KerasCallback(LINEAR, T, N), epochs=4, initial_epoch=2)
    assert rates == close([1e-5 / BASE * rate for rate in FALLING[2 * N : 4 * N]])


def test_the_same_optimizer_compiled_again_goes_on():
    model, callback = a_model(), KerasCallback(LINEAR, T, N)
    rates = fit(model, callback, epochs=6)
    model.compile(optimizer=model.optimizer, loss=model.loss)
    assert rates + fit(model, callback, epochs=6) == close(FALLING)


def test_a_learning_rate_that_may_be_decayed_is_no_base(tmp_path):
    model = a_model()
    fit(model, KerasCallback(LINEAR, T, N), epochs=6)
    model.save_weights(tmp_path / "model.weights.h5")
    line = "KerasCallback: base_lr must be given: the optimizer has made 30 updates, so its learning rate, 0.129167, may be"
    with refused(line):
        fit(model, KerasCallback(LINEAR, T, N), initial_epoch=6)
    restored = a_model()
    restored.optimizer.build(restored.trainable_variables)
    restored.load_weights(tmp_path / "model.weights.h5")
    with refused(line):
        fit(restored, KerasCallback(LINEAR, T, N), initial_epoch=6)
    assert fit(restored, KerasCallback(LINEAR, T, N, base_lr=BASE), initial_epoch=6) == close(FALLING[6 * N :])


def scheduler(rates):
    return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rates[epoch] or rate)


OTHERS = {  # and the updates before it is noticed
    "LearningRateScheduler": (lambda: scheduler([0.1, 0.1]), 0),
    "LearningRateScheduler later": (lambda: scheduler([None, 0.1]), 2),
    "ReduceLROnPlateau": (lambda: keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1), 4),
    "KerasCallback": (lambda: KerasCallback(SCHEDULES["cosine"](floor=0), 8, 2), 1),
    "each batch": (lambda: sets("on_train_batch_begin"), 0),
    "each batch's end": (lambda: sets("on_train_batch_end"), 1),
}


def sets(hook):
    def set_rate(batch, logs=None):
        callback.model.optimizer.learning_rate = 0.01

    callback = keras.callbacks.LambdaCallback(**{hook: set_rate})
    return callback


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("ours_first", [True, False])
def test_another_callback_that_sets_the_learning_rate_is_refused(name, ours_first):
    (make, updates), model = OTHERS[name], a_model()
    both = [KerasCallback(LINEAR, 8, 2), make()]
    with refused("KerasCallback: no other callback may set the learning rate, but one set it to 0."):
        fit(model, *(both if ours_first else both[::-1]), labels=np.ones(4), epochs=4)
    made = int(model.optimizer.iterations)
    assert made == updates or (ours_first and made == updates + 1)  # noticed after the update


@pytest.mark.parametrize("ours_first", [True, False])
def test_another_callback_may_keep_the_learning_rate_or_restore_the_whole_optimizer(ours_first, tmp_path):
    class Restores(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                self.model.save_weights(tmp_path / "first.weights.h5")
            else:
                self.model.load_weights(tmp_path / "first.weights.h5")

    ours, others = [KerasCallback(LINEAR, 8, 2)], [scheduler([None] * 4), Restores()]
    rates = fit(a_model(), *(ours + others if ours_first else others + ours), labels=np.ones(4), epochs=4)
    assert rates == close([BASE * (1 - t / 8) for t in range(8)])


def test_a_callback_stands_once_in_the_list():
    callback, model = KerasCallback(LINEAR, T, N), a_model()
    with refused("KerasCallback: one callback must be in fit's callbacks only once, got it twice"):
        fit(model, callback, callback)
    assert int(model.optimizer.iterations) == 0
    assert fit(model, callback) == close(FALLING)


SETTABLE = "KerasCallback: the optimizer's learning_rate must be a number that can be set, got one of type"


@pytest.mark.parametrize(
    ("rate", "line"),
    [
        (lambda: 0.1, f"{SETTABLE} function"),
        (lambda step: 0.1, f"{SETTABLE} function"),
        (keras.optimizers.schedules.CosineDecay(0.1, 10), f"{SETTABLE} CosineDecay"),
        (0.0, "KerasCallback: the optimizer's learning_rate must be a finite number above 0, got 0.0"),
        (-0.1, "must be a finite number above 0, got -0.1"),
        (math.nan, "must be a finite number above 0, got nan"),
        (math.inf, "must be a finite number above 0, got inf"),
    ],
)
@pytest.mark.parametrize("scaled", [False, True])
def test_a_learning_rate_that_cannot_be_the_base_is_refused(rate, line, scaled):
    model = a_model(rate)
    if scaled:
        model.compile(optimizer=keras.optimizers.LossScaleOptimizer(model.optimizer), loss=model.loss)
    with refused(line):
        drive(KerasCallback(LINEAR, T, N), model)


@pytest.mark.parametrize("base_lr", [0, -1.0, math.nan, math.inf, "0.1", True, [0.1]])
def test_base_lr_is_a_number_above_0(base_lr):
    with refused("KerasCallback: base_lr must be a finite number above 0, got "):
        KerasCallback(LINEAR, T, N, base_lr=base_lr)


def test_the_optimizer_inside_a_loss_scale_optimizer_is_followed():
    model = a_model()
    model.compile(optimizer=keras.optimizers.LossScaleOptimizer(model.optimizer), loss=model.loss)
    assert fit(model, KerasCallback(LINEAR, T, N)) == close(FALLING)
    several = a_model(gradient_accumulation_steps=2)
    several.compile(optimizer=keras.optimizers.LossScaleOptimizer(several.optimizer), loss=several.loss)
    with refused("KerasCallback: gradient_accumulation_steps must be 1 in this fit, got 2"):
        drive(KerasCallback(LINEAR, T, N), several)


def test_batches_that_are_not_an_update_each_are_refused():
    with refused("KerasCallback: gradient_accumulation_steps must be 1 in this fit, got 2"):
        drive(KerasCallback(LINEAR, T, N), a_model(gradient_accumulation_steps=2))
    several = a_model()
    several.steps_per_execution = 3  # which Keras itself refuses on torch, but not on its other backends
    with refused("KerasCallback: steps_per_execution must be 1 in this fit, got 3"):
        drive(KerasCallback(LINEAR, T, N), several)


# --- an epoch's batches


def stream(batches):
    """Batches whose number Keras does not know."""

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return itertools.repeat((np.ones((2, 1), "float32"), np.ones(2, "float32")), batches)

    return torch.utils.data.DataLoader(Stream(), batch_size=None)


def train(data, callback, **given):
    model = a_model()
    try:
        model.fit(data, shuffle=False, verbose=0, callbacks=[callback], **{"epochs": T // N} | given)
    finally:
        train.updates = int(model.optimizer.iterations)


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")  # Keras', of every iterator
def test_an_epoch_of_an_unknown_number_of_batches_must_have_those_told():
    train(stream(N), KerasCallback(LINEAR, T, N))
    assert train.updates == T
    with refused("KerasCallback: steps_per_epoch must be 4, the batches of epoch 0, got 5"):
        train(stream(N - 1), KerasCallback(LINEAR, T, N))
    assert train.updates == N - 1
    for more in (N + 1, 10**9):
        with refused("than 5: if the data are endless, give fit steps_per_epoch=5 too"):
            train(stream(more), KerasCallback(LINEAR, T, N))
        assert train.updates == N
    train(stream(10**9), KerasCallback(LINEAR, T, N), steps_per_epoch=N)
    assert train.updates == T
    for kind in ("reduce_on_plateau", "step_decay"):
        with refused("KerasCallback: steps_per_epoch must be 8, the batches of epoch 0, got 10"):
            train(stream(8), KerasCallback(draw(kind, 0, 30, 10), 30, 10), epochs=3)


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
def test_fits_own_steps_per_epoch_must_be_there_in_every_epoch():
    """8 batches, of which each epoch takes 5: the second has only 3."""
    with refused("KerasCallback: steps_per_epoch must be 3, the batches of epoch 1, got 5"):
        fit(a_model(), KerasCallback(LINEAR, T, N), labels=np.ones(16), steps_per_epoch=5)


@pytest.mark.parametrize(("examples", "given", "steps"), [(12, {}, 6), (9, {}, 5), (10, {"steps_per_epoch": 3}, 3)])
def test_batches_that_keras_knows_must_be_those_told(examples, given, steps):
    """A last, partial batch is one that Keras trains on."""
    labels = np.ones(examples)
    assert len(fit(a_model(), KerasCallback(LINEAR, T, steps), labels=labels, epochs=1, **given)) == steps
    model = a_model()
    with refused(f"KerasCallback: steps_per_epoch must be {steps} in this fit, got 4"):
        fit(model, KerasCallback(LINEAR, T, 4), labels=labels, epochs=1, **given)
    assert int(model.optimizer.iterations) == 0


@pytest.mark.parametrize(("total", "steps"), [(np.int64(T), N), (T, np.int32(N)), (torch.tensor(T), torch.tensor(N))])
def test_whole_numbers_are_anyones(total, steps):
    assert drive(KerasCallback(LINEAR, total, steps)) == close(FALLING)


@pytest.mark.parametrize(
    ("total", "steps", "name"), [(T, 0, "steps_per_epoch"), ("60", N, "total_steps"), (60.5, N, "total_steps")]
)
def test_sizes_that_are_not_whole_are_refused(total, steps, name):
    with refused(f"{name} must be a whole number of at least 1, got"):
        KerasCallback(LINEAR, total, steps)


def test_a_warmup_longer_than_the_run_warns():
    with pytest.warns(UserWarning, match="linear: a warmup of 61 updates is longer than the run of 60"):
        KerasCallback(SCHEDULES["linear"](warmup=61), T, N)
