"""What it would still cost to settle a sweep."""

import numpy as np

from decaybench.findings.outlook import MOST, to_settle
from frames_factory import make, summary_of

FOUR = {"constant": "constant", "cosine": "cosine", "linear": "linear", "exp_loss": "exp_loss"}


def test_a_strategy_is_settled_against_the_rival_that_shows_it_first():
    """linear is behind cosine by more than the margin, and ahead of exp_loss, whose results tell little."""
    frames = make(FOUR, diverge=0.0, repeats=12, to=40, rope=0.05, confirmed=False)
    runs, shift = frames.runs.copy(), np.random.default_rng(1).normal(size=12)
    shift = (shift - shift.mean()) / shift.std()
    for label, behind, spread in (("linear", 0.06, -0.04), ("exp_loss", 0.15, 0.1)):
        mine = runs.strategy == label
        runs.loc[mine, "test_accuracy"] += spread * shift[runs.repeat[mine]] - behind
    summary = summary_of(frames._replace(runs=runs))
    standing = summary.standing()
    labels = [row.strategy.label for row in summary.at(1.0)]
    linear, erratic = labels.index("linear"), labels.index("exp_loss")
    assert summary.pick() is not None
    assert standing.decision.states[linear] == "open"
    assert standing.contest.gaps[linear].argmax() == erratic
    found = to_settle(summary)
    assert found is not None
    assert 12 < found.repeats < MOST
    assert found.trainings > 0
