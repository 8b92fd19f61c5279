"""The answer in a paragraph that a manager can read; the page and the terminal say the same words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decaybench.compare import Interval, mean_interval
from decaybench.report import words
from decaybench.report.pairs import LEAST_REPEATS, Pair
from decaybench.report.summary import Row, Summary


class Answer(NamedTuple):
    """``lead`` says what came first, ``rest`` goes on from it; ``others`` is a line for each other length."""

    lead: str
    rest: str
    others: tuple[str, ...]


def answer(summary: Summary) -> Answer:
    """The answer at the longest length, and a line for each other length, the longer ones first."""
    results = summary.results
    lead, rest = _paragraph(summary, results.longest)
    shorter = sorted((length for length in results.lengths if length != results.longest), reverse=True)
    return Answer(lead, rest, tuple(_line(summary, length) for length in shorter))


def answer_text(summary: Summary) -> str:
    """The answer as one plain paragraph."""
    lead, rest, others = answer(summary)
    return " ".join([lead + rest, *others])


def _paragraph(summary: Summary, length: float) -> tuple[str, str]:
    rows = summary.at(length)
    if summary.adaptive:
        return _found(summary, length)
    confirmed = [row for row in rows if row.rank is not None]
    if not confirmed:
        return "No answer yet", ": " + " ".join([_progress(summary, "the"), *_diverged_slots(rows)])
    unfinished = not all(row.complete for row in summary.rows)
    progress = [_progress(summary, "The")] if unfinished else []
    if _all_diverged(confirmed):
        done = sum(row.account.confirm.done for row in confirmed)
        return "Every confirmed run diverged", " ".join(
            [f" ({done} of {done}): there is no order of merit, since each {_chance(summary)}.", *progress]
        )
    first = [row for row in confirmed if row.rank == 1]
    lead = _lead(summary, first, confirmed, unfinished, opening=True)
    if len(summary.results.lengths) > 1:
        lead += f" at {words.percent(length)} of the epochs"
    lead += _standing(summary, length, first, confirmed)
    sentences = [f": {_result(summary, first)}{_ahead(summary, length, first, confirmed)}."]
    sentences += [*_diverged(summary, confirmed), *progress]
    if len(rows) == 1:
        sentences.append("It is the only strategy of this sweep: there is nothing to compare it with.")
    else:
        sentences += _across(summary, length, first, confirmed)
        sentences += _verdicts(summary, length, first, confirmed)
    return lead, " ".join(sentences)


def _standing(summary: Summary, length: float, first: list[Row], confirmed: list[Row]) -> str:
    """What the verdict makes of a first place, as it goes on in the sentence; nothing where there is no verdict."""
    found = _reference(first, confirmed)
    if found is None:
        return ""
    other, role = found
    name = f"{other.strategy.label}, {role}"
    verdicts = {summary.pair(row.strategy.label, other.strategy.label, length).verdict for row in first}
    if len(verdicts) > 1:
        return ""
    return {
        "better": f" and {'is' if len(first) == 1 else 'are'} better than {name}",
        "worse": f" though worse than {name}",
        "equivalent": f", equivalent to {name}",
        "difference shown, size unclear": f", different from {name} by an unclear size",
        "no difference shown": f", but no difference from {name} is shown",
        "no verdict": "",
    }[verdicts.pop()]


def _verdicts(summary: Summary, length: float, first: list[Row], confirmed: list[Row]) -> list[str]:
    """Why the verdict is what it is, how the others stand to the same strategy, and the families."""
    found = _reference(first, confirmed)
    if found is None:
        others = [row for row in [*first[1:], *summary.at(length)] if row is not first[0]]
        pair = summary.pair(first[0].strategy.label, others[0].strategy.label, length)
        if pair.verdict == "no verdict":
            return [f"No verdict is given ({pair.reason})."]
        return ["Nothing tells them apart."]
    reference, role = found
    pair = summary.pair(first[0].strategy.label, reference.strategy.label, length)
    if pair.verdict == "no verdict":
        return [f"No verdict is given ({pair.reason})."]
    return [
        f"The verdict's reason: {pair.reason}.",
        *_others(summary, length, [*first, reference], reference, role),
        *_families(summary, length),
    ]


def _others(summary: Summary, length: float, said: list[Row], reference: Row, role: str) -> list[str]:
    """The verdicts of the other strategies against the same one, as one sentence."""
    by_verdict: dict[str, list[str]] = {}
    for row in summary.ranked(length):
        if row not in said:
            verdict = summary.pair(row.strategy.label, reference.strategy.label, length).verdict
            by_verdict.setdefault(verdict, []).append(row.strategy.label)
    if not by_verdict:
        return []
    parts = [f"{verdict}: {words.listed(labels)}" for verdict, labels in by_verdict.items()]
    return [f"The others against {reference.strategy.label}, {role}: {'; '.join(parts)}."]


def _families(summary: Summary, length: float) -> list[str]:
    pair = summary.families(length)
    if pair is None or pair.difference is None:
        return []
    return [f"The reactive strategies as listed against the fixed ones, on average: {family_verdict(pair)}."]


def family_verdict(pair: Pair) -> str:
    """``better by 0.6 points (interval; reason)``, of the first family against the second."""
    assert pair.difference is not None
    ahead = "ahead" if pair.difference.mean >= 0 else "behind"
    size = words.gap(pair.metric, pair.difference.mean) if pair.difference.mean else "0 points"
    bounds = words.bounds(pair.metric, pair.difference, signed=True)
    return f"{pair.verdict}, {size} {ahead} (unadjusted 95% interval {bounds}; {pair.reason})"


def _across(summary: Summary, length: float, first: list[Row], confirmed: list[Row]) -> list[str]:
    """The best reactive strategy against the best fixed one, unless the paragraph has said so already."""
    best: dict[str, Row] = {}
    for row in sorted(confirmed, key=lambda row: row.rank or 0):
        best.setdefault(row.strategy.family, row)
    if not {"reactive", "fixed"} <= set(best):
        return []
    reactive, fixed = best["reactive"].strategy.label, best["fixed"].strategy.label
    reference = _reference(first, confirmed)
    if reference is not None and {first[0].strategy.label, reference[0].strategy.label} == {reactive, fixed}:
        return []
    difference = summary.pair(reactive, fixed, length).difference
    if difference is None or not difference.mean:
        return []
    place = "ahead of" if difference.mean > 0 else "behind"
    gap = words.gap(summary.results.metric, difference.mean)
    interval = _difference_interval(summary, difference)
    verdict = summary.pair(reactive, fixed, length).verdict
    judged = "" if verdict == "no verdict" else f": {verdict}"
    return [f"The best reactive strategy, {reactive}, is {gap} {place} the best fixed one, {fixed}{interval}{judged}."]


def _found(summary: Summary, length: float) -> tuple[str, str]:
    """What an adaptive sweep has to say: which settings it found and what they are worth, and no order of merit."""
    rows = summary.at(length)
    lead = "A search for one good setting, not a comparison"
    if len(summary.results.lengths) > 1:
        lead += f", at {words.percent(length)} of the epochs"
    sentences = [f": {_settings(summary, length)}.", *_diverged(summary, rows)]
    done = sum(row.account.slots.done for row in summary.rows), sum(row.account.confirm.done for row in summary.rows)
    if done != (summary.slots_planned, summary.confirm_planned):
        sentences.append(_progress(summary, "The"))
    if len(rows) > 1:
        sentences.append("No verdict is given (the strategies shared their slots).")
    return lead, " ".join(sentences)


def _settings(summary: Summary, length: float) -> str:
    """Which strategies' settings an adaptive sweep confirmed, and their result over all repeats."""
    rows = [row for row in summary.at(length) if row.repeats_done]
    if not rows:
        return "nothing is confirmed yet"
    total, metric = sum(row.repeats_done for row in rows), summary.results.metric
    names = words.listed([f"{row.strategy.label} ({row.repeats_done})" for row in rows])
    # a repeat has one best setting, so one row has its value
    values = np.concatenate([row.by_repeat[np.isfinite(row.by_repeat)] for row in rows])
    found = mean_interval(values)
    interval = f"95% interval {words.bounds(metric, found)}" if total > 1 else "no interval"
    return (
        f"the best setting of {words.count(total, 'repeat')} is one of {names};"
        f" confirmed test {metric} {words.value(metric, found.mean)} ({interval})"
    )


