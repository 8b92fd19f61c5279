"""The published studies: complete, and their tables give what their READMEs state.

A published report keeps the sentences of the version that wrote it, and the present version may word them differently.
Of a sentence, the numbers and the strategies that it names must therefore be those that the runs give now. Everything
else must be equal.
"""

import csv
import html
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
from decaybench.sweep import Sweep, load_sweep, spec_hash

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(path for path in (ROOT / "studies").glob("20*") if path.is_dir())
FILES = {
    *("README.md", "sweep.toml", "report.html", "report.svg", "manifest.json"),
    *("summary.csv", "verdicts.csv", "runs.csv"),
}
SECTIONS = ["Question", "Command", "Commit", "Device", "Wall time", "Finding", "Caveats"]

pytestmark = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)


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


def facts(sentence: str, summary: Summary) -> list[str]:
    """The numbers, without thousands separators, and the strategies in a sentence, in their order."""
    labels = "|".join(strategy.label for strategy in summary.results.strategies)
    return re.findall(rf"[+-]?\d+(?:\.\d+)?|\b(?:{labels})\b", re.sub(r"(?<=\d),(?=\d{3})", "", sentence))


def test_the_folder_is_complete(folder):
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-[a-z0-9-]+", folder.name)
    assert {path.name for path in folder.iterdir()} == FILES
    readme = (folder / "README.md").read_text()
    assert re.findall(r"^## (.+)$", readme, flags=re.MULTILINE) == SECTIONS
    finding = readme.partition("## Finding\n")[2].partition("\n## ")[0].strip().partition("\n\n")[0]
    assert len(re.findall(r"[.!?](?=\s|$)", finding)) == 3, "the finding is told in three sentences"
    assert re.search(r"^`[0-9a-f]{40}`", readme.partition("## Commit\n\n")[2])


def test_links_lead_somewhere(folder):
    page, readme = (folder / "report.html").read_text(), (folder / "README.md").read_text()
    found = re.findall(r'href="([^"#:]+)"', page) + re.findall(r"\]\(([^):]+)\)", readme)
    assert FILES - {"README.md"} <= {*found, "report.html"}
    assert [name for name in found if not (folder / name).exists()] == []


def test_it_is_of_the_sweep_beside_it(folder):
    (source,) = manifest(folder)["sweeps"]
    sweep = Sweep.model_validate(load_sweep(folder / "sweep.toml"))
    assert (source["name"], source["spec_hash"]) == (sweep.name, spec_hash(sweep.spec()))
    readme = (folder / "README.md").read_text()
    assert source["provenance"]["git_revision"] in readme
    if sweep.task.train_size is not None:
        assert f"{sweep.task.train_size:,}" in readme


def test_the_tables_follow_from_its_runs(folder):
    summary = summary_of(folder)
    published, now = (
        [row | {"reason": facts(row["reason"], summary)} for row in rows(text)]
        for text in ((folder / "verdicts.csv").read_text(), verdicts_csv(summary))
    )
    assert list(published[0]) == list(now[0]) and published == now
    assert summary_csv(summary) == (folder / "summary.csv").read_text()


def test_the_readme_states_the_verdicts_of_the_tables(folder):
    lines = (folder / "README.md").read_text().splitlines()
    quoted = " ".join(line.removeprefix(">").strip() for line in lines if line.startswith(">"))
    answer = (folder / "report.html").read_text().partition('<div class="answer">')[2].partition("</div>")[0]
    shown = html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"</?(p|li)>", " ", answer)))
    assert quoted == " ".join(shown.split())
    summary = summary_of(folder)
    assert facts(quoted, summary) == facts(answer_text(summary), summary)
    readme = " ".join(lines)
    stated = re.findall(
        r"\| ([\w:]+) \| ([\w:]+) \| ([+-][\d.]+) \| ([+-][\d.]+) to ([+-][\d.]+) \| ([\w ,]+?) \|", readme
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
