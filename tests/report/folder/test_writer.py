import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from decaybench.compare import Verdict
from decaybench.errors import UserError
from decaybench.report import answer_text, check_folder, source
from decaybench.report.words.run_tables import ledger_table
from decaybench.store.read import Frames
from frames_factory import THREE, change, make, searched, summary_of, write_report

FIGURES = (
    *("decision", "differences", "verdicts", "tuning-cost", "retrained", "replay"),
    *("learning-rate", "loss-against-rate", "curves", "search", "divergence", "trials"),
)
FILES = {
    *("index.html", "report.md", "manifest.json", "decision.json"),
    *(f"{name}.csv" for name in ("summary", "verdicts", "looks", "ledger", "runs")),
    *(f"figures/{name}.svg" for name in FIGURES),
    *(f"figures/optuna-{name}.svg" for name in ("history", "edf", "parallel")),
}
OF_SOME = {"figures/lengths.svg", "figures/bounds.svg"}  # of several lengths, of several looks
VOID = {"meta", "br", "hr", "img", "input", "link"}


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class Page(HTMLParser):
    """Balanced tags, attributes by tag, text without style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        assert not self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.stack and "svg" not in self.stack:
            self.text += data


def test_the_folder_and_what_is_returned(tmp_path: Path, undrawn: None) -> None:
    frames = make()
    got = write_report(frames, tmp_path / "a" / "report")
    assert (got.out, got.index) == (tmp_path / "a/report", tmp_path / "a/report/index.html")
    assert got.answer == answer_text(summary_of(frames))
    assert set(files(got.out)) == FILES
    assert os.listdir(tmp_path / "a") == ["report"]


def test_the_manifest_hashes_every_file(tmp_path: Path, undrawn: None) -> None:
    frames = make()
    write_report(frames, tmp_path / "r")
    written = files(tmp_path / "r")
    manifest = json.loads(written.pop("manifest.json"))
    assert list(manifest) == sorted(manifest)
    assert manifest["files"] == {name: hashlib.sha256(data).hexdigest() for name, data in written.items()}
    (sweep,) = manifest["sweeps"]
    assert sweep["provenance"] == frames.sweep["provenance"]
    assert (sweep["name"], sweep["spec_hash"]) == ("synthetic", "ab" * 32)
    assert manifest["written_by"]["decaybench"] == version("decaybench")


def test_the_manifest_hashes_what_the_report_was_made_from(tmp_path: Path, undrawn: None) -> None:
    def parts(frames: Frames) -> dict[str, str]:
        return source(frames)["database"]

    frames = make()
    first = parts(frames)
    write_report(frames, tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_text())["sweeps"][0]["database"] == first
    assert first == parts(make()) and first["study"] is None
    trace = next(iter(frames.traces))
    others = {
        "sweep": frames._replace(sweep=frames.sweep | {"question": "Which?"}),
        "runs": change(frames, lambda r: r.index == 3, attempt=2),
        "epochs": frames._replace(epochs=frames.epochs.assign(seconds=0.25)),
        "traces": frames._replace(traces=frames.traces | {trace: frames.traces[trace][:-1]}),
    }
    for part, other in others.items():
        found = parts(other)
        assert {name for name in first if found[name] != first[name]} == {part}
    assert parts(frames._replace(sweep=frames.sweep | {"status": "running"})) == first


def test_a_report_of_an_older_version_is_replaced(tmp_path: Path, undrawn: None) -> None:
    write_report(make(), tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"spec_hash": "x", "files": dict.fromkeys(FILES, "0")}))
    write_report(make(), tmp_path)
    assert set(files(tmp_path)) == FILES


ELSEWHERE = """
import sys
import decaybench.report
assert not {"pandas", "matplotlib", "torch", "jinja2", "sqlalchemy"} & set(sys.modules)

