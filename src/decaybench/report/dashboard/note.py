"""The note on the study in optuna-dashboard: question, answer and plan, in Markdown."""

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
    """What the dashboard shows of a planned sweep, before there are results; ``index`` will be its report."""
    from decaybench.sweep import arms

    return _content(sweep, strategies({arm.label: arm for arm in arms(sweep)}), UNFINISHED, index, {})


def reported(summary: Summary, index: Path) -> Content:
    """What the dashboard shows of a sweep with a report. Loads matplotlib."""
    from decaybench.report.dashboard.graphs import graphs

    results = summary.results
    (part,) = results.sweep.parts  # joined sweeps have no common study
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
        "A trial is one run of the search phase. Its user attribute `run_id` is its `id` in the table `runs` and in"
        " `runs.csv`. The best configurations were selected on these values, so the best values are optimistic."
        " Retraining runs are in the report, not here."
        + (" Figures of the comparison are on the first page of this study, below the timeline." if drawn else ""),
    ]
    return "\n\n".join(parts) + "\n"


def _plan(sweep: Sweep) -> str:
    task, budget, search = sweep.task, sweep.budget, sweep.search
    repeats = words.count(budget.repeats, "repeat")
    retrained = "the best configuration of every strategy in each repeat"
    share = f"{words.count(budget.trials, 'trial')} for every strategy in each of {repeats} (one for a strategy with"
    share += " nothing to search)"
    if search.allocation == "adaptive":
        share = f"{words.count(budget.trials * len(sweep.strategies), 'trial')} in each of {repeats}, allocated by"
        share += " the sampler: a search for one good configuration, not a comparison"
        retrained = "the best configuration of each repeat"
    lengths = [words.percent(length) for length in budget.lengths]
    at = f", at {words.listed(lengths)} of the epochs" if lengths != ["100%"] else ""
    settings = f"batch size {task.batch_size}", f"optimizer {task.optimizer}", f"precision {task.precision}"
    return "\n".join(
        [
            f"- **Task:** {_code(task.model)} on {_code(task.data)}, "
            + ", ".join([words.count(task.epochs, "epoch"), *map(_plain, settings)]),
            f"- **Search:** {share}{at}; sampler {_code(search.sampler)}, seed {search.seed}",
            f"- **Retraining:** {retrained}, on {words.count(budget.confirm_seeds, 'fresh seed')}; only these runs see"
            " the test split",
        ]
    )


def _code(text: str) -> str:
    """The text as code, without line breaks and with apostrophes for backticks, which would end it."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"


def _plain(text: str) -> str:
    """The text escaped for Markdown, in which an underscore inside a word needs no escape."""
    line = re.sub(r"([\\`*\[\]<>#|~$&])", r"\\\1", " ".join(text.split()))
    line = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", line)
    return re.sub(r"^([-+=]|\d+(?=[.)]))", lambda m: m[1] + "\\" if m[1][0].isdigit() else "\\" + m[1], line)
