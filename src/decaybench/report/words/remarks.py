"""What a reader must know besides the answer: a sentence each, if it applies to the sweep."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from decaybench.findings.boundaries import boundaries
from decaybench.findings.replays import replays
from decaybench.findings.summary import Summary
from decaybench.findings.tuning import Advice, Refusal, recommendations, refused
from decaybench.report import words
from decaybench.report.words.boundaries import boundaries_sentence
from decaybench.report.words.pruning import pruning_sentence
from decaybench.report.words.verdicts import SAID

REFUSED: Final[dict[Refusal, str]] = {
    "adaptive": "the strategies shared their trials",
    "tpe": "TPE based each batch of trials on earlier results, so fewer of them are not a smaller search",
    "prune": "pruning stopped some trials early, so their results are not final",
}
"""Why the trials do not show what fewer of them would have found."""


def remarks(summary: Summary) -> tuple[str, ...]:
    """Tuning budgets, replays and missing ones, search-space boundaries and pruning, in this order."""
    found = (
        _tuning(summary),
        _replay(summary),
        _missing(summary),
        boundaries_sentence(boundaries(summary.results)),
        pruning_sentence(summary.results),
    )
    return tuple(sentence for sentence in found if sentence)


def _tuning(summary: Summary) -> str:
    """With 5 trials take X; with 50, Y."""
    if why := refused(summary.results):
        return f"It is unknown what fewer trials would have found: {REFUSED[why]}."
    taken = recommendations(summary)
    if not taken:
        return ""
    first, *others = taken
    start = "with 1 trial" if others else "with any number of trials"
    what = "; ".join(
        [f"{start}, take {_level(first)}", *(f"from {at.n} trials on, take {_level(at)}" for at in others)]
    )
    return (
        f"By tuning budget: {what}. This compares the expected best validation results. The advice changes only if "
        "another strategy is ahead by more than the smallest difference that matters; it is not a verdict."
    )


def _level(advice: Advice) -> str:
    """The strategy to take, those that are as good, and the one with the best result in the end."""
    more = [f"equally good: {words.listed(advice.level)}"] if advice.level else []
    more += [f"{advice.ahead} is ahead in the end, but by too little to matter"] if advice.ahead else []
    return advice.label + (f" ({'; '.join(more)})" if more else "")


def _replay(summary: Summary) -> str:
    """The replays at the longest length, strategies grouped by verdict."""
    results = summary.results
    reactive = [strategy.label for strategy in results.strategies if strategy.family == "reactive"]
    if not reactive or results.adaptive:
        return ""
    if results.confirm_seeds < 2:
        return (
            "Nothing was replayed: a replay uses the learning rates of another retraining seed, and there is only one."
        )
    judged = [(each.judged.verdict, each.label) for each in replays(results, results.longest)]
    if not judged:
        return ""
    grouped = groupby(sorted(judged, key=lambda each: list(SAID).index(each[0])), key=lambda each: each[0])
    parts = [f"{SAID[verdict].replayed} {words.listed([label for _, label in group])}" for verdict, group in grouped]
    return (
        "Does reacting help, or is the resulting shape of the learning rate enough? Reacting, compared with replaying "
        f"the recorded learning rates on another seed: {'; '.join(parts)}."
    )


def _missing(summary: Summary) -> str:
    """Says that replays are missing if all else is done, as in a sweep of an older version."""
    replayed = [(row.strategy.label, row.account.replay) for row in summary.rows]
    done, planned = (
        sum(counts) for counts in zip(*((entry.done, entry.planned) for _, entry in replayed), strict=True)
    )
    if done >= planned or not all(row.complete for row in summary.rows):
        return ""
    lacking = {label for label, entry in replayed if entry.done < entry.planned}
    owners = [part.name for part in summary.results.sweep.parts if lacking & set(part.labels.values())]
    commands = words.listed([f'"decaybench run {name}"' for name in owners])
    return f"{done} of {words.count(planned, 'replay')} are done. To train the rest, run {commands}."
