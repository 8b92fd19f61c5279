"""The figures of one synthetic sweep, for tests that need some and do not ask which."""

from functools import cache

from decaybench.report.figures import Drawn, draw_all
from decaybench.report.figures.by_optuna import Plots, draw_optunas
from frames_factory import make, summary_of


@cache
def figures() -> tuple[Drawn, ...]:
    return tuple(draw_all(summary_of(make())))


@cache
def optunas() -> tuple[Plots, ...]:
    return draw_optunas(summary_of(make()))
