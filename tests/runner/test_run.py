"""A sweep from file to database: what must hold of its rows, whatever it searches."""

import json
import sqlite3

import numpy as np
import pytest

import decaybench
from decaybench import UserError
from looking import decided
from small_sweep import SMALL, results
from trained import train

WIDE = """
name = "wide"

[task]
data = "digits"
model = "small-cnn"
epochs = 4
batch_size = 100
metric = "loss"
train_size = 300
validation_size = 100
test_size = 100
augment = ["flip", "crop1", "cutout2"]
label_smoothing = 0.1
clip_norm = 5.0

[budget]
trials = 3
repeats = 2
confirm_seeds = 2
lengths = [0.5, 1.0]

[search]
weight_decay = { low = 1e-6, high = 1e-3, log = true }

[strategies.constant]
[strategies.late]
schedule = "multi_step"
nesterov = true
average = { last = 2 }
[strategies.plateau]
schedule = "reduce_on_plateau"
signal = "held_out"
convention = "keras"
average = { ema = 0.9 }
[strategies.cosine]
warmup = { low = 0.0, high = 0.2, unit = "run" }
floor = { choices = [0.0, 0.1] }
velocity = "keras"
[strategies.exp_loss]
signal = "ema"
gain = { value = 0.5 }
[strategies.hopeless]
schedule = "constant"
learning_rate = 1e20
weight_decay = 0.0
"""


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wide")
    return folder / "wide.db", train(WIDE, folder / "wide.db")


def test_equal_trials_per_strategy_repeat_and_length(wide):
    runs = wide[1].runs
    search = runs[runs["phase"] == "search"]
    counts = search.groupby(["strategy", "repeat", "length"]).size()
    assert len(counts) == 6 * 2 * 2 and set(counts) == {3}
    confirm = runs[runs["phase"] == "confirm"]
    assert set(confirm["length"]) == {1.0}
    # The controls, the best of either family, three configurations of each; the chosen one on as many further seeds.
    assert {"constant", "hopeless"} < set(confirm["strategy"]) and {"plateau", "exp_loss"} & set(confirm["strategy"])
    for _, mine in confirm.groupby("strategy"):
        by_place = sorted(mine.groupby(["repeat", "slot"]).size())
        assert by_place[-1] == 4 and set(by_place[:-1]) <= {2} and len(by_place) <= 3


def test_trials_and_confirm_seeds_are_paired(wide):
    runs = wide[1].runs
    for (phase, _, _, _), group in runs.groupby(["phase", "repeat", "length", "slot"]):
        if phase == "search":
            assert group["seed"].nunique() == 1
            decays = [
                p["weight_decay"] for s, p in zip(group["strategy"], group["params"], strict=True) if s != "hopeless"
            ]
            assert len(set(decays)) == 1
    seeds = runs[runs["phase"] == "confirm"].groupby("strategy")["seed"].agg(frozenset)
    assert len(set(seeds)) == 1 and len(seeds.iloc[0]) == 4
    assert not set(runs[runs["phase"] == "search"]["seed"]) & set(runs[runs["phase"] == "confirm"]["seed"])


def test_rows_agree_with_what_was_trained(wide):
    _, frames = wide
    runs = frames.runs.set_index("id")
    epochs = frames.epochs.groupby("run_id")
    assert set(runs["outcome"]) == {"finished", "diverged"}
    for run in runs.itertuples():
        full = {0.5: 2, 1.0: 4}[run.length]
        trace = frames.traces[run.Index]
        rows = epochs.get_group(run.Index) if run.epochs_done else frames.epochs.iloc[:0]
        assert list(rows["epoch"]) == list(range(1, int(run.epochs_done) + 1))
        assert np.isfinite(trace).all()
        if run.outcome == "finished":
            assert run.epochs_done == full
            assert len(trace) == full * 3
            assert rows["validation_loss"].iloc[-1] == run.validation_loss
            assert rows["validation_accuracy"].iloc[-1] == run.validation_accuracy
        else:
            assert run.epochs_done < full
            assert len(trace) in (run.diverged_step, run.diverged_step + 1)
        np.testing.assert_allclose(rows["learning_rate"], trace[2::3][: len(rows)], rtol=1e-7)
        tested = run.outcome == "finished"
        assert np.isfinite(run.test_loss) == np.isfinite(run.test_accuracy) == tested
        assert run.attempt == 1
        assert (run.device, run.precision) == ("cpu", "fp32")


