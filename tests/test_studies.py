"""The published studies: complete, and their tables give what their READMEs state."""

import csv
import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest

import frames_factory
from decaybench.findings.summary import Summary
from decaybench.report import answer_text
from decaybench.report.folder.csv_files import summary_csv, verdicts_csv
from decaybench.store import Frames
from decaybench.sweep import load_sweep, spec_hash
from studies.publish import publish

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(path for path in (ROOT / "studies").glob("20*") if path.is_dir())
FILES = {
    *("README.md", "sweep.toml", "report.html", "report.svg", "manifest.json"),
    *("summary.csv", "verdicts.csv", "runs.csv"),
}
SECTIONS = ["Question", "Command", "Commit", "Device", "Wall time", "Finding", "Caveats"]
FIRST_VERSION = "2026-11-21-cifar10", "2026-11-21-digits", "2026-11-21-mnist"
"""Made by the first version, which tested no search run: what they state cannot be reckoned from their runs today."""

MADE = "made here"
"""A study that is published while the tests run, so that they hold a folder of this version even where there is none."""

TOML = """name = "synthetic"
question = "Which decay is best?"
[task]
data = "digits"
model = "small-cnn"
epochs = 8
batch_size = 16
[budget]
trials = 6
repeats = { from = 6, to = 6 }
confirm_seeds = 2
[decide]
control = false
[search]
learning_rate = { low = 1e-3, high = 1.0, log = true }
[strategies.constant]
schedule = "constant"
[strategies.cosine]
schedule = "cosine"
[strategies.exp_loss]
schedule = "exp_loss"
"""

published = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
of_this_version = pytest.mark.parametrize(
    "folder",
    [MADE, *(path for path in FOLDERS if path.name not in FIRST_VERSION)],
    ids=lambda path: getattr(path, "name", path),
    indirect=True,
)
stated_today = pytest.mark.parametrize("folder", [*FOLDERS, MADE], ids=lambda p: getattr(p, "name", p), indirect=True)


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Path:
    """The folder, or where the one is that is made here."""
    return request.getfixturevalue("made") if request.param == MADE else request.param


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with the README that a person would write, as far as a test reads it."""
    place = tmp_path_factory.mktemp("studies")
    path = place / "sweep.toml"
    path.write_text(TOML)
    sweep = load_sweep(path)
    frames = frames_factory.make(skill={"cosine": 0.02, "exp_loss": -0.2}, diverge=0.0)
    own = {"spec": sweep.spec(), "spec_hash": spec_hash(sweep.spec())}
    frames = frames._replace(sweep=frames.sweep | own | {"question": sweep.question})
    frames.sweep["provenance"]["git_revision"] = "c" * 40
    frames_factory.write_report(frames, place / "report")
    publish(place / "report", path, place / "2026-12-01-synthetic")
    summary = frames_factory.summary_of(frames)
    table = [
        f"| {pair.a} | {pair.b} | {100 * pair.difference:+.1f} | {100 * pair.low:+.1f} to {100 * pair.high:+.1f}"
        f" | {pair.verdict} |"
        for pair in summary.pairs
    ]
    text = "\n".join([f"Commit {'c' * 40}.", "", answer_text(summary), "", *table, ""])
    (place / "2026-12-01-synthetic" / "README.md").write_text(text)
    return place / "2026-12-01-synthetic"


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def summary_of(folder: Path) -> Summary:
    """The summary that the folder's own runs give, without a database."""
    (source,) = manifest(folder)["sweeps"]
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


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def told(folder: Path) -> str:
    """The README in one line, without the marks of quotations."""
    return " ".join(line.removeprefix(">").strip() for line in (folder / "README.md").read_text().splitlines())


@published
def test_the_folder_is_complete(folder):
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-[a-z0-9-]+", folder.name)
    assert {path.name for path in folder.iterdir()} == FILES
    readme = (folder / "README.md").read_text()
    assert re.findall(r"^## (.+)$", readme, flags=re.MULTILINE) == SECTIONS
    finding = readme.partition("## Finding\n")[2].partition("\n## ")[0].strip().partition("\n\n")[0]
    assert len(re.findall(r"[.!?](?=\s|$)", finding)) == 3, "the finding is told in three sentences"
    assert re.search(r"^`[0-9a-f]{40}`", readme.partition("## Commit\n\n")[2])


def test_publishing_gives_the_files_of_a_study(made):
    assert {path.name for path in made.iterdir()} == FILES
    listed = re.search(r"Other files of this report: (.*?)\.</p>", (made / "report.html").read_text())
    assert listed is not None
    assert {*re.findall(r'href="([^"]+)"', listed[1])} == FILES - {"README.md", "report.html"}


@published
def test_links_lead_somewhere(folder):
    page, readme = (folder / "report.html").read_text(), (folder / "README.md").read_text()
    found = re.findall(r'href="([^"#:]+)"', page) + re.findall(r"\]\(([^):]+)\)", readme)
    assert FILES - {"README.md"} <= {*found, "report.html"}
    assert [name for name in found if not (folder / name).exists()] == []


@stated_today
def test_it_is_of_the_sweep_beside_it(folder):
    (source,) = manifest(folder)["sweeps"]
    sweep = load_sweep(folder / "sweep.toml")
    assert source["name"] == sweep.name
    # the first version's specs had a number of repeats, and so another hash
    assert (source["spec_hash"] == spec_hash(sweep.spec())) == (folder.name not in FIRST_VERSION)
    readme = (folder / "README.md").read_text()
    assert source["provenance"]["git_revision"] in readme
    if sweep.task.train_size is not None:
        assert f"{sweep.task.train_size:,}" in readme


@of_this_version
def test_the_tables_follow_from_its_runs(folder):
    summary = summary_of(folder)
    assert verdicts_csv(summary) == (folder / "verdicts.csv").read_text()
    assert summary_csv(summary) == (folder / "summary.csv").read_text()


@of_this_version
def test_the_readme_states_the_answer_of_its_runs(folder):
    assert answer_text(summary_of(folder)) in told(folder)


@stated_today
def test_the_readme_states_the_verdicts_of_the_tables(folder):
    stated = re.findall(
        r"\| ([\w:]+) \| ([\w:]+) \| ([+-][\d.]+) \| ([+-][\d.]+) to ([+-][\d.]+) \| ([\w ,]+?) \|", told(folder)
    )
    assert len(stated) >= 3
    pairs = {(row["a"], row["b"]): row for row in rows((folder / "verdicts.csv").read_text())}
    mirrored = {"better": "worse", "worse": "better"}
    for a, b, *numbers, verdict in stated:
        turned = (a, b) not in pairs
        row = pairs[(b, a) if turned else (a, b)]
        ends = [float(row[key]) for key in ("difference", *(("high", "low") if turned else ("low", "high")))]
        assert numbers == [f"{100 * (-end if turned else end):+.1f}" for end in ends], (a, b)
        assert verdict == (mirrored.get(row["verdict"], row["verdict"]) if turned else row["verdict"])
