"""How it was done and how to read it: the text beside tables and figures.

The page inserts these texts without escaping, so they must not contain a user's words; only `proposed` is escaped.
"""

from __future__ import annotations

from typing import Final

from decaybench.findings.replays import LEAST_SEEDS
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Sweep
from decaybench.metrics import METRICS
from decaybench.report.words.numbers import count, exact, value, worse
from decaybench.report.words.tables import at
from decaybench.report.words.training import training

FAMILIES: Final = (
    "These statements are about the strategies of this sweep, not about all fixed or all reactive schedules. They "
    "follow from the bounds of the strategies, because a family is as good as its best member."
)
OPTUNA: Final = (
    "Optuna's plots of the search. They show validation results, on which the best trials were selected, so they are "
    "optimistic."
)
LOOKS: Final = (
    "Looking more than once makes a false statement likelier. So the 5% of error are divided among the looks: the "
    "column counts what has been spent up to that look, and all statements hold together. At most four fifths are "
    "spent by the last planned look; the rest is kept in case the sweep is extended. A strategy that waits at fewer "
    "repeats loses nothing. If it may be the one to take after all, it catches up on the same configurations and seeds."
)
RETRAINING: Final = (
    "The configurations with the best validation results are trained again on fresh seeds: these are the choosing "
    "runs. The configuration with the best mean validation is then trained on further seeds. Only these further runs "
    "are reported, because the choosing runs were used to select it. A choosing run fails if it diverges, or if its "
    "validation result is closer to chance than to that of the trial. The interval of the failed share is Wilson's."
)
REPLAYS: Final = (
    "The chosen configuration of the best reactive strategy was trained once more on its further seeds, each time with "
    "the learning rates recorded on another of these seeds. If the replays do as well, the rule found a good shape, "
    "and reacting to the run itself adds nothing. A diverged run has no learning rates after its end; from there on, "
    f"the replay keeps the last one. With fewer than {LEAST_SEEDS} seeds there is no interval, and the differences "
    "are only an indication."
)
TIMES: Final = (
    "The target is the mean final validation loss of the control's best trials. The table counts the updates until the "
    "validation loss of a repeat's best trial first reaches it, as measured at the ends of epochs. A trial that never "
    "reaches it counts as infinite, so the median is 'never' if at least half of them do not. The last column is the "
    "share of the repeats in which the strategy's best trial was within the margin of the best one of all strategies. "
    "It counts the repeats that all strategies have in common."
)
BOUNDARIES: Final = (
    "A parameter is flagged if the best trial of a repeat lies within 5% of an end of its range, and the results still "
    "improve towards that end over the nearest third of the range. The last column counts the repeats in which that "
    "was so. A better configuration may lie outside: widen the range and run the sweep again under another name."
)
PRUNING: Final = (
    "Part-way through training, the trials that were worse than the median of their group were stopped, except for a "
    "random share that was spared. The spared trials show how often stopping is wrong: one that became the best trial "
    "of its repeat would have been lost. The interval of their share is Wilson's. The share is an upper estimate, "
    "because a stopped trial might have been better still. The last column counts the spared trials that were no worse "
    "than the median of the repeat's fully trained trials. Stopped trials are left out of the figures of results, the "
    "count of trials at chance and the check for search-space boundaries."
)
LEDGER: Final = (
    "Strategies are compared over the repeats that they have in common, with the same number of trials in each. "
    "Logical updates count every run in full. Fewer updates are made if runs diverge or are stopped. Fewer still are "
    "computed, because runs that begin alike share their first updates. A run fails only if the machine is at fault. A "
    "run that failed or was interrupted is restarted and gives the same numbers. Extra examples are those of the "
    "signal split, on which a strategy's rule observes the loss after each epoch. If one strategy needs that split, it "
    "is evaluated for the runs of all strategies."
)


UNTIL: Final = {
    "one": "until one strategy is shown to be good",
    "all": "until nothing is open",
    "end": "to the end of the budget",
}
"""How long looks are taken, by the sweep's ``until``."""
_NEXT: Final = {
    "one": "Between looks, only the leader and the strategies that may be ahead of it by more than the margin are "
    "trained; the others wait.",
    "all": "Between looks, only the leader, the strategies that may be ahead of it by more than the margin, and every "
    "open strategy with its strongest rival are trained; the others wait.",
    "end": "All strategies are trained to the end of the budget.",
}
"""What is trained next, by the sweep's ``until``."""