def test_traces_are_the_schedules_own(wide):
    """A fixed schedule's stored trace is base rate times trace(), from the native params in the row."""
    _, frames = wide
    from decaybench.schedules import SCHEDULES, trace

    spec = frames.sweep["spec"]["strategies"]
    checked = 0
    for run in frames.runs.itertuples():
        cls = SCHEDULES[spec[run.strategy]["schedule"]]
        if cls.family == "fixed" and run.outcome == "finished":
            own = {k: tuple(v) if isinstance(v, list) else v for k, v in run.params.items() if k in cls.parameters()}
            total = len(frames.traces[run.id])
            scale = trace(cls(**own), total_steps=total, steps_per_epoch=3)
            expected = (run.params["learning_rate"] * scale).float().numpy()
            np.testing.assert_allclose(frames.traces[run.id], expected, rtol=1e-6)
            checked += 1
    assert checked > 20


def test_the_best_three_on_validation_at_the_last_epoch_are_retrained(wide):
    runs = wide[1].runs
    search, confirm = (runs[(runs["phase"] == phase) & (runs["length"] == 1.0)] for phase in ("search", "confirm"))
    for label, group in confirm.groupby("strategy"):
        mine = search[(search["strategy"] == label) & (search["outcome"] == "finished")]
        mine = mine[mine["validation_loss"] < np.log(10)].sort_values("validation_loss")
        if len(mine) >= 3:
            best = mine.head(3).set_index(["repeat", "slot"])["params"].to_dict()
            assert set(best) == set(zip(group["repeat"], group["slot"], strict=True))
            assert all(run.params == best[run.repeat, run.slot] for run in group.itertuples())


def test_stacks_hold_like_runs_only(wide):
    runs = wide[1].runs
    forms = {"late": "nesterov", "cosine": "keras", "plateau": "average"}
    for _, stack in runs.groupby("stack"):
        assert len(stack) <= 8
        assert stack["phase"].nunique() == 1
        assert (stack["phase"] == "search").all() or stack["length"].nunique() == 1
        assert len({forms.get(s, "plain") for s in stack["strategy"]}) == 1


def test_params_are_sorted_native_json(wide):
    with sqlite3.connect(wide[0]) as connection:
        rows = connection.execute("SELECT strategy, params FROM runs").fetchall()
    for strategy, text in rows:
        params = json.loads(text)
        assert list(params) == sorted(params)
        assert {"learning_rate", "momentum", "weight_decay"} <= params.keys()
        if strategy == "late":
            assert all(0.3 * 2 <= m <= 0.9 * 4 for m in params["milestones"])  # epochs


def test_a_batch_of_one_and_a_full_batch(tmp_path):
    sizes, few = {1: 60, "full": 1}, {"train_size": 60, "validation_size": 60, "test_size": 60}
    for batch, updates in sizes.items():
        mapping = {
            "name": f"b{batch}",
            "task": {"data": "digits", "model": "small-cnn", "epochs": 2, "batch_size": batch, **few},
            "budget": {"trials": 2, "repeats": 1, "confirm_seeds": 1},
            "strategies": {"constant": {}, "exp_loss": {}},
        }
        frames = train(mapping, tmp_path / "b.db")
        finished = frames.runs[frames.runs["outcome"] == "finished"]
        assert len(finished)
        assert {len(frames.traces[i]) for i in finished["id"]} == {2 * updates}


def test_a_raised_budget_gives_what_it_would_have_given_at_once(tmp_path):
    high = SMALL.replace("epochs = 3", "epochs = 1").replace("Does the runner survive?", "Does it grow?")
    low = high.replace("trials = 4", "trials = 2").replace("confirm_seeds = 2", "confirm_seeds = 1")
    low = low.replace("Does it grow?", "Will it?")
    train(low, tmp_path / "grown.db")
    train(high, tmp_path / "grown.db")
    train(high, tmp_path / "once.db")
    grown, once = (results(tmp_path / f"{name}.db") for name in ("grown", "once"))

    def live(rows: list[tuple]) -> list[tuple]:
        """Without the superseded, and without the stacks, which were decided at another time."""
        return [row[:-2] for row in rows if not row[-1]]

    assert live(grown["runs"]) == live(once["runs"])
    superseded = [row for row in grown["runs"] if row[-1]]
    assert superseded and all(row[0] in ("confirm", "replay") for row in superseded)
    with pytest.raises(UserError, match="not lowered"):
        train(low, tmp_path / "grown.db")
    frames = decaybench.load(f"sqlite:///{tmp_path}/grown.db", "small")
    assert frames.sweep["question"] == "Does it grow?"
    assert decided(tmp_path / "grown.db", "small") == decided(tmp_path / "once.db", "small")
