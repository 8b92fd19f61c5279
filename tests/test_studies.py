"""The published studies: complete, made from their databases, and their READMEs state what their files hold."""

import hashlib
import json
import lzma
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

import decaybench
import drawn_once
import frames_factory
from decaybench import UserError, api
from decaybench.compare import Interval
from decaybench.findings import Summary
from decaybench.findings.decision import decision
from decaybench.report import answer_text, read_manifest, words
from decaybench.report.folder.csv_files import summary_csv, verdicts_csv
from decaybench.store import Frames
from decaybench.sweep import load_sweep, spec_hash
from looking import LOOKS
from studies import publish as publishing
from studies.publish import COPIED, DATABASE, publish
from studies.readme import BY_HAND, commit

FOLDERS = sorted(path for path in (Path(__file__).parents[1] / "studies").glob("20*") if path.is_dir())
FILES = {"README.md", "sweep.toml", DATABASE, *COPIED.values()}
TABLES = [name for name in COPIED if name.endswith(".csv") or name == "decision.json"]
SECTIONS = ["Question", "Command", "Commit", "Device", "Wall time", "Finding", "Caveats"]
MADE = "made here"
"""A study that is published while the tests run, so that they hold a folder even where there is none."""

every_study = pytest.mark.parametrize("folder", [*FOLDERS, MADE], ids=lambda p: getattr(p, "name", p), indirect=True)


class Ran(NamedTuple):
    """A sweep that has run: what `publish` takes."""

    report: Path
    sweep: Path
    storage: str


@pytest.fixture(scope="module", autouse=True)
def undrawn(once) -> Iterator[None]:
    """As the fixture of this name, for the whole module: every report gets the figures of one synthetic sweep."""
    with pytest.MonkeyPatch.context() as patch:
        drawn_once.undraw(patch, once)
        yield


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A small sweep, trained and reported; nobody writes there any more."""
    place = tmp_path_factory.mktemp("ran")
    sweep, storage = place / "looks.toml", f"sqlite:///{place}/looks.db"
    sweep.write_text('question = "Which decay is best?"' + LOOKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("decaybench.runner.environment._git_revision", lambda: "c" * 40)
        decaybench.run(sweep, storage=storage, studies=place)
    return Ran(place / "looks" / "report", sweep, storage)


@pytest.fixture(scope="module")
def made(ran: Ran, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sweep as a study, with what a person writes: three sentences and a caveat."""
    folder = tmp_path_factory.mktemp("studies") / "2026-12-01-looks"
    publish(*ran, folder)
    readme = folder / "README.md"
    text, marks = re.subn(re.escape(BY_HAND) + ".*", "- One split. One network. One budget.", readme.read_text())
    assert marks == 2, "the finding and the caveats"
    readme.write_text(text)
    return folder


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Path:
    """The folder, or where the one is that is made here."""
    return request.getfixturevalue("made") if request.param == MADE else request.param


def summary_of(folder: Path) -> Summary:
    """The summary that the folder's own runs give, without a database."""
    (source,) = read_manifest(folder)["sweeps"]
    sweep = load_sweep(folder / "sweep.toml")
    row = {
        "name": sweep.name,
        "question": sweep.question,
        "spec": sweep.spec(),
        "spec_hash": spec_hash(sweep.spec()),
        "status": "complete",
        "provenance": source["provenance"],
    }
    runs = pd.read_csv(folder / "runs.csv")
    runs["params"] = [json.loads(text) for text in runs["params"]]
    epochs = pd.DataFrame(columns=["run_id", "epoch", "train_loss", "validation_loss"])
    return frames_factory.summary_of(Frames(row, runs.astype({"outcome": "str"}), epochs, {}))


def unpacked(folder: Path, place: Path) -> str:
    """The URL of the study's database, unpacked in another folder."""
    (place / "d.db").write_bytes(lzma.decompress((folder / DATABASE).read_bytes()))
    return f"sqlite:///{place}/d.db"


def decided(folder: Path) -> dict:
    return json.loads((folder / "decision.json").read_text())


def told(folder: Path) -> str:
    """The README in one line, without the marks of quotations."""
    return " ".join(line.removeprefix(">").strip() for line in (folder / "README.md").read_text().splitlines())


def table(folder: Path, first: str) -> list[list[str]]:
    """The rows of the README's table whose first column is called ``first``; none without such a table."""
    for block in (folder / "README.md").read_text().split("\n\n"):
        if block.startswith(f"| {first} |"):
            _, _, *rows = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in block.splitlines()]
            return rows
    return []


