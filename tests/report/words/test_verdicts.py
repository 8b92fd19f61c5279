"""The reasons of verdicts as sentences: the same judged comparisons as in tests/compare, and what withholds a verdict."""

from typing import get_args

import numpy as np
import pytest

from decaybench.compare import TooFew, Verdict, Withheld, judge, mirrored, one_sided_p
from decaybench.compare.verdicts import Shown, SizeUnclear
from decaybench.findings.ledger import Entry, Gap, ReplayGap, UnequalLedger, UnequalTrials
from decaybench.findings.pairs import SharedSlots
from decaybench.report.words.verdicts import SAID, reason

ROPE = 0.002
UP = np.linspace(-0.5, 0.5, 10)  # mean 0, standard deviation 0.335


def said(*differences, **options):
    return reason(judge(differences, ROPE, **options)[0].reason, "accuracy")


def test_shown():
    d = 0.01 + 0.01 * UP
    assert said(d) == "p < 0.001, ahead in 10 of 10 repeats, mean difference above 0.2 points"
    assert said(-d) == "p < 0.001, behind in 10 of 10 repeats, mean difference above 0.2 points"
    many = [0.01 + 0.02 * UP, 0.003 + 0.01 * UP, 0.001 * UP]
    p = judge(many, ROPE)[0].p_adjusted
    assert said(*many) == (
        f"adjusted p = {p:.3g} (Holm, 3 comparisons), ahead in 9 of 10 repeats, mean difference above 0.2 points"
    )


def test_equivalent():
    assert said(0.001 * UP) == "the 95% interval lies within 0.2 points of zero"
    assert said([0.0] * 5) == "the results are identical"


def test_size_unclear():
    assert said([0.002] * 10) == "p < 0.001, but the mean difference is not above 0.2 points"
    assert said(0.0018 + 0.004 * UP).endswith("but the mean difference is not above 0.2 points")
    assert said(np.array([0.02] * 13 + [-0.004] * 7)).endswith("but it was ahead in only 13 of 20 repeats")
    neither = SizeUnclear(0.01, 1, False, False, False, 13, 20, ROPE)
    assert reason(neither, "accuracy") == (
        "p = 0.01, but the mean difference is not above 0.2 points and it was behind in only 13 of 20 repeats"
    )


def test_not_shown():
    d = 0.002 + 0.02 * UP
    (judged,) = judge([d], ROPE)
    assert said(d) == (
        f"p = {one_sided_p(d):.3g}; 10 repeats can detect a difference of {100 * judged.reason.detectable:.3g} points or more"
        f" (power 80%); detecting the observed 0.2 points would take {judged.reason.needed} repeats"
    )
    assert "would take" not in said([0.01, -0.01, 0.02, -0.02, 0.0])
    assert said([0.01, -0.01, 0.02, -0.02, 0.00001]).endswith("would take more than 10,000 repeats")


def test_a_loss_is_told_in_nats():
    (judged,) = judge([[0.02] * 5], 0.01)
    assert reason(judged.reason, "loss") == "p < 0.001, ahead in 5 of 5 repeats, mean difference above 0.01 nats"


def test_turned_round_ahead_is_behind_and_nothing_else_changes():
    for rule in (Shown(0.01, 3, True, 9, 10, ROPE), SizeUnclear(0.01, 3, True, False, True, 9, 10, ROPE)):
        there, back = (reason(each, "accuracy") for each in (rule, mirrored(rule)))
        assert there.replace("ahead in", "behind in") == back != there
        assert mirrored(mirrored(rule)) == rule


DONE, HALF, ONE = Entry(4, 4, 0, 0, 0), Entry(4, 2, 0, 0, 0), Entry(1, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("why", "text"),
    [
        (TooFew("seeds", 1, 2), "only 1 retraining seed, but a verdict needs at least 2"),
        (
            SharedSlots(),
            "the strategies shared their trials, so this is a search for one good configuration, not a comparison",
        ),
        (
            UnequalLedger((Gap("a", None, DONE, HALF),)),
            "unequal budgets (a has 4 of 4 trials and 2 of 4 retraining runs)",
        ),
        (
            UnequalLedger((Gap("a", 0.5, ONE, DONE), UnequalTrials((2, 3)))),
            "unequal budgets (a at length 0.5 has 0 of 1 trials and 4 of 4 retraining runs, "
            "the planned trials per repeat are 2 and 3)",
        ),
        (
            UnequalLedger((ReplayGap("a", None, ONE, HALF, DONE), ReplayGap("b", 1.0, DONE, DONE, HALF))),
            "unequal budgets (a has 0 of 1 trial and 2 of 4 retraining runs, b at length 1 has 2 of 4 replays)",
        ),
        (
            UnequalLedger(tuple(ReplayGap(label, None, DONE, DONE, HALF) for label in "abcde")),
            "unequal budgets (a has 2 of 4 replays, b has 2 of 4 replays, and 3 more)",
        ),
        (
            UnequalLedger(tuple(ReplayGap(label, None, DONE, DONE, HALF) for label in "abc")),
            "unequal budgets (a has 2 of 4 replays, b has 2 of 4 replays, c has 2 of 4 replays)",
        ),
    ],
)
def test_why_a_verdict_is_withheld(why, text):
    assert reason(Withheld((why,)), "accuracy") == text


def test_reasons_are_joined_and_unknown_ones_are_refused():
    both = Withheld((TooFew("repeats", 1, 5), TooFew("seeds", 1, 2)))
    assert reason(both, "loss") == (
        "only 1 repeat, but a verdict needs at least 5; only 1 retraining seed, but a verdict needs at least 2"
    )
    with pytest.raises(TypeError, match="no words for 'because'"):
        reason(Withheld(("because",)), "loss")


def test_every_verdict_has_words_and_a_sign_of_its_own():
    assert set(SAID) == set(get_args(Verdict))
    assert len({said.sign for said in SAID.values()}) == len({said.color for said in SAID.values()}) == len(SAID)
