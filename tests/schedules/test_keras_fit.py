"""Where in the run a fit of Keras begins, and what KerasCallback refuses: right rates or a line, before any training."""

import math

import pytest
import torch

from decaybench.schedules import SCHEDULES
from schedules.keras_fits import BASE, KerasCallback, N, T, a_model, close, drive, fit, keras, np, refused
from schedules.samples import draw, losses

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own, on torch

LINEAR = SCHEDULES["linear"]()
FALLING = [BASE * (1 - t / T) for t in range(T)]
PLATEAU = SCHEDULES["reduce_on_plateau"](factor=0.5, patience=0, cooldown=0)


def backup(folder, **given):
    return keras.callbacks.BackupAndRestore(folder, **given)


# --- time


@pytest.mark.parametrize("first", [1, 6, 11])
def test_initial_epoch_says_where_a_fixed_schedule_begins(first):
    assert fit(a_model(), KerasCallback(LINEAR, T, N), initial_epoch=first) == close(FALLING[first * N :])


def test_the_second_half_of_a_linear_run():
    rates = fit(a_model(1.0), KerasCallback(LINEAR, 80, 8), labels=np.ones(16), epochs=10, initial_epoch=5)
    assert (rates[0], rates[-1]) == (0.5, pytest.approx(0.0125))


@pytest.mark.parametrize("kind", ["reduce_on_plateau", "exp_loss"])
def test_a_reactive_rule_cannot_begin_inside_a_run_without_its_state(kind):
    callback, model = KerasCallback(draw(kind, 0, T, N, signal="epoch"), T, N), a_model()
    with refused(f"KerasCallback: fit starts at epoch 5, but {kind} has observed 0 epochs: give it"):
        fit(model, callback, initial_epoch=5)
    assert int(model.optimizer.iterations) == 0
    fit(model, callback, epochs=3)
    with refused(f"KerasCallback: fit starts at epoch 2, but {kind} has observed 3 epochs: give it"):
        fit(model, callback, initial_epoch=2)


@pytest.mark.parametrize("second", [{"epochs": 12, "initial_epoch": 5}, {"epochs": 7}])
def test_a_second_fit_goes_on_and_other_callbacks_cannot_move_the_base(second):
    model, callback = a_model(), KerasCallback(LINEAR, T, N)
    rates = fit(model, callback, epochs=5)
    model.optimizer.learning_rate = 7.0
    assert rates + fit(model, callback, **second) == close(FALLING)


def test_a_fixed_schedule_goes_back_where_fit_does():
    model, callback = a_model(), KerasCallback(LINEAR, T, N)
    fit(model, callback, epochs=5)
    assert fit(model, callback, epochs=4, initial_epoch=2) == close(FALLING[2 * N : 4 * N])
    assert fit(model, callback, epochs=1) == close(FALLING[4 * N : 5 * N])


def test_epochs_beyond_the_run_are_refused_before_they_begin():
    model, callback = a_model(), KerasCallback(LINEAR, T, N)
    line = "KerasCallback: total_steps must be at least 65, since this fit ends after 13 epochs, 0 of them trained before, got"
    with refused(line):
        fit(model, callback, epochs=13)
    assert fit(model, callback) == close(FALLING)
    with refused("ends after 13 epochs, 12 of them trained before, got 60"):
        fit(model, callback, epochs=1)
    with refused("ends after 13 epochs, 12 of them trained before, got 60"):
        fit(model, callback, epochs=13, initial_epoch=12)
    assert int(model.optimizer.iterations) == T


def test_an_interrupted_epoch_is_trained_again():
    model, callback = a_model(), KerasCallback(LINEAR, T, N)
    rates = fit(model, callback, interrupt=2 * N + 3)
    assert rates == close(FALLING[: 2 * N + 3])
    assert fit(model, callback, epochs=10) == close(FALLING[2 * N :])


