"""What a reader must know beside the answer."""

from decaybench.report.words.remarks import remarks
from frames_factory import change, make, summary_of
from report.words.scenarios import under


def test_retraining_tuning_and_the_replay() -> None:
    retrained, budget, replayed = remarks(summary_of(make(diverge=0.0, skill={"cosine": 0.02})))
    assert retrained.startswith(
        "Retraining chose one configuration of cosine. Its mean test accuracy on 2 further seeds is"
    )
    assert budget.startswith(
        "By tuning budget: with any number of trials up to 9, the expected test result of cosine is within"
    )
    assert "not a verdict" in budget and "take" not in budget
    assert replayed.startswith("Does reacting help exp_loss? Over 2 seeds, reacting was ")
    assert replayed.endswith("A 95% interval needs confirm_seeds = 8 or more.")


def test_by_tuning_budget_it_is_observed_who_leads_and_nothing_is_advised() -> None:
    frames = make({"steady": "cosine", "risky": "cosine"}, trials=8, diverge=0.0, rope=0.01)
    results = {"steady": [0.9] * 8, "risky": [0.99, 0.99, *[0.7] * 6]}
    for label, values in results.items():
        for slot, value in enumerate(values):
            same = {f"{part}_accuracy": value for part in ("validation", "test")}
            frames = change(frames, lambda r, at=(label, slot): (r.strategy == at[0]) & (r.slot == at[1]), **same)
    (budget,) = [line for line in remarks(summary_of(frames)) if line.startswith("By tuning budget")]
    assert budget == (
        "By tuning budget, the best expected test result is, to within the margin: with 1 trial, that of steady;"
        " from 5 trials on, that of risky. These are estimates, not a verdict: where the unadjusted intervals overlap"
        " (see the figure), the trials do not show which strategy is better."
    )


def test_eight_seeds_have_an_interval() -> None:
    said = " ".join(remarks(summary_of(make(diverge=0.0, confirm_seeds=8))))
    assert "Over 8 seeds, reacting was" in said and "(95% interval " in said
    assert "interval needs" not in said


def test_without_seeds_nothing_is_retrained() -> None:
    said = " ".join(remarks(summary_of(make(diverge=0.0, confirm_seeds=0))))
    assert said.startswith("Nothing was retrained (confirm_seeds = 0)") and "reacting" not in said


def test_fixed_strategies_alone_have_nothing_to_replay() -> None:
    fixed = {"constant": "constant", "cosine": "cosine"}
    assert "react" not in " ".join(remarks(summary_of(make(fixed)))).lower()


def test_what_fewer_trials_would_have_found_is_refused_for_tpe() -> None:
    said = remarks(summary_of(under(make(confirmed=False), search={"sampler": "tpe"})))
    assert any(line.startswith("It is unknown what fewer trials would have found: TPE based") for line in said)
