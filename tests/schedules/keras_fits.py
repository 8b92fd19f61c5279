"""Trainings by Keras, on its torch backend, whose losses are chosen: real ones, and their hooks alone, which are quick."""

import contextlib
import os
import re

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")  # read when Keras is imported
keras = pytest.importorskip("keras", reason="pip install 'decaybench[keras]'")
np = pytest.importorskip("numpy")

from decaybench.schedules import KerasCallback  # noqa: E402
from decaybench.schedules.keras_model import BatchLoss  # noqa: E402

__all__ = ["BASE", "BatchLoss", "KerasCallback", "N", "T", "a_model", "close", "drive", "fit", "keras", "np", "refused"]

T, N, BASE = 60, 5, 0.25  # updates, updates an epoch, base learning rate (a float32)


def close(rates):
    """As ``rates`` in float32."""
    return pytest.approx(rates, rel=1e-6, abs=1e-12)


def refused(line):
    """Expects a ValueError of one line, with ``line`` in it."""
    return pytest.raises(ValueError, match=rf"\A[^\n]*{re.escape(line)}[^\n]*\Z")


def a_model(rate=BASE, *, offset=0.0, **options):
    """One weight, and a loss that is the mean of the labels plus ``offset`` (a regularizer), whatever it learns."""
    layer = keras.layers.Dense(1, bias_regularizer=lambda bias: offset + 0.0 * keras.ops.sum(bias))
    model = keras.Sequential([keras.Input((1,)), layer])
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, **options)
    model.compile(optimizer=optimizer, loss=lambda y, p: y + 0.0 * p)
    return model


class Rates(keras.callbacks.Callback):
    """Notes the learning rate of every update; stops before it ends number ``interrupt``, as Ctrl-C does."""

    def __init__(self, interrupt=None):
        super().__init__()
        self.rates, self.interrupt = [], interrupt

    def on_train_batch_end(self, batch, logs=None):
        if len(self.rates) == self.interrupt:
            raise KeyboardInterrupt
        self.rates.append(float(self.model.optimizer.learning_rate))


def fit(model, *callbacks, labels=None, epochs=T // N, initial_epoch=0, interrupt=None, **given):
    """The learning rates of a real training on ``labels``: by default N batches of 2."""
    labels = np.ones(2 * N, "float32") if labels is None else np.asarray(labels, "float32")
    noted = Rates(interrupt)
    given = {"batch_size": 2, "shuffle": False, "verbose": 0} | given
    given |= {"callbacks": [*callbacks, noted], "epochs": epochs, "initial_epoch": initial_epoch}
    with contextlib.suppress(KeyboardInterrupt):
        model.fit(labels[:, None] / 4, labels, **given)
    return noted.rates


def drive(callback, model=None, *, epochs=range(T // N), losses=None, logs=None, batches=N):
    """The learning rates that ``callback`` sets as Keras calls its hooks: update t has losses[t], epoch e logs[e]."""
    model = model or a_model()
    callback.set_model(model)
    callback.set_params({"verbose": 0, "epochs": epochs.stop, "steps": batches})
    callback.on_train_begin()
    rates = []
    for epoch in epochs:
        model.reset_metrics()
        callback.on_epoch_begin(epoch)
        for batch in range(batches):
            callback.on_train_batch_begin(batch)
            rates.append(float(model.optimizer.learning_rate))
            loss = 1.0 if losses is None else losses[epoch * batches + batch]
            model.metrics[0].update_state(loss, sample_weight=2 + batch % 2)
            callback.on_train_batch_end(batch, {"loss": float(model.metrics[0].result())})
        callback.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 1.0} if logs is None else logs[epoch])
    callback.on_train_end()
    return rates