def test_an_epoch_that_a_callback_stopped_is_not_counted():
    class Stops(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    model, callback = a_model(), KerasCallback(LINEAR, T, N)
    assert fit(model, callback, Stops()) == close(FALLING[:2])
    assert fit(model, callback, epochs=1) == close(FALLING[:N])


# --- BackupAndRestore: the same script again


@pytest.mark.parametrize("save_freq", ["epoch", 3])
@pytest.mark.parametrize("ours_first", [True, False])
def test_a_fixed_schedule_goes_on_after_backup_and_restore(tmp_path, save_freq, ours_first):
    def script(interrupt=None):
        both = [KerasCallback(LINEAR, T, N), backup(tmp_path / "backup", save_freq=save_freq)]
        return fit(a_model(), *(both if ours_first else both[::-1]), interrupt=interrupt)

    assert script(4 * N + 3) == close(FALLING[: 4 * N + 3])
    assert script() == close(FALLING[4 * N :])


def test_an_epoch_that_backup_and_restore_forgot_is_refused(tmp_path):
    """Keras 3.15: interrupted twice in one epoch, with a save_freq in batches, it restores the weights and epoch 0."""

    def script(**given):
        return fit(a_model(), KerasCallback(LINEAR, T, N), backup(tmp_path / "backup", save_freq=1), **given)

    script(interrupt=4 * N + 3)
    script(interrupt=2)
    with refused("KerasCallback: initial_epoch must be given: 27 updates were restored, but no ep"):
        script()
    assert script(initial_epoch=4) == close(FALLING[4 * N :])


def learning(seed=0):
    """A model that learns, so that its losses fall."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(BASE), loss="mse")
    return model


REACTIVE = [
    SCHEDULES["exp_loss"](gain=0.2),
    SCHEDULES["loss_ratio"](power=0.5, signal="ema", warmup=7),
    SCHEDULES["bold_driver"](up=1.05, down=0.5),
    SCHEDULES["reduce_on_plateau"](factor=0.5, patience=0, cooldown=0, threshold=0.3, signal="held_out"),
]
DATA = {"labels": np.linspace(0.0, 4.0, 2 * N), "validation_data": (np.ones((2, 1)), np.ones(2))}


@pytest.mark.parametrize("rule", REACTIVE, ids=lambda rule: rule.kind)
def test_a_reactive_rule_takes_its_state_from_the_backup(tmp_path, rule):
    def script(interrupt=None):
        ours = KerasCallback(rule, T, N, backup_dir=tmp_path / "backup")
        return fit(learning(), ours, backup(tmp_path / "backup"), interrupt=interrupt, **DATA)

    undisturbed = fit(learning(), KerasCallback(rule, T, N), **DATA)
    assert len(set(undisturbed)) > 2
    script(4 * N + 3)
    assert script() == pytest.approx(undisturbed[4 * N :], rel=1e-6)
    assert not (tmp_path / "backup").exists()  # training is over


@pytest.mark.parametrize("ours_first", [True, False])
def test_the_state_of_an_epoch_before_is_kept_too(tmp_path, ours_first):
    """Interrupted between the two backups of one epoch's end."""

    class Interrupts(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 3:
                raise KeyboardInterrupt

    rule = REACTIVE[2]
    undisturbed = fit(learning(), KerasCallback(rule, T, N), **DATA)

    def callbacks():
        both = [KerasCallback(rule, T, N, backup_dir=tmp_path), backup(tmp_path)]
        return both if ours_first else both[::-1]

    first, last = callbacks()
    fit(learning(), first, Interrupts(), last, **DATA)
    if ours_first:
        assert fit(learning(), *callbacks(), **DATA) == pytest.approx(undisturbed[3 * N :], rel=1e-6)
    else:
        with refused("decaybench.pt has no state for that epoch (KerasCallback must come before BackupAndRestore in"):
            fit(learning(), *callbacks(), **DATA)


# --- state


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("cosine", {}),
        ("reduce_on_plateau", {}),
        ("exp_loss_relative", {"signal": "epoch"}),
        ("exp_loss", {"signal": "ema"}),
    ],
)
def test_state_is_resumed_exactly(kind, given, tmp_path):
    schedule = draw(kind, 1, T, N, **given)
    values = losses(schedule, 0, T, N)
    shown = {"losses": values} if values and len(values) == T else {"logs": values and [{"loss": v} for v in values]}
    if kind == "reduce_on_plateau":
        shown = {"logs": [{"loss": v, "val_loss": v} for v in values]}
    first, resumed = (KerasCallback(schedule, T, N) for _ in range(2))
    with pytest.raises(RuntimeError, match="no state before training"):
        first.state_dict()
    rates = drive(first, epochs=range(7), **shown)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    rates += drive(resumed, a_model(9.0), epochs=range(7, 12), **shown)
    assert rates == drive(KerasCallback(schedule, T, N), **shown)


