"""Every word of the report, read by a person once: the files in ``approved/``, one per kind of sweep.

``DECAYBENCH_APPROVE=1 pytest tests/report/words/test_approved.py`` writes them anew; read the diff before you commit it.
"""

import os
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from report.words.test_adaptive import adaptive

from decaybench.findings import Summary
from decaybench.report import planned
from decaybench.report.dashboard.graphs import graphs
from decaybench.report.dashboard.note import reported
from decaybench.report.figures import Drawn, by_optuna, with_data
from decaybench.report.page.render import report_md
from decaybench.report.page.sections import sections
from decaybench.report.words import method
from decaybench.store import Frames
from decaybench.sweep import Sweep
from findings.test_pruning import HALF, A, B
from findings.test_pruning import sweep as pruned
from frames_factory import change, confirm_scores, make, named, summary_of, unconfirm

APPROVED = Path(__file__).parent / "approved"
INDEX = Path("/reports/index.html")
BETTER = [0.96, 0.97, 0.98, 0.97, 0.97]
FLAT = {"constant": [0.96] * 5, "cosine": [0.97] * 5, "exp_loss": [0.95] * 5}
WIDE = {"constant": [0.99, 0.91, 0.98, 0.91, 0.99], "cosine": [0.96, 0.97, 0.93, 0.98, 0.95], "exp_loss": [0.95] * 5}


def scored(scores: dict[str, list[float]], **settings) -> Frames:
    return confirm_scores(make(diverge=0.0, **settings), scores)


def searched(frames: Frames, **search: object) -> Frames:
    frames.sweep["spec"]["search"] |= search
    return frames


def joined() -> Summary:
    fixed = {"constant": "constant", "cosine": "cosine"}
    reactive = {"constant": "constant", "exp_loss": "exp_loss"}
    return summary_of(named(make(fixed), "fixed"), named(make(reactive, trials=3), "reactive"))


def no_seed_twice() -> Summary:
    """One confirm seed, and a strategy whose search is not done."""
    frames = make(confirm_seeds=1, diverge=0.0)
    return summary_of(change(frames, lambda r: (r.strategy == "cosine") & (r.repeat == 2), outcome=None))


def started() -> Summary:
    frames = make(diverge=0.0)
    frames.sweep["status"] = "running"
    late = change(frames, lambda r: (r.repeat == 4) & (r.strategy == "exp_loss"), outcome="failed")
    return summary_of(unconfirm(late, lambda r: (r.strategy != "cosine") | (r.repeat > 1)))


CASES: dict[str, Callable[[], Summary]] = {
    "better": lambda: summary_of(scored(FLAT | {"cosine": BETTER})),
    "inconclusive": lambda: summary_of(scored(WIDE)),
    "equivalent": lambda: summary_of(scored({"constant": BETTER, "cosine": BETTER, "exp_loss": [0.9] * 5})),
    "one_strategy": lambda: summary_of(scored({"cosine": BETTER}, strategies={"cosine": "cosine"})),
    "all_diverged": lambda: summary_of(make(diverge=9.0)),
    "some_diverged": lambda: summary_of(make(diverge=0.3)),
    "lengths": lambda: summary_of(make(lengths=(0.5, 1.0), metric="loss", skill={"cosine": 0.02})),
    "tpe": lambda: summary_of(searched(make(), sampler="tpe")),
    "pruned": lambda: pruned({"a": A, "b": B}, prune=HALF),
    "adaptive": lambda: summary_of(adaptive()),
    "joined": joined,
    "unfinished": started,
    "not_started": lambda: summary_of(change(make(confirmed=False), lambda r: r.slot >= 0, outcome=None)),
    "few_repeats": lambda: summary_of(make(repeats=3)),
    "one_seed": no_seed_twice,
    "replayed": lambda: summary_of(make(diverge=0.0, replayed=True, skill={"cosine": 0.02, "exp_loss": -0.02})),
}


@pytest.mark.parametrize("name", CASES)
def test_a_sweeps_words(name: str) -> None:
    compare(name, of_a_sweep(CASES[name]()))


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
        if name.isupper():
            yield f"{name}: {text}"
    for term, meaning in (*method.glossary(False), *method.glossary(True)):
        yield f"{term}: {meaning}"
    everything = make(lengths=(0.5, 1.0), diverge=0.2, replayed=True)
    for figure, _ in with_data(summary_of(everything)):
        yield f"# {figure.TITLE}\n\n{figure.READ}"
    for plots in by_optuna.draw_optunas(summary_of(make(trials=1, repeats=1))):
        yield f"# {plots.title}\n\n{plots.read}\n\n{'; '.join(plots.missing)}"
    yield planned(Sweep.from_mapping(everything.sweep["spec"], "s"), INDEX).note


def wrapped(text: str) -> str:
    """Lines that a person can read; tables stay as they are."""
    return "\n".join(line if line.startswith("|") else textwrap.fill(line, 120) for line in text.splitlines())
