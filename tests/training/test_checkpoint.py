"""A checkpoint that is damaged, or that of another training, is refused before anything is trained."""

import io
import zlib
from dataclasses import replace

import pytest
import torch
from torch.utils._pytree import tree_map

from decaybench import models
from decaybench.training import Checkpoint, CheckpointError, EpochCurves
from training import interrupted
from training.interrupted import STEPS, dropping, mixed, trained


@pytest.fixture(scope="module")
def digits():
    return interrupted.data()


@pytest.fixture(scope="module")
def saved(digits):
    """A checkpoint within the second epoch."""
    return trained(digits, {}, mixed(), {}, most=5)[0][-1]


@pytest.fixture(scope="module")
def data(saved):
    """Its bytes."""
    return saved.to_bytes()


def test_damaged_bytes_are_refused(data):
    flips = [*range(30), *range(30, len(data), 997)]
    flipped = [data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :] for i in flips]
    cut = [data[:n] for n in (0, 10, 30, len(data) // 2, len(data) - 1)]
    for damaged in (*flipped, *cut, data + b"\0"):
        with pytest.raises(CheckpointError):
            Checkpoint.from_bytes(damaged)
    other = data.replace(b"checkpoint 1\n", b"checkpoint 2\n", 1)
    with pytest.raises(CheckpointError, match="not a checkpoint of format 1"):
        Checkpoint.from_bytes(other)


@pytest.mark.parametrize("content", [b"", [], {}, {"training": ""}, EpochCurves], ids=str)
def test_sound_bytes_that_hold_something_else_are_refused(data, content):
    file = io.BytesIO()
    if content != b"":
        torch.save(content, file)
    content = file.getvalue()
    head = data[: data.index(b"\n") + 1]
    with pytest.raises(CheckpointError, match="not a checkpoint of format 1"):
        Checkpoint.from_bytes(head + zlib.crc32(content).to_bytes(4) + content)


@pytest.mark.parametrize(
    ("settings", "runs", "how"),
    [
        ({"clip_norm": 1.0}, mixed(), {}),
        ({"model": "dropping"}, mixed(), {}),
        ({}, mixed()[:-1], {}),
        ({}, [replace(mixed()[0], seed=5), *mixed()[1:]], {}),
        ({}, [replace(mixed()[0], learning_rate=0.04), *mixed()[1:]], {}),
        ({}, mixed(), {"captured": True}),
        ({}, mixed(), {"width": 1}),
    ],
    ids=str,
)
def test_another_trainings_checkpoint_is_refused(digits, saved, monkeypatch, settings, runs, how):
    monkeypatch.setitem(models.MODELS._built_in, "dropping", dropping)
    with pytest.raises(CheckpointError, match="that of another training"):
        trained(digits, settings, runs, how, resume=saved)


def without(mapping, name):
    return {key: value for key, value in mapping.items() if key != name}


def with_parameters(checkpoint, parameters):
    return {"tensors": {**checkpoint.tensors, "carried.parameters": parameters}}


CHANGES = {
    "parameters of another model": lambda c: with_parameters(c, c.tensors["carried.parameters"][:, 1:]),
    "another dtype": lambda c: {"tensors": {**c.tensors, "updates": c.tensors["updates"].double()}},
    "no buffers": lambda c: {"tensors": without(c.tensors, "carried.buffers")},
    "one more memory": lambda c: {"tensors": {**c.tensors, "carried.more": c.tensors["carried.parameters"]}},
    "a number": lambda c: with_parameters(c, 1.0),
    "more lanes": lambda c: {"seeds": [*c.seeds, 1]},
    "an unknown seed": lambda c: {"seeds": [9, *c.seeds[1:]]},
    "an empty lane": lambda c: {"lane": [0] * len(c.lane)},
    "fewer runs": lambda c: {"lane": c.lane[:-1]},
    "fewer rules": lambda c: {"state": c.state[:-1]},
    "fewer generators": lambda c: {"generators": without(c.generators, 1)},
    "half a generator": lambda c: {"generators": {seed: state[:99] for seed, state in c.generators.items()}},
    "more epochs": lambda c: {"epochs": 2},
    "more updates": lambda c: {"updates": STEPS + 1},
    "other traces": lambda c: {"record": {**c.record, "traces": c.record["traces"][..., 1:]}},
    "no curves": lambda c: {"record": without(c.record, "curves")},
    "fewer runs in the curves": lambda c: {"record": tree_map(lambda x: x[:, 1:] if x.ndim == 2 else x, c.record)},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_that_does_not_fit_is_refused_before_any_update(digits, saved, change, lane_updates):
    with pytest.raises(CheckpointError, match="does not fit this training"):
        trained(digits, {}, mixed(), {}, resume=replace(saved, **CHANGES[change](saved)))
    assert not lane_updates
