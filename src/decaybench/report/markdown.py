"""report.md: the decision for a pull request or an appendix, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from decaybench.findings.summary import Summary
from decaybench.report import words
from decaybench.report.answer import answer
from decaybench.report.figures import Drawn
from decaybench.report.notes import notes
from decaybench.report.sections import (
    Table,
    edges_table,
    families_text,
    ledger_table,
    pace_table,
    pairs_table,
    pruning_table,
    replays_table,
    results_table,
)
from decaybench.report.setup import setup


def markdown(summary: Summary, figures: Sequence[Drawn]) -> str:
    """The whole file: answer, results, verdicts, replays, edges, pruning, ledger, provenance and figures' names."""
    results = summary.results
    lengths = sorted(results.lengths, reverse=True)
    lead, rest, others = answer(summary)
    shown = setup(results.sweep)
    parts = [
        f"# {_plain(results.sweep.question or results.sweep.name)}",
        f"**{_plain(lead)}**{_plain(rest)}",
        "\n".join(f"- {_plain(line)}" for line in (*others, *notes(summary))),
        "## Results",
        *(_table(results_table(summary, length)) for length in lengths),
        *(_plain(text) for length in lengths if (text := families_text(summary, length))),
    ]
    if len(results.strategies) > 1:
        parts.append("## Verdicts")
        for length in lengths:
            table, shared = pairs_table(summary, length)
            parts += [_table(table), f"Why there is no verdict: {_plain(shared)}." if shared else ""]
        parts.append(f"The smallest difference that matters is {words.exact(results.metric, results.rope)}.")
    replayed = [table for length in lengths if (table := replays_table(summary, length)).rows]
    if replayed:
        parts += ["## Replay", *map(_table, replayed)]
    if paces := [table for length in lengths if (table := pace_table(summary, length)).rows]:
        parts += ["## Pace", *map(_table, paces)]
    if (at_ends := edges_table(summary)).rows:
        parts += ["## Edges", _table(at_ends)]
    if (pruned := pruning_table(summary)).rows:
        parts += ["## Pruning", _table(pruned)]
    parts += ["## Ledger", _table(ledger_table(summary)), "## Provenance"]
    known = {"spec_hash": shown.spec_hash} | {
        key: value for key, value in shown.provenance.items() if isinstance(value, str | int | float)
    }
    parts.append("\n".join(f"- {_plain(key)}: {_plain(str(value))}" for key, value in known.items()))
    parts += [
        "## Figures",
        "\n".join(f"- [{_plain(f.title)}](figures/{f.name}.svg): {_plain(f.read)}" for f in figures),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(table: Table) -> str:
    rules = ["---" if place in table.text else "---:" for place in range(len(table.header))]
    lines = [table.header, rules, *table.rows]
    body = "\n".join("| " + " | ".join(_plain(cell) for cell in line) + " |" for line in lines)
    return f"{_plain(table.caption)}.\n\n{body}"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
