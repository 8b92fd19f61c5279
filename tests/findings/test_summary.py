"""The numbers of the answer, against numpy and scipy, and what enters them."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from decaybench.compare import SizeUnclear, TooFew, Withheld
from decaybench.errors import UserError
from decaybench.findings import summarise
from decaybench.findings.decision import decision
from decaybench.findings.ledger import UnequalTrials
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import read_sweeps, strategies
from decaybench.store import Frames
from decaybench.sweep import Sweep, arms
from frames_factory import THREE, change, make, named, ordered, results_of, scored, summary_of

CLEAR = {
    "constant": [0.90, 0.91, 0.90, 0.91, 0.90, 0.89],
    "cosine": [0.95, 0.96, 0.952, 0.961, 0.95, 0.94],
    "exp_loss": [0.951, 0.958, 0.953, 0.96, 0.949, 0.942],
}


def row(summary: Summary, label: str, length: float = 1.0):
    return next(r for r in summary.rows if (r.strategy.label, r.length) == (label, length))


def clear(**options):
    return ordered(scored(make(diverge=0.0, **options), CLEAR))


def test_differences_errors_and_intervals_are_those_of_paired_means() -> None:
    summary = summary_of(clear())
    (look,) = summary.decisive.looks
    assert look.repeats == 6 and look.spent == pytest.approx(0.8)
    for pair in summary.pairs:
        d = np.array(CLEAR[pair.a]) - CLEAR[pair.b]
        error = max(stats.sem(d), 1 / (2 * 300 * math.sqrt(6)))
        half = stats.t.ppf(1 - 0.025 * 0.8, 5) * error
        assert (pair.repeats, pair.metric) == (6, "accuracy")
        assert pair.difference == pytest.approx(d.mean(), abs=1e-11)
        assert pair.error == pytest.approx(error)
        assert (pair.low, pair.high) == pytest.approx((d.mean() - half, d.mean() + half))
    q = [min(1, 2 * stats.t.sf(abs(pair.difference / pair.error), 5) / 0.8) for pair in summary.pairs]
    assert [pair.p_adjusted for pair in summary.pairs] == pytest.approx(stepped_down(q))


def test_bounds_are_to_the_best_of_all() -> None:
    summary = summary_of(clear())
    value = stats.t.ppf(1 - 0.05 / 2 * 0.8, 5)
    for one in THREE:
        ups = []
        for other in set(THREE) - {one}:
            d = np.array(CLEAR[other]) - CLEAR[one]
            ups.append(d.mean() + value * max(stats.sem(d), 1 / (600 * math.sqrt(6))))
        assert row(summary, one).bound == pytest.approx(max(0, *ups))


def stepped_down(p: list[float]) -> list[float]:
    """Holm's adjustment, as his paper has it."""
    adjusted, worst = [0.0] * len(p), 0.0
    for place, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        worst = max(worst, min(1.0, (len(p) - place) * p[i]))
        adjusted[i] = worst
    return adjusted


def test_an_estimate_has_the_interval_of_a_mean() -> None:
    found = row(summary_of(clear()), "cosine").estimates["accuracy"]
    low, high = stats.ttest_1samp(CLEAR["cosine"], 0).confidence_interval()
    assert found == pytest.approx((np.mean(CLEAR["cosine"]), low, high))


def test_verdicts_states_and_the_pick_at_every_length() -> None:
    summary = summary_of(clear(lengths=(0.5, 1.0), rope=0.01))
    assert [(p.a, p.b, p.length, p.verdict) for p in summary.pairs] == [
        (a, b, length, verdict)
        for length in (0.5, 1.0)
        for a, b, verdict in [
            ("constant", "cosine", "worse"),
            ("constant", "exp_loss", "worse"),
            ("cosine", "exp_loss", "equivalent"),
        ]
    ]
    assert [r.state for r in summary.at()] == ["ruled out", "good", "good"]
    assert summary.settled and summary.pick() is summary.leader() is summary.ranked()[0]
    assert summary.pair("cosine", "constant", 1.0).verdict == "better"
    assert {standing.margin_source for standing in summary.standings.values()} == {"file"}


