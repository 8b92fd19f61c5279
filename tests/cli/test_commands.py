"""What the commands print when all is well."""

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from decaybench.cli import main
from decaybench.cli.run import Live, duration
from decaybench.runner import Share
from decaybench.schedules import SCHEDULES
from small_sweep import SMALL

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def done(small_ran, tmp_path_factory):
    """A copy of the folder in which the small sweep has run."""
    return shutil.copytree(small_ran.folder, tmp_path_factory.mktemp("commands") / "done")


@pytest.fixture
def call(done, monkeypatch, capsys):
    monkeypatch.chdir(done)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("DECAYBENCH_STORAGE", raising=False)

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = capsys.readouterr()
        assert end.value.code == 0, err
        return out

    return run


def test_run_prints_progress_on_stderr_and_the_answer_on_stdout(small_ran):
    folder, out, err = small_ran
    assert out.startswith("small: complete\n")
    assert "report: studies/small/report/index.html" in out
    assert (folder / "studies" / "small" / "report" / "index.html").exists()
    lines = err.splitlines()
    assert lines[0].startswith("small: ")
    assert any(line.startswith("search: constant 0/8") for line in lines)
    assert any(line.startswith("retraining: ") and "doomed 2/2 (2 diverged)" in line for line in lines)
    assert not any(line.startswith("look ") for line in lines)  # with so few trials there are estimates only
    assert "\x1b" not in err  # plain lines when not on a terminal


def test_run_again_has_nothing_to_train(call, undrawn, tmp_path):
    assert call("run", "small.toml", "--studies", str(tmp_path)).startswith("small: complete\n")


def test_report_again_is_the_same_byte_for_byte(call, undrawn):
    report = Path("studies/small/report")

    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(report.rglob("*")) if path.is_file()}

    before = content()
    assert call("report", "small") == "small: studies/small/report/index.html\n"
    assert content() == before
    assert {Path(name).suffix for name in before} == {".html", ".csv", ".svg", ".json", ".md"}


def test_verify_says_so_or_what_differs(call, capsys, tmp_path, undrawn):
    report = str(tmp_path / "small")
    call("report", "small", "--out", report)
    files = len(list(Path(report).rglob("*.*")))
    rows = len((Path(report) / "runs.csv").read_text().splitlines()) - 1
    assert call("verify", report) == f"{report}: verified ({files} files, {rows} rows of runs)\n"
    shutil.copytree(report, tmp_path / "report")
    changed = tmp_path / "report" / "summary.csv"
    changed.write_text(changed.read_text().replace("doomed,constant,fixed,1.0,4,", "doomed,constant,fixed,1.0,9,"))
    with pytest.raises(SystemExit) as end:
        main(["verify", str(tmp_path / "report")])
    assert end.value.code == 1
    assert capsys.readouterr() == (
        f"{tmp_path}/report: not verified\nsummary.csv: doomed, 1.0: rank: 9 in the report, 4 from the database\n",
        "",
    )


def test_several_sweeps_are_one_report(call, tmp_path, monkeypatch, undrawn):
    other = Path("small.toml").read_text().replace('name = "small"', 'name = "other"')
    (tmp_path / "other.toml").write_text(other[: other.index("[strategies.staircase]")])
    call("run", str(tmp_path / "other.toml"), "--studies", str(tmp_path))
    monkeypatch.setenv("DECAYBENCH_STORAGE", f"sqlite:///{Path.cwd()}/studies/decaybench.db")
    monkeypatch.chdir(tmp_path)
    folder = "studies/small+other/report"
    assert call("report", "small", "other") == f"small+other: {folder}/index.html\n"
    assert "verified" in call("verify", folder)
    assert call("report", "small", "other", "--out", "both") == "small+other: both/index.html\n"


def test_status(call):
    assert "complete" in call("status")
    told = json.loads(call("status", "small", "--json"))
    search = {part["strategy"]: part for part in told["strategies"] if part["phase"] == "search"}
    assert list(search) == ["constant", "staircase", "exp_loss", "doomed"]
    assert search["constant"]["planned"] == 8
    assert search["doomed"]["diverged"] == 8
    assert (told["decision"]["pick"], told["decision"]["trainings"]) == (None, 32)
    shown = call("status", "small")
    assert all(name in shown for name in search) and "\nestimates only: " in shown