def test_a_state_is_judged_whole_before_any_of_it_is_taken():
    trained = KerasCallback(PLATEAU, T, N)
    drive(trained, epochs=range(3))
    good = trained.state_dict()
    state = good["state"]
    for bad, line in [
        ({}, "it has no 'kind'"),
        (None, "must be what state_dict"),
        (good | {"kind": "linear"}, "kind must be reduce_on_plateau"),
        (good | {"fields": good["fields"] | {"factor": 0.1}}, "reduce_on_plateau.factor must be 0.5"),
        (good | {"total_steps": 50}, "total_steps must be 60"),
        (good | {"steps_per_epoch": 6}, "steps_per_epoch must be 5"),
        (good | {"step": -5}, "step must be a whole number of at least 0, got -5"),
        (good | {"step": 7}, "step must be an epoch's first, got 7"),
        (good | {"step": "text"}, "step must be a whole number"),
        (good | {"base_lrs": [math.nan]}, "base_lrs must be finite"),
        (good | {"base_lrs": [0.0]}, "base_lrs must have one above 0"),
        (good | {"base_lrs": [0.1, 0.1]}, "base_lrs must be one per parameter group"),
        (good | {"state": state | {"current": torch.ones(1)}}, "state.current must be a tensor"),
        (good | {"monitor": "val_accuracy"}, "monitor must be 'val_accuracy', to match this state, got None"),
    ]:
        callback = KerasCallback(PLATEAU, T, N)
        with refused(line):
            callback.load_state_dict(bad)
        with pytest.raises(RuntimeError, match="no state before training"):
            callback.state_dict()
    for other in (0.5, 0.2501):
        with refused(f"base_lr must be 0.25, to match this state, got {other}"):
            KerasCallback(PLATEAU, T, N, base_lr=other).load_state_dict(good)


@pytest.mark.parametrize("rate", [0.1, 1e-3, 3e-7, 0.7])
def test_the_base_that_the_user_wrote_is_the_float32_of_the_optimizer(rate, tmp_path):
    read = KerasCallback(PLATEAU, T, N, backup_dir=tmp_path)
    drive(read, a_model(rate), epochs=range(3))
    written = KerasCallback(PLATEAU, T, N, base_lr=rate)
    written.load_state_dict(read.state_dict())
    assert drive(written, epochs=range(3, 4)) == drive(read, read.model, epochs=range(3, 4))
    again = KerasCallback(PLATEAU, T, N, base_lr=rate, backup_dir=tmp_path)
    drive(again, epochs=range(3, 4))


def test_a_state_within_an_epoch_is_that_of_the_epoch_s_beginning():
    """A rule of every update has seen losses of the running epoch, which is trained again."""
    rule = SCHEDULES["loss_ratio"](power=0.5, signal="ema")
    shown = {"losses": [2.0 - t / T for t in range(T)]}
    whole = drive(KerasCallback(rule, T, N), **shown)
    callback, model = KerasCallback(rule, T, N), a_model()
    assert drive(callback, model, epochs=range(2), **shown) == whole[: 2 * N]
    at_the_beginning = callback.state_dict()
    with pytest.raises(IndexError):
        drive(callback, model, epochs=range(2, 3), losses=shown["losses"][: 2 * N + 3])  # interrupted
    within = callback.state_dict()
    tensors = within.pop("state"), at_the_beginning.pop("state")
    assert within == at_the_beginning
    assert all(torch.equal(a, b) for a, b in zip(*(t.values() for t in tensors), strict=True))
    assert drive(callback, model, epochs=range(2, T // N), **shown) == whole[2 * N :]
