"""Sweep files: found by path or by shipped name, refused in one line when they are not TOML at all."""

import errno
import os
from pathlib import Path

import pytest

from decaybench.errors import UserError
from decaybench.sweep import arms, load_sweep, shipped

# DESIGN's example, as people paste it
CONTRACT = """
name = "quickstart"
question = "Does a loss-reactive learning rate beat fixed decay on handwritten digits?"

[task]
data = "digits"              # digits (built in: 1197/300/300) | mnist | fashion-mnist | cifar10 | a DIR under --data
model = "small-cnn"          # small-cnn | lenet | 3c3d | an entry point
epochs = 10
batch_size = 64              # "full" = batch gradient descent, 1 = classic SGD; more than the training split is an error
optimizer = "sgd"            # sgd | adam                        } these three may also stand in a strategy
nesterov = false             #                                   }
velocity = "torch"           # torch | keras                     }
precision = "fp32"           # fp32 | bf16 | fp64
metric = "accuracy"          # accuracy | loss
train_size = 1000            # optional, stratified; also test_size, and validation_size (default 1/6 of the
                             # source's training examples, drawn first; train_size is drawn from the rest)

[budget]
trials = 6                   # slots per strategy and repeat (and length)
repeats = 5                  # independent searches; >= 5 for a verdict on strategies
confirm_seeds = 2            # fresh seeds for each repeat's winner, paired across strategies
lengths = [0.25, 0.5, 1.0]   # optional: the whole comparison at these fractions of `epochs`; default [1.0]

[search]
sampler = "sobol"            # sobol (default) | random | tpe
allocation = "balanced"      # balanced (default) | adaptive
seed = 0                     # default 0
learning_rate = { low = 1e-3, high = 1.0, log = true }
momentum = 0.9               # default 0.9; a table searches it, with log = true on 1 - momentum
weight_decay = 0.0           # default 0

[strategies.constant]        # the label; `schedule` defaults to it
[strategies.staircase]
schedule = "exponential"
staircase = true
decay_rate = { low = 0.1, high = 0.9 }
decay_steps = { value = 1, unit = "epoch" }
[strategies.exp_loss]
learning_rate = { low = 1e-4, high = 0.1, log = true }   # own range for a shared parameter (same log-ness)
"""


def refusal(path: str | Path) -> str:
    with pytest.raises(UserError) as caught:
        load_sweep(path)
    return str(caught.value)


def test_the_contracts_example(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(CONTRACT)
    sweep = load_sweep(file)
    assert list(sweep.strategies) == ["constant", "staircase", "exp_loss"]
    assert sweep.task.train_size == 1000
    assert [sweep.epochs(length) for length in sweep.budget.lengths] == [2, 5, 10]
    assert [arm.kind for arm in arms(sweep)] == ["constant", "exponential", "exp_loss"]


def test_shipped_sweeps_load_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "quickstart" in shipped()
    for name, file in shipped().items():
        assert load_sweep(name).name == name == file.stem
        assert load_sweep(str(file)) == load_sweep(name)


def test_quickstart_is_small_and_complete():
    sweep = load_sweep("quickstart")
    assert list(sweep.strategies) == ["constant", "time_based", "staircase", "cosine", "exp_loss"]
    assert sweep.budget.trials == 6 and sweep.budget.repeats.start >= 5
    assert {arm.family for arm in arms(sweep)} == {"fixed", "reactive"}


def test_a_file_goes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart").write_text(CONTRACT.replace('"quickstart"', '"mine"'))
    assert load_sweep("quickstart").name == "mine"


def test_a_name_goes_before_a_folder(tmp_path, monkeypatch):
    (tmp_path / "quickstart").mkdir()  # as `run` leaves it in the studies folder
    monkeypatch.chdir(tmp_path)
    assert load_sweep("quickstart").name == "quickstart"


def test_neither_file_nor_name(tmp_path):
    line = refusal(tmp_path / "no.toml")
    assert "no.toml: is neither a file nor a shipped sweep; shipped sweeps: " in line and "quickstart" in line
    assert "is neither a file" in refusal("x" * 5000)
    assert "is neither a file" in refusal("a\0b")


def test_a_directory(tmp_path):
    assert f"{tmp_path}: is a directory, not a sweep file" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_empty(tmp_path, content):
    file = tmp_path / "x.toml"
    file.write_bytes(content)
    assert refusal(file).startswith(f"{file}: is empty")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"name = \xff", "must be UTF-8, got byte 0xff at 7"),
        (b'name = "x"\nepochs = = 3', "is not TOML: "),
        (b'name = "x"\nname = "y"\n', "(at line 2, column "),
        (b"a = " + b"[" * 20000, "is not TOML: "),
        (b"a = " + b"1" * 5000, "is not TOML: "),
        (b"# nothing but a comment", "name: required key is missing (3 more errors)"),
        (b"name = 'x'\n[[task]]\nepochs = 1", "task: must be a table, got [{epochs = 1}] (2 more errors)"),
    ],
)
def test_not_a_sweep(tmp_path, content, part):
    file = tmp_path / "x.toml"
    file.write_bytes(content)
    line = refusal(file)
    assert line.startswith(f"{file}: ") and part in line and "\n" not in line


def test_a_byte_order_mark_is_no_error(tmp_path):
    file = tmp_path / "x.toml"
    file.write_bytes(b"\xef\xbb\xbf" + CONTRACT.encode())
    assert load_sweep(file).name == "quickstart"


def test_unreadable(tmp_path, monkeypatch):
    file = tmp_path / "x.toml"
    file.write_text(CONTRACT)

    def denied(self):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "read_bytes", denied)  # root, as in containers, reads whatever its mode
    assert "cannot be read: Permission denied" in refusal(file)
