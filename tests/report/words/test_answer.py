"""What the answer says beyond what `test_approved` holds every kind of sweep to."""

import re

from decaybench.findings import Summary
from decaybench.report import answer_text, words
from decaybench.report.words.answer import answer
from frames_factory import make, summary_of
from report.words.scenarios import at, scenario


def test_a_bound_is_the_decisions_rounded_up() -> None:
    summary = scenario("settled")
    row = summary.pick()
    assert row is not None and row.bound is not None and row.bound <= 0.0072 < row.bound + 0.0001
    assert [words.at_most("accuracy", size, None) for size in (0.00712, 0.0002001, 0.01, 0.0151, 3.0, 0.0)] == [
        *("0.72 points", "0.03 points", "1.0 points", "1.6 points", "100 points", "0 points")
    ]
    assert [words.at_most("loss", size, None) for size in (0.01234, 0.00001, 1.21)] == [
        "0.013 nats",
        "0.0001 nats",
        "1.3 nats",
    ]


def test_a_bound_within_the_margin_never_looks_as_if_it_were_beyond_it() -> None:
    def shown(size: float, margin: float) -> str:
        return words.at_most("accuracy", size, margin)

    assert shown(0.0112, 0.0112) == "1.12 points" == words.exact("accuracy", 0.0112)
    assert [shown(size, 0.0112) for size in (0.0109, 0.011001, 0.01121)] == ["1.1 points", "1.11 points", "1.2 points"]
    assert shown(0.00123, 0.00123) == "0.123 points"  # two figures are 0.13
    assert shown(0.011238, 0.01124) == "1.12 points" == words.exact("accuracy", 0.01124)  # three are 1.13
    assert shown(0.1249, 0.125) == "12.5 points"
    assert words.at_most("loss", 0.0667, 0.0667) == "0.0667 nats"


def test_what_settling_costs_is_what_follows_from_the_repeats() -> None:
    said = answer(scenario("not_settled")).rest
    (trainings, repeats) = (
        int(n.replace(",", "")) for n in re.search(r"about ([\d,]+) .*?up to ([\d,]+)", said).groups()
    )
    # two of three strategies go on from 12 repeats, with 6 trials in each
    assert trainings == 2 * 6 * (repeats - 12)


def test_the_alternative_to_a_fragile_pick_must_never_have_failed() -> None:
    summary = scenario("fragile")
    linear = next(row for row in summary.at() if row.strategy.label == "linear")
    assert linear.retrained is not None and linear.retrained.failures == 0
    assert linear.bound is not None and linear.bound <= 2 * summary.decisive.margin
    assert "take linear instead" not in answer_text(scenario("settled"))  # its pick never failed


def test_a_pick_whose_retraining_is_under_way() -> None:
    frames = make(diverge=0.0, rope=0.02, confirmed=False)
    lead = answer(summary_of(at(frames, "running"))).lead
    assert lead == "Take cosine: with 95% confidence it is at most 0.29 points below the best of these 3."


def test_a_loss_is_above_the_best() -> None:
    summary: Summary = summary_of(make(metric="loss", diverge=0.0, rope=0.1))
    assert re.match(
        r"Take \w+: with 95% confidence it is at most [\d.]+ nats above the best of these 3;", answer(summary).lead
    )


def test_a_smallest_difference_that_matters_is_quoted_as_it_is() -> None:
    assert [words.exact("accuracy", size) for size in (0.0005, 0.0015, 2 / 300, 0.01)] == [
        *("0.05 points", "0.15 points", "0.667 points", "1 point")
    ]
    assert words.exact("loss", 0.0025) == "0.0025 nats"
