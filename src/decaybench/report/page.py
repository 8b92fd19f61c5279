"""index.html from a summary: numbers become words here, the template only places them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from decaybench.report import words
from decaybench.report.answer import answer
from decaybench.report.figures import Drawn
from decaybench.report.pairs import LEAST_REPEATS, Pair, turned
from decaybench.report.results import NO_SCHEDULE, Run
from decaybench.report.summary import Row, Summary

if TYPE_CHECKING:
    from decaybench.report.figures.by_optuna import Plots
    from decaybench.schedules import Range


class Table(NamedTuple):
    """A table of words; ``text`` are the columns that hold labels and sentences, the rest are numbers."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: tuple[int, ...] = (0,)


def render(summary: Summary, figures: Sequence[Drawn], optunas: Sequence[Plots], files: Sequence[str]) -> str:
    """The whole page, self-contained: our figures, Optuna's plots, and the names of the ``files`` beside it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    from decaybench.report.figures.svg import inline

    results = summary.results
    environment = Environment(
        loader=PackageLoader("decaybench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    lengths = sorted(results.lengths, reverse=True)
    return environment.get_template("index.html.j2").render(
        sweep=results.sweep,
        answer=answer(summary),
        metric=results.metric,
        summaries=[_summary(summary, length) for length in lengths],
        families=[text for length in lengths if (text := _families(summary, length))],
        pairs=[_pairs(summary, length) for length in lengths if len(results.strategies) > 1],
        figures=figures,
        optunas=optunas,
        picture=lambda figure: Markup(inline(figure.svg)),
        shown=_shown(summary),
        ledger=_ledger(summary),
        winners=[_winners(summary, length) for length in lengths],
        superseded=words.count(results.superseded, "run") if results.superseded else "",
        task=_settings(results.sweep["spec"]["task"]),
        budget=_settings(results.sweep["spec"]["budget"]),
        search=_settings(results.sweep["spec"]["search"]),
        spaces=_spaces(results.sweep["spec"]),
        provenance=_settings(results.sweep["provenance"] or {}),
        chance=", ".join(f"{words.value(m, x)} {m}" for m, x in results.chance.items()),
        few=results.repeats < LEAST_REPEATS and not summary.adaptive,
        proposed=_proposed(results.sweep["spec"]["search"]),
        adaptive=summary.adaptive,
        rope=words.gap(results.metric, results.rope),
        files=files,
    )


def _at(summary: Summary, length: float) -> str:
    return f" at {words.percent(length)} of the epochs" if len(summary.results.lengths) > 1 else ""


def _summary(summary: Summary, length: float) -> Table:
    metric = summary.results.metric
    other = "loss" if metric == "accuracy" else "accuracy"

    def line(row: Row) -> tuple[str, ...]:
        mean, second = row.confirmed(metric), row.confirmed(other)
        named = row.strategy.optimizer if row.strategy.family == NO_SCHEDULE else row.strategy.schedule
        kind = "" if named == row.strategy.label else f"{named}, "
        return (
            "-" if row.rank is None else str(row.rank),
            row.strategy.label,
            f"{kind}{row.strategy.family}{', control' if row.strategy.control else ''}",
            words.number(metric, mean.mean if mean else None),
            words.bounds(metric, mean) or "-",
            words.number(other, second.mean if second else None),
            words.number(metric, row.survivors),
            f"{row.account.confirm.diverged} of {row.account.confirm.done}",
            f"{row.account.slots.diverged}, {row.slots_at_chance} of {row.account.slots.done}",
            words.number(metric, row.best_validation),
            words.rate(row.learning_rate),
        )

    unit = {"accuracy": "%", "loss": "nats"}
    header = (
        *("rank", "strategy", "kind and family", f"test {metric}, {unit[metric]}", "95% interval"),
        *(f"test {other}, {unit[other]}", f"test {metric} of the runs that survived", "confirm runs diverged"),
        "slots diverged, at chance",
        *(f"winners' validation {metric} (optimistic)", "selected learning rate"),
    )
    rows = tuple(line(row) for row in summary.ranked(length))
    caption = f"Confirmed results{_at(summary, length)}, the best first"
    if summary.adaptive:
        caption = f"Confirmed results{_at(summary, length)} of the settings found: not a comparison"
    return Table(caption, header, rows, text=(1, 2))


def _winners(summary: Summary, length: float) -> Table:
    """What every repeat selected: the settings themselves, as they would be typed into a sweep."""
    results = summary.results
    metric = results.metric

    def line(row: Row, run: Run) -> tuple[str, ...]:
        own = {k: v for k, v in run.params.items() if k not in ("learning_rate", "warmup", "warmup_start")}
        text = ", ".join(f"{name} {_short(value)}" for name, value in own.items() if value is not None)
        tested = row.by_repeat[run.repeat]
        return (
            row.strategy.label,
            str(run.repeat),
            words.rate(run.learning_rate),
            text,
            words.number(metric, run.value("validation", metric)),
            words.number(metric, float(tested) if math.isfinite(tested) else None),
        )

    header = ("strategy", "repeat", "learning rate", "settings", f"validation {metric}", f"test {metric}")
    rows = tuple(
        line(row, run)
        for row in summary.at(length)
        for run in sorted(results.winners(row.strategy.label, length), key=lambda run: run.repeat)
    )
    return Table(f"Selected settings{_at(summary, length)}, in native units", header, rows, text=(0, 3))


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_short(item) for item in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _proposed(search: Mapping[str, Any]) -> str:
    """How slots were shared out and settings proposed, as one or two sentences."""
    batches = f"in batches of {search.get('batch')}, each from the results of those before it"
    if search.get("allocation") == "adaptive":
        how = f"by TPE {batches}" if search["sampler"] == "tpe" else "at random"
        return (
            "The strategies shared the slots of each repeat: the sampler chose a slot's strategy and its settings "
            f"{how}. That is a search for one good setting, not a comparison; only the best setting of each repeat, "
            "whichever strategy it is of, went on to be confirmed."
        )
    settings = {
        "sobol": "at quasi-random settings that are paired across strategies",
        "random": "at random settings that are paired across strategies",
        "tpe": f"at settings that TPE proposed to each strategy alone, {batches}, on seeds paired across strategies",
    }[search["sampler"]]
    return (
        f"Every strategy that searches something was planned the same number of slots in each repeat, {settings}; "
        "one with nothing to search gets one slot a repeat."
    )


def _families(summary: Summary, length: float) -> str:
    pair = summary.families(length)
    if pair is None:
        return ""
    families = [row.strategy.family for row in summary.at(length)]
    reactive, fixed = families.count("reactive"), families.count("fixed")
    where = _at(summary, length)
    who = f"the mean of the {reactive} reactive against the mean of the {fixed} fixed"
    if pair.difference is None:
        return f"Nothing to compare yet{where}: {who} needs a repeat with every strategy confirmed."
    size = words.gap(pair.metric, pair.difference.mean)
    if pair.difference.mean > 0:
        lead = f"Reactive strategies were {size} better than fixed ones"
    elif pair.difference.mean < 0:
        lead = f"Fixed strategies were {size} better than reactive ones"
    else:
        lead = "Fixed and reactive strategies were level"
    ahead = pair.difference if pair.difference.mean >= 0 else turned(pair).difference
    bounds = words.bounds(pair.metric, ahead, signed=True)
    interval = f"unadjusted 95% interval {bounds}" if bounds else "one repeat: no interval"
    verdict = f"The verdict on reactive against fixed is: {pair.verdict}"
    if pair.verdict == "no verdict":
        verdict = "No verdict is given"
    return f"{lead}{where} ({who}; {interval}). {verdict} ({pair.reason})."


def _pairs(summary: Summary, length: float) -> tuple[Table, str]:
    """The table of pairs, and the reason that all of them share, or no text."""
    pairs = [pair for pair in summary.pairs if pair.length == length]
    reasons = {pair.reason for pair in pairs}
    shared = reasons.pop() if len(reasons) == 1 else ""

    def line(pair: Pair) -> tuple[str, ...]:
        return (
            pair.a,
            pair.b,
            words.signed_gap(pair.metric, pair.difference.mean) if pair.difference else "-",
            words.bounds(pair.metric, pair.difference, signed=True) or "-",
            "-" if pair.p_adjusted is None else words.p_value(pair.p_adjusted),
            "-" if pair.p_better is None else f"{pair.p_better:.2f}",
            pair.verdict,
            *([] if shared else [pair.reason]),
        )

    header = ("a", "b", "a is ahead by", "unadjusted 95% interval", "adjusted p", "share of repeats a ahead", "verdict")
    caption = f"Every pair{_at(summary, length)}: {words.count(len(pairs), 'comparison')}"
    columns = header if shared else (*header, "reason")
    return Table(caption, columns, tuple(line(pair) for pair in pairs), text=(0, 1, 6, 7)), shared


def _shown(summary: Summary) -> str:
    """Which runs the figures of traces and curves draw, in words."""
    results = summary.results
    phases = {run.phase for strategy in results.strategies for run in results.shown(strategy.label)}
    names = {"confirm": "the confirm runs", "search": "the best slot of each repeat so far"}
    which = " or ".join(names[phase] for phase in sorted(phases)) or "no run yet"
    return f"{which}{_at(summary, results.longest)}"


def _ledger(summary: Summary) -> Table:
    several = len(summary.results.lengths) > 1

    def line(row: Row) -> tuple[str, ...]:
        own = row.account
        entries = (own.slots, own.confirm, own.replay)
        return (
            row.strategy.label + (f" at {words.percent(row.length)}" if several else ""),
            *(f"{entry.done} of {entry.planned}" if entry.planned else "-" for entry in entries),
            "-" if own.planned is None or own.logical is None else f"{own.logical:,} of {own.planned:,}",
            f"{own.made:,}",
            "-" if own.computed is None else f"{own.computed:,}",
            f"{own.extra:,}" if own.extra else "-",
            *(str(sum(counts)) for counts in zip(*(entry[2:] for entry in entries), strict=True)),
        )

    header = (
        *("strategy", "slots done", "confirm runs done", "replays done", "logical updates", "updates made"),
        *("of these computed", "extra examples forward", "diverged", "failed", "retried"),
    )
    return Table("Ledger: planned and done", header, tuple(line(row) for row in summary.rows))


def _spaces(spec: Mapping[str, Any]) -> Table:
    """What is searched or set for each strategy: its own entries, then the kind's default ranges for the rest."""
    from decaybench.schedules import SCHEDULES
    from decaybench.sweep.arms import LEARNING_RATE

    epochs = spec["task"]["epochs"]
    rows = []
    for label, entry in spec["strategies"].items():
        kind = SCHEDULES[entry["schedule"]]
        parts = [f"{key} {_text(value)}" for key, value in entry.items() if key != "schedule"]
        defaults = {name: kind.range_of(name, epochs=epochs) for name in kind.parameters() if name not in entry}
        if "learning_rate" not in entry and spec["search"].get("learning_rate") is None:
            defaults["learning_rate"] = kind.learning_rate or LEARNING_RATE
        parts += [f"{key} {_range(found)}" for key, found in defaults.items() if found is not None]
        rows.append((label, entry["schedule"], "; ".join(parts) or "only what all strategies share"))
    header = ("strategy", "kind", "set or searched for it")
    return Table("Search space of each strategy", header, tuple(rows), text=(0, 1, 2))


