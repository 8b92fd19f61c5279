"""Reading the report tells of the report that there is: its files, verdicts, columns, figures and numbers."""

import json
import re
from typing import get_args

import pytest

from decaybench.compare import Verdict
from decaybench.report.figures import draw_all
from decaybench.report.words.run_tables import ledger_table
from decaybench.report.words.tables import results_table
from docs.pages import DOCS, section, text
from frames_factory import make, summary_of, write_report

PAGE = "reading-the-report.md"


@pytest.fixture(scope="module")
def frames():
    """A sweep that gets every figure."""
    return make(repeats=9, lengths=(0.5, 1.0), rope=1e-4)


def test_every_file_is_listed(frames, tmp_path, undrawn):
    write_report(frames, tmp_path / "report")
    written = {*json.loads((tmp_path / "report" / "manifest.json").read_text())["files"], "manifest.json"}
    listed = re.findall(r"^\| `([\w./*]+)` \|", text(PAGE), re.MULTILINE)
    assert {re.sub(r"figures/.*", "figures/*.svg", name) for name in written} == {*listed, "index.html"}


def test_the_figures_are_listed_in_the_page_s_order(frames):
    titles = re.findall(r"^\d+\. \*\*(.+)\.\*\*", section(PAGE, "The figures"), re.MULTILINE)
    assert titles == [figure.title for figure in draw_all(summary_of(frames))]
    assert len(titles) == 14


def test_every_verdict_is_explained():
    rows = re.findall(r"^\| ([a-z, ]+) \|", section(PAGE, "The verdict"), re.MULTILINE)
    told = [row for row in rows if row != "verdict"]
    assert {word for row in told for word in ([row] if "size" in row else row.split(", "))} == set(get_args(Verdict))


@pytest.mark.parametrize(
    ("title", "table"), [("Where each strategy stands", lambda s: results_table(s, 1.0)), ("The ledger", ledger_table)]
)
def test_every_column_is_explained(frames, title, table):
    words = set(re.findall(r"\w+", " ".join(re.findall(r"^\|.+\|$", section(PAGE, title), re.MULTILINE))))
    for column in table(summary_of(frames)).header:
        if column not in ("strategy", "schedule and family"):
            assert set(re.findall(r"\w+", re.sub(r", (%|nats|points)", "", column))) <= words, column


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_links_to_a_section_lead_to_one(page):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", text(page)):
        if not target.startswith("https:"):
            headings = re.findall(r"^#+ (.+)$", text(target or page), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{target}#{anchor}"
