"""No split leaks: disjoint, recorded, and the test split read once, by the runs that may."""

from decaybench.training.lanes import Lanes
from trained import train

SWEEP = {
    "name": "leaks",
    "task": {"data": "digits", "model": "small-cnn", "epochs": 2, "batch_size": 64, "train_size": 320},
    "budget": {"trials": 2, "repeats": 2, "confirm_seeds": 2, "lengths": [0.5, 1.0]},
    "search": {"learning_rate": {"low": 0.01, "high": 0.3, "log": True}},
    "strategies": {"constant": {}, "plateau": {"schedule": "reduce_on_plateau", "signal": "held_out"}},
}


def test_the_test_split_is_read_once_at_the_end_of_runs_that_may(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    read = []
    before = Lanes.evaluate

    def noting(self, examples):
        if examples is self.data.test:
            read.append(len(self))
        return before(self, examples)

    monkeypatch.setattr(Lanes, "evaluate", noting)
    frames = train(SWEEP, tmp_path / "s.db")
    runs = frames.runs
    searched = runs["phase"] == "search"
    assert runs.loc[searched, ["test_loss", "test_accuracy"]].isna().all(axis=None)
    assert runs.loc[~searched, ["test_loss", "test_accuracy"]].notna().all(axis=None)
    # One look for every stack of confirm and of replay runs: all of its runs end together.
    assert len(read) == runs.loc[~searched, "stack"].nunique()
    assert sum(read) <= (~searched).sum()  # fewer where runs were still the same at their ends

    provenance = frames.sweep["provenance"]
    assert provenance["examples_in_two_splits"] == 0
    assert provenance["test_images_seen_before"] == 0
    assert provenance["examples"]["signal"] > 0
