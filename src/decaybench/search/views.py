"""What optuna-dashboard shows of a study, and Optuna's own plots of a search.

Everything shown is passed in as plain values, so that our tables stay the source of truth. Plots are drawn from a study
in memory, never from the one in the database; only `publish` writes to that one.
"""

import json
import logging
import warnings
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import matplotlib as plots
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from decaybench.search.study import BUSY_TIMEOUT_S

Direction = Literal["minimize", "maximize"]

KEPT = "*Written by decaybench; what you write below this line is kept.*"
"""The last line of the note that decaybench writes."""
BEST = 5
"""The least number of results that count as the best in importances; there must be twice as many results in all."""

_log = logging.getLogger("decaybench")


@dataclass(frozen=True)
class Content:
    """What optuna-dashboard shows of a study besides its trials.

    ``metric`` names the objective, and ``note`` is Markdown. ``graphs`` are figures in plotly's JSON schema (``data``
    and ``layout``), by graph id (letters, digits, hyphens). A graph with the same id is replaced; others stay.
    """

    metric: str
    note: str
    graphs: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Graph:
    """The one method of a figure that ``save_plotly_graph_object`` calls, so that plotly need not be installed."""

    figure: Mapping[str, Any]

    def to_json(self) -> str:
        return json.dumps(self.figure, separators=(",", ":"), allow_nan=False)


def publish(url: str, name: str, content: Content, *, configure: Callable[[Engine], None]) -> bool:
    """Put ``content`` into the study ``name``, replacing what was put there before; return whether it is there now.

    Without optuna-dashboard, only the name of the metric is written. A missing study is not created. If the database
    cannot be written to, one warning is logged, since nothing else depends on this content. ``configure`` sets the
    pragmas, as for `StudyMirror`. Must not be called inside an open transaction of ours.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    patient = {"connect_args": {"timeout": BUSY_TIMEOUT_S}} if url.startswith("sqlite") else None
    storage: RDBStorage | None = None
    try:
        storage = RDBStorage(url, engine_kwargs=patient)
        configure(storage.engine)
        return _publish(storage, name, content)
    except (SQLAlchemyError, StorageInternalError, RuntimeError) as error:  # RuntimeError: another version's tables
        _log.warning("optuna-dashboard shows no report of %s: %s", name, " ".join(str(error).split()))
        return False
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()


def _publish(storage: RDBStorage, name: str, content: Content) -> bool:
    try:
        study = optuna.load_study(study_name=name, storage=storage)
    except KeyError:  # deleted, perhaps in the dashboard; the next run creates it again
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
    """Our ``note``, followed by what a person wrote below the previous one."""
    _, ours, below = before.partition(KEPT)
    theirs = (below if ours else before).strip()
    return f"{note.rstrip()}\n\n---\n{KEPT}\n" + (f"\n{theirs}\n" if theirs else "")


class Axis(NamedTuple):
    """A searched parameter: on a logarithmic scale, one of a few choices, or neither."""

    name: str
    log: bool = False
    choice: bool = False


class Point(NamedTuple):
    """A trial that is done: its parameters by name, and its result."""

    params: Mapping[str, Any]
    value: float


@dataclass(frozen=True)
class Search:
    """Trials to be drawn as one study; a parameter may be missing in some of them, but not in all."""

    label: str
    direction: Direction
    axes: Sequence[Axis]
    points: Sequence[Point]

    @property
    def names(self) -> list[str]:
        return [axis.name for axis in self.axes]

    @cached_property
    def study(self) -> Study:
        """The points as a study in memory; cached, since several plots use it."""
        return _study(self)

    @cached_property
    def worst_first(self) -> "Search":
        """The same search with its points ordered from worst to best, so that the best is drawn on top."""
        ordered = sorted(self.points, key=lambda point: point.value, reverse=self.direction == "minimize")
        return replace(self, points=ordered)


def history(search: Search, value: str) -> Any:
    """Optuna's history of a search, results in the order of its points, as matplotlib axes from pyplot."""
    with _quiet():
        return plots.plot_optimization_history(search.study, target_name=value)


def distribution(searches: Sequence[Search], value: str) -> Any:
    """Optuna's empirical distribution functions, one line per search, as matplotlib axes from pyplot."""
    with _quiet():
        return plots.plot_edf([search.worst_first.study for search in searches], target_name=value)


def importances(search: Search, value: str) -> Any:
    """Optuna's importances (PED-ANOVA, which draws no random numbers), as matplotlib axes from pyplot.

    Raises ValueError if they would mean nothing: for fewer than 2 * BEST points, and if the best results equal the
    worst.
    """
    results = [point.value for point in search.worst_first.points]
    if len(results) < 2 * BEST:
        raise ValueError(f"fewer than {2 * BEST} results")
    quantile = max(0.1, BEST / len(results))
    if results[-BEST] == results[0]:
        raise ValueError("hardly any result differs from the others")
    with _quiet():
        evaluator = PedAnovaImportanceEvaluator(target_quantile=quantile)
        # Without the names, Optuna takes them from a set, in another order each time.
        return plots.plot_param_importances(search.worst_first.study, evaluator, search.names, target_name=value)


def parallel(search: Search, value: str) -> Any:
    """Optuna's parallel coordinates of a search's parameters, the best on top, as matplotlib axes from pyplot."""
    with _quiet():
        return plots.plot_parallel_coordinate(search.worst_first.study, search.names, target_name=value)


class _InMemory(Study):
    """A study of given trials, for drawing only: `Study.add_trial` copies each, which takes longer than a plot."""

    def __init__(self, name: str, direction: Direction, trials: Sequence[FrozenTrial]) -> None:
        storage = InMemoryStorage()
        storage.create_new_study([StudyDirection[direction.upper()]], name)
        super().__init__(name, storage)
        self._given = trials

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        """The trials themselves, in either case; no plot changes them."""
        return [trial for trial in self._given if states is None or trial.state in states]


def _study(search: Search) -> Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    scales = {
        axis.name: _scale(axis, [p.params[axis.name] for p in search.points if axis.name in p.params])
        for axis in search.axes
    }
    trials = []
    for number, (params, value) in enumerate(search.points):
        own = {name: scale for name, scale in scales.items() if name in params}
        trials.append(
            FrozenTrial(
                number=number,
                trial_id=number,
                state=TrialState.COMPLETE,
                value=value,
                params={name: params[name] for name in own},
                distributions=own,
                datetime_start=None,
                datetime_complete=None,
                user_attrs={},
                system_attrs={},
                intermediate_values={},
            )
        )
    return _InMemory(search.label, search.direction, trials)


def _scale(axis: Axis, values: Sequence[Any]) -> BaseDistribution:
    """The range that ``values`` span, in their units."""
    if axis.choice or any(isinstance(value, bool | str) for value in values):
        return CategoricalDistribution(sorted(set(values), key=lambda v: (isinstance(v, str), v)))
    if all(isinstance(value, int) for value in values):
        return IntDistribution(min(values), max(values), log=axis.log)
    return FloatDistribution(float(min(values)), float(max(values)), log=axis.log)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress Optuna's warnings about experimental functions and about importances from few trials."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", message="Some regimes for parameter", category=UserWarning)
        yield