def _range(found: Range) -> str:
    """A kind's default range, as the sweep file's words would have it."""
    if found.choices is not None:
        return _text({"choices": found.choices})
    unit = None if found.unit == "1" else found.unit
    text = _text({"low": found.low, "high": found.high, "unit": unit, "log": found.log, "int": found.int})
    many = "" if found.count is None else f"{found.count[0]} to {found.count[1]} of "
    return ("0, or " if found.zero_or else many) + text


def _settings(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, _text(value)) for key, value in values.items() if value is not None]


def _text(value: Any) -> str:
    """A setting in the sweep file's words."""
    if isinstance(value, Mapping) and {"low", "high"} <= value.keys():
        extras = [str(value["unit"])] if value.get("unit") else []
        extras += [name for name in ("log", "int") if value.get(name)]
        return f"{_text(value['low'])} to {_text(value['high'])}" + (f" ({', '.join(extras)})" if extras else "")
    if isinstance(value, Mapping) and "value" in value:
        return f"{_text(value['value'])} {value.get('unit') or ''}".rstrip()
    if isinstance(value, Mapping) and "choices" in value:
        return f"one of {', '.join(_text(choice) for choice in value['choices'])}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple) and all(isinstance(item, int | float | str) for item in value):
        return ", ".join(_text(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
