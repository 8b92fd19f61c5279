"""Where a sweep stands, for ``run`` and ``status``: each strategy's estimate, its bound and its state."""

from rich.table import Table
from rich.text import Text

from decaybench.findings import Row, Summary
from decaybench.findings.outlook import MOST, to_settle
from decaybench.findings.retraining import Retrained
from decaybench.report.words.numbers import about, at_most, bounds, value, worse
from decaybench.report.words.verdicts import reason


def headline(shown: Summary) -> str:
    """The last look, the leader, the trials so far and about how many more, in one line without a full stop."""
    trials = f"{shown.trainings:,} trials so far"
    if shown.adaptive:
        return f"{trials}; all strategies share the trials: a search, not a comparison"
    standing, leader, rules = shown.decisive, shown.leader(), shown.results.sweep.rules
    if leader is None or leader.bound is None:
        if standing.lacking is None or min(shown.results.closed.values()) < rules.start:
            return f"no look yet, the first is after {rules.start} repeats; {trials}"
        return f"estimates only: {reason(standing.lacking, shown.results.metric)}; {trials}"
    label, last = leader.strategy.label, f"look after {standing.taken[-1]} repeats"
    if shown.all_diverged():
        return f"{last}: every trial diverged; {trials}, {_more(shown)}"
    what = f"take {label}" if shown.pick() else f"{label} leads"
    return f"{last}: {what}, {_below(shown, leader.bound)}; {trials}, {_more(shown)}"


def _more(shown: Summary) -> str:
    """How many more trials."""
    sweep, rest = shown.results.sweep, to_settle(shown)
    if shown.settled:
        return "settled"
    if shown.unpicked:
        return "finished without a pick"
    if sweep.rules.until == "end":
        per_repeat = sweep.trials(shown.rows[0].strategy.label) * len(sweep.lengths)
        return f"{per_repeat * sum(sweep.rules.to - row.repeats for row in shown.at()):,} more to the end"
    if rest is None or rest.repeats >= MOST:
        return "more are not expected to settle it"
    return f"about {about(rest.trainings)} more to settle"


def lines(shown: Summary) -> list[str]:
    """The headline, and a line per strategy with what it must be read with."""
    return [headline(shown), *(f"  {_in_words(shown, row)}" for row in shown.ranked())]


def table(shown: Summary) -> Table:
    """One row per strategy, the one to take first."""
    metric, again = shown.results.metric, any(row.retrained for row in shown.at())
    stated = not shown.all_diverged()
    found = Table(box=None, pad_edge=False, header_style="bold")
    found.add_column("strategy", no_wrap=True)
    columns = (f"test {metric}", "95% interval", f"at most {worse(metric)} the best", "state", "repeats")
    for column in (*columns, *(["retrained", "retraining failures"] if again else [])):
        found.add_column(column, justify="left" if column == "state" else "right")
    for row in shown.ranked():
        estimate = row.estimates[metric]
        found.add_row(
            Text(row.strategy.label),
            value(metric, estimate.mean) if estimate else "",
            bounds(metric, estimate),
            at_most(metric, row.bound, shown.decisive.margin) if stated and row.bound is not None else "",
            (row.state or "") if stated else "",
            f"{row.repeats} (waits)" if row.parked else str(row.repeats),
            *(_again(metric, row.retrained) if again else ()),
        )
    return found


def _again(metric: str, retrained: Retrained | None) -> tuple[str, str]:
    """The mean of the retrained runs, and how many of the choosing ones failed."""
    if retrained is None:
        return "", ""
    mean = "" if retrained.mean is None else value(metric, retrained.mean)
    return mean, f"{retrained.failures}/{len(retrained.choosing)}"


def _in_words(shown: Summary, row: Row) -> str:
    """``cosine 97.6%, at most 0.8 points below the best: good``."""
    estimate = row.estimates[shown.results.metric]
    found = value(shown.results.metric, estimate.mean) if estimate else "no estimate yet"
    bound = None if shown.all_diverged() else row.bound
    below = "" if bound is None else f", {_below(shown, bound)}: {row.state}"
    return f"{row.strategy.label} {found}{below}{f', waits at {row.repeats} repeats' if row.parked else ''}"


def _below(shown: Summary, bound: float) -> str:
    metric = shown.results.metric
    return f"at most {at_most(metric, bound, shown.decisive.margin)} {worse(metric)} the best"
