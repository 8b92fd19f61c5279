"""Which configuration is the one to take."""

import pytest

from decaybench.errors import UserError
from decaybench.findings import pick
from decaybench.findings.retraining import configurations
from frames_factory import change, make, scored, summary_of

SCORES = {"constant": [0.90] * 6, "cosine": [0.96, 0.97, 0.96, 0.97, 0.96, 0.97], "exp_loss": [0.91] * 6}


def test_it_is_the_pick_s_configuration_that_its_choosing_runs_chose():
    frames = scored(make(diverge=0.0), SCORES)
    summary = summary_of(frames)
    picked = pick(summary)
    assert picked.row.strategy.label == "cosine" and picked.row.state == "good"
    assert picked.retrained is not None and picked.run == picked.retrained.chosen
    assert picked.run in configurations(summary.results, ["cosine"], 3)


def test_where_nothing_was_retrained_validation_alone_decides():
    summary = summary_of(scored(make(diverge=0.0, confirm_seeds=0), SCORES))
    picked = pick(summary)
    assert (picked.row.strategy.label, picked.retrained) == ("cosine", None)
    assert picked.run == configurations(summary.results, ["cosine"], 1)[0]
    accuracy = [run.value("validation", "accuracy") for run in summary.results.trials("cosine", 1.0)]
    assert picked.run.value("validation", "accuracy") == max(accuracy)


def test_one_strategy_may_be_asked_for():
    summary = summary_of(scored(make(diverge=0.0), SCORES))
    assert pick(summary, "constant").row.strategy.label == "constant"
    with pytest.raises(UserError, match=r"--strategy: must be one of constant, cosine, exp_loss, got 'linear'"):
        pick(summary, "linear")


def test_no_repeat_is_closed_yet():
    frames = change(make(confirmed=False), lambda r: r.repeat == 0, outcome=None, test_accuracy=None)
    with pytest.raises(UserError, match="no repeat of every strategy is complete yet; decaybench run continues"):
        pick(summary_of(frames))


def test_where_every_trial_diverged_there_is_none():
    with pytest.raises(UserError, match="every trial of constant diverged: no configuration to export"):
        pick(summary_of(make(diverge=99.0)))
