"""The sections of the report in their order: the one list for the page and report.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from decaybench.findings.summary import Summary
from decaybench.report import words
from decaybench.report.page.setup import Setup, settings, setup, space_table
from decaybench.report.words import method, run_tables, tables
from decaybench.report.words.families import families_text, means_text
from decaybench.report.words.tables import Table

Settings = tuple[tuple[str, str], ...]


class Fold(NamedTuple):
    """What is shown together; the page may fold it under its ``title``.

    ``lists`` are settings, each list under a title; ``terms`` are terms and their meanings; ``below`` is the page's
    small print. report.md contains only ``texts``, ``tables`` and ``why``.
    """

    title: str = ""
    texts: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    lists: tuple[tuple[str, Settings], ...] = ()
    terms: Settings = ()
    why: str = ""
    below: tuple[str, ...] = ()
    open: bool = False


class Section(NamedTuple):
    """A section, called ``name``. With a ``title`` it is a section of the page, otherwise folded into the last one.

    ``heading`` is its heading in report.md; None leaves it out there, an empty one continues the section before.
    Only report.md contains the list ``points``.
    """

    name: str
    folds: tuple[Fold, ...]
    title: str = ""
    heading: str | None = None
    points: tuple[str, ...] = ()


def sections(summary: Summary) -> tuple[Section, ...]:
    """Every section in its order; one without folds is empty and is not shown."""
    results = summary.results
    lengths = sorted(results.lengths, reverse=True)
    shown, times = setup(results.sweep), [run_tables.times_table(summary, n) for n in lengths]
    return (
        _results(summary, lengths),
        _families(summary, lengths),
        _verdicts(summary, lengths),
        _folded("looks", "Looks", [tables.looks_table(summary)], method.LOOKS),
        _folded("retraining", "Retraining", [run_tables.retraining_table(summary)], method.RETRAINING),
        _folded("replay", "Replay", [run_tables.replays_table(summary)], method.REPLAYS),
        _folded("time-to-target", "Time to target", times, method.TIMES),
        _folded("boundaries", "Search-space boundaries", [run_tables.boundaries_table(summary)], method.BOUNDARIES),
        _folded("pruning", "Pruning", [run_tables.pruning_table(summary)], method.PRUNING),
        _selected(summary, lengths),
        _ledger(summary, shown),
        _space(shown),
        _provenance(shown),
        _steps(summary),
        Section("terms", (Fold("Terms", terms=method.glossary(summary.adaptive)),)),
    )


def _results(summary: Summary, lengths: Sequence[float]) -> Section:
    found = tuple(tables.results_table(summary, length) for length in lengths)
    title = "The trials" if summary.adaptive else "Where each strategy stands"
    return Section("results", (Fold(tables=found, below=(method.standings(summary),)),), title, title)


def _families(summary: Summary, lengths: Sequence[float]) -> Section:
    texts = tuple(
        text
        for length in lengths
        if (said := families_text(summary, length))
        for text in (said, means_text(summary, length))
    )
    folds = (Fold(texts=texts, below=(method.FAMILIES,)),) if texts else ()
    return Section("families", folds, "Fixed against reactive")


def _verdicts(summary: Summary, lengths: Sequence[float]) -> Section:
    found = [
        (length, *tables.pairs_table(summary, length)) for length in lengths if tables.pairs_shown(summary, length)
    ]
    folds = tuple(
        Fold(
            table.caption,
            tables=(table,),
            why=f"There is no verdict: {shared}." if shared else "",
            below=(method.pairs(summary, length),),
        )
        for length, table, shared in found
    )
    return Section("verdicts", folds, heading="Verdicts")


def _folded(name: str, heading: str, found: Sequence[Table], *below: str) -> Section:
    """A section of the tables that have rows, each in a fold of its own with the small print ``below`` it."""
    folds = tuple(Fold(table.caption, tables=(table,), below=below) for table in found if table.rows)
    return Section(name, folds, heading=heading)


def _selected(summary: Summary, lengths: Sequence[float]) -> Section:
    found = tuple(run_tables.best_table(summary, length) for length in lengths)
    return Section("selected", (Fold("Best trial of each repeat", tables=found),))


def _ledger(summary: Summary, shown: Setup) -> Section:
    below = [method.LEDGER]
    if former := len(summary.results.superseded):
        runs = words.count(former, "run")
        below.append(f"The sweep file no longer asks for {runs}, which are superseded and enter no result.")
    asked = ("Task", settings(shown.task)), ("Budget", settings(shown.budget))
    table = run_tables.ledger_table(summary)
    fold = Fold("Task, budget and ledger", tables=(table,), lists=asked, below=tuple(below), open=True)
    return Section("ledger", (fold,), heading="Ledger")


def _space(shown: Setup) -> Section:
    shared = "Shared by all strategies, unless a strategy sets its own", settings(shown.search)
    return Section("space", (Fold("Search space", tables=(space_table(shown),), lists=(shared,)),))


def _provenance(shown: Setup) -> Section:
    known = {"spec_hash": shown.spec_hash} | {
        key: value for key, value in shown.provenance.items() if isinstance(value, str | int | float)
    }
    every = ("spec_hash", shown.spec_hash), *settings(shown.provenance)
    points = tuple(f"{key}: {value}" for key, value in known.items())
    return Section("provenance", (Fold("Provenance", lists=(("", every),)),), heading="Provenance", points=points)


def _steps(summary: Summary) -> Section:
    found = method.steps(summary)
    return Section("steps", (Fold("The method, step by step", terms=found),) if found else ())
