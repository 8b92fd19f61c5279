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

FAMILIES: Final = (
    "This is about the strategies of this sweep, not about all fixed or all reactive schedules. It follows from the "
    "bounds of the strategies: a family is as good as the best of its members."
)
OPTUNA: Final = (
    "Optuna's plots of the search. They show validation results, on which the best trials were selected, so they are "
    "optimistic."
)
LOOKS: Final = (
    "Looking more than once makes a false statement likelier. So each look spends a part of the error of 5%, and what "
    "was said at all looks together holds. At most four fifths are spent by the last planned look; the rest is kept "
    "for a sweep that is extended. A strategy that waits at fewer repeats loses nothing: it catches up on the same "
    "configurations and seeds if it may still be the one to take."
)
RETRAINING: Final = (
    "The best configurations by validation are trained again on fresh seeds (the choosing runs), and the best mean "
    "validation chooses one. It is then trained on further seeds, and only these are reported: the choosing runs would "
    "report their own selection. A choosing run fails if it diverges, or if its validation result is below half-way "
    "between chance and that of the trial itself. The share of failures has a Wilson interval."
)
REPLAYS: Final = (
    "The chosen configuration of the best reactive strategy was trained once more on the same seeds, each with the "
    "learning rates recorded on another seed. If that does as well, the rule found a good shape, and reacting to the "
    "run itself adds nothing. A diverged run has no learning rates after its end; from there on, the replay keeps the "
    f"last one. With fewer than {LEAST_SEEDS} seeds, the differences only describe."
)
TIMES: Final = (
    "The target is the mean final validation loss of the control's best trials. The table counts the updates until the "
    "validation loss of a repeat's best trial first reaches it. A trial that never reaches it counts as infinite, so "
    "the median is 'never' if at least half of them do not. The last column is the share of the common repeats in "
    "which the strategy's best trial was within the margin of the repeat's best result (the performance profile there)."
)
BOUNDARIES: Final = (
    "A parameter is flagged if the best trial of a repeat lies within 5% of an end of its range and the results still "
    "improve towards that end over the nearest third of the range. A better configuration may lie outside: widen the "
    "range and run the sweep again."
)
PRUNING: Final = (
    "Part-way through training, the runs that were worse than the median of their group were stopped, except for a "
    "random share that was spared. The spared runs show how often stopping is wrong: one that became the best trial "
    "of its repeat would have been lost. The share of such runs has a Wilson interval. It is an upper estimate, "
    "because one of the stopped runs might have been better still. The last column counts the spared runs that were "
    "no worse than the median of the repeat's fully trained trials. Stopped trials are left out of the figures of "
    "results, the count of trials at chance and the check for search-space boundaries."
)
LEDGER: Final = (
    "Strategies are compared over the repeats that they have in common, with the same number of trials in each. "
    "Logical updates count every run in full. Fewer updates are made if runs diverge or are stopped. Fewer still are "
    "computed, because runs that begin alike share their first updates. A run that failed or was interrupted is "
    "restarted and gives the same numbers. Extra examples are those of the signal split that the strategy's own rule "
    "needs after each epoch. If one strategy needs that split, it is evaluated for the runs of all strategies."
)


def scope(summary: Summary) -> tuple[str, ...]:
    """What the answer's statements hold for, and which margin it was; nothing where nothing is stated."""
    standing, results = summary.decisive, summary.results
    if standing.decision is None or standing.margin is None or len(standing.labels) < 2:
        return ()
    least = METRICS[results.metric].margin(results.sweep.examples("test"))
    if standing.margin_source == "file":
        origin = "the sweep file sets it (task.rope)"
    elif least and standing.margin <= round(least, 12):
        origin = "two test images, since single searches vary less than that"
    else:
        origin = "0.95 times the median standard deviation of single searches, taken at the first look and kept"
    pairs = "which of two is better"
    if results.sweep.rules.control is not None:
        pairs = "which of the others is better or worse than the control"
    return (
        f"The margin is the smallest difference that matters. Here it is {exact(results.metric, standing.margin)}: "
        f"{origin}.",
        "Two kinds of statements are made, each with 95% confidence over all looks: how far each strategy can be from "
        f"the best, and {pairs}. They are about this split of the data, these strategies and this search space.",
    )


def standings(summary: Summary) -> str:
    """How to read the table of standings."""
    metric, results = METRICS[summary.results.metric], summary.results
    chance = ", ".join(f"{value(name, x)} {name}" for name, x in results.chance.items())
    counts = f"A diverged trial counts as chance{f' ({chance})' if chance else ''}, and so does a loss above chance."
    if summary.adaptive:
        return f"{counts} Trials at chance finished, but learned nothing."
    return (
        f"With 95% confidence each strategy is at most so far {worse(metric.name)} the best, all at once. It is good "
        "if that is within the margin, ruled out if it is shown worse than another and is not good, else open. "
        "The expected test result is that of a search: the trial that validation picks. Its interval is for this "
        "strategy alone, so do not compare intervals; the pairs are compared below. A strategy that waits is not "
        f"trained further for now. {counts} The last two columns are the means of all trials with and without the "
        "diverged ones. Trials at chance finished, but learned nothing."
    )


