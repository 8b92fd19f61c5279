"""The canonical form, its hash, and what may change under a used name."""

import json
import re

import pytest

from decaybench.errors import UserError
from decaybench.sweep import Sweep, extends, spec_hash

RICH = """
[search]
learning_rate = {choices = [0.1, 0.2]}
momentum = {low = 0.5, high = 0.9, log = true}
[strategies.b]
schedule = "multi_step"
milestones = {value = [0.3, 0.6], unit = "run"}
nesterov = true
[strategies.a]
schedule = "reduce_on_plateau"
patience = {low = 1, high = 3, int = true}
signal = {choices = ["epoch", "held_out"]}
[strategies.constant]
"""


def test_defaults_are_filled_in(small):
    spec = small().spec()
    assert list(spec) == ["name", "question", "task", "budget", "search", "strategies"]
    assert spec["question"] == ""
    assert spec["task"]["optimizer"] == "sgd" and "train_size" not in spec["task"]
    assert spec["budget"]["lengths"] == [1.0]
    assert spec["search"] == {
        "sampler": "sobol", "allocation": "balanced", "seed": 0, "batch": 4, "momentum": 0.9, "weight_decay": 0.0,
    }  # fmt: skip
    assert spec["strategies"] == {"constant": {"schedule": "constant"}}


def test_a_spec_is_a_sweep(small):
    sweep = small(RICH)
    stored = json.loads(json.dumps(sweep.spec(), allow_nan=False))
    assert stored == sweep.spec()
    assert list(stored["strategies"]) == ["b", "a", "constant"]
    assert stored["strategies"]["b"]["milestones"] == {"value": [0.3, 0.6], "unit": "run"}
    assert Sweep.from_mapping(stored, "database").model_dump() == sweep.model_dump()


@pytest.mark.parametrize(
    "same",
    [
        ("trials = 3", "trials = 4"),
        ("repeats = 2", "repeats = 5"),
        ("confirm_seeds = 2", "confirm_seeds = 3"),
        ('name = "small"', 'question = "Which?"\nname = "small"'),
        ("epochs = 10", "epochs = 10\noptimizer = 'sgd'"),
        ("trials = 3", "lengths = [1]\ntrials = 3"),
    ],
)
def test_what_may_change(small, same):
    old, new = small().spec(), small("[strategies.constant]", same).spec()
    assert spec_hash(old) == spec_hash(new)
    extends(old, new)


def test_numbers_are_the_same_however_written(small):
    old = small("[strategies.exponential]\ndecay_steps = 16").spec()
    new = small("[strategies.exponential]\ndecay_steps = 16.0").spec()
    extends(old, new)
    assert spec_hash(old) == spec_hash(new)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("epochs = 10", "epochs = 12"), "task.epochs: 10 in the database, 12 in the file; only question, trials,"),
        (("epochs = 10", "epochs = 10\ntrain_size = 500"), "task.train_size: absent in the database, 500 in the file"),
        (("epochs = 10", "epochs = 10\nnesterov = true"), "task.nesterov: false in the database, true in the file"),
        (('"digits"', '"mnist"'), 'task.data: "digits" in the database, "mnist" in the file'),
        (("trials = 3", "trials = 2"), "budget.trials: 3 in the database, 2 in the file; it can be raised but not lowered"),
        (("repeats = 2", "repeats = 1"), "budget.repeats: 2 in the database, 1 in the file; it can be raised"),
        (("confirm_seeds = 2", "confirm_seeds = 1"), "budget.confirm_seeds: 2 in the database, 1 in the file;"),
        (("trials = 3", "trials = 3\nlengths = [0.5, 1]"), "budget.lengths: [1.0] in the database, [0.5, 1.0] in the file"),
    ],
)  # fmt: skip
def test_what_may_not(small, change, line):
    with pytest.raises(UserError, match=re.escape(f"small: {line}")):
        extends(small().spec(), small("[strategies.constant]", change).spec())


AB = "[strategies.constant]\n[strategies.cosine]\n"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (AB, "[strategies.cosine]\n[strategies.constant]\n", 'strategies: ["constant", "cosine"] in the database, ["cosine", "constant"] in'),
        (AB, "[strategies.constant]\n", 'strategies: ["constant", "cosine"] in the database, ["constant"] in the file'),
        (AB, AB + "[strategies.linear]", '["constant", "cosine"] in the database, ["constant", "cosine", "linear"] in the file'),
        (AB, AB + "floor = 0", "strategies.cosine.floor: absent in the database, 0 in the file"),
        (AB + "floor = {low = 0, high = 0.1}", AB + "floor = {low = 0, high = 0.2}", "strategies.cosine.floor.high: 0.1 in the database, 0.2 in"),
        ("[search]\nmomentum = 0.8\n" + AB, AB, "search.momentum: 0.8 in the database, 0.9 in the file"),
        (AB, "[search]\nseed = 7\n" + AB, "search.seed: 0 in the database, 7 in the file"),
        (AB, "[search]\nlearning_rate = 1\n" + AB, "search.learning_rate: absent in the database, 1 in the file"),
    ],
)  # fmt: skip
def test_what_may_not_among_search_and_strategies(small, old, new, line):
    before, after = small(old).spec(), small(new).spec()
    assert spec_hash(before) != spec_hash(after)
    with pytest.raises(UserError, match=re.escape(line)):
        extends(before, after)


def test_the_hash_is_frozen(small):
    assert spec_hash(small(RICH).spec()) == "3f16997143cc0d5a46022c8ac26f71534442ce0b9c3ec0598244f77c62367099"


def test_a_sweep_is_frozen(small):
    with pytest.raises(ValueError, match="frozen"):
        small().name = "other"
