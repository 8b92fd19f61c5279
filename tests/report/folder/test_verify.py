"""A report is verified against its database, and one changed digit in either is found, wherever it is."""

import csv
import io
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from decaybench import api, store
from decaybench.errors import UserError
from decaybench.findings import collect, join, summarise
from decaybench.report.folder import verify as verifying
from decaybench.report.folder.manifest import read_manifest
from decaybench.report.folder.writer import report_files
from decaybench.store.schema import EPOCHS, LOOKS, RUNS, SWEEPS, TRACES
from small_sweep import Ran

CSVS = ("summary.csv", "verdicts.csv", "looks.csv", "ledger.csv", "runs.csv")


@pytest.fixture(scope="module")
def done(settled_ran: Ran) -> Path:
    """A folder in which a sweep has run; nobody writes there any more."""
    return settled_ran.folder / "studies"


class Copy:
    """A copy of the report and its database, to be changed."""

    def __init__(self, done: Path, folder: Path) -> None:
        self.database, self.report = folder / "d.db", folder / "report"
        shutil.copyfile(done / "decaybench.db", self.database)
        shutil.copytree(done / "settled" / "report", self.report)

    def verify(self) -> tuple[str, ...]:
        return api.verify(self.report, storage=f"sqlite:///{self.database}").differences

    def execute(self, query: str, *values: Any) -> None:
        with sqlite3.connect(self.database) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            assert connection.execute(query, values).rowcount == 1
        connection.close()

    def change(self, table: str, column: str, how: Callable[[Any], Any]) -> None:
        """Change the column in the row that has most there; where none has anything, give it some."""
        with sqlite3.connect(self.database) as connection:
            found = connection.execute(
                f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY {column} DESC LIMIT 1"
            ).fetchone()
        row, was = found or (1, " ")
        connection.close()
        assert how(was) != was
        self.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", how(was), row)

    def edit(self, name: str, how: Callable[[str], str]) -> None:
        path = self.report / name
        was = path.read_bytes().decode()
        assert how(was) != was
        path.write_bytes(how(was).encode())


@pytest.fixture
def copy(done: Path, tmp_path: Path, undrawn: None) -> Copy:
    return Copy(done, tmp_path)


@pytest.fixture(scope="module")
def made(done: Path) -> dict[str, str]:
    report = done / "settled" / "report"
    return {name: (report / name).read_text() for name in [*read_manifest(report)["files"], "manifest.json"]}