from pathlib import Path
import matplotlib
from frames_factory import searched, write_report
write_report(searched("exp_loss", lengths=(0.5, 1.0)), Path(sys.argv[1]))
assert matplotlib.get_backend(auto_select=False) is None
"""


def test_another_process_writes_the_same_bytes_importing_late_and_choosing_no_backend(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    env = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"} | {"PYTHONPATH": path}
    env |= {"PYTHONHASHSEED": "7", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    subprocess.run([sys.executable, "-W", "error", "-c", ELSEWHERE, tmp_path / "there"], env=env, check=True)
    here = write_report(searched("exp_loss", lengths=(0.5, 1.0)), tmp_path / "here").out
    assert files(tmp_path / "there") == files(here)


def test_the_verdicts(tmp_path: Path, undrawn: None) -> None:
    write_report(make(lengths=(0.5, 1.0)), tmp_path)
    table = pd.read_csv(tmp_path / "verdicts.csv")
    assert list(table) == [
        *("a", "b", "length", "metric", "difference", "low", "high", "p_adjusted", "p_better", "verdict", "reason"),
        *("repeats", "se", "repeats_needed"),
    ]
    assert len(table) == 2 * 3 and set(table.repeats) == {6} and (table.se >= 0).all()
    assert set(table.verdict) <= set(get_args(Verdict)) and table.p_adjusted.between(0, 1).all()
    assert (table.low <= table.difference).all() and (table.difference <= table.high).all()


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_the_summary(tmp_path: Path, undrawn: None, metric: str) -> None:
    summary = summary_of(make(metric=metric))
    write_report(make(metric=metric), tmp_path)
    table = pd.read_csv(tmp_path / "summary.csv")
    assert list(table.strategy) == list(THREE)
    assert list(table.trials_planned) == [36] * 3 == list(table.trials_done)
    for row, ours in zip(table.itertuples(), summary.rows, strict=True):
        for name in ("accuracy", "loss"):
            own = ours.estimates[name]
            assert own is not None and own.low is not None and own.low < own.mean
            assert tuple(getattr(row, f"test_{name}{end}") for end in ("", "_low", "_high")) == own
        assert (row.estimate, row.low, row.high) == ours.estimates[metric]
        assert (row.bound, row.state, row.parked, row.rank) == (ours.bound, ours.state, ours.parked, ours.rank)
        assert ours.retrained is not None and row.retrained == ours.retrained.mean
        assert (row.retrained_runs, row.chosen_of, row.choosing_runs) == (2, 3, 6)
        assert row.failures == ours.retrained.failures
        assert (row.mean_all, row.mean_finished) == (ours.mean, ours.mean_finished)
        assert row.trials_diverged == round(36 * ours.diverged.mean) and row.diverged_low < row.diverged_high


DECISION = {
    "metric": str,
    "length": float,
    "trials": int,
    "margin": float,
    "margin_source": str,
    "settled": bool,
    "pick": str,
    "looks": list,
    "trainings": int,
    "strategies": dict,
    "pairs": list,
}


def test_the_answer_as_data(tmp_path: Path, undrawn: None) -> None:
    frames = make(lengths=(0.5, 1.0), rope=0.02, skill={"exp_loss": -0.3}, diverge=0.0)
    written = (write_report(frames, tmp_path).out / "decision.json").read_text()
    told = json.loads(written)
    assert written == json.dumps(told, indent=2) + "\n"
    (half,) = told.pop("other_lengths")
    assert told.pop("sweep") == "synthetic"
    for one, length in ((told, 1.0), (half, 0.5)):
        assert {key: type(value) for key, value in one.items()} == DECISION
        assert (one["metric"], one["length"], one["trials"], one["margin"]) == ("accuracy", length, 6, 0.02)
        assert (one["margin_source"], one["looks"], one["trainings"]) == ("file", [6], 2 * 3 * 36)
        assert list(one["strategies"]) == list(THREE)
        for strategy in one["strategies"].values():
            assert list(strategy) == [
                *("repeats", "estimate", "low", "high", "bound", "state", "parked"),
                *("retrained", "retrained_runs", "chosen_of", "failures"),
            ]
            assert strategy["low"] < strategy["estimate"] < strategy["high"] and strategy["bound"] >= 0
            assert strategy["state"] in ("good", "ruled out", "open") and strategy["parked"] is False
        assert [(pair["a"], pair["b"]) for pair in one["pairs"]] == [
            *(("constant", "cosine"), ("constant", "exp_loss"), ("cosine", "exp_loss"))
        ]
        for pair in one["pairs"]:
            assert list(pair) == [
                *("a", "b", "repeats", "difference", "se", "low", "high", "p_adjusted", "verdict"),
            ]
            assert pair["repeats"] == 6 and pair["low"] < pair["difference"] < pair["high"]
            assert pair["verdict"] in get_args(Verdict)
        assert one["pairs"][1]["difference"] > 0.1 and one["pairs"][1]["verdict"] == "better"  # positive favours a
        assert one["settled"] and one["strategies"][one["pick"]]["state"] == "good"
        assert one["strategies"]["exp_loss"]["state"] == "ruled out"
    again = told["strategies"][told["pick"]]
    assert again["retrained"] > 0.5 and (again["retrained_runs"], again["chosen_of"]) == (2, 3)
    assert [s["retrained"] for s in half["strategies"].values()] == [None] * 3


def test_what_is_not_known_is_null(tmp_path: Path, undrawn: None) -> None:
    told = json.loads((write_report(make(repeats=1), tmp_path).out / "decision.json").read_text())
    assert (told["pick"], told["settled"], told["other_lengths"]) == (None, False, [])
    assert {s["state"] for s in told["strategies"].values()} == {None} == {p["low"] for p in told["pairs"]}
    assert {pair["verdict"] for pair in told["pairs"]} == {"no verdict"}


def test_the_looks(tmp_path: Path, undrawn: None) -> None:
    frames = make(rope=1e-4, repeats=9, to=12, metric="loss")
    write_report(frames, tmp_path)
    table = pd.read_csv(tmp_path / "looks.csv")
    assert list(table.strategy) == 2 * list(THREE) and list(table.look) == [6] * 3 + [9] * 3
    assert set(table.sweep) == {"synthetic"} and list(table.step) == [0] * 3 + [1] * 3
    assert list(table.spent.unique()) == pytest.approx([0.4, 0.6]) and set(table.margin) == {1e-4}
    assert table.leader.sum() == 2 and set(table.margin_source) == {"file"} and set(table.until) == {"one"}
    last = table[table.step == 1].set_index("strategy")
    for row in summary_of(frames).rows:
        own = row.estimates["loss"]
        assert own is not None and last.estimate[row.strategy.label] == pytest.approx(own.mean)
        assert (last.bound[row.strategy.label], last.state[row.strategy.label]) == (row.bound, row.state)
    assert set(table[table.step == 0].trained_next.dropna()) == {9.0}


def test_every_run_is_listed_the_superseded_too(tmp_path: Path, undrawn: None) -> None:
    frames = change(make(), lambda r: r.index == r.index[-1], superseded=True)
    write_report(frames, tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "runs.csv").read_text())))
    assert list(rows[0]) == list(frames.runs.columns) and len(rows) == len(frames.runs)
    assert [row["superseded"] for row in rows] == ["False"] * (len(rows) - 1) + ["True"]
    assert rows[0]["trial_number"] == "0" and rows[0]["started_at"] == "2026-01-02T03:04:05+00:00"
    assert [json.loads(row["params"]) for row in rows] == list(frames.runs.params)
    assert list(json.loads(rows[0]["params"])) == ["learning_rate", "momentum", "weight_decay"]
    assert {row["diverged_step"] for row in rows} > {""} and not any("." in row["diverged_step"] for row in rows)
    for row, value in zip(rows, frames.runs.validation_loss, strict=True):
        assert (row["validation_loss"] == "") if pd.isna(value) else (float(row["validation_loss"]) == value)
    last, ledger = rows[-1]["strategy"], csv.DictReader(io.StringIO((tmp_path / "ledger.csv").read_text()))
    assert {row["strategy"]: row["superseded_done"] for row in ledger} == {
        label: str(+(label == last)) for label in THREE
    }
    column = "superseded runs done"
    assert column in ledger_table(summary_of(frames)).header and column not in ledger_table(summary_of(make())).header


SWEEPS = {
    "three": {},
    "loss and lengths": {"metric": "loss", "lengths": (0.25, 1.0)},
    "one": {"strategies": {"cosine": "cosine"}, "trials": 1, "repeats": 1, "confirm_seeds": 1},
    "one family": {"strategies": {"cosine": "cosine", "constant": "constant"}},
    "not confirmed": {"confirmed": False},
    "all diverged": {"diverge": 9.0},
}


@pytest.mark.parametrize("name", SWEEPS)
def test_the_page_is_sound_and_self_contained(tmp_path: Path, name: str) -> None:
    frames = make(**SWEEPS[name])
    got = write_report(frames, tmp_path)
    html = got.index.read_text(encoding="utf-8")
    page = Page(html)
    assert "http" not in html.replace("http-equiv", "") and "//" not in re.sub(r'd="[^"]*"', "", html)
    assert "@import" not in html and not re.search(r"url\((?!#)", html)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "image", "object", "base", "form"}
    assert not [a for _, a in page.tags for key in a if key.startswith("on") or key == "src"]
    links = {a["href"] for tag, a in page.tags if tag == "a"}
    assert links == files(got.out).keys() - {"index.html"}
    assert links <= FILES | OF_SOME
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for _, a in page.tags:
        for key in ("aria-labelledby", "href"):
            for target in (a.get(key) or "").split():
                assert target in links or target.removeprefix("#") in ids
    for heading in ("The answer", "Where each strategy stands", "Figures", "How it was done", "Provenance"):
        assert heading in page.text
    assert ("Fixed against reactive" in page.text) == (name not in ("one", "one family", "all diverged"))
    ours = sum(link.startswith("figures/") and "optuna" not in link for link in links)
    assert ours >= 5 and page.text.count("How to read this.") == ours + (0 if name == "one" else 3)
    assert "Optuna's own plots" in page.text
    for line in got.answer.split(". "):
        assert line.rstrip(".") in page.text
    assert not re.search(r"\bnan\b|None|inf\b|\{\{|\}\}", page.text)


def test_the_search_space_is_told_with_the_kinds_own_ranges(tmp_path: Path, undrawn: None) -> None:
    frames = make({"plain": "cosine", "stairs": "exponential", "steps": "multi_step"}, diverge=0.0)
    stairs = frames.sweep["spec"]["strategies"]["stairs"]
    stairs.update(staircase=True, decay_rate={"low": 0.1, "high": 0.9}, decay_steps={"value": 1, "unit": "epoch"})
    del frames.sweep["spec"]["search"]["learning_rate"]
    text = Page(write_report(frames, tmp_path).index.read_text(encoding="utf-8")).text
    assert "learning_rate = 0.001 to 1 (log)" in text
    assert "floor = 0, or 0.001 to 0.1 (log)" in text
    assert "staircase = true; decay_rate = 0.1 to 0.9; decay_steps = 1 epoch" in text
    assert "milestones = 1 to 3 of 0.3 to 0.9 (run)" in text and "one of 0.1, 0.2, 0.5" in text


def test_the_users_text_is_escaped_everywhere(tmp_path: Path) -> None:
    evil = "<script>alert('1')</script> & \"é\" $x^2$ </title>"
    frames = make({"a_b-c": "cosine", "constant": "constant"}, question=evil)
    frames.sweep["spec"]["task"]["data"] = "<b>data</b>"
    frames.sweep["provenance"]["device"] = "</dl><script>"
    html = write_report(frames, tmp_path).index.read_text(encoding="utf-8")
    assert "<script" not in html and "<b>data" not in html
    assert evil in Page(html).text
    assert "&lt;script&gt;" in html


def test_an_older_report_is_replaced_and_stale_files_vanish_but_foreign_ones_stay(
    tmp_path: Path, undrawn: None
) -> None:
    out = tmp_path / "report"
    write_report(make({"cosine": "cosine"}), out)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["files"]["figures/stale.svg"] = "0"
    (out / "manifest.json").write_text(json.dumps(manifest))
    (out / "figures/stale.svg").write_text("old")
    (out / "notes").mkdir()
    (out / "notes/mine.md").write_text("mine")
    (out / "link").symlink_to("notes/mine.md")
    write_report(make(), out)
    assert set(files(out)) == FILES | {"notes/mine.md", "link"}
    assert (out / "link").is_symlink() and (out / "notes/mine.md").read_text() == "mine"
    assert "exp_loss" in (out / "summary.csv").read_text()
    assert os.listdir(tmp_path) == ["report"]


@pytest.mark.parametrize("manifest", [None, "not json", "[]", '{"files": {}}', '{"spec_hash": "x"}', '"files"'])
def test_a_folder_of_something_else_is_refused_and_untouched(
    tmp_path: Path, undrawn: None, manifest: str | None
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    before = files(tmp_path)
    for act in (check_folder, lambda out: write_report(make(), out)):
        with pytest.raises(UserError, match=r"holds files \(such as .*\) but no report's manifest.json"):
            act(tmp_path)
    assert files(tmp_path) == before


def test_a_file_in_the_way_is_refused(tmp_path: Path, undrawn: None) -> None:
    (tmp_path / "r").write_text("x")
    with pytest.raises(UserError, match="must be a folder"):
        write_report(make(), tmp_path / "r")
    write_report(make(), tmp_path / "s")
    manifest = json.loads((tmp_path / "s/manifest.json").read_text())
    del manifest["files"]["runs.csv"]
    (tmp_path / "s/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"runs\.csv is in the way"):
        write_report(make(), tmp_path / "s")


def test_a_folder_that_cannot_be_made_is_a_user_error_with_nothing_left(tmp_path: Path, undrawn: None) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be written"):
        write_report(make(), tmp_path / "file" / "report")
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_swap_keeps_the_older_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None) -> None:
    out = tmp_path / "report"
    write_report(make({"cosine": "cosine"}), out)
    before = files(out)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if ".new-" in self.name:
            raise OSError("disk on fire")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(UserError, match="disk on fire"):
        write_report(make(), out)
    assert files(out) == before and os.listdir(tmp_path) == ["report"]


def test_a_name_too_long_for_a_disk_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="File name too long; name another with --out"):
        check_folder(tmp_path / ("x" * 300) / "report")


def test_an_empty_folder_is_fine(tmp_path: Path, undrawn: None) -> None:
    check_folder(tmp_path)
    write_report(make(), tmp_path)
    check_folder(tmp_path)
