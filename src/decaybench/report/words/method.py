"""How it was done and how to read it: the text beside tables and figures.

The page inserts these texts without escaping, so they must not contain a user's words; only `proposed` is escaped.
"""

from __future__ import annotations

from typing import Final

from decaybench.findings.pairs import LEAST_REPEATS
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Sweep
from decaybench.report.words.numbers import exact, value
from decaybench.report.words.tables import at

FEW: Final = (
    f"With fewer than {LEAST_REPEATS} repeats, this compares the best configurations, not the strategies: another "
    "search might have found other configurations."
)
FAMILIES: Final = (
    "This is about the strategies of this sweep, not about all fixed or all reactive schedules. It is a question "
    "separate from the pairs, tested at its own significance level."
)
OPTUNA: Final = (
    "Optuna's plots of the search. They show validation results, on which the best trials were selected, so they are "
    "optimistic."
)
SELECTION: Final = (
    "In each repeat, the best trial was selected by its validation result after the last epoch. Its configuration was "
    "retrained on fresh seeds, the same for all strategies, and only then evaluated on the test split. Repeats are "
    "independent searches, and every interval is taken over the repeats."
)
REPLAYS: Final = (
    "Each retraining run of a reactive strategy was trained once more, with the learning rates recorded on another "
    "seed. Each seed uses those of the seed before it, and the first uses those of the last. If the replay does as "
    "well, the rule found a good shape, and reacting to the run itself adds nothing. A diverged run has no learning "
    "rates after its end; from there on, the replay keeps the last one. The verdicts follow the rules for pairs, with "
    "p adjusted over the replays at all lengths."
)
TIMES: Final = (
    "The target is the control's mean final validation loss. The table counts the updates until the validation loss "
    "of a retraining run first reaches it. A run that never reaches it counts as infinite, so the median is 'never' "
    "if at least half of the runs do not reach it. The last column is the share of repeats in which the strategy was "
    "no further from the best one than the smallest difference that matters (the performance profile at that "
    "difference)."
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
    "A verdict needs equal budgets: every planned trial and retraining run must be done. Logical updates count every "
    "run in full. Fewer updates are made if runs diverge or are stopped. Fewer still are computed, because runs that "
    "begin alike share their first updates. A run that failed or was interrupted is restarted and gives the same "
    "numbers. A replay is restarted if added retraining seeds changed the seed whose learning rates it uses. Extra "
    "examples are those of the signal split that the strategy's own rule needs after each epoch. If one strategy "
    "needs that split, it is evaluated for the runs of all strategies."
)


def confirmed(summary: Summary) -> str:
    """How to read the confirmed results."""
    chance = ", ".join(f"{value(metric, x)} {metric}" for metric, x in summary.results.chance.items())
    return (
        "Test results are those of each repeat's best configuration, retrained on fresh seeds. The interval is "
        "Student's t over the repeats, clipped to the range of the metric. It covers the variation of searches and "
        f"seeds, but not that of the test split. Diverged runs count as chance{f' ({chance})' if chance else ''}, and "
        "so does a loss above chance. The mean without diverged runs shows what divergence costs. Trials at chance "
        "finished, but learned nothing. The validation column is the mean over the repeats of the result on which the "
        "best trial was selected, so it is optimistic. The learning rate is the geometric mean over the best trials."
    )


def pairs(summary: Summary) -> str:
    """How to read the table of pairs."""
    rope = exact(summary.results.metric, summary.results.rope)
    return (
        "The difference is the mean over repeats of a minus b, with its sign chosen so that a positive difference "
        "favours a. Its interval is the paired t interval, not adjusted for the number of comparisons. The p value is "
        "one-sided, in the observed direction, and adjusted for all pairs of this report (Holm). The verdicts better "
        f"and worse require an adjusted p below 0.025, a mean difference above {rope}, and a lead in at least three of "
        f"four repeats. The verdict equivalent requires an interval within {rope} of zero. The share of repeats in "
        "which a is ahead counts a tie as half; it describes these repeats and is not a probability."
    )


def figures(summary: Summary) -> str:
    """Colours and marks, and which runs the figures of learning rates and losses show."""
    results = summary.results
    phases = {run.phase for strategy in results.strategies for run in results.shown(strategy.label)}
    names = {"confirm": "the retraining runs", "search": "the best trial of each repeat so far"}
    which = " or ".join(names[phase] for phase in sorted(phases)) or "no runs yet"
    return (
        "Blue, solid lines and circles: fixed schedules, which depend on time alone. Orange, dashed lines and "
        f"diamonds: loss-reactive schedules. Learning rates and curves show {which}{at(summary, results.longest)}."
    )


def proposed(sweep: Sweep) -> str:
    """How trials were allocated and configurations proposed, as one or two sentences."""
    search = sweep.search
    batches = f"in batches of {search.batch}, each based on the results of those before it"
    if sweep.adaptive:
        how = f"by TPE {batches}" if search.sampler == "tpe" else "at random"
        return (
            "The strategies shared the trials of each repeat: the sampler chose the strategy and the configuration of "
            f"a trial {how}. That is a search for one good configuration, not a comparison. Only the best "
            "configuration of each repeat, whatever its strategy, was retrained."
        )
    settings = {
        "sobol": "with quasi-random configurations that are paired across strategies",
        "random": "with random configurations that are paired across strategies",
        "tpe": f"with configurations that TPE proposed for each strategy separately, {batches}; the seeds are paired",
    }[search.sampler]
    many = "the number of trials of its own sweep" if sweep.joined else "the same number of trials"
    return (
        f"Every strategy gets {many} in each repeat, {settings}. A strategy with nothing to search gets one trial per "
        "repeat."
    )


def glossary(adaptive: bool) -> tuple[tuple[str, str], ...]:
    """The terms of the report and their meanings."""
    trial = (
        "One configuration of a strategy, sampled and trained in a repeat. Trial i has the same seed in all strategies."
    )
    if adaptive:
        trial = "One configuration, sampled and trained in a repeat. The sampler also chose its strategy."
    return (
        ("schedule", "A rule for the learning rate, based on the time and on what has been observed."),
        ("fixed, reactive", "The two families: based on time alone, or also on the run's own training."),
        ("strategy", "A labelled schedule with its search space."),
        ("repeat", "One independent search for every strategy, with its own configurations and seeds."),
        ("trial", trial),
        ("best configuration", "The parameter values of a repeat's best trial, selected on validation."),
        (
            "retraining run",
            "A best configuration trained on a fresh seed and tested. Only retraining runs and replays see the test "
            "split. In the files, their phase is called confirm.",
        ),
        (
            "diverged",
            "A run whose loss, learning rate or weights are no longer finite. It is a result and is never dropped.",
        ),
    )