@pytest.fixture
def drawn(made: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The report's files as they were made of the unchanged database: what differs is then seen in the hashes alone."""
    monkeypatch.setattr(verifying, "report_files", lambda *_: made)


def digit(value: Any) -> Any:
    """The value with its last digit changed, or its last letter where it has none; a bit of the last byte of bytes.

    Of a float the last digit but one: the 17th is often none that the float has.
    """
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    text = repr(value) if isinstance(value, int | float) else value
    mantissa, e, exponent = text.partition("e") if isinstance(value, float) else (text, "", "")
    places = [at for at, letter in enumerate(mantissa) if letter.isdigit()]
    at = places[-2 if len(places) > 15 and isinstance(value, float) else -1] if places else len(mantissa) - 1
    new = str((int(mantissa[at]) + 1) % 10) if places else "x"
    changed = mantissa[:at] + new + mantissa[at + 1 :] + e + exponent
    return type(value)(changed) if isinstance(value, int | float) else changed


def test_a_report_is_verified_and_nothing_is_written(copy: Copy) -> None:
    before = {path: path.read_bytes() for path in copy.report.parent.rglob("*") if path.is_file()}
    found = api.verify(copy.report, storage=f"sqlite:///{copy.database}")
    assert found == (copy.report, len(read_manifest(copy.report)["files"]) + 1, 60 + 6, ())
    assert {path: path.read_bytes() for path in copy.report.parent.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", CSVS)
def test_a_digit_in_any_column_of_a_csv_is_found(
    copy: Copy, drawn: None, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unchanged = api._read(f"sqlite:///{copy.database}", ["settled"])
    monkeypatch.setattr(api, "_read", lambda *_: unchanged)
    monkeypatch.setattr(api, "audit", lambda *_: [])
    text = (copy.report / name).read_text()
    columns, *rows = list(csv.reader(io.StringIO(text, newline="")))
    tried = []
    for at, column in enumerate(columns):
        place = next((i for i, row in enumerate(rows) if row[at]), None)
        if place is None:
            continue
        changed = [list(row) for row in rows]
        was = changed[place][at]
        changed[place][at] = digit(was)
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\n").writerows([columns, *changed])
        (copy.report / name).write_text(out.getvalue())
        (line,) = copy.verify()
        assert line.startswith(f"{name}: ")
        assert line.endswith(f": {column}: {changed[place][at]} in the report, {was} from the database")
        tried.append(column)
    # what this sweep has no value for: it is settled, and nothing was pruned or replayed
    assert set(columns) - set(tried) <= {"repeats_needed", "trained_next", "pruned", "replay_of"}


COLUMNS = [
    (table.name, column.name, part)
    for table, part in ((SWEEPS, "sweep"), (RUNS, "runs"), (EPOCHS, "epochs"), (TRACES, "traces"), (LOOKS, "looks"))
    for column in table.columns
    # why a run failed is not among a sweep's data
    if (table.name, column.name) not in (("sweeps", "name"), ("sweeps", "status"), ("runs", "reason"))
]
STUDY = [
    *(("trials", column, "study") for column in ("number", "state", "datetime_start", "datetime_complete")),
    *(("trial_params", column, "study") for column in ("param_name", "param_value", "distribution_json")),
    *(("trial_values", column, "study") for column in ("objective", "value", "value_type")),
    *(("trial_user_attributes", column, "study") for column in ("key", "value_json")),
    ("study_directions", "direction", "study"),
]


@pytest.mark.parametrize(("table", "column", "part"), COLUMNS + STUDY)
def test_a_digit_in_any_column_of_the_database_is_found(
    copy: Copy, drawn: None, table: str, column: str, part: str
) -> None:
    copy.change(table, column, digit)
    lines = copy.verify()
    seen = f"database: sweep settled: {part}: differs from what the report was made from"
    assert seen in lines or lines[0].startswith("database: cannot be read: ")


@pytest.mark.parametrize("change", ["param_value + 0.001", "param_value * (1 + 1e-15)"])
def test_what_optuna_would_round_away_is_found(copy: Copy, drawn: None, change: str) -> None:
    name = "strategy" if "+ 0.001" in change else "learning_rate"
    copy.execute(
        f"UPDATE trial_params SET param_value = {change} WHERE param_id ="
        f" (SELECT max(param_id) FROM trial_params WHERE param_name = '{name}')"
    )
    assert "database: sweep settled: study: differs from what the report was made from" in copy.verify()


def test_a_trace_shorter_than_a_number_cannot_be_read(copy: Copy) -> None:
    copy.change("traces", "learning_rate", lambda rates: rates[:-1])
    (line,) = copy.verify()
    assert line.startswith("database: cannot be read: ")


def test_changed_results_are_named_with_row_and_column(copy: Copy) -> None:
    copy.execute(
        "UPDATE runs SET test_accuracy = test_accuracy + 0.01 WHERE id ="
        " (SELECT id FROM runs WHERE phase = 'search' AND strategy = 'constant' ORDER BY validation_accuracy DESC LIMIT 1)"
    )
    lines = copy.verify()
    assert lines[0] == "database: sweep settled: runs: differs from what the report was made from"
    told = {line.split(": ")[0] for line in lines[1:]}
    # nothing was added to the ledger, and looks are what was written down at the time
    assert told >= {*CSVS, "decision.json", "index.html", "report.md"} - {"ledger.csv", "looks.csv"}
    for name in (r"summary\.csv: constant, 1\.0: estimate", r"decision\.json: strategies\.constant\.estimate"):
        assert any(re.fullmatch(name + r": \S+ in the report, \S+ from the database", line) for line in lines)
    assert any(
        re.fullmatch(r"runs\.csv: \S{36}: test_accuracy: \S+ in the report, \S+ from the database", x) for x in lines
    )
    assert "index.html: differs from what the database gives" in lines


def test_a_value_of_the_answer_as_data_is_named(copy: Copy, drawn: None) -> None:
    copy.edit("decision.json", lambda text: text.replace('"state": "good"', '"state": "open"'))
    (line,) = copy.verify()
    assert line == "decision.json: strategies.constant.state: open in the report, good from the database"
    copy.edit("decision.json", lambda text: text.replace('"verdict": "better"', '"verdict": "worse"'))
    assert copy.verify()[1] == "decision.json: pairs.1.verdict: worse in the report, better from the database"
    copy.edit("decision.json", lambda text: "{")
    assert copy.verify() == ("decision.json: changed since it was written",)


def test_a_changed_look_is_named(copy: Copy, drawn: None) -> None:
    copy.execute("UPDATE looks SET margin = margin + 0.01")
    lines = copy.verify()
    assert lines[0] == "database: sweep settled: looks: differs from what the report was made from"


def test_a_trial_that_was_told_something_else_is_named(copy: Copy, drawn: None) -> None:
    copy.execute("UPDATE trial_values SET value = value + 0.01 WHERE trial_id = 5")
    lines = copy.verify()
    assert lines[0] == "database: sweep settled: study: differs from what the report was made from"
    assert re.match(
        r"database: run \S{36} \(search of .*\): Optuna trial 4 has the value \S+, but the result is ", lines[1]
    )


@pytest.mark.parametrize("name", ["index.html", "figures/decision.svg", "figures/optuna-edf.svg"])
def test_other_changed_files_are_named(copy: Copy, drawn: None, name: str) -> None:
    copy.edit(name, lambda text: text.replace("5", "6", 1))
    assert copy.verify() == (f"{name}: changed since it was written",)
    (copy.report / name).unlink()
    assert copy.verify() == (f"{name}: cannot be read: No such file or directory",)


def test_rows_that_came_and_went_are_named(copy: Copy, drawn: None) -> None:
    copy.edit("summary.csv", lambda text: "".join(text.splitlines(keepends=True)[:-1]))
    assert copy.verify() == ("summary.csv: doomed, 1.0: this row is missing from the report",)
    copy.edit("summary.csv", lambda text: text + 2 * (text.splitlines()[1] + "\n"))
    assert copy.verify() == (
        "summary.csv: row 2: this row is only in the report",
        "summary.csv: row 3: this row is only in the report",
        "summary.csv: doomed, 1.0: this row is missing from the report",
    )


def test_a_csv_written_otherwise_is_named(copy: Copy, drawn: None) -> None:
    copy.edit("runs.csv", lambda text: text.replace("\n", "\r\n"))
    assert copy.verify() == ("runs.csv: changed since it was written",)
    copy.edit("verdicts.csv", lambda text: text.replace("reason", "why", 1))
    copy.edit("summary.csv", lambda text: "")
    runs, summary, verdicts = copy.verify()
    assert (summary, runs) == ("summary.csv: changed since it was written", "runs.csv: changed since it was written")
    assert verdicts.startswith("verdicts.csv: columns: a, b, ")


def test_many_differences_are_counted(copy: Copy, drawn: None) -> None:
    copy.edit("runs.csv", lambda text: text.replace(",cpu,", ",cuda,"))
    lines = copy.verify()
    assert len(lines) == 21 and lines[-1] == f"runs.csv: and {66 - 20} more differences"


def test_what_the_manifest_says_is_compared(copy: Copy, drawn: None) -> None:
    def edit(how: Callable[[dict[str, Any]], None]) -> tuple[str, ...]:
        manifest = read_manifest(copy.report)
        how(manifest)
        text = json.dumps(manifest, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
        was = (copy.report / "manifest.json").read_text()
        (copy.report / "manifest.json").write_text(text)
        lines = copy.verify()
        (copy.report / "manifest.json").write_text(was)
        return lines

    assert edit(lambda m: m["sweeps"][0]["provenance"].update(stack_size=9)) == (
        "manifest.json: settled: provenance.stack_size: 9 in the report, 8 from the database",
    )
    assert edit(lambda m: m["sweeps"][0]["provenance"].update(luck=7)) == (
        "manifest.json: settled: provenance.luck: 7 in the report, nothing from the database",
    )
    assert edit(lambda m: m["files"].update({"runs.csv": "12"})) == (
        "manifest.json: files: runs.csv: 12 is not its SHA-256",
    )
    assert edit(lambda m: m["files"].update({"x.csv": "12"})) == (
        "manifest.json: files: x.csv: not a file of this report",
    )
    assert edit(lambda m: m.update(more=1)) == ("manifest.json: changed since it was written",)
    assert edit(lambda m: m["written_by"].update(decaybench="0.0.1")) == ()
    with_reason = edit(lambda m: (m["written_by"].update(decaybench="0.0.1"), m.update(more=1)))
    assert with_reason[-1].startswith("the report was written by decaybench 0.0.1; other versions may differ")


def test_a_run_that_trains_nothing_leaves_it_verified(copy: Copy, drawn: None) -> None:
    copy.execute("UPDATE sweeps SET status = 'running'")
    assert copy.verify() == ()


def test_without_its_study_it_is_not_verified(copy: Copy, drawn: None) -> None:
    copy.execute("DELETE FROM studies")
    assert copy.verify() == ("database: sweep settled: study: differs from what the report was made from",)
    api.report("settled", storage=f"sqlite:///{copy.database}", out=copy.report)
    assert copy.verify() == ()


def test_a_database_that_gives_no_report_is_not_verified(copy: Copy) -> None:
    kinds = [f'"schedule": "{kind}"' for kind in ("constant", "exponentiel")]
    copy.execute("UPDATE sweeps SET spec = replace(spec, ?, ?)", *kinds)
    lines = copy.verify()
    assert lines[0] == "database: sweep settled: sweep: differs from what the report was made from"
    assert lines[1].startswith("database: sweep settled cannot be checked: ")
    assert (
        lines[2].startswith("database: no report can be made from it: ")
        and "'exponentiel' is not installed" in lines[2]
    )


def test_what_cannot_be_asked_is_a_user_error(copy: Copy, tmp_path: Path) -> None:
    url = f"sqlite:///{copy.database}"
    with pytest.raises(UserError, match=r"nothing: must hold a report: manifest.json cannot be read: No such file"):
        api.verify(tmp_path / "nothing", storage=url)
    with pytest.raises(UserError, match="no database at"):
        api.verify(copy.report, storage=f"sqlite:///{tmp_path}/none.db")
    copy.execute("UPDATE sweeps SET name = 'other'")
    with pytest.raises(UserError, match="no sweep 'settled'"):
        api.verify(copy.report, storage=url)
    for text, says in (
        ("{", "is not JSON"),
        ("[]", "must hold files, sweeps and written_by"),
        ('{"files": {}, "sweeps": [], "written_by": {}}', "must hold files"),
        (
            '{"spec_hash": "x", "files": {}}',
            "must hold files, sweeps and written_by; decaybench report NAME writes it again",
        ),
    ):
        (copy.report / "manifest.json").write_text(text)
        with pytest.raises(UserError, match=says):
            api.verify(copy.report, storage=url)


def test_the_files_are_those_that_are_written(done: Path, made: dict[str, str], undrawn: None) -> None:
    with store.open_storage(f"sqlite:///{done}/decaybench.db", create=False) as opened:
        evidence = join([store.load(opened, "settled")])
    manifest = json.loads(made["manifest.json"])
    summary = summarise(collect(evidence))
    assert report_files(summary, evidence.runs, manifest["sweeps"], manifest["written_by"]) == made