@pytest.mark.parametrize(
    ("rope", "verdict", "states"),
    [
        (0.01, "worse", ["ruled out", "good", "good"]),
        (0.1, "different, size unclear", ["good", "good", "good"]),
        (0.0, "worse", ["ruled out", "open", "open"]),
    ],
)
def test_the_smallest_difference_that_matters_may_be_set(rope: float, verdict: str, states: list[str]) -> None:
    summary = summary_of(clear(rope=rope))
    pair = summary.pair("constant", "cosine", 1.0)
    assert pair.verdict == verdict and [r.state for r in summary.rows] == states
    assert isinstance(pair.reason, SizeUnclear) == (rope == 0.1)


def test_the_default_margin_is_the_usual_spread_of_those_not_shown_worse_at_the_first_look() -> None:
    spread = [np.std(CLEAR[label], ddof=1) for label in ("cosine", "exp_loss")]
    for repeats in (6, 12):  # later looks do not move it
        frames = ordered(scored(make(diverge=0.0, repeats=repeats, to=12, until="end"), CLEAR))
        standing = summary_of(frames).decisive
        assert standing.margin == pytest.approx(0.95 * np.median(spread)) and standing.margin_source == "default"
        assert standing.taken == (6, 9, 12)[: {6: 1, 12: 3}[repeats]]
    alike = ordered(scored(make(diverge=0.0), {label: [0.9] * 6 for label in THREE}))
    assert summary_of(alike).decisive.margin == pytest.approx(2 / 300)  # never below two images


def test_a_strategy_waits_at_the_repeats_that_it_reached() -> None:
    frames = ordered(scored(make(diverge=0.0, repeats=12, rope=0.001), {k: v * 2 for k, v in CLEAR.items()}))
    frames.sweep["spec"]["budget"]["repeats"] = {"from": 6, "to": 12}
    summary = summary_of(frames)
    assert {r.strategy.label: (r.repeats, r.parked) for r in summary.rows} == {
        "constant": (6, True),
        "cosine": (12, False),
        "exp_loss": (12, False),
    }
    assert {p.repeats for p in summary.pairs if "constant" in (p.a, p.b)} == {6}
    assert summary.pair("cosine", "exp_loss", 1.0).repeats == 12
    assert len(row(summary, "constant").by_repeat) == 6 and len(row(summary, "cosine").by_repeat) == 12


def test_rows_beyond_the_last_look_are_not_read() -> None:
    frames = ordered(scored(make(diverge=0.0, repeats=12, rope=0.001), {k: v * 2 for k, v in CLEAR.items()}))
    beyond = change(frames, lambda r: (r.strategy == "constant") & (r.repeat >= 6), test_accuracy=1.0)
    ours, theirs = (decision(summary_of(each)) for each in (frames, beyond))
    assert ours == theirs


def test_identical_runs_are_equivalent() -> None:
    frames = ordered(scored(make(diverge=0.0), {key: [0.9, 0.91, 0.92, 0.9, 0.9, 0.9] for key in THREE}))
    pair = summary_of(frames).pairs[0]
    assert (pair.verdict, type(pair.reason).__name__, pair.difference, pair.error) == ("equivalent", "Same", 0, 0)
    assert (pair.low, pair.high) == (0, 0)


def test_means_with_and_without_diverged_trials_stand_side_by_side() -> None:
    frames = clear()
    lost = change(frames, lambda r: (r.strategy == "cosine") & (r.slot == 0), outcome="diverged", test_accuracy=np.nan)
    found = row(summary_of(lost), "cosine")
    assert found.mean == pytest.approx((5 * np.mean(CLEAR["cosine"]) + 0.1) / 6)
    assert found.mean_finished == pytest.approx(np.mean(CLEAR["cosine"]))
    low, high = stats.binomtest(6, 36).proportion_ci(method="wilson")
    assert found.diverged == pytest.approx((6 / 36, low, high))
    assert (found.trials, found.lost) == (36, 6)


def test_what_ran_after_the_last_look_enters_the_ledger_alone() -> None:
    frames = clear(repeats=8, to=9, rope=0.001)
    later = change(frames, lambda r: r.repeat >= 6, outcome="diverged", test_accuracy=np.nan)
    summary = summary_of(later)
    assert summary.decisive.taken == (6,)
    assert {(r.trials, r.lost, r.at_chance, r.diverged.mean) for r in summary.rows} == {(36, 0, 0, 0.0)}
    assert {r.account.trials[1:3] for r in summary.rows} == {(48, 12)}


