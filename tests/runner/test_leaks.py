"""No split leaks: disjoint, recorded, and each run reads the test split once, at its end; only looks use what it read."""

import shutil
import sqlite3
from contextlib import closing

import numpy as np
import optuna
import pytest

from decaybench import store
from decaybench.findings.plan import retrained, summary_at
from decaybench.findings.retraining import choose, configurations
from decaybench.runner import planner
from decaybench.runner.environment import choose_device, prepare_environment
from decaybench.sweep import RETRAINED, Sweep
from decaybench.training.lanes import Lanes
from trained import train

SWEEP = {
    "name": "leaks",
    "task": {
        "data": "digits", "model": "small-cnn", "epochs": 2, "batch_size": 32, "train_size": 160,
        "validation_size": 100, "test_size": 100,
    },
    "budget": {"trials": 6, "repeats": 5, "confirm_seeds": 2, "lengths": [0.5, 1.0]},
    "search": {"learning_rate": {"low": 0.01, "high": 0.3, "log": True}, "prune": {"at": 0.5, "spare": 0.2}},
    "strategies": {"constant": {}, "plateau": {"schedule": "reduce_on_plateau", "signal": "held_out"}, "wild": {"schedule": "constant", "learning_rate": 1e30}},
}  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A sweep, trained: its database, its frames, and the lanes that read the test split, a number for each time."""
    folder, read, before = tmp_path_factory.mktemp("leaks"), [], Lanes.evaluate

    def noting(self, examples, lanes=None):
        if examples is self.data.test:
            read.append(len(self) if lanes is None else len(lanes))
        return before(self, examples, lanes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lanes, "evaluate", noting)
        frames = train(SWEEP, folder / "s.db")
        yield folder / "s.db", frames, read


def test_each_run_reads_the_test_split_once_at_its_end(done):
    _, frames, read = done
    runs = frames.runs
    ended = (runs["outcome"] == "finished") & (runs["pruned"] != "stopped")
    assert runs.loc[ended, ["test_loss", "test_accuracy"]].notna().all(axis=None)
    assert runs.loc[~ended, ["test_loss", "test_accuracy"]].isna().all(axis=None)
    assert (runs["pruned"] == "stopped").any() and (runs["outcome"] == "diverged").any()
    assert 0 < sum(read) <= ended.sum()  # fewer where runs were still the same at their ends

    provenance = frames.sweep["provenance"]
    assert provenance["examples_in_two_splits"] == 0
    assert provenance["test_images_seen_before"] == 0
    assert provenance["examples"]["signal"] > 0


def test_test_results_are_not_in_the_study(done):
    database, frames, _ = done
    study = optuna.load_study(study_name="leaks", storage=f"sqlite:///{database}")
    tested = set(frames.runs["test_accuracy"].dropna()) | set(frames.runs["test_loss"].dropna())
    told = {run.id: run.validation_accuracy for run in frames.runs.itertuples()}
    for trial in study.trials:
        numbers = [trial.value, *trial.intermediate_values.values()]
        assert trial.value in (told[trial.user_attrs["run_id"]], frames.sweep["provenance"]["chance_accuracy"])
        attributes = {name: value for name, value in trial.user_attrs.items() if name != "length"} | trial.system_attrs
        assert not [value for value in attributes.values() if value in tested]
        assert set(numbers) <= {trial.value}


def test_with_all_test_results_shuffled_only_looks_change(done, tmp_path):
    database, frames, _ = done
    shuffled = tmp_path / "shuffled.db"
    shutil.copyfile(database, shuffled)
    runs = frames.runs[frames.runs["test_accuracy"].notna()]
    order = np.random.default_rng(0).permutation(len(runs))
    with closing(sqlite3.connect(shuffled)) as connection, connection:
        values = runs[["test_loss", "test_accuracy"]].to_numpy()[order].tolist()
        for run, (loss, accuracy) in zip(runs["id"], values, strict=True):
            connection.execute("UPDATE runs SET test_loss = ?, test_accuracy = ? WHERE id = ?", (loss, accuracy, run))
    ours, theirs = (_decisions(path) for path in (database, shuffled))
    for what in ("proposals", "best", "configurations", "chosen"):
        assert ours[what] == theirs[what], what
    assert ours["look"] != theirs["look"]
    assert len(ours["chosen"]) >= 2


def _decisions(database):
    """Everything that is decided from the rows of a database, and what its look shows."""
    sweep = Sweep.from_mapping(SWEEP, "s")
    with store.open_storage(f"sqlite:///{database}", create=False) as opened:
        kept = store.load(opened, "leaks")
        environment = prepare_environment(sweep, None, choose_device("cpu"))
        proposals = planner.Planner(sweep, opened, environment, 8, 1).proposals
        searched = [run for run in kept.runs if run.phase == "search"]
        proposed = proposals.values(searched, searched)
    summary = summary_at(kept.sweep, kept.runs, [], dict.fromkeys(sweep.strategies, 5))
    results = summary.results
    places = {label: configurations(results, [label], RETRAINED) for label in sweep.strategies}
    trials = [(run.id, run.rank, run.pruned) for run in results.runs if run.phase == "search"]
    assert retrained(sweep, summary)
    return {
        "proposals": proposed,
        "best": [[run.id for run in results.best(label, 1.0)] for label in sweep.strategies] + trials,
        "configurations": {label: [run.id for run in found] for label, found in places.items()},
        "chosen": {label: best.id for label, found in places.items() if (best := choose(results, found)) is not None},
        "look": [row.estimates for row in summary.rows],
    }
