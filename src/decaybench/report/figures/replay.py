"""Whether reacting helps, or only the shape that it found."""

from __future__ import annotations

from matplotlib.figure import Figure

from decaybench.findings.replays import Replay, replays
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Strategy
from decaybench.report import words
from decaybench.report.figures import forest
from decaybench.report.figures.forest import Differences, Line, Panel

NAME = "replay"
TITLE = "Reacting compared with replaying"
READ = (
    "Each reactive strategy minus its own replay. A replay uses the learning rates that the rule chose on one seed as "
    "a fixed schedule on another seed, so it does not react. Right of zero, reacting to the run itself helped. Near "
    "zero, the shape that the rule found does as well as the rule. Large marks are means over the repeats, bars are "
    "95% t intervals, and small marks are repeats. An arrow at the edge stands for one or more repeats beyond it. "
    "Differences within the shaded band are too small to matter. A bar across zero does not show that reacting is "
    "useless, and the shape still had to be found by reacting."
)


def data(summary: Summary) -> Differences | None:
    """Every reactive strategy's difference to its replay, by length; None if nothing was replayed."""
    results = summary.results
    strategies = {strategy.label: strategy for strategy in results.strategies}
    panels = []
    for length in sorted(results.lengths, reverse=True):
        lines = tuple(_line(strategies[each.label], results.metric, each) for each in replays(results, length))
        title = f"{words.percent(length)} of the epochs" if len(results.lengths) > 1 else ""
        panels += [Panel(title, lines)] if lines else []
    return Differences(results.metric, results.rope, tuple(panels)) if panels else None


def draw(shown: Differences) -> Figure:
    """One panel per length, one line per strategy, zero always visible."""
    return forest.draw_differences(shown, f"reactive minus replay, test {shown.metric}")


def _line(strategy: Strategy, metric: str, replay: Replay) -> Line:
    line = forest.difference(strategy, metric, replay.judged.difference, replay.differences)
    return line._replace(remark=f"{line.remark}\n{replay.judged.verdict}")
