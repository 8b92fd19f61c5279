"""Fixed against reactive strategies: what the bounds of the members say of their families."""

import pytest

from decaybench.report.words.families import families_text, means_text
from frames_factory import make, scored, summary_of
from report.words.scenarios import scenario


def test_the_mean_of_a_family_is_in_the_metrics_own_unit() -> None:
    losses = {"constant": [0.12] * 6, "cosine": [0.10] * 6, "exp_loss": [0.2] * 6}
    summary = summary_of(scored(make(metric="loss", diverge=0.0), losses, "test_loss"))
    reactive, fixed = summary.families()
    assert (reactive.mean, fixed.mean) == pytest.approx((0.2, 0.11))


def test_a_family_is_as_good_as_its_best_member() -> None:
    summary = scenario("settled")
    said = families_text(summary, 1.0)
    assert said == (
        "Fixed against reactive, with 95% confidence: every reactive strategy is ruled out;"
        " the best fixed strategy is at most 0.72 points below the best of all."
    )
    assert means_text(summary, 1.0).endswith("They only describe the strategies of this sweep.")


def test_one_family_alone_is_not_compared() -> None:
    assert families_text(scenario("two_equals"), 1.0) == ""