def pairs(summary: Summary, length: float) -> str:
    """How to read the table of pairs."""
    margin = summary.standings[length].margin
    size = "the margin" if margin is None else f"the margin of {exact(summary.results.metric, margin)}"
    return (
        "A positive difference favours a. The repeated interval holds at all looks together, for this pair alone. The "
        "adjusted p allows for all looks and all pairs of this table (Holm); a direction is shown if it is at most "
        "0.05, and that is never taken back. P(a &gt; b) is how often a search with a ends better than one with b. "
        f"Better and worse need a direction that is shown, a difference beyond {size}, and P of at least 0.75 (at most "
        "0.25). If one of the last two is missing, a and b are different, but the size is unclear. Equivalent are two "
        "that are both good, or whose trials have the same results. Inconclusive is not the same as equivalent: more "
        "repeats might show a difference."
    )


def figures(summary: Summary) -> str:
    """Colours and marks, and which runs the figures of learning rates and losses show."""
    return (
        "Blue, solid lines and circles: fixed schedules, which depend on time alone. Orange, dashed lines and "
        "diamonds: loss-reactive schedules. Learning rates and curves show the best trial of each repeat"
        f"{at(summary, summary.results.longest)}."
    )


def proposed(sweep: Sweep) -> str:
    """How trials were allocated and configurations proposed, as a few sentences."""
    search = sweep.search
    batches = f"in batches of {search.batch}, each based on the results of those before it"
    if sweep.adaptive:
        how = f"by TPE {batches}" if search.sampler == "tpe" else "at random"
        return (
            "The strategies shared the trials of each repeat: the sampler chose the strategy and the configuration of "
            f"a trial {how}. That is a search for one good configuration, not a comparison. Only the best "
            "configurations by validation, whatever their strategies, were retrained."
        )
    settings = {
        "sobol": "with quasi-random configurations that are paired across strategies",
        "random": "with random configurations that are paired across strategies",
        "tpe": f"with configurations that TPE proposed for each strategy separately, {batches}; the seeds are paired",
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
            "one trial from each stratum: the lowest base learning rate of some repeat, the second lowest of some "
            "repeat, and so on. Where a strategy does not search its base learning rate, the trials are independent"
        )
    estimate = (
        "The mean over the repeats of the test result of each repeat's best trial. Trials of one repeat depend on each "
        "other here, so they cannot be pooled."
        if winners
        else f"The test result to expect of a search of {trials}. Validation picks, test scores. All searches that the "
        "trials of all repeats allow are counted, not only those that were made, and the estimate is their mean. A "
        f"search has {how}."
    )
    rows = (
        (
            "Repeats",
            f"A repeat is {trials} of every strategy. Trial i has the same seed for all strategies, and the same point "
            "of the search space as far as they share it. A trial is trained to its end, validated, and tested once. "
            "No selection or proposal reads a test result; only looks do.",
        ),
        ("Estimate", estimate),
        (
            "Error",
            "The jackknife over repeats (Tukey 1958): the estimates are computed again without each repeat in turn, "
            "for both strategies of a pair together. Differences are compared with Student's t.",
        ),
        (
            "Looks",
            "The sweep is looked at after planned numbers of repeats. Each look spends its part of the error (Lan and "
            "DeMets 1983), so stopping at any of them is safe, and so is going on.",
        ),
        (
            "Bounds",
            "How far each strategy can be from the best, for all of them at once: multiple comparisons with the best "
            "(Hsu 1981; Edwards and Hsu 1983).",
        ),
        ("Pairs", "Which of two is better, allowing for all pairs by Holm's step-down (Holm 1979) and for all looks."),
        (
            "Decision",
            "The strategy with the smallest bound leads. It is taken once its bound is within the margin and it is "
            "shown better than chance. Trained next are the leader and those that may be ahead of it by more than the "
            "margin; the others wait.",
        ),
        (
            "Retraining",
            "After the search, the best configurations of the pick, the control, the best of each family and up to two "
            "more are trained again on fresh seeds.",
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
        ("fixed, reactive", "The two families: based on time alone, or also on the run's own training."),
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
        ("look", "A judgement of the evidence after a planned number of repeats."),
        ("bound", "With 95% confidence, a strategy is at most so far from the best."),
        ("good", "Within the margin of the best."),
        ("ruled out", "Shown worse than another strategy, and not good."),
        ("open", "Neither good nor ruled out, so far."),
        ("inconclusive", "A pair in which no direction is shown. It is not the same as equivalent."),
    )