def _line(summary: Summary, length: float) -> str:
    """One sentence about another length."""
    rows = summary.at(length)
    confirmed = [row for row in rows if row.rank is not None]
    start = f"At {words.percent(length)} of the epochs"
    if summary.adaptive:
        return f"{start}: {_settings(summary, length)}."
    if not confirmed:
        return f"{start} nothing is confirmed yet."
    if _all_diverged(confirmed):
        return f"{start} every confirmed run diverged."
    first = [row for row in confirmed if row.rank == 1]
    lead = _lead(summary, first, confirmed, not all(row.complete for row in rows), opening=False)
    lead += _standing(summary, length, first, confirmed)
    return f"{start} {lead}: {_result(summary, first)}{_ahead(summary, length, first, confirmed)}."


def _lead(summary: Summary, first: list[Row], confirmed: list[Row], unfinished: bool, opening: bool) -> str:
    capital = opening and not unfinished
    everyone = len(first) == len(confirmed) > 2
    labels = [row.strategy.label + (" (the control)" if row.strategy.control else "") for row in first]
    who = f"all {len(first)} strategies" if everyone else words.listed(labels)
    if summary.results.repeats < LEAST_REPEATS:
        who = f"{'The' if capital else 'the'} selected setting{'s' if len(first) > 1 else ''} of {who}"
    elif everyone and capital:
        who = who.capitalize()
    if len(first) > 1:
        what = "tie for first place"
    elif len(summary.results.strategies) == 1:
        what = "stands alone"
    else:
        what = "is first" if unfinished else "came first"
    if len(confirmed) < len(summary.results.strategies):
        what += f" (of {len(confirmed)} confirmed, out of {len(summary.results.strategies)})"
    so_far = ("So far " if opening else "so far ") if unfinished else ""
    return f"{so_far}{who} {what}"


