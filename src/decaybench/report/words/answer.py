"""The answer as a paragraph that anyone can read, the same on the page and in the terminal."""

from __future__ import annotations

from typing import NamedTuple

from decaybench.findings.retraining import configurations, next_two
from decaybench.findings.summary import Row, Summary
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.words.families import families_text
from decaybench.report.words.progress import before_the_first_look, not_settled, progress
from decaybench.report.words.standing import against_control, named, nothing_to_take, sorted_out
from decaybench.report.words.verdicts import lacking, reason

MOST_NAMED = 5
"""The most strategies whose estimates are in one sentence."""


class Answer(NamedTuple):
    """``lead`` says in one sentence what to take, ``rest`` goes on; ``others`` are further sentences."""

    lead: str
    rest: str
    others: tuple[str, ...]


def answer(summary: Summary) -> Answer:
    """The answer at the longest length, further sentences on it, and one for each other length, longer ones first."""
    results = summary.results
    if summary.adaptive:
        return _found(summary)
    lead = _lead(summary, results.longest)
    rest = [*_safer(summary), *_rest(summary, results.longest), *_diverged(summary), *progress(summary)]
    shorter = sorted((length for length in results.lengths if length != results.longest), reverse=True)
    others = [
        *against_control(summary),
        families_text(summary, results.longest),
        *(_line(summary, length) for length in shorter),
    ]
    return Answer(lead, " ".join(rest), tuple(line for line in others if line))


def answer_text(summary: Summary) -> str:
    """The answer as one plain paragraph."""
    lead, rest, others = answer(summary)
    return " ".join(part for part in (lead, rest, *others) if part)


