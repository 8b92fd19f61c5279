"""Metrics are data: what each says of itself agrees, and with what the protocol promises."""

import math

import numpy as np
import pytest

from decaybench.metrics import METRICS


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_agrees_with_itself(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name and metric.sign == (-1 if metric.lower_is_better else 1)
    good, bad = (0.1, 0.2) if metric.lower_is_better else (0.2, 0.1)
    assert metric.ahead(good, bad) > 0 > metric.ahead(bad, good) and metric.best(good, bad) == good
    assert (metric.ahead(np.array([good]), np.array([bad])) > 0).all()
    assert metric.best(metric.worst, bad) == bad
    chance = metric.chance(0.2, 10)
    assert 0 < chance < metric.high and metric.counted(chance, chance) == chance
    assert metric.axis[0] == 0 and (not metric.bounded or metric.axis[1] == metric.factor * metric.high)
    if metric.name == "accuracy":  # counted in images, so nothing is finer than some part of one
        assert 0 < metric.margin(10_000) < metric.margin(100) and 0 < metric.finest(10_000) < metric.finest(100)
    else:  # the median spread alone says what matters
        assert {metric.margin(n) for n in (100, 10_000)} == {metric.finest(n) for n in (100, 10_000)} == {0}


def test_chance_and_what_counts() -> None:
    accuracy, loss = METRICS["accuracy"], METRICS["loss"]
    assert (accuracy.chance(0.2, 10), loss.chance(0.2, 10)) == (0.2, math.log(10))
    # an accuracy below chance stays what it is, a loss above chance counts as chance
    assert (accuracy.counted(0.1, 0.2), loss.counted(9.0, 2.3), loss.counted(1.0, 2.3)) == (0.1, 2.3, 1.0)
    assert (accuracy.label, accuracy.hint) == ("accuracy, %", "") and loss.label == "loss, nats"