def scope(summary: Summary) -> tuple[str, ...]:
    """What the answer's statements hold for, and which margin it was; nothing where nothing is stated."""
    standing, results = summary.decisive, summary.results
    if standing.decision is None or standing.margin is None or len(standing.labels) < 2 or summary.all_diverged():
        return ()
    least = METRICS[results.metric].margin(results.sweep.examples("test"))
    if standing.margin_source == "file":
        origin = "the sweep file sets it (task.rope)"
    elif least and standing.margin <= round(least, 12):
        origin = "two test images, since single searches vary less than that"
    else:
        origin = "0.95 times the median standard deviation of single searches, taken at the first look and kept"
    pairs, worse_than = "which of two strategies is better", "another strategy"
    if results.sweep.rules.control is not None:
        pairs, worse_than = "which strategies are better or worse than the control", "the control"
    return (
        f"The margin is the smallest difference that matters. Here it is {exact(results.metric, standing.margin)}: "
        f"{origin}.",
        f"A strategy is good if it is shown to be within the margin of the best, ruled out if it is shown to be worse "
        f"than {worse_than}, and open otherwise.",
        "Two kinds of statements are made, each with 95% confidence over all looks: how far each strategy can be from "
        f"the best, and {pairs}. They are about this split of the data, these strategies and this search space.",
    )


def standings(summary: Summary) -> str:
    """How to read the table of standings."""
    metric, results = METRICS[summary.results.metric], summary.results
    chance = ", ".join(f"{value(name, x)} {name}" for name, x in results.chance.items())
    counts = (
        f"A diverged trial counts as a result at chance{f' ({chance})' if chance else ''}, and so does a finished trial"
        " whose loss is above that of chance. Trials at chance finished, but learned nothing."
    )
    if summary.adaptive:
        return counts
    if summary.all_diverged():
        return f"Every trial diverged, so nothing can be said about any strategy. {counts}"
    return (
        f"The bound says how far {worse(metric.name)} the best a strategy can be, with 95% confidence for all "
        "strategies at once. A strategy is good if its bound is within the margin. It is ruled out if it is shown to "
        "be worse than another one and is not good. Otherwise it is open. The expected test result is that of the "
        "trial that validation picks in a search. Its interval is for this strategy alone, so do not compare "
        "intervals: the pairs are compared below. A strategy that waits is not trained further for now. "
        f"{counts} The last two columns are the mean test results of all trials, and of those that did not diverge."
    )


def pairs(summary: Summary, length: float) -> str:
    """How to read the table of pairs."""
    margin = summary.standings[length].margin
    size = "the margin" if margin is None else f"the margin of {exact(summary.results.metric, margin)}"
    return (
        "A positive difference favours a. The interval holds at all looks together, for this pair alone. The adjusted "
        "p allows for all looks and all pairs of this table (Holm). If it is at most 0.05, a direction is shown, which "
        "is never taken back. P(a &gt; b) is how often a search with a ends better than one with b. The verdict better "
        f"(or worse) needs three things: a direction that is shown, a difference beyond {size}, and a P of at least "
        "0.75 (or at most 0.25). With the first alone, or with only one of the other two, a and b are different, but "
        "the size is unclear. Two strategies are equivalent if both are good, or if all their trials have the same "
        "results. Inconclusive is not the same as equivalent: more repeats might show a difference."
    )


def figures(summary: Summary) -> str:
    """Colours and marks, and which runs the figures of learning rates and losses show."""
    return (
        "Fixed schedules, which depend on time alone, are blue, with solid lines and circles. Loss-reactive schedules "
        "are orange, with dashed lines and diamonds. The figures of learning rates and of losses show the best trial "
        f"of each repeat{at(summary, summary.results.longest)}."
    )


def proposed(sweep: Sweep) -> str:
    """How trials were allocated and configurations proposed, as a few sentences."""
    search = sweep.search
    batches = f"in batches of {search.batch}, each based on the results of those before it"
    if sweep.adaptive:
        how = f"by TPE {batches}" if search.sampler == "tpe" else "at random"
        return (
            "The strategies shared the trials of each repeat: the sampler chose the strategy and the configuration of "
            f"each trial {how}. That is a search for one good configuration, not a comparison. The configurations with "
            "the best validation results were retrained, whatever their strategies."
        )
    settings = {
        "sobol": "with quasi-random configurations that are paired across strategies",
        "random": "with random configurations that are paired across strategies",
        "tpe": f"with paired seeds and with configurations that TPE proposed for each strategy separately, {batches}",
    }[search.sampler]
    many = "the number of trials of its own sweep" if sweep.joined else "the same number of trials"
    return (
        f"Every strategy gets {many} in each repeat, {settings}. A strategy with nothing to search trains its one "
        "configuration on the seeds of the repeat."
    )


