import numpy as np
import pytest

from decaybench.compare import independent_weights
from decaybench.findings.tuning import costs, leads, refused
from frames_factory import change, make, results_of, summary_of

TWO = {"steady": "constant", "risky": "cosine"}


def trials(scores, metric: str = "accuracy", rope: float | None = None):
    """Six repeats in which every strategy's trials have the given results, on validation and on test."""
    kinds = dict.fromkeys(scores, "cosine")
    frames = make(
        kinds, trials=len(next(iter(scores.values()))), metric=metric, diverge=0.0, rope=rope, confirm_seeds=0
    )
    for label, values in scores.items():
        for slot, value in enumerate(values):
            frames = change(
                frames,
                lambda r, at=(label, slot): (r.strategy == at[0]) & (r.slot == at[1]),
                **{f"{part}_{metric}": value for part in ("validation", "test")},
            )
    return frames


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_curves_are_the_expected_test_results_of_the_best_on_validation(metric: str) -> None:
    summary = summary_of(make(TWO, trials=7, metric=metric, diverge=0.0))
    sign = 1 if metric == "accuracy" else -1
    for cost in costs(summary):
        runs = summary.results.of("search", cost.strategy.label, 1.0)
        worst_first = sorted(runs, key=lambda run: sign * run.value("validation", metric))
        test = np.array([run.value("test", metric) for run in worst_first])
        assert cost.n.tolist() == list(range(1, 42 // 4 + 1))
        assert cost.mean == pytest.approx([independent_weights(42, n) @ test for n in cost.n])
        assert (cost.low <= cost.mean).all() and (cost.mean <= cost.high).all() and (cost.low >= 0).all()


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_the_steady_one_leads_with_a_small_budget_and_the_risky_one_with_a_large(metric: str) -> None:
    steady, risky = [0.9] * 8, [0.99, 0.99, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]
    if metric == "loss":
        steady, risky = [1 - x for x in steady], [1 - x for x in risky]
    summary = summary_of(trials({"steady": steady, "risky": risky}, metric, rope=0.01))
    found = leads(summary)
    assert [each.label for each in found] == ["steady", "risky"] and found[0].n == 1 and found[0].level == ()
    by_label = {cost.strategy.label: cost for cost in costs(summary)}
    sign = 1 if metric == "accuracy" else -1
    ahead = sign * (by_label["risky"].mean - by_label["steady"].mean)
    assert found[1].n == int(by_label["risky"].n[np.argmax(ahead > 0.01)]) > 1


def test_a_gap_too_small_to_matter_makes_no_lead_and_those_level_are_named() -> None:
    scores = {"steady": [0.9] * 6, "level": [0.905, 0.89, 0.9, 0.9, 0.9, 0.9], "bad": [0.5] * 6}
    assert leads(summary_of(trials(scores, rope=0.007))) == [(1, "steady", ("level",), "")]


def test_where_nothing_sets_strategies_apart_none_leads() -> None:
    scores = {"one": [0.9, 0.8] * 3, "same": [0.9, 0.8] * 3, "near": [0.903, 0.803] * 3}
    assert leads(summary_of(trials(scores, rope=0.007))) == []
    assert leads(summary_of(trials(scores, rope=0.001))) == [(1, "near", (), "")]


def test_who_comes_to_be_ahead_by_less_than_matters_is_named() -> None:
    scores = {"early": [0.90] * 6, "late": [0.870, 0.907] * 3}
    assert leads(summary_of(trials(scores, rope=0.008))) == [(1, "early", (), "late")]


def test_below_six_repeats_there_is_no_curve() -> None:
    assert costs(summary_of(make(TWO, repeats=5))) == () == tuple(leads(summary_of(make(TWO, repeats=5))))


@pytest.mark.parametrize(
    ("search", "why"),
    [
        ({"sampler": "tpe"}, "tpe"),
        ({"sampler": "random", "allocation": "adaptive"}, "adaptive"),
        ({"prune": {"at": 0.5, "spare": 0.2}}, "prune"),
    ],
)
def test_trials_that_are_no_random_part_of_a_search_are_refused(search, why: str) -> None:
    frames = make(TWO, confirmed=False)
    assert refused(results_of(frames)) is None and costs(summary_of(frames))
    frames.sweep["spec"]["search"] |= search
    assert refused(results_of(frames)) == why
    assert costs(summary_of(frames)) == () and leads(summary_of(frames)) == []
