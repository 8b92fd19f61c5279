"""What a reader must know besides the answer: a sentence each, if it applies to the sweep."""

from __future__ import annotations

from typing import Final

from decaybench.findings.replays import LEAST_SEEDS, replays
from decaybench.findings.summary import Summary
from decaybench.findings.tuning import SHARE, Lead, Refusal, leads, refused
from decaybench.report import words
from decaybench.report.words.boundaries import boundaries_sentence
from decaybench.report.words.pruning import pruning_sentence
from decaybench.report.words.standing import nothing_to_take

REFUSED: Final[dict[Refusal, str]] = {
    "adaptive": "the strategies shared their trials",
    "tpe": "TPE based each batch of trials on earlier results, so fewer of them are not a smaller search",
    "prune": "pruning stopped some trials early, so their results are not final",
}
"""Why the trials do not show what fewer of them would have found."""


def remarks(summary: Summary) -> tuple[str, ...]:
    """Retraining, tuning budgets, the replay, search-space boundaries and pruning, in this order."""
    found = (
        _retrained(summary),
        _tuning(summary),
        _replay(summary),
        boundaries_sentence(summary.boundaries),
        pruning_sentence(summary.results),
    )
    return tuple(sentence for sentence in found if sentence)


def _retrained(summary: Summary) -> str:
    """How the configuration to export fared on seeds that did not choose it, or why that is unknown."""
    if summary.adaptive or summary.leader() is None or nothing_to_take(summary, summary.results.longest):
        return ""
    row = summary.ranked()[0]
    again, metric = row.retrained, summary.results.metric
    if not summary.results.sweep.confirm_seeds(further=True):
        return "Nothing was retrained (confirm_seeds = 0), so it is unknown how a configuration fares on other seeds."
    if again is None or again.mean is None:
        return "" if summary.pick() is None else f"{row.strategy.label} has not been retrained yet."
    lost = sum(run.diverged for run in again.further)
    diverged = f", counting {words.count(lost, 'diverged run')}" if lost else ""
    seeds = words.count(len(again.further), "further seed")
    return (
        f"Retraining chose one configuration of {row.strategy.label}. Its mean test {metric} on {seeds} is"
        f" {words.value(metric, again.mean)}{diverged}."
    )


def _tuning(summary: Summary) -> str:
    """With 1 trial, X is expected to do best; from 5 on, Y. A description of estimates, which advises nothing."""
    if why := refused(summary.results):
        return f"It is unknown what fewer trials would have found: {REFUSED[why]}."
    found = leads(summary)
    if not found:
        return ""
    first, *others = found
    unsure = (
        "These are estimates, not a verdict: where the unadjusted intervals overlap (see the figure), the trials do not"
        " show which strategy is better."
    )
    if not others:
        return (
            f"By tuning budget: with any number of trials up to {_most(summary)}, the expected test result of"
            f" {first.label} is within the margin of the best one. {unsure}"
        )
    later = (f"from {at.n} trials on, that of {_level(at)}" for at in others)
    what = "; ".join([f"with 1 trial, that of {_level(first)}", *later])
    return f"By tuning budget, the best expected test result is, to within the margin: {what}. {unsure}"


def _most(summary: Summary) -> int:
    """The trials up to which there are leads: a share of the smallest pool of trials."""
    results = summary.results
    return min(results.sweep.trials(label) * repeats for label, repeats in results.repeats.items()) // SHARE


def _level(lead: Lead) -> str:
    """The leading strategy, those within the margin of it, and the one with the best result in the end."""
    more = [f"within the margin of it: {words.listed(lead.level)}"] if lead.level else []
    more += [f"with the most trials, {lead.ahead} is ahead by less than the margin"] if lead.ahead else []
    return lead.label + (f" ({'; '.join(more)})" if more else "")


def _replay(summary: Summary) -> str:
    """Whether reacting helped the best reactive strategy; empty while nothing was replayed."""
    results = summary.results
    found = None if results.adaptive or nothing_to_take(summary, results.longest) else replays(results)
    if found is None:
        return ""
    metric, mean, seeds = results.metric, found.interval.mean, found.differences.size
    place = f"{words.gap(metric, mean)} {'better' if mean > 0 else 'worse'} than" if mean else "level with"
    interval = words.bounds(metric, found.interval, signed=True)
    sure = f" (95% interval {interval})."
    if not interval:
        sure = f". A 95% interval needs confirm_seeds = {LEAST_SEEDS} or more."
    return (
        f"Does reacting help {found.label}? Over {words.count(seeds, 'seed')}, reacting was {place} replaying learning"
        f" rates recorded on another seed{sure}"
    )
