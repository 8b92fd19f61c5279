"""How many models go through the net at once on a GPU, decided without one."""

from types import SimpleNamespace

import pytest
import torch

from decaybench.data import draw_splits, load_dataset, prepare
from decaybench.runner import measure
from decaybench.sweep import Task


@pytest.fixture
def gpu(monkeypatch):
    """An environment on a GPU, as far as a measurement asks; nothing is remembered."""
    monkeypatch.setattr(measure, "_remembered", lambda task, environment, batch: None)
    dataset = load_dataset("digits", None)
    return SimpleNamespace(device=torch.device("cuda"), data=prepare(dataset, draw_splits(dataset, 0)))


TASK = Task(data="digits", model="small-cnn", epochs=1, batch_size=64)


def limited(room, error):
    """A measurement in which wider is faster, up to a memory for ``room`` models."""

    def seconds(task, environment, width, batch, before):
        if width > room:
            raise error
        return 1.0 / width

    return seconds


ERRORS = (
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("CUDA error: operation failed due to a previous error during capture"),
)


@pytest.mark.parametrize("error", ERRORS, ids=["memory", "capture"])
@pytest.mark.parametrize(("room", "chosen"), [(100, 64), (5000, 1024)])
def test_widths_grow_until_memory_ends(gpu, monkeypatch, room, chosen, error):
    monkeypatch.setattr(measure, "_seconds", limited(room, error))
    assert measure.measure(TASK, gpu).width == chosen


def test_a_model_that_fits_at_no_width_fails(gpu, monkeypatch):
    monkeypatch.setattr(measure, "_seconds", limited(8, ERRORS[0]))
    with pytest.raises(torch.OutOfMemoryError):
        measure.measure(TASK, gpu)


def test_on_a_cpu_an_error_ends_no_widening(gpu, monkeypatch):
    gpu.device = torch.device("cpu")
    monkeypatch.setattr(measure, "_seconds", limited(8, ERRORS[1]))
    with pytest.raises(RuntimeError, match="capture"):
        measure.measure(TASK, gpu)


@pytest.fixture
def trained(monkeypatch):
    """What was trained, as (validated, updates, epochs), instead of a training: epochs of 50, 3 and 4 seconds."""
    trained, now = [], [0.0]

    def train(recipe, runs, data, *, device, width, on_epoch):
        trained.append((len(data.validation), len(data.train) // recipe.batch_size, recipe.epochs))
        for seconds in (50.0, 3.0, 4.0)[: recipe.epochs]:
            now[0] += seconds
            on_epoch(None)

    monkeypatch.setattr(measure, "train", train)
    for clock in ("perf_counter", "process_time"):
        monkeypatch.setattr(measure, clock, lambda: now[0])
    return trained


def test_on_a_gpu_the_replayed_epoch_is_timed(gpu, trained):
    assert measure._timed(TASK, gpu, width=16, batch=64, updates=2) == 4.0 / 32


def test_on_a_cpu_the_quicker_of_two_epochs_is_timed(gpu, trained):
    cpu = SimpleNamespace(device=torch.device("cpu"), data=gpu.data)
    assert measure._timed(TASK, cpu, width=16, batch=64, updates=2) == 3.0 / 32


def test_on_a_gpu_validation_needs_its_memory_but_no_time_counts_it(gpu, trained):
    """Validation's work grows with the width and its updates do not: timed, it would make wide stacks look slow."""
    measure._seconds(TASK, gpu, width=16, batch=64, before=0.15 / 32)
    assert trained == [(250, 1, 3), (2, 2, 3)]  # the first one warms up


@pytest.mark.parametrize("batch_size", ["full", 64])
def test_what_is_remembered_fits_another_number_of_examples(tmp_path, monkeypatch, trained, batch_size):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(measure.WIDTHS, "cpu", (2,))
    dataset, speeds = load_dataset("digits", None), []
    task = Task(data="digits", model="small-cnn", epochs=1, batch_size=batch_size)
    for size in (500, 1000):
        data = prepare(dataset, draw_splits(dataset, 0, train_size=size))
        speeds.append(measure.measure(task, SimpleNamespace(device=torch.device("cpu"), data=data)))
    once = len(trained)
    assert speeds[1].seconds == speeds[0].seconds * (2 if batch_size == "full" else 1)
    monkeypatch.setattr(measure, "METHOD", measure.METHOD + 1)
    measure.measure(task, SimpleNamespace(device=torch.device("cpu"), data=data))
    assert len(trained) == 2 * once  # measured anew only when it is measured in another way
