"""What ``run`` shows after a look, and ``status NAME`` at any time."""

import io
import re

import pytest
from rich.console import Console

from decaybench.cli import evidence
from decaybench.cli.run import Live
from decaybench.findings import Summary
from frames_factory import THREE, make, ordered, scored, summary_of
from report.words.scenarios import scenario

NEAR = [0.97, 0.96, 0.97, 0.98, 0.97, 0.96]


def shown(rope: float | None = 0.05, **options) -> Summary:
    """Three strategies, one of them far behind."""
    scores = {"constant": NEAR, "cosine": [x + 0.001 for x in reversed(NEAR)], "exp_loss": [0.5, 0.52, 0.51] * 2}
    return summary_of(ordered(scored(make(diverge=0.0, rope=rope, to=12, **options), scores)))


def printed(summary: Summary, *, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120, highlight=False, color_system=None)
    Live(console).look(summary)
    return console.file.getvalue()


def test_plain_lines_when_settled():
    text = printed(shown(), terminal=False)
    assert re.fullmatch(
        "look after 6 repeats: take cosine, at most POINTS below the best; 108 trials so far, settled\n"
        "  cosine 96.9%, at most POINTS below the best: good\n"
        "  constant 96.8%, at most POINTS below the best: good\n"
        "  exp_loss 51.0%, at most POINTS below the best: ruled out\n".replace("POINTS", r"[\d.]+ points"),
        text,
    ), text


def test_a_table_on_a_terminal():
    lines = printed(shown(), terminal=True).splitlines()
    assert lines[0].startswith("look after 6 repeats: take cosine, ")
    assert lines[1].split("  ")[0] == "strategy" and "at most below the best" in lines[1]
    assert [line.split()[0] for line in lines[2:]] == ["cosine", "constant", "exp_loss"]
    assert "good" in lines[2] and "ruled out" in lines[4] and "96.9%" in lines[2]


def test_open_strategies_and_what_settling_would_cost():
    headline, first, *_ = evidence.lines(shown(rope=0.005))
    assert re.fullmatch(
        r"look after 6 repeats: cosine leads, at most [\d.]+ points below the best; "
        r"108 trials so far, about [\d,]+ more to settle",
        headline,
    ), headline
    assert first.endswith(": open")


def test_to_the_end_of_the_budget():
    # 3 strategies with 6 trials in each of the 6 repeats to come
    assert evidence.headline(shown(until="end")).endswith("; 108 trials so far, 108 more to the end")
    assert evidence.headline(scenario("finished_without_a_pick")).endswith(" trials so far, finished without a pick")


def test_a_strategy_that_waits():
    frames = make(diverge=0.0, rope=0.005, to=12, repeats=9)
    runs = frames.runs
    late = (runs.strategy == "exp_loss") & (runs.repeat >= 6)
    scores = {
        "constant": NEAR * 2,
        "cosine": [x + 0.001 for x in reversed(NEAR)] * 2,
        "exp_loss": [0.5, 0.52, 0.51] * 2,
    }
    summary = summary_of(
        ordered(scored(frames._replace(runs=runs[~late]), {label: found[:9] for label, found in scores.items()}))
    )
    assert evidence.lines(summary)[-1].endswith(": ruled out, waits at 6 repeats")
    assert "6 (waits)" in printed(summary, terminal=True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"trials": 2}, "estimates only: "),
        ({"repeats": 2, "to": 2}, "estimates only: "),
    ],
)
def test_estimates_only(options, says):
    headline, *lines = evidence.lines(summary_of(make(THREE, diverge=0.0, **options)))
    assert headline.startswith(says) and headline.endswith(" trials so far")
    assert len(lines) == 3 and not any(": " in line for line in lines)


def test_where_every_trial_diverged_nothing_is_good():
    headline, first, *_ = evidence.lines(summary_of(make(diverge=9.0)))
    assert headline.startswith("look after 6 repeats: every trial diverged; 108 trials so far")
    assert first == "  constant 10.0%"


def test_the_loss_is_above_the_best():
    _, first, *_ = evidence.lines(summary_of(make(diverge=0.0, metric="loss")))
    assert " nats, at most " in first and " above the best: " in first
