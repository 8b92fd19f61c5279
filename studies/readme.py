"""Begin the README of a published study: everything but its finding and its caveats, which are written by hand."""

import re
import textwrap
from collections.abc import Mapping
from typing import Any

from decaybench.findings import Summary
from decaybench.report import answer_text
from decaybench.report.words import count, listed
from decaybench.report.words.tables import Table, pairs_table, results_table
from decaybench.runner.proposals import ENDED
from decaybench.store import Stored

BY_HAND = "**To be written by hand**"
_WIDTH = 118
_STANDING, _PAIR = 9, 8  # the columns of the report's tables that a README has
_README = """\
# {question}

## Question

{asked}

{task}

## Command

```sh
decaybench run sweep.toml --workers {workers}
```

The report can be made again from the database, without training, and compared with this one:

```sh
xz --decompress --stdout decaybench.db.xz > /tmp/{name}.db
decaybench report {name} --storage sqlite:////tmp/{name}.db --out /tmp/{name}
cp manifest.json /tmp/{name}/
decaybench verify /tmp/{name} --storage sqlite:////tmp/{name}.db
```

## Commit

{commit}

## Device

{device}

## Wall time

{time}

## Finding

{by_hand}: three sentences on what was found.

{answer}

{tables}

![{figure}](report.svg)

{files}

## Caveats

{by_hand}: a list of what the reader must keep in mind.
"""


def begun(summary: Summary, stored: Stored) -> str:
    """The README of the sweep's study, from its ``summary`` and everything that is ``stored`` about it."""
    provenance, metric = stored.sweep["provenance"], summary.results.metric
    return _README.format(
        name=stored.sweep["name"],
        question=stored.sweep["question"] or stored.sweep["name"],
        asked=_wrapped(_asked(summary, stored.sweep["question"])),
        task=_wrapped(_task(stored)),
        workers=provenance["workers"],
        commit=commit(provenance["git_revision"]),
        device=_wrapped(_device(provenance)),
        time=_wrapped(_time(summary, stored)),
        answer="\n".join(f"> {line}" for line in _lines(answer_text(summary))),
        tables="\n\n".join(_tables(summary)),
        figure=f"Each strategy's expected test {metric} and its bound",
        files=_wrapped(
            "Everything else, with all figures, is in [report.html](report.html); the answer as data in"
            " [decision.json](decision.json); the tables in [summary.csv](summary.csv), [verdicts.csv](verdicts.csv),"
            " [looks.csv](looks.csv), [ledger.csv](ledger.csv) and [runs.csv](runs.csv)."
        ),
        by_hand=BY_HAND,
    )


def _asked(summary: Summary, question: str) -> str:
    """The question, and the strategies by family."""
    families: dict[str, list[str]] = {}
    for strategy in summary.results.strategies:
        families.setdefault(strategy.family, []).append(strategy.label + (" (the control)" if strategy.control else ""))
    by_family = " ".join(f"{family.capitalize()}: {listed(labels)}." for family, labels in families.items())
    return f"{question} {len(summary.results.strategies)} strategies are compared. {by_family}".lstrip()


def _task(stored: Stored) -> str:
    task, images = stored.sweep["spec"]["task"], stored.sweep["provenance"]["examples"]
    return (
        f"Each training is one of {task['model']} on {task['data']}, {task['epochs']} epochs with batches of"
        f" {task['batch_size']}: {images['train']:,} images to train on, {images['validation']:,} to validate,"
        f" {images['test']:,} to test. Everything else is in [sweep.toml](sweep.toml)."
    )


def commit(revision: str | None) -> str:
    """The revision, if others can check it out: a wheel has none, and a tree with changes is not what it names."""
    if revision is not None and re.fullmatch("[0-9a-f]{40}", revision):
        return f"`{revision}`"
    return f"{BY_HAND}: the commit. The database has {revision or 'none'}."


def _device(known: Mapping[str, Any]) -> str:
    workers = f"{count(known['workers'], 'worker')} of {count(known['threads'], 'thread')} each"
    return (
        f"{known['device']} ({known['device_name']}), {known['platform']}: {workers}, torch"
        f" {known['versions']['torch']}, {known['precision']}. Everything else is in [manifest.json](manifest.json)."
    )


def _time(summary: Summary, stored: Stored) -> str:
    """How long it took, pauses between two calls of the command included, and for how many trainings.

    Superseded runs took their time as well, so they count before and after the search.
    """
    begun = min(run.started_at for run in stored.runs if run.started_at)
    ended = max(run.finished_at for run in stored.runs if run.finished_at)
    minutes, seconds = divmod(round((ended - begun).total_seconds()), 60)
    after = sum(run.phase != "search" and run.outcome in ENDED for run in stored.runs)
    return (
        f"{count(minutes, 'minute')} {count(seconds, 'second')} from the start of the first training to the end of the"
        f" last: {summary.trainings:,} trainings in the search, {after:,} after it to retrain and replay."
    )


def _tables(summary: Summary) -> list[str]:
    """Where each strategy stands, and the pairs with a control; without a control, all pairs."""
    length = summary.results.longest
    controls = {strategy.label for strategy in summary.results.strategies if strategy.control}
    pairs, _ = pairs_table(summary, length)
    rows = [row for row in pairs.rows if not controls or controls & {*row[:2]}]
    found = [_markdown(results_table(summary, length), _STANDING)]
    if rows:
        found.append(_markdown(pairs._replace(rows=tuple(rows)), _PAIR))
        found.append(_wrapped(_pairs_note(len(pairs.rows))))
    return found


def _pairs_note(tests: int) -> str:
    """How the two columns that seem to disagree are meant."""
    return (
        "An interval is about one pair over all looks, and is not adjusted for the number of pairs; p is adjusted for"
        f" all {tests}."
    )


def _markdown(table: Table, columns: int) -> str:
    """The table's first columns."""
    marks = ["---" if at in table.text else "---:" for at in range(columns)]
    return "\n".join(f"| {' | '.join(row[:columns])} |" for row in (table.header, marks, *table.rows))


def _wrapped(text: str) -> str:
    return "\n".join(_lines(text))


def _lines(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
