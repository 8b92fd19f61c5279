import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from decaybench.errors import UserError
from decaybench.findings import selection, summarise
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import strategies
from decaybench.report.words.verdicts import reason as worded
from decaybench.sweep import Sweep, arms
from frames_factory import THREE, change, confirm_scores, make, named, results_of, stored, summary_of, unconfirm


def said(pair) -> str:
    return worded(pair.reason, pair.metric)


def row(summary: Summary, label: str, length: float = 1.0):
    return next(r for r in summary.rows if (r.strategy.label, r.length) == (label, length))


def by_repeat(frames, label: str, column: str, chance: float) -> np.ndarray:
    """The confirmed means a repeat, by pandas instead."""
    runs = frames.runs[(frames.runs.phase == "confirm") & (frames.runs.strategy == label)]
    values = runs[column].where(runs.outcome != "diverged", chance)
    return values.groupby(runs.repeat).mean().to_numpy()


@pytest.mark.parametrize(("metric", "chance", "sign"), [("accuracy", 0.1, 1), ("loss", math.log(10), -1)])
def test_pairs_agree_with_pandas_and_scipy(metric: str, chance: float, sign: int) -> None:
    frames = make(THREE, metric=metric, diverge=0.3)
    summary = summary_of(frames)
    assert (frames.runs[frames.runs.phase == "confirm"].outcome == "diverged").any()
    assert [(p.a, p.b) for p in summary.pairs] == [
        ("constant", "cosine"),
        ("constant", "exp_loss"),
        ("cosine", "exp_loss"),
        ("family:reactive", "family:fixed"),
    ]
    values = {label: by_repeat(frames, label, f"test_{metric}", chance) for label in THREE}
    values["family:fixed"] = (values["constant"] + values["cosine"]) / 2
    values["family:reactive"] = values["exp_loss"]
    for pair in summary.pairs:
        d = sign * (values[pair.a] - values[pair.b])
        low, high = stats.ttest_1samp(d, 0).confidence_interval()
        assert pair.difference == pytest.approx((d.mean(), low, high), abs=1e-11)
        assert pair.p_better == np.mean((d > 1e-12) + 0.5 * (abs(d) <= 1e-12))
        a, b = sign * values[pair.a], sign * values[pair.b]
        assert pair.p_better_unpaired == pytest.approx(
            stats.mannwhitneyu(np.round(a, 12), np.round(b, 12)).statistic / 25
        )
        assert pair.metric == metric
    judged = [p for p in summary.pairs if not p.a.startswith("family")]
    by_hand = [stats.ttest_1samp(sign * (values[p.a] - values[p.b]), 0).pvalue / 2 for p in judged]
    assert [p.p_adjusted for p in judged] == pytest.approx(stepped_down(by_hand))
    (family,) = set(summary.pairs) - set(judged)
    d = sign * (values[family.a] - values[family.b])
    assert family.p_adjusted == pytest.approx(stats.ttest_1samp(d, 0).pvalue / 2)


def stepped_down(p: list[float]) -> list[float]:
    """Holm's adjustment, as his paper has it."""
    adjusted, worst = [0.0] * len(p), 0.0
    for place, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        worst = max(worst, min(1.0, (len(p) - place) * p[i]))
        adjusted[i] = worst
    return adjusted


CLEAR = {
    "constant": [0.95, 0.96, 0.95, 0.96, 0.95],
    "cosine": [0.971, 0.98, 0.972, 0.981, 0.97],
    "exp_loss": [0.95, 0.9601, 0.95, 0.96, 0.95],
}


def test_verdicts_at_every_length() -> None:
    frames = confirm_scores(make(lengths=(0.5, 1.0), diverge=0.0), CLEAR)
    summary = summary_of(frames)
    assert [(p.a, p.b, p.length, p.verdict) for p in summary.pairs if "family" not in p.a] == [
        (a, b, length, verdict)
        for length in (0.5, 1.0)
        for a, b, verdict in [
            ("constant", "cosine", "worse"),
            ("constant", "exp_loss", "equivalent"),
            ("cosine", "exp_loss", "better"),
        ]
    ]
    assert (
        said(summary.pairs[0])
        == "adjusted p < 0.001 (Holm, 6 comparisons), behind in 5 of 5 repeats, mean difference above 0.667 points"
    )
    back = summary.pair("cosine", "constant", 1.0)
    assert back.verdict == "better" and "ahead in 5 of 5 repeats" in said(back)