@every_study
def test_the_folder_is_complete(folder):
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-[a-z0-9-]+", folder.name)
    assert {path.name for path in folder.iterdir()} == FILES
    assert (folder / DATABASE).stat().st_size <= publishing.LARGEST
    readme = (folder / "README.md").read_text()
    assert re.findall(r"^## (.+)$", readme, flags=re.MULTILINE) == SECTIONS
    assert re.search(r"^`[0-9a-f]{40}`", readme.partition("## Commit\n\n")[2])


@every_study
def test_what_is_written_by_hand_is_there(folder):
    readme = (folder / "README.md").read_text()
    assert BY_HAND not in readme
    finding = readme.partition("## Finding\n")[2].partition("\n## ")[0].strip().partition("\n\n")[0]
    assert len(re.findall(r"[.!?](?=\s|$)", finding)) == 3, "the finding is told in three sentences"
    assert re.search(r"^- \S", readme.partition("## Caveats\n")[2], flags=re.MULTILINE)


@every_study
def test_links_lead_somewhere(folder):
    page, readme = (folder / "report.html").read_text(), (folder / "README.md").read_text()
    listed = re.search(r"Other files of this report: (.*?)\.</p>", page)
    assert listed is not None
    assert {*re.findall(r'href="([^"]+)"', listed[1])} == FILES - {"README.md", "report.html"}
    found = re.findall(r'href="([^"#:]+)"', page) + re.findall(r"\]\(([^):]+)\)", readme)
    assert [name for name in found if not (folder / name).exists()] == []


@every_study
def test_it_is_of_the_sweep_beside_it(folder):
    (source,) = read_manifest(folder)["sweeps"]
    sweep = load_sweep(folder / "sweep.toml")
    assert (source["name"], source["spec_hash"]) == (sweep.name, spec_hash(sweep.spec()))
    readme = (folder / "README.md").read_text()
    assert source["provenance"]["git_revision"] is None or source["provenance"]["git_revision"] in readme
    assert f"{source['provenance']['examples']['train']:,}" in readme


@every_study
def test_the_files_are_those_of_the_report(folder):
    written = read_manifest(folder)["files"]
    content = {name: (folder / COPIED[name]).read_text() for name in written if name in COPIED}
    names = sorted(written.keys() - {"index.html"})
    former = ", ".join(f'<a href="{name}">{name}</a>' for name in [*names, "manifest.json"])
    content["index.html"] = re.sub(r"(this report: ).*?\.</p>", rf"\g<1>{former}.</p>", content["index.html"], count=1)
    assert content.keys() == COPIED.keys() - {"manifest.json"}
    for name, text in content.items():
        assert hashlib.sha256(text.encode()).hexdigest() == written[name], name


@every_study
def test_the_tables_follow_from_its_runs(folder):
    summary = summary_of(folder)
    assert verdicts_csv(summary) == (folder / "verdicts.csv").read_text()
    assert summary_csv(summary) == (folder / "summary.csv").read_text()
    assert decision(summary) == decided(folder)


@every_study
def test_the_database_gives_the_tables(folder, tmp_path):
    """Figures are not compared: another version of matplotlib may draw others."""
    for here, there in COPIED.items():
        (tmp_path / "report" / here).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / there, tmp_path / "report" / here)
    differences = api.verify(tmp_path / "report", storage=unpacked(folder, tmp_path)).differences
    drawn = "figures/", "index.html:", "report.md:", "manifest.json: files:", "the report was written by"
    assert [line for line in differences if not line.startswith(drawn)] == []


def test_the_database_gives_the_report(made, tmp_path):
    """With the README's commands; here the figures are the same, too."""
    storage = unpacked(made, tmp_path)
    again = api.report("looks", storage=storage, out=tmp_path / "report").out
    for name in TABLES:
        assert (again / name).read_bytes() == (made / name).read_bytes(), name
    shutil.copyfile(made / "manifest.json", again / "manifest.json")
    assert api.verify(again, storage=storage).differences == ()


@every_study
def test_the_readme_states_the_answer_of_its_runs(folder):
    assert answer_text(summary_of(folder)) in told(folder)


@every_study
def test_the_readme_states_the_pick_and_the_number_of_trainings(folder):
    found, readme = decided(folder), told(folder)
    assert {*re.findall(r"\bTake ([\w.-]*\w)", readme)} == {found["pick"]} - {None}
    assert {*re.findall(r"([\d,]+) trainings", readme)} == {f"{found['trainings']:,}"}


