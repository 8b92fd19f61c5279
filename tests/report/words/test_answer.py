"""The answer fits its sweep: what to take in one short sentence, then what is ruled out and open."""

import re

import pytest

from decaybench.findings import Summary
from decaybench.report import answer_text, words
from decaybench.report.words.answer import answer
from frames_factory import make, summary_of
from report.words.scenarios import CASES, at, scenario, under

FITS = {
    "settled": (
        "Take cosine: with 95% confidence it is at most 0.72 points below the best of these 5; retrained, it failed in"
        " none of 6 runs.",
        ["Ruled out: exp_loss, constant and rough. Open: linear.", "more trainings (up to 12 repeats)"],
    ),
    "not_settled": (
        "Not settled after all 12 repeats: constant (the control) leads, with 95% confidence at most 1.5 points below"
        " the best of these 3; the margin is 1 point.",
        ["Open: constant, exp_loss and cosine. Settling on one", "(up to 18 repeats; the sweep file allows 12)."],
    ),
    "time_limit": (
        "Not settled in the time given: constant (the control) leads, with 95% confidence at most 4.7 points below"
        " the best of these 3; the margin is 1 point.",
        ['A time limit ended the search; "decaybench run synthetic" continues it.'],
    ),
    "one_strategy": (
        "cosine is the only strategy, so there is nothing to compare it with; retrained, it failed in none of 6 runs.",
        ["A search of 6 trials with cosine is expected to reach test accuracy 96.9%"],
    ),
    "two_equals": (
        "Take cosine: with 95% confidence it is at most 0.02 points below the better of the two; retrained, it failed"
        " in none of 6 runs.",
        ["Equivalent to it: again."],
    ),
    "same_runs": ("Take cosine: with 95% confidence the other is not better", ["Same results in all trials: again."]),
    "all_diverged": ("Nothing to take: every trial diverged.", ["All 108 trials count as chance (10.0%)."]),
    "some_diverged": ("Not settled after all 6 repeats: cosine leads", ["Of 108 trials, 37 diverged (constant 10,"]),
    "fragile": (
        "Take cosine: with 95% confidence it is at most 0.51 points below the best of these 5; retrained, it failed in"
        " 2 of 6 runs.",
        ["If you will train it again, take linear: it failed in none of 6 runs, and it is at most 1.1 points below"],
    ),
    "adaptive": (
        "This sweep searched for one good configuration and compared no strategies.",
        ["the best trial by validation is one of cosine.", "on 2 further seeds its mean test accuracy is"],
    ),
    "joined": ("Take cosine: with 95% confidence", ["Equivalent to it: fixed.constant and reactive.constant."]),
    "unequal": (
        "Estimates, but no statements: the strategies have different numbers of trials per repeat (6 and 7).",
        ["The expected test accuracy of a search: cosine 96.9%"],
    ),
    "lengths": (
        "Take cosine: with 95% confidence none of the other 2 is better",
        [
            "This is the answer at 100% of the epochs, the longest length.",
            "At 50% of the epochs, take cosine: with 95% confidence none of the other 2 is better.",
        ],
    ),
    "few_repeats": (
        "Estimates, but no statements: only 3 repeats, and a statement needs at least 5.",
        ["The expected test accuracy of a search of 6 trials: cosine 96.7%"],
    ),
    "few_trials": ("Estimates, but no statements: only 3 trials per repeat, and a statement needs at least 6.", []),
    "unfinished": (
        "Not settled yet: constant (the control) leads",
        [
            "The sweep is unfinished, and this is its last look, after 6 repeats;",
            "6 runs failed and will be retried.",
        ],
    ),
    "not_started": ("No answer yet: the sweep has not started.", []),
    "before_the_first_look": ("No answer yet: 72 of the 108 trials before the first look are done.", []),
    "tpe": ("Take cosine: with 95% confidence it is at most", ["Equivalent to it: constant and exp_loss."]),
    "pruned": ("Take cosine: with 95% confidence it is at most", ["Equivalent to it: constant and exp_loss."]),
    "control": ("Take cosine: with 95% confidence it is at most", ["Ruled out: constant and rough. Open: linear and"]),
    "all_ruled_out_but_one": (
        "Take cosine: with 95% confidence none of the other 2 is better",
        ["Ruled out: exp_loss and constant."],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_fits_its_sweep(name: str) -> None:
    lead, rest, others = answer(scenario(name))
    start, said = FITS[name]
    assert lead.startswith(start), lead
    for sentence in said:
        assert sentence in " ".join((rest, *others))


@pytest.mark.parametrize("name", CASES)
def test_the_first_sentence_is_one_short_sentence_without_a_p_value(name: str) -> None:
    lead = answer(scenario(name)).lead
    assert len(lead.split()) <= 30
    assert lead.endswith(".") and not re.search(r"[.!?] ", lead)
    assert not re.search(r"\bp\b|p-value", lead, re.IGNORECASE)


@pytest.mark.parametrize("name", CASES)
def test_the_words_are_those_of_the_protocol(name: str) -> None:
    said = answer_text(scenario(name))
    assert not re.search(r"\b(slots?|winners?|confirmed|equal|nan|None)\b", said)


def test_a_bound_is_the_decisions_rounded_up() -> None:
    summary = scenario("settled")
    row = summary.pick()
    assert row is not None and row.bound is not None and row.bound <= 0.0072 < row.bound + 0.0001
    assert [words.at_most("accuracy", size) for size in (0.00712, 0.0002001, 0.01, 0.0151, 3.0, 0.0)] == [
        *("0.72 points", "0.03 points", "1.0 points", "1.6 points", "100 points", "0 points")
    ]
    assert [words.at_most("loss", size) for size in (0.01234, 0.00001, 1.21)] == [
        "0.013 nats",
        "0.0001 nats",
        "1.3 nats",
    ]


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
    assert "train it again" not in answer_text(scenario("settled"))  # its pick never failed


def test_a_pick_whose_retraining_is_under_way() -> None:
    frames = under(make(diverge=0.0, rope=0.02, confirmed=False))
    lead = answer(summary_of(at(frames, "running"))).lead
    assert lead == "Take cosine: with 95% confidence it is at most 0.41 points below the best of these 3."


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