def test_trials_that_finish_after_the_last_look_do_not_save_one_at_which_all_diverged() -> None:
    frames = make(repeats=8, to=9, diverge=0.0)
    assert summary_of(change(frames, lambda r: r.repeat < 6, outcome="diverged")).all_diverged()
    assert not summary_of(change(frames, lambda r: r.repeat > 0, outcome="diverged")).all_diverged()


def test_a_diverged_trial_has_chance_and_an_unfinished_one_keeps_its_repeat_open() -> None:
    frames = clear(to=9)
    last = lambda r: (r.strategy == "cosine") & (r.slot == 5) & (r.repeat == 5)  # noqa: E731
    lost = summary_of(change(frames, last, outcome="diverged", test_accuracy=np.nan, validation_accuracy=np.nan))
    assert lost.results.closed["cosine"] == 6 and lost.decisive.decision is not None
    for outcome in ("failed", None):
        got = summary_of(change(frames, last, outcome=outcome, test_accuracy=np.nan, validation_accuracy=np.nan))
        assert got.results.closed == {"constant": 6, "cosine": 5, "exp_loss": 6}
        assert got.decisive.decision is None and {r.state for r in got.rows} == {None}


def test_a_repeat_closed_out_of_turn_waits() -> None:
    frames = change(clear(), lambda r: (r.repeat == 2) & (r.slot == 0) & (r.strategy == "cosine"), outcome=None)
    assert results_of(frames).closed == {"constant": 6, "cosine": 2, "exp_loss": 6}


def test_a_loss_above_chance_or_too_large_to_be_stored_counts_as_chance() -> None:
    for value in (50.0, np.nan):
        frames = ordered(scored(make(metric="loss", diverge=0.0), {"cosine": [value] * 6}, "test_loss"))
        found = row(summary_of(frames), "cosine").estimates["loss"]
        assert found is not None and found.mean == pytest.approx(math.log(10))


def test_superseded_rows_enter_nothing() -> None:
    frames = make()
    former = frames.runs[frames.runs.phase == "confirm"].copy()
    former["id"] = "former-" + former["id"]
    former["test_accuracy"], former["superseded"] = 1.0, True
    both = frames._replace(runs=pd.concat([frames.runs, former], ignore_index=True))
    with_former, without = summary_of(both), summary_of(frames)
    assert len(with_former.results.superseded) == len(former)
    assert decision(with_former) == decision(without)


def test_trials_that_ended_and_were_superseded_count_as_trained_and_in_the_ledger_alone() -> None:
    """Every strategy was trained on, until the file was changed: only two go on, and the third one's trials stay."""
    whole = clear(repeats=8, to=9, rope=0.001, lengths=(0.5, 1.0))
    third = (whole.runs.strategy == "exp_loss") & (whole.runs.repeat >= 6) & (whole.runs.phase == "search")
    left = change(whole, lambda r: third, superseded=True)
    left = change(left, lambda r: third & (r.repeat == 7), outcome=None)  # half of these are not trained
    found, without = summary_of(left), summary_of(left._replace(runs=left.runs[~left.runs.superseded]))
    assert (found.trainings, without.trainings) == (2 * (8 * 6 * 3 - 6), 2 * (8 * 6 * 3 - 12))
    assert {**decision(found), "trainings": 0, "other_lengths": 0} == {
        **decision(without),
        "trainings": 0,
        "other_lengths": 0,
    }
    for ours, theirs in zip(found.rows, without.rows, strict=True):
        known, before = ours.account, theirs.account
        assert (known.trials, known.logical, known.planned) == (before.trials, before.logical, before.planned)
        here = ours.strategy.label == "exp_loss"
        assert (known.superseded, before.superseded) == (6 * here, 0)
        assert known.computed - before.computed == here * known.superseded * 19 * 8 * ours.length
        assert (known.made > before.made) == here