@every_study
def test_the_readme_states_where_each_strategy_stands(folder):
    found, stated = decided(folder), table(folder, "strategy")
    metric = found["metric"]
    assert sorted(row[0] for row in stated) == sorted(found["strategies"])
    for label, _, *cells in stated:
        known = found["strategies"][label]
        interval = Interval(known["estimate"], known["low"], known["high"])
        assert cells[:4] == [
            known["state"] or "-",
            words.bound(metric, known["bound"], found["margin"]),
            words.number(metric, known["estimate"]),
            words.bounds(metric, interval) or "-",
        ], label
        assert re.findall(r"\d+", cells[4]) == [str(known["repeats"])], label


@every_study
def test_the_readme_states_the_pairs_with_the_control(folder):
    found = decided(folder)
    controls = {label for label, kind, *_ in table(folder, "strategy") if kind.endswith("control")}
    pairs = [pair for pair in found["pairs"] if not controls or controls & {pair["a"], pair["b"]}]
    assert pairs
    assert [[*row[:5], row[-1]] for row in table(folder, "a")] == [
        [
            *(pair["a"], pair["b"], str(pair["repeats"])),
            words.signed_gap(found["metric"], pair["difference"]),
            words.bounds(found["metric"], Interval(pair["difference"], pair["low"], pair["high"]), signed=True),
            pair["verdict"],
        ]
        for pair in pairs
    ]


def test_a_readme_that_is_there_is_kept(ran, made, tmp_path):
    folder = tmp_path / made.name
    shutil.copytree(made, folder)
    (folder / "summary.csv").write_text("old")
    publish(*ran, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in made.iterdir()
    }


def test_a_commit_that_nobody_can_check_out_is_left_to_the_author():
    assert commit("c" * 40) == f"`{'c' * 40}`"
    assert BY_HAND in commit(None) and BY_HAND in commit(f"{'c' * 40}-dirty")


def test_the_database_is_published_without_what_the_dashboard_shows(ran, made, tmp_path):
    """Its note names the report's path, which is none of the readers' business."""
    unpacked(made, tmp_path)
    queries = "SELECT count(*) FROM study_system_attributes WHERE key LIKE 'dashboard:%'", "SELECT count(*) FROM trials"
    counts = []
    for file in (ran.storage.removeprefix("sqlite:///"), tmp_path / "d.db"):
        with closing(sqlite3.connect(file)) as connection:
            counts.append([connection.execute(query).fetchone()[0] for query in queries])
    (before, trials), after = counts
    assert before > 0 and after == [0, trials]
    assert str(ran.report.parent).encode() not in (tmp_path / "d.db").read_bytes()


@pytest.fixture
def copy(ran: Ran, tmp_path: Path) -> Ran:
    """A copy of the sweep that has run, to be changed."""
    shutil.copytree(ran.report, tmp_path / "report")
    shutil.copyfile(ran.sweep, tmp_path / "looks.toml")
    shutil.copyfile(ran.storage.removeprefix("sqlite:///"), tmp_path / "looks.db")
    return Ran(tmp_path / "report", tmp_path / "looks.toml", f"sqlite:///{tmp_path}/looks.db")


def refused(copy: Ran) -> str:
    """Why it is not published; nothing is written then."""
    folder = copy.report.parent / "2026-12-01-refused"
    with pytest.raises(UserError) as caught:
        publish(*copy, folder)
    assert not folder.exists()
    return str(caught.value)


def test_a_large_database_is_not_published(copy, monkeypatch):
    monkeypatch.setattr(publishing, "LARGEST", 1000)
    size = r"decaybench\.db\.xz must have at most 1,000 bytes, but has [\d,]{5,}"
    assert re.fullmatch(rf"{re.escape(copy.storage)}: {size}", refused(copy))


def test_a_database_with_another_sweep_is_not_published(copy):
    with closing(sqlite3.connect(copy.storage.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(
            "INSERT INTO sweeps SELECT 'x', 'secret', question, spec, 'x', status, created_at, provenance FROM sweeps"
        )
    assert refused(copy) == f"{copy.storage}: must hold the sweep looks alone, but also holds secret"


def test_an_unfinished_sweep_is_not_published(copy):
    with closing(sqlite3.connect(copy.storage.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE sweeps SET status = 'running'")
    assert refused(copy) == f"{copy.storage}: the sweep looks must be complete or stopped, but is running"


def test_a_report_that_is_not_verified_is_not_published(copy):
    (copy.report / "decision.json").write_text("{}")
    said = f"{copy.report}: is not verified: decision.json: "
    assert refused(copy).startswith(said)


@pytest.mark.parametrize(("was", "now"), [("seed = 1", "seed = 2"), ("to = 15", "to = 16")])
def test_another_sweep_file_is_not_published(copy, was, now):
    copy.sweep.write_text(copy.sweep.read_text().replace(was, now))
    assert refused(copy) == f"{copy.sweep}: must be the file of the sweep looks as it was run last, but differs from it"
