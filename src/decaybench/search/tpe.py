"""Optuna's TPE in closed batches, so that proposals depend only on results, not on which run ended first."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from decaybench.search.slot import Slot, Told
from decaybench.search.space import STRATEGY, Space, draw, to_study
from decaybench.seeds import derive

Direction = Literal["minimize", "maximize"]

# With fewer results, TPE draws at random. With Optuna's default of 10, a search of six trials would never learn.
STARTUP: Final = 4


class BatchedTPE:
    """TPE within one strategy: trial i belongs to batch i // ``batch``.

    A batch is fitted on the strategy's earlier batches of the same repeat and length only. They must be closed: every
    trial of them has a value. The trials of one batch do not depend on each other's results. A whole batch is always
    proposed, even if the search ends within it, so that raising the number of trials later gives the same trials as
    setting it from the start.

    Source: Bergstra et al. 2011, multivariate and grouped, as in ``optuna.samplers.TPESampler``.
    """

    def __init__(self, spaces: Mapping[str, Space], seed: int, batch: int, direction: Direction) -> None:
        self._spaces, self._seed, self._batch, self._direction = dict(spaces), seed, batch, direction
        self._last: dict[tuple[str, int, float], tuple[int, list[Told], list[dict[str, Any]]]] = {}

    def propose(self, slot: Slot, history: Sequence[Told]) -> dict[str, Any]:
        """The trial's parameters, in range units; ValueError if an earlier batch is not closed."""
        key = (slot.strategy, slot.repeat, slot.length)
        batch, place = divmod(slot.slot, self._batch)
        earlier = closed((t for t in history if _key(t.slot) == key), batch * self._batch)
        # The trials of a batch are requested one after another, so the last batch of each key is cached.
        if key not in self._last or self._last[key][:2] != (batch, earlier):
            seed = derive(self._seed, "tpe", slot.strategy, slot.repeat, repr(slot.length), batch)
            space = {slot.strategy: self._spaces[slot.strategy]}
            asked = ask(space, earlier, seed, self._batch, self._direction, STARTUP)
            self._last[key] = (batch, earlier, [values for _, values in asked])
        return self._last[key][2][place]


def closed(history: Iterable[Told], first: int) -> list[Told]:
    """The ended trials with index 0 to ``first`` - 1, in order; ValueError if one is missing or present twice."""
    earlier = sorted((told for told in history if told.slot.slot < first), key=lambda told: told.slot.slot)
    if [told.slot.slot for told in earlier] != list(range(first)):
        raise ValueError(f"history must hold trials 0 to {first - 1} once, got {[told.slot.slot for told in earlier]}")
    return earlier


def ask(
    spaces: Mapping[str, Space], history: Sequence[Told], seed: int, n: int, direction: Direction, startup: int
) -> list[tuple[str, dict[str, Any]]]:
    """The ``n`` proposals of one batch, (label, values in range units), fitted on ``history``: a pure function.

    The strategy is a categorical parameter on which all others depend. Each strategy is fitted separately even for
    parameters that strategies share by name, since a learning rate means different things to two schedules. With fewer
    than ``startup`` results, proposals are random.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        sampler = TPESampler(
            n_startup_trials=startup,
            seed=seed & 0xFFFFFFFF,
            multivariate=True,
            group=True,  # parameters under the same condition are fitted jointly
            constant_liar=False,  # RUNNING trials are invisible
        )
    study = optuna.create_study(sampler=sampler, direction=direction)  # in memory, gone with this call
    study.add_trials([_told(spaces, told) for told in history])
    return [_proposal(spaces, study.ask()) for _ in range(n)]


def _told(spaces: Mapping[str, Space], told: Told) -> FrozenTrial:
    label, rung = told.slot.strategy, told.stopped_after
    params, distributions = to_study(spaces[label], told.values)
    return create_trial(
        # TPE ranks every pruned trial below every complete one.
        state=TrialState.COMPLETE if rung is None else TrialState.PRUNED,
        intermediate_values=None if rung is None else {rung: told.value},
        params={STRATEGY: label} | {f"{label}/{name}": value for name, value in params.items()},
        distributions={STRATEGY: CategoricalDistribution(tuple(spaces))}
        | {f"{label}/{name}": distribution for name, distribution in distributions.items()},
        value=told.value,
    )


def _proposal(spaces: Mapping[str, Space], trial: Trial) -> tuple[str, dict[str, Any]]:
    label = trial.suggest_categorical(STRATEGY, tuple(spaces))
    assert isinstance(label, str)
    return label, draw(spaces[label], lambda name, distribution: _suggest(trial, f"{label}/{name}", distribution))


def _suggest(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log)
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)


def _key(slot: Slot) -> tuple[str, int, float]:
    return slot.strategy, slot.repeat, slot.length
