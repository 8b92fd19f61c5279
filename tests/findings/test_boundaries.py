"""Winners at the end of a range are flagged while results still improve towards it."""

import math

import pytest

from decaybench.findings.boundaries import boundaries
from frames_factory import make, results_of

LOW, HIGH = 1e-3, 1.0


def swept(rates, score, *, entry=None, name="learning_rate", metric="accuracy"):
    """One strategy whose slots took these values in every repeat, with ``score`` (of a value) on validation."""
    frames = make({"cosine": "cosine"}, trials=len(rates), diverge=0.0, confirmed=False, metric=metric)
    runs = frames.runs
    for index, row in runs.iterrows():
        value = rates[int(row["slot"])]
        runs.at[index, "params"] = {**row["params"], name: value}
        runs.at[index, f"validation_{metric}"] = score(value)
    frames.sweep["spec"]["strategies"]["cosine"] |= entry or {}
    return boundaries(results_of(frames))


def spaced(n, low=LOW, high=HIGH):
    return [low * (high / low) ** (i / (n - 1)) for i in range(n)]


def test_the_learning_rate_at_its_upper_end():
    (found,) = swept(spaced(12), lambda rate: 0.5 + 0.05 * math.log10(rate))
    assert found == ("cosine", 1.0, "learning_rate", "high", 1.0, 6, 6)


def test_the_lower_end_and_loss():
    (found,) = swept(spaced(12), lambda rate: 1 + 0.05 * math.log10(rate), metric="loss")
    assert (found.end, found.bound) == ("low", LOW)


def test_an_optimum_inside_is_no_edge():
    assert swept(spaced(12), lambda rate: 0.9 - abs(math.log10(rate) + 1.5) / 10) == []


def test_an_own_parameter_in_native_units():
    entry = {"schedule": "exponential", "learning_rate": 0.1, "decay_rate": {"low": 0.2, "high": 0.8}}
    entry |= {"decay_steps": {"low": 0.5, "high": 1.0, "unit": "run"}}
    updates = 8 * 19
    values = [updates * (0.5 + 0.5 * i / 11) for i in range(12)]
    (found,) = swept(values, lambda steps: steps / 1000, entry=entry, name="decay_steps")
    assert (found.parameter, found.end, found.bound) == ("decay_steps", "high", updates)


@pytest.mark.parametrize("floor", [{"choices": [0.0, 0.1]}, 0.0])
def test_choices_and_numbers_have_no_ends(floor):
    assert (
        swept([0.0, 0.1] * 6, lambda value: 0.5 + value, entry={"learning_rate": 0.1, "floor": floor}, name="floor")
        == []
    )
