"""index.html and report.md from a summary. All text comes from elsewhere; the templates only place it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from decaybench.findings.summary import Summary
from decaybench.report.figures import Drawn
from decaybench.report.page.sections import sections
from decaybench.report.words import method
from decaybench.report.words.answer import answer
from decaybench.report.words.remarks import remarks

if TYPE_CHECKING:
    from jinja2 import Environment

    from decaybench.report.figures.by_optuna import Plots


def index_html(summary: Summary, figures: Sequence[Drawn], optunas: Sequence[Plots], files: Sequence[str]) -> str:
    """The whole self-contained page: our figures, Optuna's plots, and the names of the ``files`` next to it."""
    from markupsafe import Markup

    from decaybench.report.figures.svg import inline

    sweep = summary.results.sweep
    return (
        _environment(autoescape=True)
        .get_template("index.html.j2")
        .render(
            sweep=sweep,
            unequal_trials=len({part.file.budget.trials for part in sweep.parts}) > 1,
            answer=answer(summary),
            remarks=remarks(summary),
            scope=method.scope(summary),
            sections=sections(summary),
            figures=figures,
            about_figures=method.figures(summary),
            optunas=optunas,
            about_optuna=method.OPTUNA,
            picture=lambda figure: Markup(inline(figure.svg)),
            proposed=method.proposed(sweep),
            files=files,
        )
    )


def report_md(summary: Summary, figures: Sequence[Drawn]) -> str:
    """The result for a pull request or an appendix, with the names of the figures."""
    environment = _environment(autoescape=False)
    environment.filters["plain"] = _plain
    sweep, (lead, rest, others) = summary.results.sweep, answer(summary)
    return environment.get_template("report.md.j2").render(
        title=sweep.question or sweep.name,
        lead=lead,
        rest=rest,
        points=(*others, *remarks(summary)),
        scope=method.scope(summary),
        sections=sections(summary),
        figures=figures,
    )


def _environment(autoescape: bool) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("decaybench.report.page"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not autoescape,
    )


def _plain(text: str) -> str:
    """The text on one line, escaped for Markdown."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
