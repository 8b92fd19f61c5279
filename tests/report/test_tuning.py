import numpy as np
import pytest

from decaybench.compare import expected_best
from decaybench.report import collect, summarise
from decaybench.report.tuning import costs, recommendations, refused
from report.frames_factory import change, make

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
    summary = summarise(collect(make(TWO, trials=7, metric=metric)))
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
    summary = summarise(collect(slots({"steady": steady, "risky": risky}, metric)))
    taken = recommendations(summary)
    assert [label for _, label in taken] == ["steady", "risky"] and taken[0][0] == 1
    by_label = {cost.strategy.label: cost for cost in costs(summary)}
    sign = 1 if metric == "accuracy" else -1
    ahead = sign * (by_label["risky"].mean - by_label["steady"].mean)
    assert taken[1][0] == int(by_label["risky"].n[np.argmax(ahead > 0.01)]) > 1


def test_a_lead_too_small_to_matter_changes_no_advice() -> None:
    summary = summarise(collect(slots({"steady": [0.9] * 4, "level": [0.905, 0.89, 0.89, 0.89]})))
    assert recommendations(summary) == [(1, "steady")]


def test_a_repeat_counts_once_all_of_its_slots_are_done() -> None:
    frames = change(
        make(TWO, diverge=0.0), lambda r: (r.phase == "search") & (r.repeat > 2) & (r.slot == 3), outcome=None
    )
    whole = frames._replace(runs=frames.runs[frames.runs.repeat <= 2].reset_index(drop=True))
    for part, same in zip(costs(summarise(collect(frames))), costs(summarise(collect(whole))), strict=True):
        assert part.mean == pytest.approx(same.mean)
    pending = change(frames, lambda r: r.phase == "search", outcome=None)
    assert costs(summarise(collect(pending))) == () and recommendations(summarise(collect(pending))) == []


@pytest.mark.parametrize(
    ("search", "why"),
    [
        ({"sampler": "tpe"}, "TPE chose"),
        ({"sampler": "random", "allocation": "adaptive"}, "the strategies shared their slots"),
        ({"prune": {"at": 0.5, "spare": 0.2}}, "pruning stopped"),
    ],
)
def test_slots_that_are_no_random_part_of_a_search_are_refused(search, why: str) -> None:
    frames = make(TWO)
    assert refused(collect(frames)) == "" and costs(summarise(collect(frames)))
    frames.sweep["spec"]["search"] |= search
    assert refused(collect(frames)).startswith(why)
    assert costs(summarise(collect(frames))) == () and recommendations(summarise(collect(frames))) == []
