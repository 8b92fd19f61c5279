"""Which setting is the one to take, and what is said of it."""

import numpy as np
import pytest

from decaybench.errors import UserError
from decaybench.findings import pick
from decaybench.report.words.winner import found
from frames_factory import change, confirm_scores, make, summary_of

SCORES = {
    "constant": [0.95, 0.95, 0.95, 0.95, 0.95],
    "cosine": [0.96, 0.98, 0.97, 0.98, 0.97],
    "exp_loss": [0.972, 0.972, 0.972, 0.972, 0.972],
}


def test_it_is_the_first_strategy_s_best_repeat_the_earlier_of_equals():
    summary = summary_of(confirm_scores(make(diverge=0.0), SCORES))
    picked = pick(summary)
    assert (picked.row.strategy.label, picked.run.repeat, picked.seeds, picked.diverged) == ("cosine", 1, 2, 0)
    assert picked.mean == pytest.approx(0.98) and picked.level == ("exp_loss",)
    assert picked.run.slot == summary.results.winners("cosine", 1.0)[1].slot
    assert found(summary, picked) == [
        "Test accuracy 98.0% after retraining, the mean of 2 seeds.",
        "It is the best configuration of 5 repeats, so expect a little less: the mean over the repeats is 97.2%.",
        "The strategy ranks 1 of 3, tied with exp_loss; the report says how sure that is.",
    ]


def test_of_a_loss_the_least_is_best():
    losses = {"constant": [0.3] * 5, "cosine": [0.2, 0.1, 0.2, 0.2, 0.2], "exp_loss": [0.3] * 5}
    picked = pick(summary_of(confirm_scores(make(metric="loss", diverge=0.0), losses, "test_loss")))
    assert (picked.row.strategy.label, picked.run.repeat) == ("cosine", 1)


def test_one_strategy_may_be_asked_for():
    summary = summary_of(confirm_scores(make(diverge=0.0), SCORES))
    assert pick(summary, "constant").row.rank == 3
    with pytest.raises(UserError, match=r"--strategy: must be one of constant, cosine, exp_loss, got 'linear'"):
        pick(summary, "linear")


def test_nothing_confirmed_yet():
    with pytest.raises(UserError, match="no configuration of any strategy has been retrained yet"):
        pick(summary_of(make(confirmed=False)))


def test_where_every_run_diverged_there_is_none():
    lost = change(make(), lambda r: (r.phase == "confirm") & (r.strategy == "cosine"), outcome="diverged")
    with pytest.raises(UserError, match="every retrained run of cosine diverged: no configuration to export"):
        pick(summary_of(lost), "cosine")


def test_lost_seeds_and_an_unfinished_sweep_are_said():
    frames = confirm_scores(make(diverge=0.0), {**SCORES, "cosine": [0.98] * 5})
    first = frames.runs[(frames.runs.phase == "confirm") & (frames.runs.strategy == "cosine")].index[0]
    frames = change(frames, lambda r: r.index != first, outcome="diverged", test_accuracy=np.nan)
    frames.sweep["status"] = "running"
    summary = summary_of(frames)
    said = found(summary, pick(summary, "cosine"))
    assert said[0] == "Test accuracy 54.0% after retraining, the mean of 2 seeds, 1 of which diverged."
    assert said[-1] == "The sweep is unfinished, so this may change."