def test_check_prints_the_plan_and_writes_nothing(call, tmp_path, monkeypatch):
    plan = json.loads(call("check", "small.toml", "--json"))
    rows = {row["strategy"]: row for row in plan["rows"]}
    assert {(row["least"], row["most"], row["updates"]) for row in rows.values()} == {(8, 8, 5)}
    assert plan["steps_per_epoch"] == 5 and plan["looks"] == [2]
    # at least, on 2 seeds each: 3 + 1 configurations of the reactive strategy, 1 + 1 of a fixed one that has only one,
    # and 2 replays
    least, most = plan["costs"]["least"], plan["costs"]["most"]
    assert (least["search"], least["retraining"], least["updates"]) == (32, 14, 46 * 5)
    assert (most["search"], most["retraining"], most["updates"]) == (32, 34, 66 * 5)
    assert 0 < least["seconds"] < most["seconds"] < 600
    file = Path("small.toml").resolve()
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    shown = call("check", str(file))
    smallest = plan["smallest_class"]
    assert (
        f"; 10 classes, of which the smallest ({smallest['name']}) has {smallest['train']} training images; small-cnn"
        in shown
    )
    assert 12 < smallest["train"] <= 16
    too_few = "note: too few for statements, so the sweep ends at its first look with estimates: "
    assert f"{too_few}4 trials (at least 6), 2 repeats (at least 5)" in shown and shown.count("note: ") == 1
    assert list(empty.iterdir()) == []


def test_check_says_what_pruning_does(call, tmp_path):
    file = tmp_path / "pruned.toml"
    file.write_text(SMALL)
    assert "\npruning: " not in call("check", str(file))
    file.write_text(SMALL.replace("seed = 3", "seed = 3\nprune = { at = 0.4, spare = 0.25 }"))
    said = " ".join(call("check", str(file)).split())
    assert (
        "pruning: trials worse than the median of their strategy are stopped after 40% of their epochs, except 25%"
        in said
    )
    # of each strategy's 4 trials, 2 lose 2 of 3 epochs, but one in four of these is spared
    assert f"at most about {0.75 * 2 * 2 / (4 * 3):.0%} fewer updates in the search" in said


def test_check_says_how_runs_are_trained(call, tmp_path):
    file = tmp_path / "trained.toml"
    given = "epochs = 3\naugment = ['crop1', 'flip']\nlabel_smoothing = 0.1\nclip_norm = 1.0\naverage = { ema = 0.999 }"
    text = SMALL.replace("epochs = 3", given).replace(
        "[strategies.exp_loss]", "[strategies.exp_loss]\naverage = { last = 3 }"
    )
    file.write_text(text)
    said = " ".join(call("check", str(file)).split())
    assert (
        "augmented images (crop1, flip), label smoothing 0.1, gradients clipped to norm 1, weights averaged (EMA 0.999)"
        in said
    )
    rows = {row["strategy"]: row["schedule"] for row in json.loads(call("check", str(file), "--json"))["rows"]}
    assert rows["constant"] == "constant (sgd, EMA 0.999)"
    assert rows["exp_loss"] == "exp_loss (sgd, mean of the last 3 epochs)"


def test_shipped_sweeps_are_found_by_name_from_anywhere(call):
    assert json.loads(call("check", "quickstart", "--json"))["name"] == "quickstart"


def test_schedules(call):
    listed = call("schedules")
    told = {entry["kind"]: entry for entry in json.loads(call("schedules", "--json"))}
    assert list(told) == list(SCHEDULES)
    for kind, cls in SCHEDULES.items():
        assert kind in listed
        assert cls.family in listed
        assert told[kind]["source"]
        assert [parameter["name"] for parameter in told[kind]["parameters"]] == list(cls.parameters())
    for kind in list(SCHEDULES)[::6]:
        about = call("schedules", kind)
        assert "Source:" in about
        assert all(name in about for name in SCHEDULES[kind].parameters())
    (gain, *_) = told["exp_loss"]["parameters"]
    assert gain == {"name": "gain", "unit": "", "default": 1.0, "legal": "[0, inf)", "searched": "log 0.1 to 2"}


def test_help_names_every_command_and_the_readme_too(call):
    text = call("--help")
    readme = (ROOT / "README.md").read_text()
    for command in (
        "run",
        "check",
        "report",
        "verify",
        "status",
        "export",
        "dashboard",
        "backup",
        "upgrade",
        "schedules",
    ):
        assert command in text
        assert f"decaybench {command}" in readme
        assert "Usage" in call(command, "--help")


def test_a_note_is_one_line():
    console = Console(file=io.StringIO(), width=30, highlight=False)
    with Live(console) as live:
        live.note("strategies.a.warmup: 60 updates, [but] a run has 45")
    assert console.file.getvalue() == "note: strategies.a.warmup: 60 updates, [but] a run has 45\n"


def test_the_live_table_shows_shares_rate_and_time_left():
    console = Console(file=io.StringIO(), force_terminal=True, width=100, highlight=False)
    with Live(console) as live:
        live.begin("s", 1000, 8, "cpu")
        live.phase("search", [Share("cosine", 30, 12, 3, 0.9812)])
        live.advance(400)
        shown = Console(width=100, file=io.StringIO())
        shown.print(live._render())
        text = shown.file.getvalue()
        live.end()
    assert "cosine" in text
    assert "12/30" in text
    assert "0.9812" in text
    assert "40%" in text
    assert "left" in text
    assert "trained 400 updates" in console.file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"), [(7, "7 s"), (59.6, "1 min 00 s"), (130, "2 min 10 s"), (3900, "1 h 05 min")]
)
def test_duration(seconds, words):
    assert duration(seconds) == words
