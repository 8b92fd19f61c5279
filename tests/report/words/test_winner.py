"""What an export says of the configuration that it gives."""

from decaybench.findings import pick
from decaybench.report.words.winner import found
from report.words.scenarios import scenario


def test_what_is_exported_of_a_settled_sweep() -> None:
    summary = scenario("settled")
    said = found(summary, pick(summary))
    assert said[0] == "Of 3 configurations retrained on fresh seeds, it has the best mean validation accuracy."
    assert said[1] == "Of the 6 runs on these seeds, none failed."
    assert said[2].startswith("On 2 further seeds, its mean test accuracy is ")
    assert said[3] == (
        "With 95% confidence, a search with this strategy is at most 0.72 points below the best of the 5 strategies"
        " compared (good)."
    )


def test_an_adaptive_sweep_exports_what_retraining_chose() -> None:
    summary = scenario("adaptive")
    picked = pick(summary)
    assert picked.retrained is not None and picked.retrained.further  # the one configuration with further runs
    said = found(summary, picked)
    assert said[-1] == "The sweep searched for one good configuration and did not compare strategies."