@pytest.mark.parametrize(("rope", "verdict"), [(None, "worse"), (0.05, "equivalent"), (0.0, "worse")])
def test_the_smallest_difference_that_matters_may_be_set(rope: float | None, verdict: str) -> None:
    frames = confirm_scores(make(diverge=0.0), CLEAR)
    if rope is not None:
        frames.sweep["spec"]["task"]["rope"] = rope
    assert summary_of(frames).pair("constant", "cosine", 1.0).verdict == verdict


def test_identical_runs_are_equivalent() -> None:
    pair = summary_of(confirm_scores(make(diverge=0.0), {key: [0.9, 0.91, 0.92, 0.9, 0.9] for key in THREE})).pairs[0]
    assert (pair.verdict, said(pair), pair.difference) == ("equivalent", "the results are identical", (0.0, 0.0, 0.0))


def test_survivors_are_beside_what_divergence_costs() -> None:
    frames = confirm_scores(make(diverge=0.0), {"cosine": [0.9] * 5})
    last = frames.runs[(frames.runs.phase == "confirm") & (frames.runs.strategy == "cosine")].index[-3:]
    lost = change(frames, lambda r: r.index.isin(last), outcome="diverged", test_accuracy=np.nan, test_loss=np.nan)
    got = row(summary_of(lost), "cosine")
    assert got.confirmed["accuracy"] is not None and got.confirmed["accuracy"].mean == pytest.approx(
        (3 * 0.9 + 0.5 + 0.1) / 5
    )
    assert got.survivors == pytest.approx(0.9)


def test_the_share_of_diverged_slots_has_an_interval() -> None:
    got = row(summary_of(make(diverge=0.3)), "cosine")
    low, high = stats.binomtest(got.account.slots.diverged, 20).proportion_ci(method="wilson")
    assert got.diverged == pytest.approx((got.account.slots.diverged / 20, low, high))


def test_a_diverged_confirm_run_counts_at_chance_and_failed_or_pending_ones_do_not() -> None:
    frames = confirm_scores(make(diverge=0.0), {"cosine": [0.9] * 5})
    last = frames.runs[(frames.runs.phase == "confirm") & (frames.runs.strategy == "cosine")].index[-2:]
    for outcome, mean in [("diverged", 0.1), ("failed", None), (None, None)]:
        lost = change(frames, lambda r: r.index.isin(last), outcome=outcome, test_accuracy=np.nan, test_loss=np.nan)
        got = row(summary_of(lost), "cosine")
        means = [0.9] * 4 + ([] if mean is None else [mean])
        assert got.confirmed["accuracy"] is not None and got.confirmed["accuracy"].mean == pytest.approx(np.mean(means))
        assert got.repeats_done == len(means)
        assert got.account.confirm.diverged == (2 if outcome == "diverged" else 0)


def test_a_loss_above_chance_counts_as_chance() -> None:
    frames = confirm_scores(make(metric="loss", diverge=0.0), {"cosine": [50.0] * 5}, "test_loss")
    loss = row(summary_of(frames), "cosine").confirmed["loss"]
    assert loss is not None and loss.mean == pytest.approx(math.log(10))


def test_superseded_rows_enter_nothing() -> None:
    frames = make()
    former = frames.runs[frames.runs.phase == "confirm"].copy()
    former["id"] = "former-" + former["id"]
    former["test_accuracy"], former["superseded"] = 1.0, True
    both = frames._replace(runs=pd.concat([frames.runs, former], ignore_index=True))
    with_former, without = summary_of(both), summary_of(frames)
    assert with_former.results.superseded == len(former)
    for ours, theirs in zip(with_former.rows, without.rows, strict=True):
        assert (
            ours.confirmed["accuracy"] == theirs.confirmed["accuracy"]
            and ours.account.confirm.done == theirs.account.confirm.done == 10
        )


def test_the_winner_is_best_on_validation_then_loss_then_slot() -> None:
    frames = make({"cosine": "cosine"}, repeats=1, trials=4, diverge=0.0)
    search = frames.runs.phase == "search"
    frames.runs.loc[search, "validation_accuracy"] = [0.8, 0.9, 0.9, 0.9]
    frames.runs.loc[search, "validation_loss"] = [0.1, 0.5, 0.4, 0.4]
    (confirmed,) = results_of(frames).winners("cosine", 1.0)
    assert confirmed.slot == frames.runs.loc[~search, "slot"].iloc[0]  # once confirmed, the choice is a fact
    frames = frames._replace(runs=frames.runs[search])
    assert [w.slot for w in results_of(frames).winners("cosine", 1.0)] == [2]
    by_loss = {**frames.sweep["spec"], "task": {**frames.sweep["spec"]["task"], "metric": "loss"}}
    frames = frames._replace(sweep={**frames.sweep, "spec": by_loss})
    assert [w.slot for w in results_of(frames).winners("cosine", 1.0)] == [0]