def steps(summary: Summary) -> tuple[tuple[str, str], ...]:
    """What was done and computed, step by step, with sources; nothing for a sweep that compares nothing."""
    results = summary.results
    if summary.adaptive:
        return ()
    trials = count(results.sweep.trials(results.strategies[0].label), "trial")
    winners = results.sweep.search.sampler == "tpe" or results.sweep.search.prune is not None
    how = "as many independent trials"
    if results.sweep.search.sampler == "sobol":
        how = (
            "the trial with the lowest base learning rate of some repeat, that with the second lowest of some repeat, "
            "and so on. Where a strategy does not search its base learning rate, it has as many independent trials"
        )
    estimate = (
        "The mean over the repeats of the test result of each repeat's best trial. Trials of one repeat depend on each "
        "other here, so they cannot be pooled."
        if winners
        else f"The test result to expect from a search of {trials}: that of the trial with the best validation. The "
        "trials of all repeats are pooled, and the estimate is the mean over all searches that can be put together "
        f"from them, not only those that were made. Such a search has {how}."
    )
    rows = (
        (
            "Repeats",
            f"A repeat is {trials} of every strategy. Trial i has the same seed for all strategies, and the same "
            "position in the ranges that they share. A trial is trained to its end, validated, and tested once. Test "
            "results are read only by looks, never to select or propose a configuration.",
        ),
        *([("Training", trained)] if (trained := training(results.sweep)) else []),
        ("Estimate", estimate),
        (
            "Error",
            "The jackknife over repeats (Tukey 1958): the estimates are computed again without each repeat in turn; "
            "for a pair, the repeat is left out of both strategies. Differences are compared with Student's t.",
        ),
        (
            "Looks",
            "The results are judged after planned numbers of repeats. Each look spends its part of the error (Lan and "
            "DeMets 1983), so it is safe to stop at any of them, and to go on.",
        ),
        (
            "Bounds",
            "How far each strategy can be from the best, for all of them at once: multiple comparisons with the best "
            "(Hsu 1981; Edwards and Hsu 1983).",
        ),
        (
            "Pairs",
            "Which of two strategies is better. The tests allow for all pairs (Holm's step-down, 1979) and all looks.",
        ),
        (
            "Decision",
            "The strategy with the smallest bound leads. It is taken once its bound is within the margin and it is "
            f"shown to be better than chance. {_NEXT[results.sweep.rules.until]}",
        ),
        (
            "Retraining",
            "After the search, the best configurations of several strategies are trained again on fresh seeds: of the "
            "pick, the control, the best strategy of each family, and up to two more.",
        ),
        (
            "Lengths",
            "Each length is a question of its own, at its own 5% and with its own margin. The longest one decides what "
            "is trained.",
        ),
    )
    return rows if len(results.lengths) > 1 else rows[:-1]


def glossary(adaptive: bool) -> tuple[tuple[str, str], ...]:
    """The terms of the report and their meanings."""
    trial = (
        "One configuration of a strategy, sampled and trained in a repeat. Trial i has the same seed in all strategies."
    )
    if adaptive:
        trial = "One configuration, sampled and trained in a repeat. The sampler also chose its strategy."
    shared = (
        ("schedule", "A rule for the learning rate, based on the time and on what has been observed."),
        (
            "fixed, reactive",
            "The two families: based on time alone, or also on what happens in the run (its losses or gradients).",
        ),
        ("strategy", "A labelled schedule with its search space."),
        ("configuration", "The values of all parameters of a trial."),
        ("repeat", "One search of every strategy, with its own configurations and seeds."),
        ("trial", trial),
        ("retrained", "A configuration trained again on fresh seeds. In the files, this phase is called confirm."),
        (
            "diverged",
            "A run whose loss, learning rate or weights are no longer finite. It is a result and is never dropped.",
        ),
    )
    if adaptive:
        return shared
    return (
        *shared,
        ("margin", "The smallest difference that matters."),
        ("look", "A judgement of the results after a planned number of repeats."),
        ("bound", "The furthest that a strategy can be from the best, with 95% confidence."),
        ("good", "Shown to be within the margin of the best."),
        ("ruled out", "Shown to be worse than another strategy, and not good."),
        ("open", "Neither good nor ruled out, so far."),
        ("inconclusive", "A pair in which no direction is shown. It is not the same as equivalent."),
    )
