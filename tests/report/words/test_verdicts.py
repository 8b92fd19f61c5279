"""The reasons of verdicts as sentences, and what withholds a verdict."""

from typing import get_args

import pytest

from decaybench.compare import Inconclusive, Same, Shown, SizeUnclear, TooFew, Verdict, Withheld, WithinMargin
from decaybench.findings.ledger import UnequalTrials
from decaybench.report.words.verdicts import SAID, reason

MARGIN = 0.002


@pytest.mark.parametrize(
    ("why", "text"),
    [
        (
            Shown(True, MARGIN),
            "a is shown to be ahead; the difference is now more than 0.2 points, and a wins at least three of four pairs of"
            " searches",
        ),
        (
            Shown(False, MARGIN),
            "a is shown to be behind; the difference is now more than 0.2 points, and b wins at least three of four pairs of"
            " searches",
        ),
        (
            SizeUnclear(True, False, True, MARGIN),
            "a is shown to be ahead, but the difference is now at most 0.2 points",
        ),
        (
            SizeUnclear(False, False, False, MARGIN),
            "a is shown to be behind, but the difference is now at most 0.2 points and b wins fewer than three of four pairs"
            " of searches",
        ),
        (Same(), "all their trials have the same results"),
        (
            WithinMargin(0.0011, MARGIN),
            "both are at most 0.11 points below the best, which is within the margin of 0.2 points",
        ),
        (Inconclusive(None), "no direction is shown"),
        (Inconclusive(1000), "no direction is shown; showing the observed difference would take about 1,000 repeats"),
        (
            Inconclusive(1001),
            "no direction is shown; showing the observed difference would take more than 1,000 repeats",
        ),
        (TooFew("trials", 3, 6), "only 3 trials per repeat, and a statement needs at least 6"),
        (TooFew("repeats", 1, 5), "only 1 repeat, and a statement needs at least 5"),
        (TooFew("repeats", 0, 6), "not looked at yet; the first look is after 6 repeats"),
        (TooFew("test images", 60, 100), "only 60 test images, and a statement needs at least 100"),
        (
            Withheld((UnequalTrials((6, 8)),)),
            "the strategies have different numbers of trials per repeat (6 and 8)",
        ),
    ],
)
def test_a_reason_as_a_sentence(why, text):
    assert reason(why, "accuracy") == text


def test_a_loss_is_above_the_best_and_in_nats():
    assert reason(WithinMargin(0.011, 0.05), "loss") == (
        "both are at most 0.011 nats above the best, which is within the margin of 0.05 nats"
    )


def test_a_reason_without_words_is_refused():
    with pytest.raises(TypeError, match="no words for 'because'"):
        reason(Withheld(("because",)), "loss")


def test_every_verdict_has_words_and_a_sign_of_its_own():
    assert set(SAID) == set(get_args(Verdict))
    assert len({said.sign for said in SAID.values()}) == len({said.color for said in SAID.values()}) == len(SAID)