def test_a_search_that_only_diverged_has_its_first_slot_at_chance() -> None:
    got = row(summary_of(make({"cosine": "cosine"}, diverge=9.0)), "cosine")
    assert got.best_validation == pytest.approx(0.1)
    assert got.account.slots.diverged == got.account.slots.done == got.account.slots.planned == 20


def test_the_learning_rate_is_the_winners_geometric_mean() -> None:
    frames = make(diverge=0.0)
    results = results_of(frames)
    rates = [w.learning_rate for w in results.winners("cosine", 1.0)]
    assert row(summarise(results), "cosine").learning_rate == pytest.approx(stats.gmean(rates))


def test_equal_means_share_a_rank() -> None:
    # the same fractions in another order: their floating-point means differ in the last digit
    scores = {"constant": [0.91, 0.92, 0.97, 0.93, 0.99], "cosine": [0.99, 0.93, 0.92, 0.97, 0.91]}
    frames = confirm_scores(make(diverge=0.0), {**scores, "exp_loss": [0.9] * 5})
    assert [r.rank for r in summary_of(frames).rows] == [1, 1, 3]


def test_lengths_are_apart() -> None:
    summary = summary_of(make(lengths=(0.5, 1.0)))
    assert [(r.length, r.strategy.label) for r in summary.rows] == [(n, s) for n in (0.5, 1.0) for s in THREE]
    assert [p.length for p in summary.pairs] == [0.5] * 4 + [1.0] * 4


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"repeats": 3}, "only 3 repeats, but a verdict needs at least 5"),
        ({"confirm_seeds": 1}, "only 1 retraining seed, but a verdict needs at least 2"),
        (
            {"repeats": 1, "confirm_seeds": 1},
            "only 1 repeat, but a verdict needs at least 5; only 1 retraining seed, but a verdict needs at least 2",
        ),
    ],
)
def test_reasons(settings: dict, reason: str) -> None:
    assert {said(p) for p in summary_of(make(**settings)).pairs} == {reason}


def test_an_unequal_ledger_is_spelled_out() -> None:
    frames = unconfirm(make(diverge=0.0), lambda r: (r.strategy == "cosine") & (r.repeat > 2))
    assert {said(p) for p in summary_of(frames).pairs} == {
        "unequal budgets (cosine has 20 of 20 trials and 6 of 10 retraining runs)"
    }


def test_planned_slots_must_be_equal_among_those_that_search() -> None:
    frames = make(diverge=0.0)
    deleted = frames.runs[
        ~((frames.runs.phase == "search") & (frames.runs.slot > 1) & (frames.runs.strategy == "constant"))
    ]
    for pair in summary_of(frames._replace(runs=deleted)).pairs:
        assert pair.verdict == "no verdict" and pair.p_adjusted is None and pair.difference is not None
        assert said(pair) == "unequal budgets (constant has 10 of 20 trials and 10 of 10 retraining runs)"
    # joined sweeps may have planned differently
    s = named(make({"cosine": "cosine", "exp_loss": "exp_loss"}, diverge=0.0), "s")
    t = named(make({"constant": "constant"}, trials=2, diverge=0.0), "t")
    reasons = {said(pair) for pair in summary_of(s, t).pairs}
    assert reasons == {"unequal budgets (the planned trials per repeat are 2 and 4)"}


def test_a_strategy_with_nothing_to_search_is_planned_one_slot_a_repeat() -> None:
    frames = make(diverge=0.0)
    frames.sweep["spec"]["strategies"]["constant"]["learning_rate"] = 0.1
    one = frames.runs[
        ~((frames.runs.phase == "search") & (frames.runs.slot > 0) & (frames.runs.strategy == "constant"))
    ]
    summary = summary_of(frames._replace(runs=one))
    assert [r.account.slots.planned for r in summary.rows] == [5, 20, 20]
    assert "no verdict" not in {pair.verdict for pair in summary.pairs}


def test_the_account_of_updates() -> None:
    frames = make(diverge=0.0)
    got = row(summary_of(frames), "cosine").account
    assert (got.planned, got.logical) == (30 * 19 * 8, 30 * 19 * 8)
    assert (got.made, got.computed, got.extra) == (30 * 19 * 8, 30 * 19 * 8, 0)
    assert got.slots == (20, 20, 0, 0, 0)


