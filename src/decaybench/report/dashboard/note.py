"""The note on the study in optuna-dashboard: question, answer and plan, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decaybench.compare import Look
from decaybench.compare import planned as planned_looks
from decaybench.findings.standing import taken
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Strategy, strategies
from decaybench.report import words
from decaybench.report.words.answer import answer_text
from decaybench.report.words.method import UNTIL

if TYPE_CHECKING:
    from decaybench.search.views import Content
    from decaybench.store import LookRow
    from decaybench.sweep import Sweep

UNFINISHED = "Not finished yet: the sweep is being trained."


def planned(sweep: Sweep, index: Path, rows: Sequence[LookRow] = ()) -> Content:
    """What the dashboard shows of a sweep while it is trained.

    ``index`` will be its report, ``rows`` are the looks that were taken before.
    """
    from decaybench.sweep import arms

    looks = planned_looks(sweep.budget.repeats.start, sweep.budget.repeats.to, taken(rows))
    return _content(sweep, strategies({arm.label: arm for arm in arms(sweep)}), UNFINISHED, index, {}, looks)


def reported(summary: Summary, index: Path) -> Content:
    """What the dashboard shows of a sweep with a report. Loads matplotlib."""
    from decaybench.report.dashboard.graphs import graphs

    results = summary.results
    (part,) = results.sweep.parts  # joined sweeps have no common study
    return _content(part.file, results.strategies, answer_text(summary), index, graphs(summary), summary.decisive.looks)


def _content(
    sweep: Sweep,
    entries: tuple[Strategy, ...],
    answer: str,
    index: Path,
    shown: Mapping[str, Any],
    looks: Sequence[Look],
) -> Content:
    from decaybench.search.views import Content

    metric = f"validation {sweep.task.metric}"
    return Content(metric, _note(sweep, entries, answer, index, bool(shown), looks), shown)


def _note(
    sweep: Sweep, entries: tuple[Strategy, ...], answer: str, index: Path, drawn: bool, looks: Sequence[Look]
) -> str:
    parts = [
        f"## {_plain(sweep.question or sweep.name)}",
        f"**Answer.** {_plain(answer)}",
        f"**Report:** {_code(str(index.resolve()))}",
        "### Plan",
        _plan(sweep, looks),
        "\n".join(
            ["| strategy | schedule | family |", "|---|---|---|"]
            + [f"| {_code(s.label)} | {_code(s.schedule)} | {s.family} |" for s in entries]
        ),
        "### What is here",
        "A trial is one run of the search phase. Its user attribute `run_id` is its `id` in the table `runs` and in"
        " `runs.csv`. A trial's value is its validation result. The best configurations were selected by these values,"
        " so the best values are optimistic. Retraining runs are in the report, not here."
        + (" Figures of the comparison are on the first page of this study, below the timeline." if drawn else ""),
    ]
    return "\n\n".join(parts) + "\n"


def _plan(sweep: Sweep, looks: Sequence[Look]) -> str:
    from decaybench.sweep import all_slots, shares_slots

    task, budget, search = sweep.task, sweep.budget, sweep.search
    shared = shares_slots(sweep)
    each = f"{words.count(budget.trials, 'trial')} for every strategy in each repeat"
    if shared:
        each = (
            f"{words.count(all_slots(sweep), 'trial')} in each of {words.count(budget.repeats.to, 'repeat')}, allocated"
        )
        each += " by the sampler: a search for one good configuration, not a comparison"
    lengths = [words.percent(length) for length in budget.lengths]
    at = f", at {words.listed(lengths)} of the epochs" if lengths != ["100%"] else ""
    settings = [f"batch size {task.batch_size}", f"optimizer {task.optimizer}", f"precision {task.precision}"]
    settings += task.options(task.average)
    return "\n".join(
        [
            f"- **Task:** {_code(str(task.model))} on {_code(task.data)}, "
            + ", ".join([words.count(task.epochs, "epoch"), *map(_plain, settings)]),
            f"- **Search:** {each}{at}; sampler {_code(search.sampler)}, seed {search.seed}; a trial is tested once, at"
            " its end",
            *([] if shared else [f"- **Looks:** {_looks(sweep, looks)}"]),
            f"- **Cost:** {_cost(sweep)}",
            f"- **Retraining:** {_retraining(sweep)}",
        ]
    )


def _looks(sweep: Sweep, looks: Sequence[Look]) -> str:
    if len(looks) == 1:
        return f"one, after {words.count(looks[0].repeats, 'repeat')}"
    return f"after {words.listed([str(look.repeats) for look in looks])} repeats, {UNTIL[sweep.decide.until]}"


def _cost(sweep: Sweep) -> str:
    from decaybench.sweep import least_retrained, ledger, most_retrained

    rows = ledger(sweep, 1)
    least, most = sum(row.least for row in rows), sum(row.most for row in rows)
    again = least_retrained(sweep), most_retrained(sweep)
    return f"{_range(least, most)} trials" + (f", and {_range(*again)} retraining runs" if again[1] else "")


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _retraining(sweep: Sweep) -> str:
    from decaybench.sweep import RETRAINED, shares_slots

    seeds = sweep.budget.confirm_seeds
    if not seeds:
        return "none"
    of = "" if shares_slots(sweep) else " of the strategies that matter most"
    fresh = words.count(seeds, "fresh seed")
    return (
        f"the {RETRAINED} best configurations{of}, each on {fresh}. Validation chooses one, which is trained on as many"
        " further seeds; only these further runs are reported"
    )


def _code(text: str) -> str:
    """The text as code, without line breaks and with apostrophes for backticks, which would end it."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"


def _plain(text: str) -> str:
    """The text escaped for Markdown, in which an underscore inside a word needs no escape."""
    line = re.sub(r"([\\`*\[\]<>#|~$&])", r"\\\1", " ".join(text.split()))
    line = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", line)
    return re.sub(r"^([-+=]|\d+(?=[.)]))", lambda m: m[1] + "\\" if m[1][0].isdigit() else "\\" + m[1], line)
