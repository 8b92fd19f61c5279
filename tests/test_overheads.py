"""The benchmark of overheads builds what a sweep leaves behind; no time is asserted."""

import optuna

from benchmarks import overheads
from decaybench import api, store


def test_the_made_up_sweep_is_complete(tmp_path, monkeypatch, undrawn):
    url = f"sqlite:///{tmp_path}/made-up.db"
    monkeypatch.setattr(overheads, "EPOCHS", 5)
    overheads.build(url, overheads.sweep_of(350))
    with store.open_storage(url, create=False) as storage:
        rows = store.progress(storage, "overheads")
        frames = store.load_frames(storage, "overheads")
    assert [(row.planned, row.pending, row.failed) for row in rows] == 10 * [(30, 0, 0)] + 4 * [(8, 0, 0)] + [(2, 0, 0)]
    finished = frames.runs[frames.runs.outcome == "finished"]
    assert len(finished) > 100 and set(finished.epochs_done) == {5}
    assert frames.epochs.groupby("run_id").size().sum() == frames.runs.epochs_done.sum()
    assert len(frames.traces) == len(frames.runs) == 334
    computed = frames.runs.set_index("id").updates_computed
    assert {run_id: len(trace) for run_id, trace in frames.traces.items()} == computed.to_dict()
    api.report("overheads", storage=url, out=tmp_path / "report")
    assert "<svg" in (tmp_path / "report" / "index.html").read_text()
    trials = optuna.load_study(study_name="overheads", storage=url).trials
    assert {trial.state.name for trial in trials} == {"COMPLETE"} and len(trials) == 300