def test_examples_that_a_rule_asks_for_are_not_those_of_its_replays() -> None:
    frames = make(diverge=0.0, replayed=True)
    frames.sweep["spec"]["strategies"]["exp_loss"]["signal"] = "held_out"
    frames.sweep["provenance"]["examples"]["signal"] = 150
    summary = summary_of(frames)
    assert row(summary, "exp_loss").account.extra == 150 * 8 * (20 + 10) and row(summary, "cosine").account.extra == 0


def test_before_it_is_confirmed_the_winner_is_the_one_that_the_runner_takes() -> None:
    frames = make({"cosine": "cosine"}, repeats=3, diverge=0.0, confirmed=False)
    # (accuracy, loss) of four slots; None diverged. Chance is 0.1 and ln 10 = 2.3
    worse_than_chance = [(None, None), (0.05, 2.5), (0.02, 2.4), (0.1, 2.4)]
    among_ties = [(0.5, 3.1), (0.5, 2.9), (0.5, 3.0), (0.4, 0.1)]
    dead = [(None, None)] * 4
    for repeat, slots in enumerate((worse_than_chance, among_ties, dead)):
        for slot, (accuracy, loss) in enumerate(slots):
            frames = change(
                frames,
                lambda r, at=(repeat, slot): (r.repeat == at[0]) & (r.slot == at[1]),
                outcome="finished" if accuracy else "diverged",
                validation_accuracy=accuracy,
                validation_loss=loss,
            )
    chance = {"accuracy": 0.1, "loss": math.log(10)}
    for metric in ("accuracy", "loss"):
        frames.sweep["spec"]["task"]["metric"] = metric
        taken = selection.winners(stored(frames).runs, metric, chance)
        won = {(run.strategy, run.repeat, run.length): run.slot for run in results_of(frames).winners("cosine", 1.0)}
        assert won == selection.slots(taken)
        if metric == "accuracy":
            assert list(won.values()) == [2, 1, 0]


def test_one_repeat_has_a_difference_and_no_interval() -> None:
    pair = summary_of(make(repeats=1, diverge=0.0)).pairs[0]
    assert pair.difference is not None and pair.difference.low is None and pair.difference.high is None


def test_a_pair_turned_round_is_its_mirror() -> None:
    summary = summary_of(make())
    there, back = summary.pair("constant", "cosine", 1.0), summary.pair("cosine", "constant", 1.0)
    assert there.difference is not None and back.difference is not None
    mean, low, high = there.difference
    assert back.difference == (-mean, -high, -low)
    assert there.p_better is not None and back.p_better == 1 - there.p_better


def test_an_unknown_kind_and_a_missing_chance_are_named() -> None:
    frames = make({"odd": "cosine"}, diverge=0.5)
    frames.sweep["spec"]["strategies"]["odd"]["schedule"] = "nowhere"
    with pytest.raises(UserError, match=r"sweep synthetic: strategies\.odd\.schedule: kind 'nowhere'"):
        results_of(frames)
    frames = make(diverge=9.0)
    with pytest.raises(UserError, match="sweep synthetic: provenance must hold chance_accuracy"):
        results_of(frames._replace(sweep={**frames.sweep, "provenance": None}))


def test_a_sweep_older_than_a_metric_lacks_that_metric_alone() -> None:
    frames = make(diverge=0.5)
    known = {key: value for key, value in frames.sweep["provenance"].items() if key != "chance_loss"}
    older = frames._replace(
        sweep={**frames.sweep, "provenance": known}, runs=frames.runs.assign(validation_loss=None, test_loss=None)
    )
    assert any(run.diverged for run in results_of(older).runs)
    for row, now in zip(summary_of(older).rows, summary_of(frames).rows, strict=True):
        assert row.confirmed["accuracy"] == now.confirmed["accuracy"] is not None and row.confirmed["loss"] is None


def test_an_optimizer_that_needs_no_schedule_is_a_family_of_its_own_and_no_control():
    spec = make().sweep["spec"]
    spec["strategies"] = {
        "plain": {"schedule": "constant"},
        "free": {"schedule": "constant", "optimizer": "schedule-free"},
        "loss": {"schedule": "exp_loss"},
    }

    def read():
        return strategies({arm.label: arm for arm in arms(Sweep.from_mapping(spec, "s"))})

    assert [(s.family, s.control) for s in read()] == [
        ("fixed", True),
        ("no schedule", False),
        ("reactive", False),
    ]
    spec["task"]["optimizer"] = "prodigy"
    assert [s.family for s in read()] == ["no schedule", "no schedule", "reactive"]
