"""``decaybench run`` until there is an answer, and what the commands say of a sweep that has taken looks."""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cli.conftest import snapshot
from decaybench.cli import main
from decaybench.cli.run import seconds
from decaybench.errors import UserError
from decaybench.runner.worker import Worker
from old_layouts import written
from small_sweep import SETTLED, Ran

TINY = SETTLED.replace("trials = 6", "trials = 1").replace("{ from = 5, to = 6 }", "1")


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run the command line in an empty folder; returns what it printed, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("DECAYBENCH_STORAGE", raising=False)

    def run(*arguments: str, code: int = 0) -> tuple[str, str]:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = capsys.readouterr()
        assert end.value.code == code, err
        return out, err

    return run


def settled(ran: Ran, *changes: tuple[str, str]) -> str:
    """A copy of the settled sweep here, with other text in its file."""
    shutil.copytree(ran.folder / "studies", "studies")
    text = SETTLED
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    Path("settled.toml").write_text(text)
    return "settled.toml"


def test_a_look_is_shown_on_stderr_and_the_answer_on_stdout(settled_ran):
    assert settled_ran.out.startswith("settled: complete\n\n")
    assert "report: studies/settled/report/index.html" in settled_ran.out
    lines = settled_ran.err.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("look "))
    assert (
        lines[at] == "look after 5 repeats: take constant, at most 0 points below the best; 60 trials so far, settled"
    )
    assert re.fullmatch(r"  constant \d+\.\d%, at most 0 points below the best: good", lines[at + 1])
    assert re.fullmatch(r"  doomed 10\.\d%, at most \d+ points below the best: ruled out", lines[at + 2])
    assert any(line.startswith("retraining: constant ") for line in lines[at:])


def test_status_and_decision_json_say_the_same(settled_ran, call):
    settled(settled_ran)
    written = json.loads(Path("studies/settled/report/decision.json").read_text())
    told = json.loads(call("status", "settled", "--json")[0])
    assert told["decision"] == written
    assert (told["name"], told["status"], told["shares_slots"]) == ("settled", "complete", False)
    shown = call("status", "settled")[0]
    assert "look after 5 repeats: take constant, at most 0 points below the best; 60 trials so far, settled" in shown
    assert re.search(r"doomed +\d+\.\d% .* ruled out +5 ", shown)
    assert all("decision" not in sweep for sweep in json.loads(call("status", "--json")[0]))


