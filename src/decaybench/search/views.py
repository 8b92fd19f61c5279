"""Looking at a search with Optuna's eyes: what optuna-dashboard shows of a study, and Optuna's own plots.

All that is shown comes in as plain values, so that our tables stay the truth: the plots are drawn from a study in
memory, never from the database's, and only `publish` writes to the latter.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import create_trial
from optuna.visualization import matplotlib as plots
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from decaybench.search.study import BUSY_TIMEOUT_S

Direction = Literal["minimize", "maximize"]

KEPT = "*Written by decaybench; what you write below this line is kept.*"
"""The last line of a note that is ours."""
BEST = 5
"""The results that importances call the best are at least as many; there must be twice as many in all."""

_log = logging.getLogger("decaybench")


@dataclass(frozen=True)
class Content:
    """What optuna-dashboard shows of a study beside its trials.

    ``metric`` names the objective, ``note`` is Markdown, ``graphs`` are figures in plotly's JSON schema (``data`` and
    ``layout``) by graph id: letters, digits, hyphens. A graph of the same id is replaced, others stay.
    """

    metric: str
    note: str
    graphs: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Graph:
    """What ``save_plotly_graph_object`` asks of a figure; plotly itself is needed in the browser only."""

    figure: Mapping[str, Any]

    def to_json(self) -> str:
        return json.dumps(self.figure, separators=(",", ":"), allow_nan=False)


def publish(url: str, name: str, content: Content, *, configure: Callable[[Engine], None]) -> bool:
    """Put the content into the study ``name``, in place of what was put there before; says whether it is there now.

    Without optuna-dashboard installed only the metric is named, and a study that is not there is not made: neither is
    an error. A database that cannot be written to costs one line of warning in the log, since what depends on it is
    only looked at. ``configure`` sets the pragmas, as for `StudyMirror`; no transaction of ours may be open.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    patient = {"connect_args": {"timeout": BUSY_TIMEOUT_S}} if url.startswith("sqlite") else None
    storage: RDBStorage | None = None
    try:
        storage = RDBStorage(url, engine_kwargs=patient)
        configure(storage.engine)
        return _publish(storage, name, content)
    except (SQLAlchemyError, StorageInternalError, RuntimeError) as error:  # RuntimeError: another Optuna's tables
        _log.warning("optuna-dashboard shows no report of %s: %s", name, " ".join(str(error).split()))
        return False
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()


def _publish(storage: RDBStorage, name: str, content: Content) -> bool:
    try:
        study = optuna.load_study(study_name=name, storage=storage)
    except KeyError:  # deleted, in the dashboard perhaps; the next run makes it again
        return False
    if study.metric_names != [content.metric]:
        with _quiet():
            study.set_metric_names([content.metric])
    try:
        from optuna_dashboard import get_note, save_note, save_plotly_graph_object
    except ImportError:
        return False
    before = get_note(study)
    note = _joined(content.note, before)
    if note != before:
        save_note(study, note)
    for graph_id, figure in content.graphs.items():
        save_plotly_graph_object(study, _Graph(figure), graph_object_id=graph_id)
    return True


def _joined(note: str, before: str) -> str:
    """Our note, then what a person wrote below the older one, or where none of ours was."""
    _, ours, below = before.partition(KEPT)
    theirs = (below if ours else before).strip()
    return f"{note.rstrip()}\n\n---\n{KEPT}\n" + (f"\n{theirs}\n" if theirs else "")


class Axis(NamedTuple):
    """A parameter as it was searched: on a logarithmic scale, or one of a few choices, or neither."""

    name: str
    log: bool = False
    choice: bool = False


class Point(NamedTuple):
    """One slot that is done: its parameters by name, and its result."""

    params: Mapping[str, Any]
    value: float


@dataclass(frozen=True)
class Search:
    """Slots to be drawn as one study; a parameter may be missing from some of them, never from all."""

    label: str
    direction: Direction
    axes: Sequence[Axis]
    points: Sequence[Point]

    @property
    def names(self) -> list[str]:
        return [axis.name for axis in self.axes]

    @cached_property
    def study(self) -> Study:
        """The points as a study in memory: many plots are drawn of one, and many points take a while to be added."""
        return _study(self)

    @cached_property
    def worst_first(self) -> "Search":
        """The same with its best point last, so that it is drawn on top."""
        ordered = sorted(self.points, key=lambda point: point.value, reverse=self.direction == "minimize")
        return replace(self, points=ordered)


def history(search: Search, value: str) -> Any:
    """Optuna's history of a search, results in the order of its points: matplotlib axes, drawn by pyplot."""
    with _quiet():
        return plots.plot_optimization_history(search.study, target_name=value)


def distribution(searches: Sequence[Search], value: str) -> Any:
    """Optuna's empirical distribution functions, one line a search: matplotlib axes, drawn by pyplot."""
    with _quiet():
        return plots.plot_edf([search.worst_first.study for search in searches], target_name=value)


def importances(search: Search, value: str) -> Any:
    """Optuna's importances (PED-ANOVA, which draws no random numbers): matplotlib axes, drawn by pyplot.

    Raises ValueError where they say nothing: fewer than 2 * BEST points, or the best results equal the worst.
    """
    results = [point.value for point in search.worst_first.points]
    if len(results) < 2 * BEST:
        raise ValueError(f"fewer than {2 * BEST} results")
    quantile = max(0.1, BEST / len(results))
    if results[-BEST] == results[0]:
        raise ValueError("hardly any result differs from the others")
    with _quiet():
        evaluator = PedAnovaImportanceEvaluator(target_quantile=quantile)
        # the names are given, since Optuna would take them from a set, in another order each time
        return plots.plot_param_importances(search.worst_first.study, evaluator, search.names, target_name=value)


def parallel(search: Search, value: str) -> Any:
    """Optuna's parallel coordinates of a search's parameters, the best on top: matplotlib axes, drawn by pyplot."""
    with _quiet():
        return plots.plot_parallel_coordinate(search.worst_first.study, search.names, target_name=value)


def _study(search: Search) -> Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name=search.label, direction=search.direction)
    scales = {
        axis.name: _scale(axis, [p.params[axis.name] for p in search.points if axis.name in p.params])
        for axis in search.axes
    }
    for params, value in search.points:
        own = {name: scale for name, scale in scales.items() if name in params}
        given = {name: params[name] for name in own}
        study.add_trial(create_trial(params=given, distributions=own, value=value))
    return study


def _scale(axis: Axis, values: Sequence[Any]) -> BaseDistribution:
    """The range that the values span: what was tried, in the units that they are in."""
    if axis.choice or any(isinstance(value, bool | str) for value in values):
        return CategoricalDistribution(sorted(set(values), key=lambda v: (isinstance(v, str), v)))
    if all(isinstance(value, int) for value in values):
        return IntDistribution(min(values), max(values), log=axis.log)
    return FloatDistribution(float(min(values)), float(max(values)), log=axis.log)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's warnings that a function is experimental, or that few trials bear an importance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", message="Some regimes for parameter", category=UserWarning)
        yield
