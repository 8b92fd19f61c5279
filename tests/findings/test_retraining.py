"""Who is retrained, which configuration validation chooses, and what its further runs show."""

import json

import numpy as np
import pytest

from decaybench.compare import wilson
from decaybench.findings.retraining import candidates, choose, configurations, next_two, retraining
from frames_factory import change, make, ordered, results_of, scored, summary_of

SIX = {"constant": "constant", "cosine": "cosine", "linear": "linear", "steps": "step_decay", "exp_loss": "exp_loss", "plateau": "reduce_on_plateau"}  # fmt: skip
SPREAD = np.array([0.001, -0.001] * 3)


def six(**means: float):
    frames = make(SIX, diverge=0.0, rope=0.02, confirm_seeds=1)
    return ordered(scored(frames, {label: list(mean + SPREAD) for label, mean in means.items()}))


def retrained(frames) -> tuple[str, ...]:
    summary = summary_of(frames)
    return candidates(summary.results, summary.decisive)


def test_the_pick_the_control_the_best_of_each_family_and_the_next_two_that_are_near():
    found = retrained(six(constant=0.80, cosine=0.95, linear=0.945, steps=0.94, exp_loss=0.90, plateau=0.85))
    assert found[0] == "cosine" and set(found) == {"cosine", "linear", "steps", "exp_loss", "constant"}


def test_those_further_than_twice_the_margin_are_not():
    found = retrained(six(constant=0.80, cosine=0.95, linear=0.85, steps=0.85, exp_loss=0.90, plateau=0.85))
    assert found[0] == "cosine" and set(found) == {"cosine", "exp_loss", "constant"}


def test_no_more_than_two_that_are_near():
    found = retrained(six(constant=0.945, cosine=0.951, linear=0.95, steps=0.95, exp_loss=0.95, plateau=0.95))
    assert len(found) == 5 and {"constant", "cosine"} < set(found)


def test_the_next_two_may_be_the_control_and_the_best_of_a_family():
    found = retrained(six(constant=0.949, cosine=0.95, linear=0.947, steps=0.947, exp_loss=0.948, plateau=0.94))
    assert found == ("cosine", "constant", "exp_loss")


def test_one_that_is_ruled_out_is_none_of_the_next_two():
    frames = six(constant=0.80, cosine=0.95, linear=0.92, steps=0.918, exp_loss=0.90, plateau=0.85)
    summary = summary_of(frames)
    (linear,) = [row for row in summary.rows if row.strategy.label == "linear"]
    assert linear.state == "ruled out" and linear.bound < 2 * summary.decisive.margin
    assert next_two(summary.decisive) == () and retrained(frames) == ("cosine", "exp_loss", "constant")


def test_without_a_look_the_best_estimate_comes_first():
    frames = make(SIX, repeats=4, diverge=0.0, confirm_seeds=1)
    found = retrained(ordered(scored(frames, {label: [0.9] * 4 for label in SIX} | {"plateau": [0.95] * 4})))
    assert found[0] == "plateau" and set(found) == {"plateau", "constant"}  # the first of the equal fixed ones


def test_the_three_best_configurations_differ_and_come_best_first():
    results = results_of(make(diverge=0.0))
    found = configurations(results, ["cosine"], 3)
    accuracy = [run.value("validation", "accuracy") for run in found]
    assert (
        accuracy
        == sorted((run.value("validation", "accuracy") for run in results.trials("cosine", 1.0)), reverse=True)[:3]
    )
    # The same configuration in another repeat is no second one: the earlier trial of the two that tie stands for it.
    results = results_of(ordered(make(diverge=0.0)))
    assert [(run.repeat, run.slot) for run in configurations(results, ["cosine"], 3)] == [(0, 5), (0, 4), (0, 3)]