def _result(summary: Summary, first: list[Row]) -> str:
    metric = summary.results.metric
    mean = first[0].confirmed(metric)
    assert mean is not None  # a row with a rank has a mean
    text = f"confirmed test {metric} {words.value(metric, mean.mean)}"
    if len(first) > 1:
        return f"{text} each"
    repeats = first[0].repeats_done
    if repeats == 1:
        return f"{text} (one repeat: no interval)"
    return f"{text} (95% interval {words.bounds(metric, mean)} over {words.count(repeats, 'repeat')})"


def _reference(first: list[Row], confirmed: list[Row]) -> tuple[Row, str] | None:
    """Whom the first are compared with: the best control, or the runner-up where a control is among them."""
    behind = sorted((row for row in confirmed if row not in first), key=lambda row: row.rank or 0)
    if not behind:
        return None
    controls = [row for row in behind if row.strategy.control]
    if controls and not any(row.strategy.control for row in first):
        return controls[0], "the control"
    return behind[0], "the runner-up"


def _ahead(summary: Summary, length: float, first: list[Row], confirmed: list[Row]) -> str:
    found = _reference(first, confirmed)
    if found is None:
        return ""
    other, role = found
    name = f"{other.strategy.label}, {role}"
    if summary.results.repeats < LEAST_REPEATS:
        name = f"the selected setting of {name}"
    difference = summary.pair(first[0].strategy.label, other.strategy.label, length).difference
    if difference is None:
        return f"; {name}, has no repeat in common with it yet"
    if _standing(summary, length, first, confirmed):  # the sentence has named the other already
        name = ""
    # ranks are over each strategy's own repeats, the difference over those that both have
    place = "ahead" if difference.mean > 0 else "behind" if difference.mean < 0 else "level"
    if name:
        place += {"ahead": " of ", "behind": " ", "level": " with "}[place] + name
    size = f"{words.gap(difference=difference.mean, metric=summary.results.metric)} " if difference.mean else ""
    interval = _difference_interval(summary, difference) if len(first) == 1 else ""
    return f", {size}{place}{interval}"


def _difference_interval(summary: Summary, difference: Interval) -> str:
    if difference.low is None or difference.high is None:
        return ""
    zero = ", which includes zero" if difference.low <= 0 <= difference.high else ""
    bounds = words.bounds(summary.results.metric, difference, signed=True)
    return f" (unadjusted 95% interval of the difference {bounds}{zero})"


def _progress(summary: Summary, the: str) -> str:
    rows = summary.rows
    slots, confirm = summary.slots_planned, summary.confirm_planned
    if not summary.results.runs:
        return f"{the} sweep has not started."
    text = (
        f"{the} sweep is unfinished, with {sum(r.account.slots.done for r in rows)} of {words.count(slots, 'slot')}"
        f" and {sum(r.account.confirm.done for r in rows)} of {words.count(confirm, 'confirm run')} done"
    )
    failed = sum(r.account.slots.failed + r.account.confirm.failed for r in rows)
    retried = f"; {words.count(failed, 'run')} failed and will be tried again" if failed else ""
    return f"{text}{retried}."


def _diverged(summary: Summary, rows: list[Row]) -> list[str]:
    lost = [(row.strategy.label, row.account.confirm.diverged) for row in rows if row.account.confirm.diverged]
    if not lost:
        return []
    total, done = sum(n for _, n in lost), sum(row.account.confirm.done for row in rows)
    names = [f"{label} {n}" for label, n in lost]
    shown = names if len(names) <= 5 else [*names[:4], f"{len(names) - 4} strategies more"]
    of = f"Of {words.count(done, 'confirmed run')}"
    return [f"{of} {total} diverged ({words.listed(shown)}); each {_chance(summary)}."]


def _diverged_slots(rows: list[Row]) -> list[str]:
    done, lost = sum(row.account.slots.done for row in rows), sum(row.account.slots.diverged for row in rows)
    if not lost:
        return []
    slots = words.count(done, "slot")
    return [f"{'All' if lost == done else lost} of the {slots} done diverged."]


def _chance(summary: Summary) -> str:
    metric = summary.results.metric
    return f"counts at chance, {words.value(metric, summary.results.chance[metric])}"


def _all_diverged(rows: list[Row]) -> bool:
    return all(row.account.confirm.diverged == row.account.confirm.done for row in rows)
