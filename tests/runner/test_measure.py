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
    monkeypatch.setattr(measure, "_remembered", lambda task, environment: None)
    dataset = load_dataset("digits", None)
    return SimpleNamespace(device=torch.device("cuda"), data=prepare(dataset, draw_splits(dataset, 0)))


TASK = Task(data="digits", model="small-cnn", epochs=1, batch_size=64)


def limited(room):
    """A measurement in which wider is faster, up to a memory for ``room`` models."""

    def seconds(task, environment, width, before):
        if width > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 1.0 / width

    return seconds


@pytest.mark.parametrize(("room", "chosen"), [(100, 64), (5000, 1024)])
def test_widths_grow_until_memory_ends(gpu, monkeypatch, room, chosen):
    monkeypatch.setattr(measure, "_seconds", limited(room))
    assert measure.measure(TASK, gpu).width == chosen


def test_a_model_that_fits_at_no_width_fails(gpu, monkeypatch):
    monkeypatch.setattr(measure, "_seconds", limited(8))
    with pytest.raises(torch.OutOfMemoryError):
        measure.measure(TASK, gpu)


def test_on_a_gpu_the_replayed_epoch_is_timed(gpu, monkeypatch):
    def train(recipe, runs, data, *, device, on_epoch):
        assert (device.type, len(data.validation)) == ("cuda", 250)  # as many as a batch of validation has
        for seconds in (50.0, 40.0, 3.0)[: recipe.epochs]:
            on_epoch(SimpleNamespace(seconds=seconds))

    monkeypatch.setattr(measure, "train", train)
    assert measure._timed(TASK, gpu, width=16, batch=64, updates=2) == 3.0 / 32