def test_a_strategy_with_one_configuration_is_retrained_in_it():
    frames = make(diverge=0.0)
    runs = frames.runs.copy()
    mine = runs.strategy == "cosine"
    runs.loc[mine, "params"] = [{"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.0}] * mine.sum()
    frames.sweep["spec"]["strategies"]["cosine"]["learning_rate"] = 0.1
    results = results_of(frames._replace(runs=runs))
    assert len(configurations(results, ["cosine"], 3)) == 1
    assert len(results.trials("cosine", 1.0)) == 36


def seeds(summary, further: bool) -> set[int]:
    return set(summary.results.sweep.confirm_seeds(further=further))


def test_mean_validation_of_the_choosing_runs_chooses_and_only_further_runs_are_reported():
    frames = make(diverge=0.0, skill={"cosine": 0.02})
    summary = summary_of(frames)
    found = retraining(summary.results, "cosine")
    assert found is not None and len(found.configurations) == 3 and len(found.choosing) == 6 and len(found.further) == 2
    runs = frames.runs[(frames.runs.phase == "confirm") & (frames.runs.strategy == "cosine")]
    choosing = runs[runs.seed.isin(seeds(summary, further=False))]
    best = choosing.groupby(["repeat", "slot"]).validation_accuracy.mean().idxmax()
    assert (found.chosen.repeat, found.chosen.slot) == best
    further = runs[runs.seed.isin(seeds(summary, further=True))]
    assert set(further.groupby(["repeat", "slot"]).groups) == {best}
    assert found.mean == pytest.approx(further.test_accuracy.mean())
    assert {run.seed for run in found.choosing}.isdisjoint(run.seed for run in found.further)


def test_while_a_choosing_run_is_missing_nothing_is_chosen_and_nothing_is_reported():
    frames = make(diverge=0.0, skill={"cosine": 0.02})
    summary = summary_of(frames)
    first = frames.runs[(frames.runs.strategy == "cosine") & frames.runs.seed.isin(seeds(summary, further=False))]
    results = results_of(change(frames, lambda r: r.id == first.id.iloc[0], outcome=None, validation_accuracy=None))
    found = retraining(results, "cosine")
    assert found is not None and (found.chosen, found.mean, found.further) == (None, None, ())
    assert choose(results, found.configurations) is None and len(found.choosing) == 5


def test_a_further_run_that_diverged_counts_at_chance():
    frames = make(diverge=0.0, skill={"cosine": 0.02})
    summary = summary_of(frames)
    mine = (frames.runs.strategy == "cosine") & frames.runs.seed.isin(seeds(summary, further=True))
    ids = frames.runs[mine & (frames.runs.phase == "confirm")].id
    lost = change(frames, lambda r: r.id == ids.iloc[0], outcome="diverged", test_accuracy=np.nan)
    other = frames.runs.set_index("id").loc[ids.iloc[1], "test_accuracy"]
    assert retraining(results_of(lost), "cosine").mean == pytest.approx((0.1 + other) / 2)


def test_failures_are_those_that_diverge_or_fall_half_way_to_chance_with_wilson_s_interval():
    frames = make(diverge=0.0, skill={"cosine": 0.02})
    summary = summary_of(frames)
    mine = (frames.runs.strategy == "cosine") & (frames.runs.phase == "confirm")
    choosing = frames.runs[mine & frames.runs.seed.isin(seeds(summary, further=False))].reset_index()
    one, two, three = choosing.id[:3]
    trial = frames.runs[(frames.runs.phase == "search") & (frames.runs.strategy == "cosine")].set_index(
        ["repeat", "slot"]
    )
    half = [0.5 * (0.1 + trial.loc[(run.repeat, run.slot), "validation_accuracy"]) for run in choosing.itertuples()]
    frames = change(frames, lambda r: r.id == one, outcome="diverged", validation_accuracy=np.nan)
    frames = change(frames, lambda r: r.id == two, validation_accuracy=half[1] - 1e-6)
    frames = change(frames, lambda r: r.id == three, validation_accuracy=half[2] + 1e-6)
    found = retraining(results_of(frames), "cosine")
    assert found.failures == 2 and found.failing == wilson(2, 6)


def test_nothing_is_retrained_on_no_seeds():
    frames = make(confirm_seeds=0)
    assert set(frames.runs.phase) == {"search"}
    assert all(row.retrained is None for row in summary_of(frames).rows)


def test_an_adaptive_sweep_retrains_the_best_three_of_all():
    frames = make(diverge=0.0, confirmed=False)
    frames.sweep["spec"]["search"] |= {"sampler": "random", "allocation": "adaptive"}
    runs = frames.runs.copy()  # one slot of the shared trials each
    runs["slot"] += runs.strategy.map({"constant": 0, "cosine": 6, "exp_loss": 12})
    results = results_of(frames._replace(runs=runs))
    found = configurations(results, ["constant", "cosine", "exp_loss"], 3)
    best = runs.sort_values(["validation_accuracy", "validation_loss"], ascending=[False, True]).head(3)
    assert [run.id for run in found] == list(best.id)
    assert len({json.dumps([run.strategy, dict(run.params)], sort_keys=True) for run in found}) == 3
