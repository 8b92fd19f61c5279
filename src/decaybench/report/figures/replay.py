"""Whether reacting helps, or only the shape that it found."""

from __future__ import annotations

from matplotlib.figure import Figure

from decaybench.findings.replays import replays
from decaybench.findings.summary import Summary
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.figures import forest
from decaybench.report.figures.forest import Differences, Line, Panel

NAME = "replay"
TITLE = "Reacting compared with replaying"
READ = (
    "The test results of the best reactive strategy's further runs minus those of their replays. A replay uses the "
    "learning rates that the rule set on one seed as a fixed schedule on another seed, so it does not react. Right of "
    "zero, reacting to the run itself helped. Near zero, the shape of the learning rate that the rule found does as "
    "well as the rule. The large mark is the mean over the seeds, and each small mark is one seed. From 8 seeds on, "
    "the bar is the 95% t interval; with fewer, the figure is only an indication. An arrow at the edge stands for one "
    "or more seeds beyond it. Differences within the shaded band, the margin, are too small to matter. A bar that "
    "crosses zero does not show that reacting is useless: the shape still had to be found by reacting."
)


def data(summary: Summary) -> Differences | None:
    """The replayed strategy's difference from its replays, seed by seed; None if nothing was replayed."""
    results = summary.results
    found, metric = replays(results), METRICS[results.metric]
    if found is None:
        return None
    strategy = next(strategy for strategy in results.strategies if strategy.label == found.label)
    remark = words.number(metric.name, found.interval.mean, signed=True)
    if bounds := words.bounds(metric.name, found.interval, signed=True):
        remark += f" ({bounds})"
    remark += f"\n{found.differences.size} of {words.count(found.planned, 'seed')}"
    factor, margin = metric.factor, summary.standings[found.length].margin
    line = Line(strategy, forest.scaled(found.interval, factor), factor * found.differences, remark)
    return Differences(metric.name, (Panel("", (line,), None if margin is None else factor * margin),))


def draw(shown: Differences) -> Figure:
    """One line, zero always visible."""
    return forest.draw_differences(shown, f"reacting minus replaying, test {shown.metric}")
