import numpy as np
import pytest

from decaybench.compare import expected_best
from decaybench.findings.tuning import costs, recommendations, refused
from decaybench.report.words.remarks import REFUSED, remarks
from frames_factory import change, make, named, results_of, summary_of

TWO = {"steady": "constant", "risky": "cosine"}


def slots(scores, metric: str = "accuracy"):
    """Five repeats in which every strategy's slots have the given validation results."""
    frames = make(dict.fromkeys(scores, "cosine"), trials=len(next(iter(scores.values()))), metric=metric, diverge=0.0)
    for label, values in scores.items():
        for slot, value in enumerate(values):
            frames = change(
                frames,
                lambda r, at=(label, slot): (r.phase == "search") & (r.strategy == at[0]) & (r.slot == at[1]),
                **{f"validation_{metric}": value},
            )
    return frames


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_curves_are_the_expected_best_of_all_repeats_slots(metric: str) -> None:
    summary = summary_of(make(TWO, trials=7, metric=metric))
    for cost in costs(summary):
        pool = [run.value("validation", metric) for run in summary.results.of("search", cost.strategy.label, 1.0)]
        assert len(pool) == 35 and cost.n.tolist() == [1, 2, 3, 4, 5, 6, 7]
        expected = [expected_best(pool, n, lower_is_better=metric == "loss") for n in cost.n]
        assert cost.mean == pytest.approx(expected)
        assert (cost.low <= cost.mean).all() and (cost.mean <= cost.high).all() and (cost.low >= 0).all()


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_a_small_budget_takes_the_steady_one_and_a_large_one_the_risky_one(metric: str) -> None:
    steady, risky = [0.9] * 8, [0.99, 0.99, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]
    if metric == "loss":
        steady, risky = [1 - x for x in steady], [1 - x for x in risky]
    summary = summary_of(slots({"steady": steady, "risky": risky}, metric))
    taken = recommendations(summary)
    assert [each.label for each in taken] == ["steady", "risky"] and taken[0].n == 1 and taken[0].level == ()
    by_label = {cost.strategy.label: cost for cost in costs(summary)}
    sign = 1 if metric == "accuracy" else -1
    ahead = sign * (by_label["risky"].mean - by_label["steady"].mean)
    assert taken[1].n == int(by_label["risky"].n[np.argmax(ahead > 0.01)]) > 1


def test_a_lead_too_small_to_matter_changes_no_advice_and_those_level_are_named() -> None:
    scores = {"steady": [0.9] * 4, "level": [0.905, 0.89, 0.9, 0.9], "bad": [0.5] * 4}
    summary = summary_of(slots(scores))
    assert recommendations(summary) == [(1, "steady", ("level",), "")]
    said = "By tuning budget: with any number of trials, take steady (equally good: level). "
    assert remarks(summary)[0].startswith(said)


def test_where_nothing_sets_strategies_apart_nothing_is_advised() -> None:
    summary = summary_of(slots({"one": [0.9, 0.8], "same": [0.9, 0.8], "near": [0.903, 0.803]}))
    assert recommendations(summary) == [] and "By tuning budget" not in " ".join(remarks(summary))


def test_the_sweeps_own_rope_decides_what_matters() -> None:
    frames = slots({"one": [0.9, 0.8], "near": [0.903, 0.803]})
    frames.sweep["spec"]["task"]["rope"] = 0.001
    assert recommendations(summary_of(frames)) == [(1, "near", (), "")]


def test_joined_sweeps_of_other_trials_are_compared_up_to_the_fewest() -> None:
    few, many = (
        make({label: "cosine"}, trials=trials, diverge=0.0, confirmed=False)
        for label, trials in (("few", 50), ("many", 100))
    )
    rng = np.random.default_rng(0)
    few.runs["validation_accuracy"] = 0.95 + 0.01 * rng.uniform(size=len(few.runs))
    many.runs["validation_accuracy"] = 0.80 + 0.01 * rng.uniform(size=len(many.runs))
    summary = summary_of(named(few, "few"), named(many, "many"))
    of_few, of_many = costs(summary)
    assert (of_few.n[-1], of_many.n[-1]) == (50, 100) and set(of_few.n) <= set(of_many.n)
    assert recommendations(summary) == [(1, "few", (), "")]


def test_a_strategy_with_nothing_to_search_is_level() -> None:
    frames = slots({"steady": [0.9] * 4, "given": [0.8] * 4})
    frames.sweep["spec"]["strategies"]["given"] = {"schedule": "constant", "learning_rate": 0.1}
    runs = frames.runs[(frames.runs.strategy != "given") | (frames.runs.slot == 0)].reset_index(drop=True)
    steady, given = costs(summary_of(frames._replace(runs=runs)))
    assert (steady.searched, given.searched) == (True, False)
    assert given.n.tolist() == [1, 2, 3, 4] and given.mean == pytest.approx([0.8] * 4)


def test_a_repeat_counts_once_all_of_its_slots_are_done() -> None:
    frames = change(
        make(TWO, diverge=0.0), lambda r: (r.phase == "search") & (r.repeat > 2) & (r.slot == 3), outcome=None
    )
    whole = frames._replace(runs=frames.runs[frames.runs.repeat <= 2].reset_index(drop=True))
    for part, same in zip(costs(summary_of(frames)), costs(summary_of(whole)), strict=True):
        assert part.mean == pytest.approx(same.mean)
    pending = change(frames, lambda r: r.phase == "search", outcome=None)
    assert costs(summary_of(pending)) == () and recommendations(summary_of(pending)) == []


@pytest.mark.parametrize(
    ("search", "why"),
    [
        ({"sampler": "tpe"}, "TPE based each batch of trials on earlier results"),
        ({"sampler": "random", "allocation": "adaptive"}, "the strategies shared their trials"),
        ({"prune": {"at": 0.5, "spare": 0.2}}, "pruning stopped some trials early"),
    ],
)
def test_slots_that_are_no_random_part_of_a_search_are_refused(search, why: str) -> None:
    frames = make(TWO)
    assert refused(results_of(frames)) is None and costs(summary_of(frames))
    frames.sweep["spec"]["search"] |= search
    assert REFUSED[refused(results_of(frames))].startswith(why)
    assert costs(summary_of(frames)) == () and recommendations(summary_of(frames)) == []


def test_who_comes_to_be_ahead_by_less_than_matters_is_named() -> None:
    frames = slots({"early": [0.900, 0.900], "late": [0.870, 0.912]})
    assert recommendations(summary_of(frames)) == [(1, "early", (), "late")]
