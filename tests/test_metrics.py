"""Metrics are data: what each says of itself agrees, and with what the protocol promises."""

import math
import re

import numpy as np
import pytest
import torch

from decaybench.metrics import METRICS


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_agrees_with_itself(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name and re.fullmatch("[a-z][a-z0-9_]*", name)  # it is a part of columns' names
    assert metric.sign == (-1 if metric.lower_is_better else 1)
    good, bad = (0.1, 0.2) if metric.lower_is_better else (0.2, 0.1)
    assert metric.ahead(good, bad) > 0 > metric.ahead(bad, good) and metric.best(good, bad) == good
    assert (metric.ahead(np.array([good]), np.array([bad])) > 0).all()
    assert metric.best(metric.worst, bad) == bad
    chance = metric.chance(0.2, 10)
    assert 0 < chance < metric.high and metric.counted(chance, chance) == chance
    assert metric.axis[0] == 0 and (not metric.bounded or metric.axis[1] == metric.factor * metric.high)
    if metric.finest(100):  # counted in images, so nothing is finer than some part of one
        assert 0 < metric.margin(10_000) < metric.margin(100) and 0 < metric.finest(10_000) < metric.finest(100)
    else:  # the median spread alone says what matters
        assert {metric.margin(n) for n in (100, 10_000)} == {metric.finest(n) for n in (100, 10_000)} == {0}


@pytest.mark.parametrize("name", METRICS)
def test_a_run_is_measured_by_its_own_logits(name: str) -> None:
    logits = torch.randn(3, 40, 10, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(40).remainder(10).expand(3, -1)
    sums, metric = METRICS[name].measure(logits, labels), METRICS[name]
    assert sums.shape == (3,) and (sums >= 0).all() and (sums <= 40 * metric.high).all()
    assert metric.measure(logits.index_fill(0, torch.tensor([0, 2]), math.nan), labels)[1] == sums[1]
    certain = 100 * torch.nn.functional.one_hot(labels, 10).float()
    assert metric.ahead(metric.measure(certain, labels).double(), sums.double()).min() > 0
    halves = [metric.measure(*half).double() for half in zip(logits.split(20, 1), labels.split(20, 1), strict=True)]
    torch.testing.assert_close(sum(halves), sums.double(), rtol=1e-6, atol=0)


def test_chance_and_what_counts() -> None:
    accuracy, loss = METRICS["accuracy"], METRICS["loss"]
    assert (accuracy.chance(0.2, 10), loss.chance(0.2, 10)) == (0.2, math.log(10))
    # an accuracy below chance stays what it is, a loss above chance counts as chance
    assert (accuracy.counted(0.1, 0.2), loss.counted(9.0, 2.3), loss.counted(1.0, 2.3)) == (0.1, 2.3, 1.0)
    assert (accuracy.label, accuracy.hint) == ("accuracy, %", "") and loss.label == "loss, nats"
