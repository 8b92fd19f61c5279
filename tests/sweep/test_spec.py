"""The canonical form, its hash, and what may change under a used name."""

import json
import re
import tomllib

import pytest

from decaybench.errors import UserError
from decaybench.sweep import Sweep, extends, require_current, spec_hash

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
    assert list(spec) == ["name", "question", "task", "budget", "decide", "search", "strategies"]
    assert spec["question"] == ""
    assert spec["task"]["optimizer"] == "sgd" and "train_size" not in spec["task"]
    assert spec["budget"]["lengths"] == [1.0]
    assert spec["decide"] == {"until": "one", "control": False}
    assert spec["search"] == {
        "sampler": "sobol", "allocation": "balanced", "seed": 0, "batch": 4, "momentum": 0.9, "weight_decay": 0.0,
    }  # fmt: skip
    assert spec["strategies"] == {"constant": {"schedule": "constant"}}


@pytest.mark.parametrize(
    ("written", "repeats"),
    [
        ("", {"from": 6, "to": 40}),
        ("repeats = 2", {"from": 2, "to": 2}),
        ("repeats = {from = 4, to = 4}", {"from": 4, "to": 4}),
        ("repeats = {from = 5, to = 9}", {"from": 5, "to": 9}),
    ],
)
def test_repeats_always_have_both_ends(small, written, repeats):
    sweep = small("[strategies.constant]", ("repeats = 2", written))
    assert sweep.spec()["budget"]["repeats"] == repeats
    assert Sweep.from_mapping(sweep.spec(), "database").budget.repeats == sweep.budget.repeats


@pytest.mark.parametrize(("written", "seeds"), [("", 4), ("confirm_seeds = 0", 0)])
def test_configurations_are_retrained_on_four_seeds_or_on_none(small, written, seeds):
    assert small("[strategies.constant]", ("confirm_seeds = 2", written)).spec()["budget"]["confirm_seeds"] == seeds


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("augment", '["crop4", "flip"]'),
        ("label_smoothing", "0.1"),
        ("clip_norm", "1.0"),
        ("average", "{ema = 0.999}"),
        ("average", "{last = 5}"),
    ],
)
def test_what_is_off_by_default_is_only_there_if_it_is_set(small, key, written):
    spec = small("[strategies.constant]", ("epochs = 10", f"epochs = 10\n{key} = {written}")).spec()
    assert spec["task"][key] == tomllib.loads(f"x = {written}")["x"]
    assert key not in small().spec()["task"]
    assert Sweep.from_mapping(json.loads(json.dumps(spec)), "database").spec() == spec


def test_augmentations_are_in_the_order_in_which_they_are_applied(small):
    spec = small("[strategies.constant]", ("epochs = 10", 'epochs = 10\naugment = ["cutout8", "flip", "crop4"]')).spec()
    assert spec["task"]["augment"] == ["crop4", "flip", "cutout8"]


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
        ("repeats = 2", "repeats = {from = 2, to = 2}"),
        ("[task]", "[decide]\nuntil = 'all'\n[task]"),
        ("epochs = 10", "epochs = 10\nrope = 0.01"),
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


SIX = ("repeats = 2", "repeats = 6")


@pytest.mark.parametrize("to", [6, 7, 40])
def test_the_last_repeat_may_change(small, to):
    old = small("[strategies.constant]", ("repeats = 2", "repeats = {from = 6, to = 20}")).spec()
    new = small("[strategies.constant]", ("repeats = 2", f"repeats = {{from = 6, to = {to}}}")).spec()
    assert spec_hash(old) == spec_hash(new)
    extends(old, new)


@pytest.mark.parametrize(
    ("repeats", "line"),
    [
        ("8", "budget.repeats.from: 6 in the database, 8 in the file; write repeats = { from = 6, to = 8 }"),
        ("{from = 5, to = 7}", "budget.repeats.from: 6 in the database, 5 in the file; write repeats = { from = 6, to = 7 }"),
        ("5", "budget.repeats.from: 6 in the database, 5 in the file; only question, budget.trials,"),
    ],
)  # fmt: skip
def test_the_first_look_may_not_move(small, repeats, line):
    old, new = (small("[strategies.constant]", pair).spec() for pair in (SIX, ("repeats = 2", f"repeats = {repeats}")))
    assert spec_hash(old) != spec_hash(new)
    with pytest.raises(UserError, match=re.escape(f"small: {line}")):
        extends(old, new)


def test_an_adaptive_sweep_keeps_its_repeats(small):
    body = '[search]\nsampler = "tpe"\nallocation = "adaptive"\n[strategies.constant]'
    old, new = (small(body, ("repeats = 2", f"repeats = {repeats}")).spec() for repeats in (6, 8))
    line = "small: budget.repeats: 6 in the database, 8 in the file; an adaptive sweep keeps its number of repeats"
    with pytest.raises(UserError, match=f"^{line}: another number needs another name$"):
        extends(old, new)


def test_pairs_that_are_tested_may_not_change(small):
    old, new = small(), small("[decide]\ncontrol = true\n[strategies.constant]")
    with pytest.raises(UserError, match=r"small: decide.control: false in the database, true in the file; only"):
        extends(old.spec(), new.spec())


def test_a_sweep_of_an_older_version_must_be_run_again(small):
    old = small().spec()
    old["budget"]["repeats"] = 5
    require_current(small().spec())
    with pytest.raises(
        UserError, match=r"^sweep small: was run by an older decaybench, .*; run it again under another name$"
    ):
        require_current(old)


def test_numbers_are_the_same_however_written(small):
    old = small("[strategies.exponential]\ndecay_steps = 16").spec()
    new = small("[strategies.exponential]\ndecay_steps = 16.0").spec()
    extends(old, new)
    assert spec_hash(old) == spec_hash(new)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("epochs = 10", "epochs = 12"), "task.epochs: 10 in the database, 12 in the file; only question, budget.trials, budget.repeats.to, budget.confirm_seeds, decide.until, task.rope may change"),
        (("epochs = 10", "epochs = 10\ntrain_size = 500"), "task.train_size: absent in the database, 500 in the file"),
        (("epochs = 10", "epochs = 10\nnesterov = true"), "task.nesterov: false in the database, true in the file"),
        (('"digits"', '"mnist"'), 'task.data: "digits" in the database, "mnist" in the file'),
        (("trials = 3", "trials = 2"), "budget.trials: 3 in the database, 2 in the file; it can be raised but not lowered"),
        (("repeats = 2", "repeats = 1"), "budget.repeats.from: 2 in the database, 1 in the file; only question,"),
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
    assert spec_hash(small(RICH).spec()) == "4588bbe29b3c9e934934a19fe9c96b9b5b6347160690c9b833666ed92d8483dd"


def test_a_sweep_is_frozen(small):
    with pytest.raises(ValueError, match="frozen"):
        small().name = "other"