def test_the_best_trial_is_best_on_validation_then_loss_then_slot_and_the_estimate_takes_the_same() -> None:
    frames = make({"cosine": "cosine", "linear": "linear"}, diverge=0.0, trials=4, confirmed=False)
    # (accuracy, loss) of the trials of each repeat; None diverged. Chance is 0.1 and ln 10 = 2.3.
    cases = [
        [(0.8, 0.1), (0.9, 0.5), (0.9, 0.4), (0.9, 0.4)],
        [(None, None), (0.05, 2.5), (0.02, 2.4), (0.1, 2.4)],
        [(0.5, 3.1), (0.5, 2.9), (0.5, 3.0), (0.4, 0.1)],
        [(None, None)] * 4,
        [(None, None), (0.04, 9.0), (None, None), (None, None)],
        [(0.3, 1.0), (0.2, 0.5), (None, None), (0.3, 1.0)],
    ]
    expected = {"accuracy": [2, 0, 0, 0, 0, 0], "loss": [0, 0, 3, 0, 0, 1]}
    for repeat, trials in enumerate(cases):
        for slot, (accuracy, loss) in enumerate(trials):
            frames = change(
                frames,
                lambda r, place=(repeat, slot): (r.repeat == place[0]) & (r.slot == place[1]),
                outcome="diverged" if accuracy is None else "finished",
                validation_accuracy=accuracy,
                validation_loss=loss,
            )
    for metric, slots in expected.items():
        frames.sweep["spec"]["task"]["metric"] = metric
        summary = summary_of(frames)
        assert [run.slot for run in summary.results.best("cosine", 1.0)] == slots, metric
        assert summary.decisive.contest.trials[0].winners.tolist() == slots, metric
        pooled = summary.decisive.contest.trials[0].order[::-1]  # the best first
        ranked = sorted(summary.results.trials("cosine", 1.0), key=lambda run: run.rank)
        assert [4 * run.repeat + run.slot for run in ranked] == pooled.tolist(), metric


def test_the_learning_rate_is_the_best_trials_geometric_mean() -> None:
    results = results_of(make(diverge=0.0))
    rates = [run.learning_rate for run in results.best("cosine", 1.0)]
    assert row(summarise(results), "cosine").learning_rate == pytest.approx(stats.gmean(rates))


def test_equal_estimates_share_a_rank() -> None:
    # the same fractions in another order: their floating-point means differ in the last digit
    scores = {"constant": [0.91, 0.92, 0.97, 0.93, 0.99, 0.9], "cosine": [0.99, 0.93, 0.9, 0.92, 0.97, 0.91]}
    frames = ordered(scored(make(diverge=0.0), {**scores, "exp_loss": [0.9] * 6}))
    assert [r.rank for r in summary_of(frames).rows] == [1, 1, 3]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"repeats": 4}, TooFew("repeats", 4, 5)),
        ({"repeats": 1}, TooFew("repeats", 1, 5)),
        ({"trials": 5}, TooFew("trials", 5, 6)),
    ],
)
def test_below_the_minimum_there_are_estimates_only(settings: dict, reason: TooFew) -> None:
    summary = summary_of(make(**settings))
    assert {p.reason for p in summary.pairs} == {reason} and {p.verdict for p in summary.pairs} == {"no verdict"}
    assert {(r.bound, r.state) for r in summary.rows} == {(None, None)} and not summary.settled
    assert all(r.estimates["accuracy"] is not None for r in summary.rows)
    assert summary.results.looks == ((),)


def test_below_a_hundred_test_images_there_are_estimates_only() -> None:
    frames = make()
    frames.sweep["provenance"]["examples"]["test"] = 99
    assert {p.reason for p in summary_of(frames).pairs} == {TooFew("test images", 99, 100)}


def test_one_repeat_has_a_difference_and_no_interval() -> None:
    pair = summary_of(make(repeats=1, diverge=0.0)).pairs[0]
    assert pair.difference is not None and (pair.error, pair.low, pair.high) == (None, None, None)


def test_joined_sweeps_with_other_numbers_of_trials_are_withheld() -> None:
    s = named(make({"cosine": "cosine", "exp_loss": "exp_loss"}, diverge=0.0), "s")
    t = named(make({"constant": "constant"}, trials=7, diverge=0.0), "t")
    summary = summary_of(s, t)
    assert {pair.reason for pair in summary.pairs} == {Withheld((UnequalTrials((6, 7)),))}
    assert {(pair.verdict, pair.p_adjusted) for pair in summary.pairs} == {("no verdict", None)}
    assert all(pair.difference is not None for pair in summary.pairs)


def test_joined_sweeps_have_the_looks_that_they_have_in_common() -> None:
    s = named(make({"cosine": "cosine", "linear": "linear"}, repeats=12, diverge=0.0, until="end"), "s")
    t = named(make({"constant": "constant"}, repeats=12, diverge=0.0, until="end"), "t")
    both = summary_of(s, t)
    assert both.decisive.taken == (6, 9, 12) and {pair.repeats for pair in both.pairs} == {12}
    assert {p.verdict for p in both.pairs} != {"no verdict"}


