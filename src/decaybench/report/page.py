"""index.html from a summary: numbers become words here, the template only places them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from decaybench.findings.pairs import LEAST_REPEATS
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Sweep
from decaybench.report import words
from decaybench.report.answer import answer
from decaybench.report.figures import Drawn
from decaybench.report.notes import notes
from decaybench.report.sections import (
    Table,
    at,
    edges_table,
    families_text,
    ledger_table,
    pace_table,
    pairs_table,
    pruning_table,
    replays_table,
    results_table,
    winners_table,
)
from decaybench.report.setup import Setup, setup

if TYPE_CHECKING:
    from decaybench.report.figures.by_optuna import Plots
    from decaybench.schedules import Range


def render(summary: Summary, figures: Sequence[Drawn], optunas: Sequence[Plots], files: Sequence[str]) -> str:
    """The whole page, self-contained: our figures, Optuna's plots, and the names of the ``files`` beside it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    from decaybench.report.figures.svg import inline

    results, shown = summary.results, setup(summary.results.sweep)
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
        spec_hash=shown.spec_hash,
        unequal_trials=isinstance(shown.budget["trials"], Mapping),
        answer=answer(summary),
        notes=notes(summary),
        metric=results.metric,
        summaries=[results_table(summary, length) for length in lengths],
        families=[text for length in lengths if (text := families_text(summary, length))],
        pairs=[pairs_table(summary, length) for length in lengths if len(results.strategies) > 1],
        figures=figures,
        optunas=optunas,
        picture=lambda figure: Markup(inline(figure.svg)),
        shown=_shown(summary),
        ledger=ledger_table(summary),
        replays=[table for length in lengths if (table := replays_table(summary, length)).rows],
        edges=edges_table(summary),
        paces=[table for length in lengths if (table := pace_table(summary, length)).rows],
        pruned=pruning_table(summary),
        winners=[winners_table(summary, length) for length in lengths],
        superseded=words.count(results.superseded, "run") if results.superseded else "",
        task=_settings(shown.task),
        budget=_settings(shown.budget),
        search=_settings(shown.search),
        spaces=_spaces(shown),
        provenance=_settings(shown.provenance),
        chance=", ".join(f"{words.value(m, x)} {m}" for m, x in results.chance.items()),
        few=results.repeats < LEAST_REPEATS and not summary.adaptive,
        proposed=_proposed(results.sweep),
        adaptive=summary.adaptive,
        rope=words.exact(results.metric, results.rope),
        files=files,
    )


def _proposed(sweep: Sweep) -> str:
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


def _shown(summary: Summary) -> str:
    """Which runs the figures of traces and curves draw, in words."""
    results = summary.results
    phases = {run.phase for strategy in results.strategies for run in results.shown(strategy.label)}
    names = {"confirm": "the confirm runs", "search": "the best slot of each repeat so far"}
    which = " or ".join(names[phase] for phase in sorted(phases)) or "no run yet"
    return f"{which}{at(summary, results.longest)}"


def _spaces(shown: Setup) -> Table:
    """What is searched or set for each strategy: its own entries, then the kind's default ranges for the rest."""
    from decaybench.schedules import SCHEDULES
    from decaybench.sweep.arms import LEARNING_RATE

    epochs = shown.task["epochs"]
    rows = []
    for label, entry in shown.strategies.items():
        kind = SCHEDULES[entry["schedule"]]
        parts = [f"{key} {_text(value)}" for key, value in entry.items() if key != "schedule"]
        defaults = {name: kind.range_of(name, epochs=epochs) for name in kind.parameters() if name not in entry}
        if "learning_rate" not in entry and shown.search.get("learning_rate") is None:
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
