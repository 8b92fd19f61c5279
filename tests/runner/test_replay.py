"""Replay: a reactive winner's learning rates again, on another seed's run."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import trained
from decaybench.data import draw_splits, load_dataset, prepare
from decaybench.runner.replay import replaying
from decaybench.schedules import SCHEDULES
from decaybench.schedules.recorded import Recorded
from decaybench.store import Frames
from decaybench.sweep import RunParameters, Size
from decaybench.training import Recipe, Run, train
from small_sweep import results

REPLAYED = {
    "name": "replayed",
    "task": {
        "data": "digits",
        "model": "small-cnn",
        "epochs": 4,
        "batch_size": 32,
        "train_size": 160,
        "validation_size": 100,
        "test_size": 100,
    },
    "budget": {"trials": 2, "repeats": 2, "confirm_seeds": 3, "lengths": [0.5, 1.0]},
    "search": {"learning_rate": {"low": 0.01, "high": 0.3, "log": True}},
    "strategies": {
        "constant": {},
        "exp_loss": {},
        "plateau": {"schedule": "reduce_on_plateau", "signal": "held_out", "patience": 0, "velocity": "keras"},
        "wild": {"schedule": "exp_loss", "gain": 1000.0, "max_scale": 1e300, "signal": "epoch"},
    },
}


def run(tmp_path, database: str, *, task=REPLAYED["task"], **budget) -> Frames:
    sweep = REPLAYED | {"task": task, "budget": REPLAYED["budget"] | budget}
    return trained.train(sweep, tmp_path / f"{database}.db")


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    return run(tmp_path_factory.mktemp("replayed"), "r")


def test_each_further_seed_takes_the_rates_of_the_one_before(replayed):
    runs = replayed.runs
    replays, seeds = runs[runs["phase"] == "replay"], runs.set_index("id")["seed"]
    (label,) = set(replays["strategy"])  # the best reactive strategy alone
    assert label in ("exp_loss", "plateau", "wild") and len(replays) == 3
    assert len(replays.groupby(["repeat", "slot", "length"])) == 1 and set(replays["length"]) == {1.0}
    takes = {seeds[source]: seed for source, seed in zip(replays["replay_of"], replays["seed"], strict=True)}
    confirm = runs[(runs["phase"] == "confirm") & (runs["strategy"] == label)]
    assert set(takes) == set(takes.values()) < set(confirm["seed"])
    start = at = next(iter(takes))
    walked = [at := takes[at] for _ in range(3)]
    assert len(set(walked)) == 3 and walked[-1] == start  # one cycle through all of them


def test_a_replay_makes_its_updates_with_the_recorded_rates(replayed):
    runs = replayed.runs.set_index("id")
    for run_id, row in runs[runs["phase"] == "replay"].iterrows():
        recorded, made = replayed.traces[row["replay_of"]], replayed.traces[run_id]
        both = min(len(recorded), len(made))
        assert made[:both].tobytes() == recorded[:both].tobytes()
        if len(made) > both:  # the confirm run diverged: its last rate was held
            assert runs.loc[row["replay_of"], "outcome"] == "diverged"
            assert set(made[both:]) == {recorded[-1] if both else np.float32(row["params"]["learning_rate"])}
        tested = row["outcome"] == "finished"
        assert np.isfinite(row["test_loss"]) == np.isfinite(row["test_accuracy"]) == tested
        assert row["params"] == runs.loc[row["replay_of"], "params"]


def test_on_its_own_seed_a_run_reproduces_itself():
    dataset = load_dataset("digits", None)
    digits = prepare(dataset, draw_splits(dataset, 0, train_size=160))
    recipe = Recipe("small-cnn", epochs=3, batch_size=32)
    own = Run(5, SCHEDULES["exp_loss"](gain=0.7), 0.02, 0.9, 1e-4)
    (first,) = train(recipe, [own], digits, device=torch.device("cpu"), read_test=True)
    again = replace(own, schedule=Recorded(tuple(first.trace.astype(float))), learning_rate=1.0)
    (second,) = train(recipe, [again], digits, device=torch.device("cpu"), read_test=True)
    assert second.trace.tobytes() == first.trace.tobytes()
    assert replace(second, trace=first.trace) == first


@pytest.mark.parametrize(
    ("recorded", "rates"),
    [([0.4, 0.2, 0.1, 0.3], [0.4, 0.2, 0.1, 0.3]), ([0.4, 0.2], [0.4, 0.2, 0.2, 0.2]), ([], [0.25] * 4)],
)
def test_what_a_diverged_run_did_not_record_is_its_last_rate(recorded, rates):
    winner = RunParameters(0.25, 0.9, 0.0, SCHEDULES["exp_loss"](gain=0.7), {"gain": 0.7})
    replay = replaying(winner, np.array(recorded, np.float32), Size(2, 2, 4))
    np.testing.assert_allclose(replay.schedule.scales, rates, rtol=1e-7)
    assert (replay.learning_rate, replay.momentum, replay.params) == (1.0, 0.9, winner.params)


def test_more_confirm_seeds_replay_what_they_would_have_replayed_at_once(tmp_path):
    task = REPLAYED["task"] | {"epochs": 2}
    for seeds in (1, 2, 3):
        frames = run(tmp_path, "grown", task=task, confirm_seeds=seeds, lengths=[1.0])
        live = frames.runs[~frames.runs["superseded"]]
        assert (live["phase"] == "replay").sum() == (0 if seeds == 1 else seeds)
    run(tmp_path, "once", task=task, confirm_seeds=3, lengths=[1.0])
    grown, once = (results(tmp_path / f"{name}.db") for name in ("grown", "once"))
    assert [row[:-2] for row in grown["runs"] if not row[-1]] == [
        row[:-2] for row in once["runs"]
    ]  # but for the stacks
    assert set(once["traces"]) <= set(grown["traces"])