def test_one_strategy_is_alone_its_best() -> None:
    summary = summary_of(ordered(scored(make({"cosine": "cosine"}, diverge=0.0), {"cosine": CLEAR["cosine"]})))
    assert summary.pairs == () and row(summary, "cosine").bound == 0
    assert summary.pick() is not None and summary.settled


def test_where_everything_diverged_nothing_is_picked() -> None:
    summary = summary_of(make(diverge=99.0))
    assert {(r.trials, r.lost) for r in summary.rows} == {(36, 36)}
    assert summary.pick() is None and not summary.settled
    assert [r.estimates["accuracy"].mean for r in summary.rows] == pytest.approx([0.1] * 3)
    assert {p.verdict for p in summary.pairs} <= {"equivalent"}


def test_the_families() -> None:
    summary = summary_of(clear(rope=0.01))
    reactive, fixed = summary.families()
    assert (reactive.name, reactive.members, reactive.ruled_out) == ("reactive", ("exp_loss",), False)
    assert fixed.members == ("constant", "cosine") and not fixed.ruled_out
    assert reactive.bound == row(summary, "exp_loss").bound
    assert fixed.bound == min(row(summary, label).bound for label in ("constant", "cosine"))
    assert fixed.mean == pytest.approx(np.mean([np.mean(CLEAR[label]) for label in ("constant", "cosine")]))
    assert summary_of(make({"cosine": "cosine", "linear": "linear"})).families() == ()


def test_the_account_of_updates() -> None:
    got = row(summary_of(make(diverge=0.0)), "cosine").account
    runs = 36 + got.confirm.done
    assert (got.planned, got.logical, got.made, got.computed, got.extra) == (*[runs * 19 * 8] * 4, 0)
    assert got.trials == (36, 36, 0, 0, 0)


def test_examples_that_a_rule_asks_for_are_not_those_of_its_replays() -> None:
    frames = make(diverge=0.0)
    frames.sweep["spec"]["strategies"]["exp_loss"]["signal"] = "held_out"
    frames.sweep["provenance"]["examples"]["signal"] = 150
    summary = summary_of(frames)
    account = row(summary, "exp_loss").account
    assert account.replay.done == 2 and account.extra == 150 * 8 * (36 + account.confirm.done)
    assert row(summary, "cosine").account.extra == 0


def test_a_pair_turned_round_is_its_mirror() -> None:
    summary = summary_of(make())
    there, back = summary.pair("constant", "cosine", 1.0), summary.pair("cosine", "constant", 1.0)
    assert (back.difference, back.low, back.high) == (-there.difference, -there.high, -there.low)
    assert back.p_better == 1 - there.p_better and back.p_adjusted == there.p_adjusted
    with pytest.raises(KeyError):
        summary.pair("constant", "linear", 1.0)


def test_only_pairs_with_the_control_are_tested_where_the_file_says_so() -> None:
    frames = clear()
    frames.sweep["spec"]["decide"]["control"] = True
    summary, every = summary_of(frames), summary_of(clear())
    assert [(p.a, p.b) for p in summary.pairs] == [("constant", "cosine"), ("constant", "exp_loss")]
    assert [r.bound for r in summary.rows] == [r.bound for r in every.rows]


def test_the_answer_as_data() -> None:
    found = decision(summary_of(clear(rope=0.01, lengths=(0.5, 1.0))))
    (shorter,) = found.pop("other_lengths")
    assert set(found) - set(shorter) == {"sweep"} and (found["length"], shorter["length"]) == (1.0, 0.5)
    assert (found["settled"], found["margin"], found["margin_source"], found["looks"]) == (True, 0.01, "file", [6])
    assert found["trainings"] == 3 * 36 * 2
    assert set(found["strategies"]["cosine"]) == {
        *("repeats", "estimate", "low", "high", "bound", "state", "parked"),
        *("retrained", "retrained_runs", "chosen_of", "failures"),
    }
    assert shorter["strategies"]["cosine"]["retrained"] is None and shorter["strategies"]["cosine"]["chosen_of"] == 0
    assert set(found["pairs"][0]) == {
        *("a", "b", "repeats", "difference", "se", "low", "high", "p_adjusted", "verdict"),
    }


