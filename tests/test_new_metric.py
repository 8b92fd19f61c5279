"""A metric is one entry of METRICS: from it follow what is measured, its columns, and what the report says of it."""

import shutil
from pathlib import Path

import pytest

from decaybench.findings import collect, join, summarise
from decaybench.report.folder.csv_files import runs_csv
from decaybench.report.words.tables import results_table
from decaybench.store import load, open_storage
from new_metric import with_it
from small_sweep import SETTLED, Ran

TRAINED = """
import csv, io, json, sys
import trained
from decaybench.findings import collect, join, summarise
from decaybench.report.folder.csv_files import summary_csv
from decaybench.report.words.tables import results_table
from decaybench.runner import audit
from decaybench.search import read_study
from decaybench.store import load, load_frames, open_storage

database, file = sys.argv[1:]
url = f"sqlite:///{database}"

def stored(name):
    with open_storage(url, create=False) as storage:
        return load(storage, name)

def shown(*names):
    summary = summarise(collect(join([stored(name) for name in names])))
    return summary, [row["test_error"] for row in csv.DictReader(io.StringIO(summary_csv(summary)))]

before = shown("settled")[1]
trained.train(file, database)
summary, after = shown("other")
runs = [[run.outcome, run.pruned, *((getattr(run, f"{part}_{metric}") for part in ("validation", "test")
         for metric in ("error", "accuracy")))] for run in stored("other").runs]
epochs = [[row["validation_error"], row["validation_accuracy"]] for each in stored("other").epochs.values() for row in each]
with open_storage(url, create=False) as storage:
    contradictions = [line for name in ("settled", "other") for line in audit(
        load_frames(storage, name), load(storage, name).runs, load(storage, name).looks, read_study(url, name))]
table = results_table(summary, 1.0)
print(json.dumps({"before": before, "after": after, "old": shown("settled")[1], "runs": runs, "epochs": epochs,
    "audit": contradictions, "header": table.header, "rows": table.rows}))
"""


def test_from_the_training_to_the_column_and_the_report(settled_ran: Ran, tmp_path: Path) -> None:
    """A sweep that is decided by the new metric, in a database that is older than it."""
    database = tmp_path / "d.db"
    shutil.copyfile(settled_ran.folder / "studies" / "decaybench.db", database)
    told = with_it(
        TRAINED, str(database), SETTLED.replace('"settled"', '"other"', 1).replace("rope", 'metric = "error"\nrope')
    )
    assert told["before"] == told["old"] == ["", ""] and told["audit"] == []
    finished = [values for outcome, pruned, *values in told["runs"] if outcome == "finished"]
    assert len(finished) > 30 and len(told["epochs"]) == len(finished)
    for validation, accuracy, test, test_accuracy in finished:
        assert validation == pytest.approx(1 - accuracy) and test == pytest.approx(1 - test_accuracy)
    assert all(error == pytest.approx(1 - accuracy) for error, accuracy in told["epochs"])

    # The same runs as those of the sweep that accuracy decides, so the same answer, the other way round.
    with open_storage(f"sqlite:///{database}", create=False) as storage:
        old = summarise(collect(join([load(storage, "settled")])))
        assert "error" not in runs_csv(load(storage, "other").runs)  # a metric that is not known is left alone
    assert [float(error) for error in told["after"]] == pytest.approx(
        [1 - row.estimates["accuracy"].mean for row in old.at() if row.estimates["accuracy"]]
    )
    theirs = results_table(old, 1.0)
    assert told["header"] == [
        name.replace("test accuracy", "test error").replace("below", "above") for name in theirs.header
    ]
    assert [row[:4] for row in told["rows"]] == [list(row[:4]) for row in theirs.rows]
    expected = theirs.header.index("expected test accuracy, %")
    assert [100 - float(row[expected]) for row in told["rows"]] == pytest.approx(
        [float(row[expected]) for row in theirs.rows]
    )
