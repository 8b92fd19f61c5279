"""Every word of the report, read by a person once: the files in ``approved/``, one per kind of sweep.

``DECAYBENCH_APPROVE=1 pytest tests/report/words/test_approved.py`` writes them anew; read the diff before you commit it.
"""

import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from decaybench.findings import Summary
from decaybench.report import answer_text, planned
from decaybench.report.dashboard.graphs import graphs
from decaybench.report.dashboard.note import reported
from decaybench.report.figures import Drawn, by_optuna, with_data
from decaybench.report.page.render import report_md
from decaybench.report.page.sections import sections
from decaybench.report.words import method
from decaybench.report.words.answer import answer
from decaybench.sweep import Sweep
from frames_factory import make, summary_of
from report.words.scenarios import CASES, scenario

APPROVED = Path(__file__).parent / "approved"
INDEX = Path("/reports/index.html")
FITS = {
    "settled": (
        "Take cosine: with 95% confidence it is at most 0.72 points below the best of these 5; retrained, it failed in"
        " none of 6 runs.",
        ["Ruled out: exp_loss, constant and rough. Still open: linear.", "more trials (up to 12 repeats)"],
    ),
    "not_settled": (
        "Not settled after all 12 repeats: constant (the control) leads, with 95% confidence at most 1.5 points below"
        " the best of these 3; the margin is 1 point.",
        [
            "Still open: constant, exp_loss and cosine. Settling on one strategy",
            "(up to 18 repeats; the sweep file allows 12).",
        ],
    ),
    "finished_without_a_pick": (
        "Finished without a pick after all 12 repeats: constant (the control) leads",
        ["Still open: constant, cosine and exp_loss."],
    ),
    "time_limit": (
        "Not settled in the time given: constant (the control) leads, with 95% confidence at most 4.7 points below"
        " the best of these 3; the margin is 1 point.",
        ['A time limit ended the search; "decaybench run" with the sweep file of synthetic continues it.'],
    ),
    "one_strategy": (
        "cosine is the only strategy, so there is nothing to compare it with; retrained, it failed in none of 6 runs.",
        ["A search of 6 trials with cosine is expected to reach a test accuracy of 96.9%"],
    ),
    "two_equals": (
        "Take cosine: with 95% confidence it is at most 0.02 points below the better of the two; retrained, it failed"
        " in none of 6 runs.",
        ["Equivalent to it: again."],
    ),
    "same_runs": ("Take cosine: with 95% confidence the other is not better", ["Same results in all trials: again."]),
    "all_diverged": ("Nothing to take: every trial diverged.", ["All 108 trials count as results at chance (10.0%)."]),
    "some_diverged": ("Not settled after all 6 repeats: cosine leads", ["Of 108 trials, 37 diverged (constant 10,"]),
    "fragile": (
        "Take cosine: with 95% confidence it is at most 0.51 points below the best of these 5; retrained, it failed in"
        " 2 of 6 runs.",
        [
            "If you plan to train the configuration again, take linear instead: it failed in none of 6 runs, and it is at most 1.1 points below"
        ],
    ),
    "adaptive": (
        "This sweep searched for one good configuration and compared no strategies.",
        ["the trial with the best validation belongs to cosine.", "its mean test accuracy on 2 further seeds is"],
    ),
    "joined": ("Take cosine: with 95% confidence", ["Equivalent to it: fixed.constant and reactive.constant."]),
    "unequal": (
        "Estimates, but no statements: the strategies have different numbers of trials per repeat (6 and 7).",
        ["The expected test accuracy of a search: cosine 96.9%"],
    ),
    "lengths": (
        "Take cosine: with 95% confidence none of the other 2 is better",
        [
            "This is the answer at 100% of the epochs, the longest length.",
            "At 50% of the epochs, take cosine: with 95% confidence none of the other 2 is better.",
        ],
    ),
    "few_repeats": (
        "Estimates, but no statements: only 3 repeats, and a statement needs at least 5.",
        ["The expected test accuracy of a search of 6 trials: cosine 96.7%"],
    ),
    "few_trials": ("Estimates, but no statements: only 3 trials per repeat, and a statement needs at least 6.", []),
    "unfinished": (
        "Not settled yet: constant (the control) leads",
        [
            "The sweep is unfinished, and this is its last look, after 6 repeats;",
            '6 runs of exp_loss failed; the next "decaybench run" tries them again.',
        ],
    ),
    "not_started": ("No answer yet: the sweep has not started.", []),
    "before_the_first_look": ("No answer yet: 72 of the 108 trials that the first look needs are done.", []),
    "tpe": ("Take cosine: with 95% confidence it is at most", ["Equivalent to it: constant and exp_loss."]),
    "pruned": ("Take cosine: with 95% confidence it is at most", ["Equivalent to it: constant and exp_loss."]),
    "control": (
        "Take cosine: with 95% confidence it is at most",
        ["Ruled out: constant and rough. Still open: linear and"],
    ),
    "all_ruled_out_but_one": (
        "Take cosine: with 95% confidence none of the other 2 is better",
        ["Ruled out: exp_loss and constant."],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_sweeps_words(name: str) -> None:
    compare(name, of_a_sweep(scenario(name)))


@pytest.mark.parametrize("name", CASES)
def test_it_fits_its_sweep(name: str) -> None:
    lead, rest, others = answer(scenario(name))
    start, said = FITS[name]
    assert lead.startswith(start), lead
    for sentence in said:
        assert sentence in " ".join((rest, *others))


@pytest.mark.parametrize("name", CASES)
def test_the_first_sentence_is_one_short_sentence_without_a_p_value(name: str) -> None:
    lead = answer(scenario(name)).lead
    assert len(lead.split()) <= 30
    assert lead.endswith(".") and not re.search(r"[.!?] ", lead)
    assert not re.search(r"\bp\b|p-value", lead, re.IGNORECASE)


@pytest.mark.parametrize("name", CASES)
def test_the_words_are_those_of_the_protocol(name: str) -> None:
    said = answer_text(scenario(name))
    assert not re.search(r"\b(slots?|winners?|confirmed|equal|nan|None)\b", said)


def test_the_words_of_every_report() -> None:
    compare("every_report", of_every_report())


def compare(name: str, parts: Iterator[str]) -> None:
    text = "\n\n".join(wrapped(part).strip() for part in parts) + "\n"
    file = APPROVED / f"{name}.txt"
    if os.environ.get("DECAYBENCH_APPROVE"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def of_a_sweep(summary: Summary) -> Iterator[str]:
    """What depends on the sweep: report.md, what the page has besides, and what optuna-dashboard shows."""
    figures = [Drawn(figure.NAME, figure.TITLE, "(see every_report)", "") for figure, _ in with_data(summary)]
    yield report_md(summary, figures)
    yield "# The page has besides"
    yield method.figures(summary)
    yield method.proposed(summary.results.sweep)
    yield from (f"{name}: {text}" for name, text in method.steps(summary))
    constant = [text for name, text in vars(method).items() if name.isupper()]
    for section in sections(summary):
        for fold in section.folds:
            yield f"## {section.title or fold.title}"
            yield from (text for text in fold.below if text not in constant)
            if section.heading is None:
                yield from (f"{table.caption}: {' | '.join(table.header)}" for table in fold.tables)
                yield from (" | ".join(row) for table in fold.tables for row in table.rows[:3])
            yield from (title for title, _ in fold.lists if title)
    if summary.results.sweep.joined:
        return
    yield "# optuna-dashboard"
    yield reported(summary, INDEX).note
    for graph in graphs(summary).values():
        layout = graph["layout"]
        axes = (layout[axis].get("title", {"text": "-"})["text"] for axis in ("xaxis", "yaxis"))
        yield "; ".join([layout["title"]["text"], *axes])


def of_every_report() -> Iterator[str]:
    """What depends on no sweep: how it was done, how to read figures and plots, our words, the note before training."""
    for name, text in vars(method).items():
        if name.isupper() and isinstance(text, str):
            yield f"{name}: {text}"
    for term, meaning in (*method.glossary(False), *method.glossary(True)):
        yield f"{term}: {meaning}"
    everything = make(lengths=(0.5, 1.0), diverge=0.2)
    for figure, _ in with_data(summary_of(everything)):
        yield f"# {figure.TITLE}\n\n{figure.READ}"
    for plots in by_optuna.draw_optunas(summary_of(make(trials=1, repeats=1))):
        yield f"# {plots.title}\n\n{plots.read}\n\n{'; '.join(plots.missing)}"
    yield planned(Sweep.from_mapping(everything.sweep["spec"], "s"), INDEX).note


def wrapped(text: str) -> str:
    """Lines that a person can read; tables stay as they are."""
    return "\n".join(line if line.startswith("|") else textwrap.fill(line, 120) for line in text.splitlines())
