"""How it was done and how to read it: what stands beside tables and figures, whatever the numbers say.

The page takes these texts as they are, so that no user's words may be in them; `proposed` alone has none to fear.
"""

from __future__ import annotations

from typing import Final

from decaybench.findings.pairs import LEAST_REPEATS
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Sweep
from decaybench.report.words.numbers import exact, value
from decaybench.report.words.tables import at

FEW: Final = (
    f"With fewer than {LEAST_REPEATS} repeats this compares the selected settings, not the strategies: another search "
    "might have selected others."
)
FAMILIES: Final = (
    "A statement about the strategies listed here, not about every fixed or reactive schedule there is. It is one "
    "question asked beside the pairs, at a level of its own."
)
OPTUNA: Final = "The search as Optuna draws it, from validation results, which selected the winners: optimistic."
SELECTION: Final = (
    "A repeat's winner was selected on validation at the last epoch and trained again on fresh seeds, paired across "
    "strategies; only then was the test split read. Repeats are independent searches, and they are what every interval "
    "counts."
)
REPLAYS: Final = (
    "Each confirm seed was trained once more on the learning rates that the reactive rule had come to on another seed, "
    "the first on those of the last. If that does as well, the rule found a good shape, and reacting to the run itself "
    "adds nothing. A run that diverged recorded no rates from there on: its last one is held. Verdicts follow the "
    "rules of the pairs, adjusted over the replays at all lengths together."
)
TIMES: Final = (
    "Updates until a confirm run's validation loss first was as low as the control's is at its end, on average; a run "
    "that never was counts as infinite, and so does the median where half of them never were. The last column is the "
    "performance profile at the smallest difference that matters: in how many repeats the strategy's confirmed result "
    "was as good as the best one's, but for that much."
)
BOUNDARIES: Final = (
    "Flagged where a repeat's winner lies within 5% of the end of what was searched while results still improve over "
    "that third of the range. A better setting may lie outside: widen the range and run again."
)
PRUNING: Final = (
    "Half-way, or where the sweep asks for it, runs worse than their group's median were stopped, but for those spared "
    "to see how often that is wrong: a spared one that would have won is a winner that pruning would have lost, and "
    "the share of them is given with its Wilson interval. It errs on the high side: the stopped might have won in its "
    "place. The median is of the repeat's slots that were trained to their ends. Stopped slots enter no figure of "
    "results, no count of slots at chance and no trend at a range's end."
)
LEDGER: Final = (
    "A verdict takes an equal ledger: every planned slot and confirm run done. Logical updates count every run in "
    "full; those made are fewer where runs diverged, those computed fewer still, since runs that begin alike share "
    "their updates. Trained again, from their start, were runs that failed or were interrupted, which gives the same "
    "numbers, and replays that take other learning rates since confirm seeds were added. Extra examples are what the "
    "strategy's own rule asks for: the signal split, after each epoch of a run that reacts. Where one strategy asks "
    "for it, it is evaluated for the runs of all."
)


def confirmed(summary: Summary) -> str:
    """How to read the confirmed results."""
    chance = ", ".join(f"{value(metric, x)} {metric}" for metric, x in summary.results.chance.items())
    return (
        "Test results are those of each repeat's winner, trained again on fresh seeds; the interval is Student's t "
        "over the repeats, cut at what is possible. It speaks of the spread over searches and seeds on this one test "
        "split; what another test split would give is not in it. The validation column is optimistic: it is the mean "
        "over repeats of the search's own score of the setting that it selected. Beside it stands the mean of the runs "
        "that survived: what divergence costs is the difference. Slots at chance finished, but learned nothing. The "
        "learning rate is the geometric mean of the selected ones. Diverged runs count at chance"
        f"{f' ({chance})' if chance else ''}, and a loss above chance counts as chance."
    )


def pairs(summary: Summary) -> str:
    """How to read the table of pairs."""
    rope = exact(summary.results.metric, summary.results.rope)
    return (
        "The difference is the mean over repeats of a minus b, signed so that a positive one favours a; its interval "
        "is the paired t interval, not adjusted for the number of comparisons. The p is one-sided, in the direction "
        "observed, and adjusted for all pairs of this report (Holm). Better or worse takes an adjusted p below 0.025, "
        f"a mean difference beyond {rope}, and being ahead in three repeats of four; equivalent is an interval that "
        f"lies within {rope} of nothing. The share ahead is that of the repeats in which a was ahead, a tie counting "
        "half: a count, not a probability."
    )


def figures(summary: Summary) -> str:
    """Colours and marks, and which runs the figures of traces and curves draw."""
    results = summary.results
    phases = {run.phase for strategy in results.strategies for run in results.shown(strategy.label)}
    names = {"confirm": "the confirm runs", "search": "the best slot of each repeat so far"}
    which = " or ".join(names[phase] for phase in sorted(phases)) or "no run yet"
    return (
        "Blue, solid lines and circles: fixed schedules, which know the time alone. Orange, dashed lines and diamonds: "
        f"loss-reactive ones. Learning rates and curves show {which}{at(summary, results.longest)}."
    )


def proposed(sweep: Sweep) -> str:
    """How slots were shared out and settings proposed, as one or two sentences."""
    search = sweep.search
    batches = f"in batches of {search.batch}, each from the results of those before it"
    if sweep.adaptive:
        how = f"by TPE {batches}" if search.sampler == "tpe" else "at random"
        return (
            "The strategies shared the slots of each repeat: the sampler chose a slot's strategy and its settings "
            f"{how}. That is a search for one good setting, not a comparison; only the best setting of each repeat, "
            "whichever strategy it is of, went on to be confirmed."
        )
    settings = {
        "sobol": "at quasi-random settings that are paired across strategies",
        "random": "at random settings that are paired across strategies",
        "tpe": f"at settings that TPE proposed to each strategy alone, {batches}, on seeds paired across strategies",
    }[search.sampler]
    many = "the number of slots of its own sweep" if sweep.joined else "the same number of slots"
    return (
        f"Every strategy that searches something was planned {many} in each repeat, {settings}; "
        "one with nothing to search gets one slot a repeat."
    )


def glossary(adaptive: bool) -> tuple[tuple[str, str], ...]:
    """The words of the report and what they mean."""
    slot = "for a strategy in a repeat; slot i is paired across strategies"
    if adaptive:
        slot = "in a repeat, of the strategy that the sampler chose"
    return (
        ("schedule", "A rule for the learning rate, from the time and what has been observed."),
        ("fixed, reactive", "The two families: time alone, or time and the run's own training."),
        ("strategy", "A labelled schedule with its search space."),
        ("repeat", "One independent search for every strategy, with its own settings and seeds."),
        ("slot", f"One setting tried {slot}."),
        (
            "confirm run",
            "A repeat's winner trained again on a fresh seed, and tested; beside replays the only runs that see the "
            "test split.",
        ),
        ("diverged", "A run whose loss or parameters stopped being finite: a result, never dropped."),
    )
