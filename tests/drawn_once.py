"""The figures of one synthetic sweep, for tests that need some and do not ask which."""

import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from decaybench.report.figures import Drawn, draw_all
from decaybench.report.figures.by_optuna import Plots, draw_optunas
from frames_factory import make, summary_of


def _draw(folder: Path) -> None:
    summary = summary_of(make())
    (folder / "figures").write_bytes(pickle.dumps((tuple(draw_all(summary)), draw_optunas(summary))))


@cache
def drawn(once: Callable[[str, Callable[[Path], object]], Path]) -> tuple[tuple[Drawn, ...], tuple[Plots, ...]]:
    """The figures and Optuna's plots. ``once`` is the fixture of that name: no other process draws them again."""
    return pickle.loads((once("figures", _draw) / "figures").read_bytes())


def undraw(patch: pytest.MonkeyPatch, once: Callable[[str, Callable[[Path], object]], Path]) -> None:
    """Let every report have these figures: to draw its own takes a second."""
    figures, optunas = drawn(once)
    patch.setattr("decaybench.report.figures.draw_all", lambda _: figures)
    patch.setattr("decaybench.report.figures.by_optuna.draw_optunas", lambda _: optunas)
