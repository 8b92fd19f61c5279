"""What a reader must know beside the answer: a sentence each, where the sweep has something to say."""

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
    "adaptive": "the strategies shared their slots",
    "tpe": "TPE chose each batch of slots from the results before it, so that fewer of them are no smaller search",
    "prune": "pruning stopped some slots early, so that their results are not those of whole runs",
}
"""Why the slots do not tell what fewer of them would have found."""


def remarks(summary: Summary) -> tuple[str, ...]:
    """Tuning budgets, replays and those that are missing, edges and pruning, in this order."""
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
        return f"What fewer trials would have found is not told: {REFUSED[why]}."
    taken = recommendations(summary)
    if not taken:
        return ""
    first, *others = taken
    start = "with 1 trial" if others else "with any number of trials"
    what = words.listed([f"{start} take {_level(first)}", *(f"from {at.n} trials on {_level(at)}" for at in others)])
    return (
        f"By tuning budget: {what}. That goes by the expected best validation result, and changes only where another "
        "is ahead by more than matters; it is no verdict."
    )


def _level(advice: Advice) -> str:
    """The strategy to take, those that are as good, and the one that comes to be ahead, by less than matters."""
    more = [f"as good: {words.listed(advice.level)}"] if advice.level else []
    more += [f"in the end {advice.ahead} is ahead, by less than matters"] if advice.ahead else []
    return advice.label + (f" ({'; '.join(more)})" if more else "")


def _replay(summary: Summary) -> str:
    """What the replays at the longest length say, strategies with one verdict together."""
    results = summary.results
    reactive = [strategy.label for strategy in results.strategies if strategy.family == "reactive"]
    if not reactive or results.adaptive:
        return ""
    if results.confirm_seeds < 2:
        return "Not replayed: one confirm seed has no other whose learning rates it could take."
    judged = [(each.judged.verdict, each.label) for each in replays(results, results.longest)]
    if not judged:
        return ""
    grouped = groupby(sorted(judged, key=lambda each: list(SAID).index(each[0])), key=lambda each: each[0])
    parts = [f"{SAID[verdict].replayed} {words.listed([label for _, label in group])}" for verdict, group in grouped]
    return (
        "Does reacting help, or only the learning rates that it came to? With these recorded and run again on another "
        f"seed, {'; '.join(parts)}."
    )


def _missing(summary: Summary) -> str:
    """That replays are still to be trained where all else is done, as in a sweep of an older version."""
    replayed = [(row.strategy.label, row.account.replay) for row in summary.rows]
    done, planned = (
        sum(counts) for counts in zip(*((entry.done, entry.planned) for _, entry in replayed), strict=True)
    )
    if done >= planned or not all(row.complete for row in summary.rows):
        return ""
    lacking = {label for label, entry in replayed if entry.done < entry.planned}
    owners = [part.name for part in summary.results.sweep.parts if lacking & set(part.labels.values())]
    trains = "train" if len(owners) > 1 else "trains"
    commands = words.listed([f"decaybench run {name}" for name in owners])
    return f"{done} of {words.count(planned, 'replay')} are done; {commands} {trains} the rest."