def test_an_unknown_kind_and_a_missing_chance_are_named() -> None:
    frames = make({"odd": "cosine"}, diverge=0.5)
    frames.sweep["spec"]["strategies"]["odd"]["schedule"] = "nowhere"
    with pytest.raises(UserError, match=r"sweep synthetic: strategies\.odd\.schedule: kind 'nowhere'"):
        read_sweeps([frames.sweep])
    frames = make(diverge=9.0)
    with pytest.raises(UserError, match="sweep synthetic: provenance must hold chance_accuracy"):
        results_of(frames._replace(sweep={**frames.sweep, "provenance": None}))


def older(frames: Frames) -> Frames:
    """The sweep as a program without the loss would have run it."""
    known = {key: value for key, value in frames.sweep["provenance"].items() if key != "chance_loss"}
    return frames._replace(
        sweep={**frames.sweep, "provenance": known}, runs=frames.runs.assign(validation_loss=None, test_loss=None)
    )


def test_a_sweep_older_than_a_metric_lacks_that_metric_alone() -> None:
    frames = make(diverge=0.5)
    assert any(run.diverged for run in results_of(older(frames)).runs)
    for row, now in zip(summary_of(older(frames)).rows, summary_of(frames).rows, strict=True):
        assert row.estimates["accuracy"] is not None and now.estimates["loss"] is not None
        assert row.estimates["loss"] is None


def test_joined_with_a_sweep_older_than_a_metric_the_newer_one_alone_has_it() -> None:
    new, old = make(), named(older(make({"linear": "linear"})), "old")
    alone = {row.strategy.label: row.estimates["loss"] for row in summary_of(new).rows}
    for sweeps in ((new, old), (old, new)):
        joined = summary_of(*sweeps)
        assert all(row.estimates["accuracy"] is not None for row in joined.rows)
        assert {row.strategy.label: row.estimates["loss"] for row in joined.rows} == {**alone, "linear": None}
    other = {**old.sweep, "provenance": {**new.sweep["provenance"], "chance_loss": 1.0}}
    with pytest.raises(UserError, match=r"sweep old: chance_loss: must be that of synthetic, 2\.3\d+, to be joined"):
        summary_of(new, old._replace(sweep=other))


def test_an_estimate_needs_the_metric_of_every_trial() -> None:
    """Another program, which did not measure the metric, has trained one of them."""
    one = change(make(diverge=0.0), lambda r: (r.phase == "search") & (r.index == r.index[0]), validation_loss=None)
    lacking = [row.strategy.label for row in summary_of(one).rows if row.estimates["loss"] is None]
    assert lacking == [one.runs.strategy.iloc[0]]


def test_an_optimizer_or_average_that_may_replace_a_schedule_is_a_family_of_its_own_and_no_control():
    spec = make().sweep["spec"]
    spec["strategies"] = {
        "plain": {"schedule": "constant"},
        "free": {"schedule": "constant", "optimizer": "schedule-free"},
        "averaged": {"schedule": "constant", "average": {"ema": 0.999}},
        "loss": {"schedule": "exp_loss"},
    }

    def read():
        return strategies({arm.label: arm for arm in arms(Sweep.from_mapping(spec, "s"))})

    assert [(s.family, s.control) for s in read()] == [
        ("fixed", True),
        ("no schedule", False),
        ("no schedule", False),
        ("reactive", False),
    ]
    assert [s.method for s in read()] == ["sgd", "schedule-free", "sgd, EMA 0.999", "sgd"]
    spec["task"]["optimizer"] = "prodigy"
    assert [s.family for s in read()] == ["no schedule", "no schedule", "no schedule", "reactive"]
    spec["task"] |= {"optimizer": "sgd", "average": {"ema": 0.999}}  # that of all strategies replaces no schedule
    assert [s.family for s in read()] == ["fixed", "no schedule", "fixed", "reactive"]


def test_a_constant_of_an_optimizer_that_needs_no_schedule_leaves_the_control_to_another():
    frames = make({"free": "constant", "plain": "constant", "cosine": "cosine"}, confirmed=False)
    frames.sweep["spec"]["strategies"]["free"]["optimizer"] = "schedule-free"
    frames.sweep["spec"]["decide"]["control"] = True
    summary = summary_of(frames)
    assert summary.results.sweep.rules.control == "plain"
    assert [(pair.a, pair.b) for pair in summary.pairs] == [("free", "plain"), ("plain", "cosine")]
