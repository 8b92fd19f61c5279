"""Fixed against reactive strategies: what the bounds of the members say of their families."""

import pytest

from frames_factory import make, scored, summary_of


def test_the_mean_of_a_family_is_in_the_metrics_own_unit() -> None:
    losses = {"constant": [0.12] * 6, "cosine": [0.10] * 6, "exp_loss": [0.2] * 6}
    summary = summary_of(scored(make(metric="loss", diverge=0.0), losses, "test_loss"))
    reactive, fixed = summary.families()
    assert (reactive.mean, fixed.mean) == pytest.approx((0.2, 0.11))
