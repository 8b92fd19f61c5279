"""The study's note in optuna-dashboard: the question, the plan, the answer in the report's words, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Strategy, strategies
from decaybench.report import words
from decaybench.report.words.answer import answer_text

if TYPE_CHECKING:
    from decaybench.search.views import Content
    from decaybench.sweep import Sweep

UNFINISHED = "Not finished yet: the sweep is being trained."


def planned(sweep: Sweep, index: Path) -> Content:
    """What the dashboard shows of a sweep that is planned, before there are results; ``index`` will be its report."""
    from decaybench.sweep import arms

    return _content(sweep, strategies({arm.label: arm for arm in arms(sweep)}), UNFINISHED, index, {})


def reported(summary: Summary, index: Path) -> Content:
    """What the dashboard shows of a sweep whose report is written. Loads matplotlib."""
    from decaybench.report.dashboard.graphs import graphs

    results = summary.results
    (part,) = results.sweep.parts  # sweeps that were joined have no study together
    return _content(part.file, results.strategies, answer_text(summary), index, graphs(summary))


def _content(
    sweep: Sweep, entries: tuple[Strategy, ...], answer: str, index: Path, shown: Mapping[str, Any]
) -> Content:
    from decaybench.search.views import Content

    metric = f"validation {sweep.task.metric}"
    return Content(metric, _note(sweep, entries, answer, index, bool(shown)), shown)


def _note(sweep: Sweep, entries: tuple[Strategy, ...], answer: str, index: Path, drawn: bool) -> str:
    parts = [
        f"## {_plain(sweep.question or sweep.name)}",
        f"**Answer.** {_plain(answer)}",
        f"**Report:** {_code(str(index.resolve()))}",
        "### Plan",
        _plan(sweep),
        "\n".join(
            ["| strategy | schedule | family |", "|---|---|---|"]
            + [f"| {_code(s.label)} | {_code(s.schedule)} | {s.family} |" for s in entries]
        ),
        "### What is here",
        "A trial is one run of the search phase. Its user attributes name it: `run_id` is its `id` in the table `runs`"
        " and in `runs.csv`, where every curve hangs on it. Its value selected the winners, so the best of them are"
        " optimistic; confirm runs are in the report, not here."
        + (" The comparison's figures are on this study's first page, below the timeline." if drawn else ""),
    ]
    return "\n\n".join(parts) + "\n"


def _plan(sweep: Sweep) -> str:
    task, budget, search = sweep.task, sweep.budget, sweep.search
    repeats = words.count(budget.repeats, "repeat")
    winner = "each repeat's winner of every strategy"
    share = f"{words.count(budget.trials, 'slot')} for every strategy in each of {repeats} (one for a strategy that"
    share += " searches nothing)"
    if search.allocation == "adaptive":
        share = f"{words.count(budget.trials * len(sweep.strategies), 'slot')} in each of {repeats}, shared out by"
        share += " the sampler: a search for one good setting, not a comparison"
        winner = "each repeat's best setting"
    lengths = [words.percent(length) for length in budget.lengths]
    at = f", at {words.listed(lengths)} of the epochs" if lengths != ["100%"] else ""
    settings = f"batch size {task.batch_size}", f"optimizer {task.optimizer}", f"precision {task.precision}"
    return "\n".join(
        [
            f"- **Task:** {_code(task.model)} on {_code(task.data)}, "
            + ", ".join([words.count(task.epochs, "epoch"), *map(_plain, settings)]),
            f"- **Search:** {share}{at}; sampler {_code(search.sampler)}, seed {search.seed}",
            f"- **Confirm:** {winner} again on {words.count(budget.confirm_seeds, 'fresh seed')}; only"
            " then is the test split read",
        ]
    )


def _code(text: str) -> str:
    """Text as it is; a backtick, which would end it, and line breaks cannot be in it."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"


def _plain(text: str) -> str:
    """Text whose characters mean nothing to Markdown; an underscore inside a word does not anyway."""
    line = re.sub(r"([\\`*\[\]<>#|~$&])", r"\\\1", " ".join(text.split()))
    line = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", line)
    return re.sub(r"^([-+=]|\d+(?=[.)]))", lambda m: m[1] + "\\" if m[1][0].isdigit() else "\\" + m[1], line)
