"""The answer as a paragraph that anyone can read, the same on the page and in the terminal."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decaybench.compare import mean_interval
from decaybench.findings.pairs import LEAST_REPEATS
from decaybench.findings.summary import Row, Summary
from decaybench.report import words
from decaybench.report.words.standing import beside, difference_interval, reason, reference, standing


class Answer(NamedTuple):
    """``lead`` names the first place, ``rest`` continues its sentence; ``others`` are further sentences."""

    lead: str
    rest: str
    others: tuple[str, ...]


def answer(summary: Summary) -> Answer:
    """The answer at the longest length, further sentences on it, and one per other length, longer ones first."""
    results = summary.results
    lead, rest, lines = _paragraph(summary, results.longest)
    shorter = sorted((length for length in results.lengths if length != results.longest), reverse=True)
    return Answer(lead, rest, (*lines, *(_line(summary, length) for length in shorter)))


def answer_text(summary: Summary) -> str:
    """The answer as one plain paragraph."""
    lead, rest, others = answer(summary)
    return " ".join([lead + rest, *others])


def _paragraph(summary: Summary, length: float) -> Answer:
    rows = summary.at(length)
    if summary.adaptive:
        return Answer(*_found(summary, length), ())
    confirmed = [row for row in rows if row.rank is not None]
    if not confirmed:
        return Answer("No answer yet", ": " + " ".join([_progress(summary, "the"), *_diverged_slots(rows)]), ())
    unfinished = not all(row.complete for row in summary.rows)
    progress = [_progress(summary, "The")] if unfinished else []
    if _all_diverged(confirmed):
        done = sum(row.account.confirm.done for row in confirmed)
        rest = [f" ({done} of {done}): there is no ranking, because each {_chance(summary)}.", *progress]
        return Answer("Every retraining run diverged", " ".join(rest), ())
    first = [row for row in confirmed if row.rank == 1]
    lead = _lead(summary, first, confirmed, unfinished, opening=True)
    if len(summary.results.lengths) > 1:
        lead += f" at {words.percent(length)} of the epochs"
    lead += standing(summary, length, first, confirmed)
    sentences = [f": {_result(summary, first)}{_ahead(summary, length, first, confirmed)}."]
    sentences += [*_diverged(summary, confirmed), *progress]
    if len(rows) == 1:
        sentences.append("There is nothing to compare it with.")
        return Answer(lead, " ".join(sentences), ())
    sentences.append(reason(summary, length, first, confirmed))
    return Answer(lead, " ".join(sentences), tuple(beside(summary, length, first, confirmed)))


def _found(summary: Summary, length: float) -> tuple[str, str]:
    """The answer of an adaptive sweep: the configurations that it found and their results, without a ranking."""
    rows = summary.at(length)
    lead = "A search for one good configuration, not a comparison"
    if len(summary.results.lengths) > 1:
        lead += f", at {words.percent(length)} of the epochs"
    sentences = [f": {_settings(summary, length)}.", *_diverged(summary, rows)]
    done = sum(row.account.slots.done for row in summary.rows), sum(row.account.confirm.done for row in summary.rows)
    if done != (summary.slots_planned, summary.confirm_planned):
        sentences.append(_progress(summary, "The"))
    if len(rows) > 1:
        sentences.append("There is no verdict, because the strategies shared their trials.")
    return lead, " ".join(sentences)


def _settings(summary: Summary, length: float) -> str:
    """The strategies whose configurations an adaptive sweep retrained, and the result over all repeats."""
    rows = [row for row in summary.at(length) if row.repeats_done]
    if not rows:
        return "nothing has been retrained yet"
    total, metric = sum(row.repeats_done for row in rows), summary.results.metric
    names = words.listed([f"{row.strategy.label} in {words.count(row.repeats_done, 'repeat')}" for row in rows])
    # a repeat has one best configuration, so one row has its value
    values = np.concatenate([row.by_repeat[np.isfinite(row.by_repeat)] for row in rows])
    found = mean_interval(values)
    interval = f"95% interval {words.bounds(metric, found)}" if total > 1 else "no interval"
    return (
        f"the best configuration is from {names};"
        f" test {metric} {words.value(metric, found.mean)} after retraining ({interval})"
    )


def _line(summary: Summary, length: float) -> str:
    """One sentence on another length."""
    rows = summary.at(length)
    confirmed = [row for row in rows if row.rank is not None]
    start = f"At {words.percent(length)} of the epochs"
    if summary.adaptive:
        return f"{start}: {_settings(summary, length)}."
    if not confirmed:
        return f"{start}, nothing has been retrained yet."
    if _all_diverged(confirmed):
        return f"{start}, every retraining run diverged."
    first = [row for row in confirmed if row.rank == 1]
    lead = _lead(summary, first, confirmed, not all(row.complete for row in rows), opening=False)
    lead += standing(summary, length, first, confirmed)
    return f"{start}, {lead}: {_result(summary, first)}{_ahead(summary, length, first, confirmed)}."


def _lead(summary: Summary, first: list[Row], confirmed: list[Row], unfinished: bool, opening: bool) -> str:
    capital = opening and not unfinished
    everyone = len(first) == len(confirmed) > 2
    labels = [row.strategy.label + (" (the control)" if row.strategy.control else "") for row in first]
    who = f"all {len(first)} strategies" if everyone else words.listed(labels)
    if summary.results.repeats < LEAST_REPEATS:
        who = f"{'The' if capital else 'the'} best configuration{'s' if len(first) > 1 else ''} of {who}"
    elif everyone and capital:
        who = who.capitalize()
    if len(first) > 1:
        what = "tie for first place"
    elif len(summary.results.strategies) == 1:
        what = "is the only strategy"
    else:
        what = "is first" if unfinished else "came first"
    if len(confirmed) < len(summary.results.strategies):
        what += f" ({len(confirmed)} of {len(summary.results.strategies)} strategies retrained)"
    so_far = ("So far, " if opening else "so far ") if unfinished else ""
    return f"{so_far}{who} {what}"


def _result(summary: Summary, first: list[Row]) -> str:
    metric = summary.results.metric
    mean = first[0].confirmed[metric]
    assert mean is not None  # a row with a rank has a mean
    text = f"test {metric} {words.value(metric, mean.mean)} after retraining"
    if len(first) > 1:
        return f"each with {text}"
    repeats = first[0].repeats_done
    if repeats == 1:
        return f"{text} (one repeat: no interval)"
    return f"{text} (95% interval {words.bounds(metric, mean)} over {words.count(repeats, 'repeat')})"


def _ahead(summary: Summary, length: float, first: list[Row], confirmed: list[Row]) -> str:
    found = reference(first, confirmed)
    if found is None:
        return ""
    other, role = found
    name = f"{other.strategy.label}, {role}"
    if summary.results.repeats < LEAST_REPEATS:
        name = f"the best configuration of {name}"
    difference = summary.pair(first[0].strategy.label, other.strategy.label, length).difference
    if difference is None:
        return f"; it has no repeat in common with {name}, yet"
    if standing(summary, length, first, confirmed):  # the sentence already names the other
        name = ""
    # ranks are over each strategy's own repeats, the difference over those that both have
    place = "ahead" if difference.mean > 0 else "behind" if difference.mean < 0 else "level"
    if name:
        place += {"ahead": " of ", "behind": " ", "level": " with "}[place] + name
    size = f"{words.gap(difference=difference.mean, metric=summary.results.metric)} " if difference.mean else ""
    interval = difference_interval(summary, difference) if len(first) == 1 else ""
    return f", {size}{place}{interval}"


def _progress(summary: Summary, the: str) -> str:
    rows = summary.rows
    slots, confirm = summary.slots_planned, summary.confirm_planned
    if not summary.results.runs:
        return f"{the} sweep has not started."
    text = (
        f"{the} sweep is unfinished, with {sum(r.account.slots.done for r in rows)} of {words.count(slots, 'trial')}"
        f" and {sum(r.account.confirm.done for r in rows)} of {words.count(confirm, 'retraining run')} done"
    )
    failed = sum(r.account.slots.failed + r.account.confirm.failed for r in rows)
    retried = f"; {words.count(failed, 'run')} failed and will be retried" if failed else ""
    return f"{text}{retried}."


def _diverged(summary: Summary, rows: list[Row]) -> list[str]:
    lost = [(row.strategy.label, row.account.confirm.diverged) for row in rows if row.account.confirm.diverged]
    if not lost:
        return []
    total, done = sum(n for _, n in lost), sum(row.account.confirm.done for row in rows)
    names = [f"{label} {n}" for label, n in lost]
    shown = names if len(names) <= 5 else [*names[:4], f"{len(names) - 4} more strategies"]
    of = f"Of {words.count(done, 'retraining run')}"
    return [f"{of}, {total} diverged ({words.listed(shown)}); each {_chance(summary)}."]


def _diverged_slots(rows: list[Row]) -> list[str]:
    done, lost = sum(row.account.slots.done for row in rows), sum(row.account.slots.diverged for row in rows)
    if not lost:
        return []
    if lost == done:
        return [f"All {words.count(done, 'trial')} so far diverged."]
    return [f"Of the {words.count(done, 'trial')} done, {lost} diverged."]


def _chance(summary: Summary) -> str:
    metric = summary.results.metric
    return f"counts as chance ({words.value(metric, summary.results.chance[metric])})"


def _all_diverged(rows: list[Row]) -> bool:
    return all(row.account.confirm.diverged == row.account.confirm.done for row in rows)