def _lead(summary: Summary, length: float, prefix: str = "") -> str:
    """What to take and how far it can be from the best, in at most 30 words; the ``prefix`` names another length."""
    standing, rows = summary.standings[length], summary.at(length)
    begun = _capital if not prefix else str
    if standing.decision is None:
        return prefix + begun(_undecided(summary, length))
    leader, picked = summary.leader(length), summary.pick(length)
    assert leader is not None
    if nothing_to_take(summary, length):
        why = f"no strategy is shown to be better than chance ({_chance(summary)})"
        return f"{prefix}{begun('nothing to take')}: {'every trial diverged' if summary.all_diverged(length) else why}."
    name, held = named(leader), _held(leader)
    if len(rows) == 1:
        return f"{prefix}{name} is the only strategy, so there is nothing to compare it with{held}."
    if picked is not None:
        return f"{prefix}{begun('take')} {name}: with 95% confidence {_close(summary, leader, rows)}{held}."
    assert standing.margin is not None
    margin = words.exact(summary.results.metric, standing.margin)
    return (
        f"{prefix}{begun(not_settled(summary))}: {name} leads, with 95% confidence"
        f" {_close(summary, leader, rows).removeprefix('it is ')}; the margin is {margin}."
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _undecided(summary: Summary, length: float) -> str:
    """Why there is no statement; the first word in lower case."""
    standing = summary.standings[length]
    if waiting := before_the_first_look(summary):
        return f"no answer yet: {waiting}."
    assert standing.contest is not None
    if standing.withheld:
        return f"estimates, but no statements: {reason(standing.pairs[0].reason, summary.results.metric)}."
    assert standing.lacking is not None
    return f"estimates, but no statements: {lacking(standing.lacking)}."


def _close(summary: Summary, row: Row, rows: list[Row]) -> str:
    """``it is at most 0.8 points below the best of these 5``."""
    assert row.bound is not None
    if row.bound == 0:
        return "the other is not better" if len(rows) == 2 else f"none of the other {len(rows) - 1} is better"
    best = "the better of the two" if len(rows) == 2 else f"the best of these {len(rows)}"
    metric, margin = summary.results.metric, summary.standings[row.length].margin
    return f"it is at most {words.at_most(metric, row.bound, margin)} {words.worse(metric)} {best}"


def _held(row: Row) -> str:
    """Whether a strategy is fragile when it is retrained, as the end of a sentence."""
    if row.retrained is None or row.retrained.chosen is None:
        return ""
    runs, failures = len(row.retrained.choosing), row.retrained.failures
    if failures:
        return f"; retrained, it failed in {failures} of {words.count(runs, 'run')}"
    return f"; retrained, it failed in none of {words.count(runs, 'run')}"


def _safer(summary: Summary) -> list[str]:
    """What to take instead of a fragile pick if it is to be trained again: one of the next that never failed."""
    picked, rows = summary.pick(), summary.at()
    if picked is None or picked.retrained is None or not picked.retrained.failures:
        return []
    for row in (rows[s] for s in next_two(summary.decisive)):
        again = row.retrained
        if again is not None and again.chosen is not None and not again.failures:
            close = _close(summary, row, rows)
            runs = words.count(len(again.choosing), "run")
            instead = f"take {named(row)} instead: it failed in none of {runs}, and {close}"
            return [f"If you plan to train the configuration again, {instead}."]
    return []


def _rest(summary: Summary, length: float) -> list[str]:
    """What is ruled out and open, the expected result of the leader, and which length this is about."""
    standing, found = summary.standings[length], []
    if standing.decision is None:
        if standing.contest is not None and not before_the_first_look(summary):
            found.append(_estimates(summary, summary.ranked(length)))
    else:
        leader = summary.leader(length)
        assert leader is not None
        if not nothing_to_take(summary, length):
            found += [*sorted_out(summary, length), _estimates(summary, [leader])]
    if len(summary.results.lengths) > 1 and standing.decision is not None:
        found.append(f"This is the answer at {words.percent(length)} of the epochs, the longest length.")
    return found


def _estimates(summary: Summary, rows: list[Row]) -> str:
    """The test result that a search is expected to reach with a strategy, or with several, the best first."""
    results, metric = summary.results, summary.results.metric
    trials = {results.sweep.trials(row.strategy.label) for row in rows}
    search = f"a search of {words.count(trials.pop(), 'trial')}" if len(trials) == 1 else "a search"
    known = [(row.strategy.label, found) for row in rows if (found := row.estimates[metric]) is not None]
    if len(known) == 1:
        ((label, found),) = known
        interval = words.bounds(metric, found)
        reached = f"a test {metric} of {words.value(metric, found.mean)}"
        said = f"{_capital(search)} with {label} is expected to reach {reached}"
        return said + (f" (unadjusted 95% interval {interval})." if interval else ".")
    known.sort(key=lambda each: METRICS[metric].sign * each[1].mean, reverse=True)
    parts = [f"{label} {words.value(metric, found.mean)}" for label, found in known]
    if len(parts) > MOST_NAMED:
        parts = [*parts[: MOST_NAMED - 1], f"{len(parts) - MOST_NAMED + 1} more strategies"]
    return f"The expected test {metric} of {search}: {words.listed(parts)}."


def _line(summary: Summary, length: float) -> str:
    """The answer at another length, which is a question of its own."""
    return _lead(summary, length, f"At {words.percent(length)} of the epochs, ")


def _diverged(summary: Summary) -> list[str]:
    """How many trials diverged at the longest length, and what they count as."""
    rows = summary.at()
    done, lost = sum(row.trials for row in rows), sum(row.lost for row in rows)
    if not lost:
        return []
    if lost == done:
        return [f"All {words.count(done, 'trial')} count as results at chance ({_chance(summary)})."]
    parts = [f"{row.strategy.label} {row.lost}" for row in rows if row.lost]
    shown = parts if len(parts) <= MOST_NAMED else [*parts[:4], f"{len(parts) - 4} more strategies"]
    each = f"Each counts as a result at chance ({_chance(summary)})."
    return [f"Of {words.count(done, 'trial')}, {lost} diverged ({words.listed(shown)}). {each}"]


def _found(summary: Summary) -> Answer:
    """The answer of an adaptive sweep: the configuration that it found, without a comparison."""
    results = summary.results
    labels = [strategy.label for strategy in results.strategies]
    best = configurations(results, labels, 1)
    lead = "This sweep searched for one good configuration and compared no strategies."
    if not best:
        return Answer(lead, " ".join(["No repeat is complete yet.", *progress(summary)]), ())
    rows = [row for row in summary.at() if row.retrained is not None and row.retrained.further]
    repeats = max(results.repeats.values())
    said = [f"In {words.count(repeats, 'repeat')}, the trial with the best validation belongs to {best[0].strategy}."]
    if rows and (again := rows[0].retrained) is not None and again.mean is not None:
        metric, many = results.metric, words.count(len(again.further), "further seed")
        said.append(
            f"After retraining, validation chose a configuration of {again.label}; its mean test {metric} on {many} is"
            f" {words.value(metric, again.mean)}."
        )
    return Answer(lead, " ".join([*said, *_diverged(summary), *progress(summary)]), ())


def _chance(summary: Summary) -> str:
    metric = summary.results.metric
    return words.value(metric, summary.results.chance[metric])
