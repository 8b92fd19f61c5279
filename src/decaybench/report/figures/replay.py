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
TITLE = "Reacting, or only the shape"
READ = (
    "Each reactive strategy minus its own replay: the learning rates that it chose on one seed, run again as a fixed "
    "schedule on another seed, where they react to nothing. To the right reacting to this very run helped; about zero "
    "the shape that the rule found does as well as the rule. Large marks are means over the repeats, bars 95% t "
    "intervals, small marks repeats (an arrow at the edge: one or more further out), the shaded band what is too "
    "small to matter. A bar over zero does not show that reacting is useless, and a shape that is found by reacting "
    "still had to be found."
)


def data(summary: Summary) -> Differences | None:
    """Every reactive strategy's difference to its replay, by length; None where nothing was replayed."""
    results = summary.results
    strategies = {strategy.label: strategy for strategy in results.strategies}
    panels = []
    for length in sorted(results.lengths, reverse=True):
        lines = tuple(_line(strategies[each.label], results.metric, each) for each in replays(results, length))
        title = f"{words.percent(length)} of the epochs" if len(results.lengths) > 1 else ""
        panels += [Panel(title, lines)] if lines else []
    return Differences(results.metric, results.rope, tuple(panels)) if panels else None


def draw(shown: Differences) -> Figure:
    """One panel a length, one line a strategy, zero in sight."""
    return forest.draw_differences(shown, f"reactive minus replay, test {shown.metric}")


def _line(strategy: Strategy, metric: str, replay: Replay) -> Line:
    line = forest.difference(strategy, metric, replay.judged.difference, replay.differences)
    return line._replace(remark=f"{line.remark}\n{replay.judged.verdict}")
