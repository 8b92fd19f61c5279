"""The page and report.md tell the same in the same order, from one list of sections."""

import html
import re

import pytest

from decaybench.report.figures import Drawn
from decaybench.report.page.render import index_html, report_md
from decaybench.report.page.sections import sections
from frames_factory import THREE, confirm_scores, make, summary_of

LENGTHS = (0.5, 1.0)


@pytest.mark.parametrize("settings", [{}, {"lengths": LENGTHS}, {"repeats": 1}, {"confirmed": False}, {"diverge": 9.0}])
def test_the_markdown_is_whole(settings: dict) -> None:
    figures = [Drawn("confirmed", "Confirmed | on test", "The *large* mark is a mean.", "<svg/>")]
    text = report_md(summary_of(make(replayed=not settings, **settings)), figures)
    for title in ("# Which decay is best?", "## Results", "## Verdicts", "## Ledger", "## Provenance", "## Figures"):
        assert f"{title}\n" in text
    assert ("## Replay\n" in text) == (not settings)
    assert "- [Confirmed \\| on test](figures/confirmed.svg): The \\*large\\* mark is a mean." in text
    assert not re.search(r"\b(None|nan)\b", text)
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert len(tables) >= 3
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_the_markdown_says_what_the_page_says() -> None:
    frames = confirm_scores(make(diverge=0.0), {label: [0.9] * 5 for label in THREE})
    frames.sweep["question"] = "Is `a|b` *better*\nthan #1?"
    text = report_md(summary_of(frames), [])
    assert text.startswith("# Is \\`a\\|b\\` \\*better\\* than \\#1?\n")
    assert "**All 3 strategies tie for first place**: each with test accuracy 90.0% after retraining." in text
    assert text.count("| equivalent | the results are identical |") == 4  # the pairs and the families


def test_both_place_the_same_tables_in_the_same_order() -> None:
    summary = summary_of(make(replayed=True, lengths=LENGTHS))
    page, text = index_html(summary, [], [], []), report_md(summary, [])
    on_page = [html.unescape(caption) for caption in re.findall(r"<caption>(.*)</caption>", page)]
    in_file = [line.removesuffix(".").replace("\\", "") for line in re.findall(r"^(.+\.)\n\n\|", text, re.MULTILINE)]
    listed = [(s, table.caption) for s in sections(summary) for fold in s.folds for table in fold.tables]
    assert on_page == [caption for _, caption in listed] and len(on_page) > 10
    assert in_file == [caption for section, caption in listed if section.heading is not None]
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == [*(s.heading for s in sections(summary) if s.heading and s.folds), "Figures"]