def test_a_time_limit_leaves_the_sweep_unsettled_and_resumable(call, undrawn):
    Path("s.toml").write_text(SETTLED)
    out, _ = call("run", "s.toml", "--time-limit", "0.001s")
    assert out.startswith("settled: not settled\n")
    assert Path("studies/settled/report/index.html").exists()
    (sweep,) = json.loads(call("status", "--json")[0])
    assert sweep["status"] == "stopped"
    assert "no look yet, the first is after 5 repeats; 0 trials so far" in call("status", "settled")[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90s", 90), ("40m", 2400), ("2h", 7200), ("1h30m", 5400), ("1h1m1s", 3661), ("90", 90), ("1.5h", 5400)],
)
def test_a_time_limit_is_a_time(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0s", "2d", "-5m", "m", "1m2h", "nan", "1e3", "2 h"])
def test_what_is_not_a_time(text):
    with pytest.raises(UserError, match=r"^--time-limit: must be a time such as 90s, 40m, 2h or 1h30m, got "):
        seconds(text)


def test_what_a_change_of_to_leaves_is_said_before_anything_is_trained(settled_ran, call, undrawn):
    file = settled(settled_ran, ("to = 6", "to = 9"))
    line = (
        "settled: budget.repeats.to: 6 in the database, 9 in the file; looks so far have spent 67% of the error, "
        "33% is left; looks to come are after 6, 9 repeats\n"
    )
    before = snapshot(Path("studies"))
    assert f"note: {line}" in call("check", file)[0]
    assert snapshot(Path("studies")) == before
    assert line in json.loads(call("check", file, "--json")[0])["notes"][-1] + "\n"
    out, err = call("run", file)
    assert err == line and out.startswith("settled: complete\n")


def test_check_says_what_is_trained_already(settled_ran, call):
    file = settled(settled_ran)
    assert "\nalready trained: 60 of at most 72 trials (1 look)\n" in call("check", file)[0]
    assert json.loads(call("check", file, "--json")[0])["trained"] == {"trials": 60, "looks": 1}
    nothing = "sqlite:///none.db"
    assert "already trained" not in call("check", file, "--storage", nothing)[0]
    assert json.loads(call("check", file, "--json", "--storage", nothing)[0])["trained"] is None


def test_check_shows_a_look_that_was_taken_under_another_to(settled_ran, call):
    file = settled(settled_ran, ("to = 6", "to = 9"))
    with closing(sqlite3.connect("studies/decaybench.db")) as connection, connection:
        seven = """strategies = replace(strategies, '"repeats": 5', '"repeats": 7'), to_repeats = 7"""
        assert connection.execute(f"UPDATE looks SET {seven}").rowcount == 1
    assert "\nlooks after 5, 6, 7, 9 repeats, " in call("check", file)[0]


def test_check_says_why_a_changed_file_would_be_refused(settled_ran, call):
    file = settled(settled_ran, ("epochs = 1", "epochs = 2"))
    shown = call("check", file)[0]
    why = f"{file}: settled: task.epochs: 1 in the database, 2 in the file; only question, "
    assert f"\nnote: cannot be run: {why}" in shown


def test_check_shows_looks_and_costs(call):
    Path("s.toml").write_text(SETTLED)
    shown = call("check", "s.toml")[0]
    assert "looks after 5, 6 repeats, until one strategy is shown to be good" in shown
    # 60 trials, and 2 runs that retrain the strategy with one configuration, of 5 updates each
    assert re.search(r"\nleast +5 +60 +2 +310 ", shown)
    assert re.search(r"\nlikely +6 +72 ", shown) and re.search(r"\nmost +6 +72 ", shown)
    assert re.search(r"testing takes \d+\.\d% of them", shown)
    assert re.search(r"\nconstant +1 +30 to 36 +5 +learning_rate\n", shown)


def test_runs_that_the_machine_could_not_finish_are_named_and_tried_again(call, monkeypatch, undrawn):
    Path("s.toml").write_text(TINY)

    def fail(*_):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "_train", fail)
        out, err = call("run", "s.toml", "--workers", "1", code=1)
    last = err.splitlines()[-1]
    assert out == "" and "Traceback" not in err
    assert last.startswith("error: sweep settled: search of constant, repeat 0, trial 0, seed ")
    assert "search of doomed, repeat 0, trial 0, seed " in last
    assert last.endswith(" failed: RuntimeError: out of memory; run the same command again to continue")
    assert re.search(r"constant +search +0/1 +1 ", call("status", "settled")[0])
    assert call("run", "s.toml", "--workers", "1")[0].startswith("settled: complete\n")


def test_a_sweep_of_an_older_version_is_listed_and_must_be_run_again(call, tmp_path):
    written(tmp_path / "d.db", 2)
    Path("report").mkdir()
    Path("report/manifest.json").write_text('{"files": {}, "sweeps": [{"name": "old"}], "written_by": {}}')
    Path("s.toml").write_text(TINY.replace('"settled"', '"old"'))
    storage = ["--storage", f"sqlite:///{tmp_path}/d.db"]
    before = snapshot(tmp_path)
    for command in (
        ["report", "old", "--out", "r"],
        ["status", "old"],
        ["status", "old", "--json"],
        ["export", "old"],
        ["verify", "report"],
        ["run", "s.toml"],
    ):
        out, err = call(*command, *storage, code=2)
        assert out == ""
        assert err == (
            "error: sweep old: was run by an older decaybench, whose trials have no test results; "
            "run it again under another name\n"
        )
    assert snapshot(tmp_path) == before
    assert "old" in call("status", *storage)[0]
