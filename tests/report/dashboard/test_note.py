from pathlib import Path

import pytest

from decaybench.report import answer_text, planned
from decaybench.report.dashboard.note import reported
from decaybench.sweep import Sweep
from frames_factory import make, stored, summary_of


def test_the_note_of_a_report_has_question_plan_answer_and_place():
    summary = summary_of(make())
    got = reported(summary, Path("studies/synthetic/report/index.html"))
    assert got.metric == "validation accuracy" and len(got.graphs) == 4
    assert got.note.startswith("## Which decay is best?\n")
    assert f"**Answer.** {answer_text(summary)}\n" in got.note
    assert f"`{Path.cwd() / 'studies/synthetic/report/index.html'}`" in got.note
    assert "6 trials for every strategy in each repeat" in got.note and "2 fresh seeds" in got.note
    assert "**Looks:** one, after 6 repeats" in got.note and "**Cost:** 108 trials, and" in got.note
    assert "| `exp_loss` | `exp_loss` | reactive |" in got.note and "first page" in got.note


def test_before_training_the_note_has_the_plan():
    spec = make(lengths=(0.5, 1.0), metric="loss", to=15, confirmed=False).sweep["spec"]
    spec["task"] |= {"label_smoothing": 0.1}
    got = planned(Sweep.from_mapping(spec, "s"), Path("/r/index.html"))
    assert got.metric == "validation loss" and got.graphs == {}
    assert "Not finished yet" in got.note and "at 50% and 100% of the epochs" in got.note
    assert "figures" not in got.note
    assert ", precision fp32, label smoothing 0.1\n" in got.note
    assert "**Looks:** after 6, 9, 12 and 15 repeats, until one strategy is shown to be good" in got.note
    assert "**Cost:** 216 to 540 trials, and 18 to 26 retraining runs" in got.note
    assert "the 3 best configurations of the strategies that matter most, each on 2 fresh seeds" in got.note


def test_a_look_that_was_taken_under_another_to_is_among_the_looks():
    kept = stored(make(repeats=10, until="end", confirmed=False))
    kept.sweep["spec"]["budget"]["repeats"]["to"] = 18
    note = planned(Sweep.from_mapping(kept.sweep["spec"], "s"), Path("/r/index.html"), kept.looks).note
    assert "**Looks:** after 6, 9, 10, 12, 15 and 18 repeats, to the end of the budget" in note


def test_without_seeds_nothing_is_retrained():
    spec = make(confirm_seeds=0, confirmed=False).sweep["spec"]
    note = planned(Sweep.from_mapping(spec, "s"), Path("/r/index.html")).note
    assert "**Retraining:** none" in note and "108 trials\n" in note


def test_an_adaptive_sweep_is_called_what_it_is():
    spec = make().sweep["spec"]
    spec["search"] |= {"allocation": "adaptive", "sampler": "random"}
    note = planned(Sweep.from_mapping(spec, "s"), Path("/r/index.html")).note
    assert (
        "18 trials in each of 6 repeats" in note
        and "not a comparison" in note
        and "3 best configurations, each" in note
    )
    assert "Looks" not in note


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Is $x^2$ *better*?", r"Is \$x^2\$ \*better\*?"),
        ("<b>x</b> [a](b) `c` | d", r"\<b\>x\</b\> \[a\](b) \`c\` \| d"),
        ("exp_loss or _this_\n# or that", r"exp_loss or \_this\_ \# or that"),
        ("1. first?", r"1\. first?"),
        ("- dash", r"\- dash"),
        ("", "synthetic"),
    ],
)
def test_the_users_words_mean_nothing_to_markdown(question, said):
    spec = make(question=question).sweep["spec"]
    assert planned(Sweep.from_mapping(spec, "s"), Path("/r/index.html")).note.splitlines()[0] == f"## {said}"
