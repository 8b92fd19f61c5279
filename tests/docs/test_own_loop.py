"""Every block of docs/own-loop.md that needs torch and Keras alone; tests/frameworks/ runs the others."""

import os
from itertools import permutations

import pytest
import torch

from decaybench.schedules import SCHEDULES, TorchScheduler, trace
from docs.own_loop import blocks, run, titles

os.environ.setdefault("KERAS_BACKEND", "torch")  # read when Keras is imported

ELSEWHERE = {"Lightning", "Hugging Face Trainer", "Accelerate"}
HERE = {
    "Plain loop": 2,
    "Accumulation": 1,
    "Gradient scaler": 1,
    "Several groups": 1,
    "Warmup": 1,
    "Resume": 2,
    "A metric instead of a loss": 1,
    "Keras": 5,
}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_block_is_run_somewhere():
    assert set(titles()) == set(HERE) | ELSEWHERE
    assert {title: len(blocks(title)) for title in HERE} == HERE


@pytest.mark.parametrize(
    ("title", "block", "base", "updates", "observed"),
    [
        ("Plain loop", 0, 0.1, 30, 30),
        ("Plain loop", 1, 0.1, 60, 6),
        ("Accumulation", 0, 0.1, 15, 15),
        ("Warmup", 0, 0.01, 30, 0),
        ("Resume", 0, 0.1, 30, 30),
        ("A metric instead of a loss", 0, 0.1, 60, 6),
    ],
)
def test_the_learning_rates_are_the_schedules(title, block, base, updates, observed):
    done = run(blocks(title)[block])
    assert (len(done.rates), len(done.observed)) == (updates, observed)
    assert len({rate for (rate,) in done.rates}) > 1  # it moves
    assert [rate for (rate,) in done.rates] == pytest.approx(done.traced(base), rel=1e-12)


def test_an_epochs_last_update_may_have_fewer_micro_batches():
    (block,) = blocks("Accumulation")
    done = run(block.replace("range(10)", "range(11)"))
    assert len(done.rates) == len(done.observed) == 3 * 6 == done.names["made"][1]
    assert all(p.grad is None for p in done.names["model"].parameters())  # nothing is left over
    assert [rate for (rate,) in done.rates] == pytest.approx(done.traced(), rel=1e-12)


def test_the_scaler_counts_the_updates_that_were_made():
    done = run(blocks("Gradient scaler")[0])
    assert len(done.observed) == 30
    assert len(done.rates) == done.names["scheduler"].state_dict()["step"]
    assert len({rate for (rate,) in done.rates}) > 20


def test_a_group_added_later_has_its_own_base_learning_rate():
    done = run(blocks("Several groups")[0])
    expected = done.traced(1.0)
    assert done.rates[:10] == [[pytest.approx(0.1 * scale, rel=1e-12)] for scale in expected[:10]]
    assert done.rates[10:] == [pytest.approx([0.1 * scale, 0.01 * scale], rel=1e-12) for scale in expected[10:]]


def test_a_run_is_resumed_in_any_order():
    names = run(blocks("Resume")[0]).names
    saved, (expected, *_) = torch.load("checkpoint.pt"), names["parts"]

    def goes_on(model, optimizer, scheduler):
        names["train"](model, optimizer, scheduler, epochs=2)
        return torch.equal(model.weight, expected.weight)

    for order in permutations(range(3)):
        parts = names["make"]()
        for i in order:
            parts[i].load_state_dict(saved[i])
        assert goes_on(*parts), order
    model = torch.nn.Linear(8, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.load_state_dict(saved[1])
    scheduler = TorchScheduler(optimizer, SCHEDULES["exp_loss"](gain=0.5), 30, 10)  # on an optimizer that was loaded
    scheduler.load_state_dict(saved[2])
    model.load_state_dict(saved[0])
    assert goes_on(model, optimizer, scheduler)


def test_a_fixed_schedule_goes_on_from_the_optimizers_state_alone():
    names = run(blocks("Resume")[1]).names
    assert names["scheduler"].get_last_lr() == pytest.approx([0.06], rel=1e-12)
    optimizer = torch.optim.SGD(names["model"].parameters(), lr=0.1)
    scheduler = TorchScheduler(optimizer, SCHEDULES["linear"](), 30, 10)  # before the optimizer is loaded
    optimizer.load_state_dict(names["saved"])
    scheduler.step(12)
    assert scheduler.get_last_lr() == names["scheduler"].get_last_lr()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own, on torch
def test_keras_has_the_learning_rates_of_the_schedules(monkeypatch):
    import keras

    fits, names, fit = [], None, keras.Model.fit

    def noted_fit(model, *arguments, callbacks, **options):
        rates = []
        note = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: rates.append(float(model.optimizer.learning_rate))
        )
        history = fit(model, *arguments, callbacks=[*callbacks, note], **options).history
        fits.append((names["schedule"], rates, history))

    keras.utils.set_random_seed(0)  # the page draws data and weights; by chance two of 80 float32 rates may be the same
    monkeypatch.setattr(keras.Model, "fit", noted_fit)
    for block in blocks("Keras"):
        names = {"__name__": "own_loop"} if names is None else names
        run(block, names)
    fixed, each_update, metric, backed_up, begun, resumed = fits
    resumed = begun[0], begun[1] + resumed[1], {"loss": begun[2]["loss"] + resumed[2]["loss"]}
    for (schedule, rates, history), seen in (
        (fixed, None),
        (metric, "val_accuracy"),
        (backed_up, "loss"),
        (resumed, "loss"),
    ):
        expected = 0.1 * trace(schedule, 80, 8, history[seen] if seen else None)
        assert rates == pytest.approx(expected.tolist(), rel=1e-6, abs=1e-9)
    rates = each_update[1]
    assert rates[0] == pytest.approx(0.1) and len(rates) == len(set(rates)) == 80
    assert [len(set(rates)) for _, rates, _ in (backed_up, resumed)] == [9, 9]  # all but the first epoch's loss
