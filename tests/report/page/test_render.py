"""The page and report.md tell the same in the same order, from one list of sections."""

import html
import re

import pytest

from decaybench.report.figures import Drawn
from decaybench.report.page.render import index_html, report_md
from decaybench.report.page.sections import sections
from frames_factory import make, summary_of

LENGTHS = (0.5, 1.0)


@pytest.mark.parametrize("settings", [{}, {"lengths": LENGTHS}, {"repeats": 1}, {"confirmed": False}, {"diverge": 9.0}])
def test_the_markdown_is_whole(settings: dict) -> None:
    figures = [Drawn("decision", "Decision | on test", "The *large* mark is a mean.", "<svg/>")]
    text = report_md(summary_of(make(**settings)), figures)
    for title in (
        "# Which decay is best?",
        "## Where each strategy stands",
        "## Ledger",
        "## Provenance",
        "## Figures",
    ):
        assert f"{title}\n" in text
    assert ("## Replay\n" in text) == (settings.get("confirmed") is None)
    assert "- [Decision \\| on test](figures/decision.svg): The \\*large\\* mark is a mean." in text
    assert not re.search(r"\b(None|nan)\b", text)
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert len(tables) >= 3
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_how_runs_are_trained_is_said_if_it_is_set() -> None:
    frames = make(confirmed=False)
    assert "trained with" not in index_html(summary_of(frames), [], [], [])
    frames.sweep["spec"]["task"] |= {"label_smoothing": 0.1, "clip_norm": 1.0, "augment": ["crop1", "flip"]}
    frames.sweep["spec"]["strategies"]["cosine"]["average"] = {"ema": 0.999}
    text = index_html(summary_of(frames), [], [], [])
    trained = "augmented images (crop1, flip), label smoothing 0.1 and gradients clipped to norm 1"
    assert f"All strategies are trained with {trained}. Training losses are those of augmented images." in text
    assert "Where weights are averaged, validation and test use the average." in text
    assert "<dt>augment</dt><dd>crop1, flip</dd>" in text
    assert "<dt>label_smoothing</dt><dd>0.1</dd>" in text and "average = { ema = 0.999 };" in text


def test_the_markdown_says_what_the_page_says() -> None:
    frames = make(diverge=0.0, rope=0.02, confirmed=False)
    frames.sweep["question"] = "Is `a|b` *better*\nthan #1?"
    text = report_md(summary_of(frames), [])
    assert text.startswith("# Is \\`a\\|b\\` \\*better\\* than \\#1?\n")
    assert "**Take cosine: with 95% confidence it is at most" in text
    assert "They are about this split of the data, these strategies and this search space." in text
    assert text.count("| equivalent | both are at most ") == 3
    page = index_html(summary_of(frames), [], [], [])
    assert "<strong>Take cosine: with 95% confidence it is at most" in page
    assert "They are about this split of the data, these strategies and this search space." in page


def test_both_place_the_same_tables_in_the_same_order() -> None:
    summary = summary_of(make(lengths=LENGTHS))
    page, text = index_html(summary, [], [], []), report_md(summary, [])
    on_page = [html.unescape(caption) for caption in re.findall(r"<caption>(.*)</caption>", page)]
    in_file = [line.removesuffix(".").replace("\\", "") for line in re.findall(r"^(.+\.)\n\n\|", text, re.MULTILINE)]
    listed = [(s, table.caption) for s in sections(summary) for fold in s.folds for table in fold.tables]
    assert on_page == [caption for _, caption in listed] and len(on_page) > 10
    assert in_file == [caption for section, caption in listed if section.heading is not None]
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == [*(s.heading for s in sections(summary) if s.heading and s.folds), "Figures"]
