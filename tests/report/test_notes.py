"""What stands beside the answer, and the same decision as Markdown."""

import re

import pytest

from decaybench.report.figures import Drawn
from decaybench.report.markdown import markdown
from decaybench.report.notes import notes
from frames_factory import THREE, change, confirm_scores, make, named, summary_of

LENGTHS = (0.5, 1.0)


def test_tuning_and_replay() -> None:
    budget, replayed = notes(summary_of(make(diverge=0.0, replayed=True, skill={"cosine": 0.02})))
    assert budget.startswith("By tuning budget: with any number of trials take cosine. ")
    assert "it is no verdict" in budget
    assert replayed.startswith("Does reacting help, or only the learning rates that it came to? ")
    assert replayed.endswith("for exp_loss.")


def test_one_confirm_seed_is_not_replayed() -> None:
    assert "Not replayed: one confirm seed" in " ".join(notes(summary_of(make(confirm_seeds=1))))


def test_fixed_strategies_alone_have_nothing_to_replay() -> None:
    fixed = {"constant": "constant", "cosine": "cosine"}
    assert "react" not in " ".join(notes(summary_of(make(fixed)))).lower()


def test_replays_that_are_still_to_be_trained() -> None:
    frames = make(diverge=0.0)
    found = [note for note in notes(summary_of(frames)) if "replay" in note]
    assert found == ["0 of 10 replays are done; decaybench run synthetic trains the rest."]
    pending = change(frames, lambda r: r.index == 0, outcome=None)
    for done in (make(diverge=0.0, replayed=True), pending):  # the search goes first, and the answer says so
        assert "decaybench run" not in " ".join(notes(summary_of(done)))
    a, b = make({"constant": "constant", "cosine": "cosine"}, diverge=0.0), make({"exp_loss": "exp_loss"}, diverge=0.0)
    joined = summary_of(named(a, "a"), named(b, "b"))
    assert "decaybench run b trains the rest." in " ".join(notes(joined))


def test_what_fewer_trials_would_have_found_is_refused_for_tpe() -> None:
    frames = make()
    frames.sweep["spec"]["search"]["sampler"] = "tpe"
    assert notes(summary_of(frames))[0].startswith("What fewer trials would have found is not told: TPE chose")


@pytest.mark.parametrize("settings", [{}, {"lengths": LENGTHS}, {"repeats": 1}, {"confirmed": False}, {"diverge": 9.0}])
def test_the_markdown_is_whole(settings: dict) -> None:
    figures = [Drawn("confirmed", "Confirmed | on test", "The *large* mark is a mean.", "<svg/>")]
    text = markdown(summary_of(make(replayed=not settings, **settings)), figures)
    for title in ("# Which decay is best?", "## Results", "## Verdicts", "## Ledger", "## Provenance", "## Figures"):
        assert f"{title}\n" in text
    assert ("## Replay\n" in text) == (not settings)
    assert "- [Confirmed \\| on test](figures/confirmed.svg): The \\*large\\* mark is a mean." in text
    assert not re.search(r"\b(None|nan)\b", text)
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert len(tables) >= 3
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_the_markdown_says_what_the_page_says() -> None:
    frames = confirm_scores(make(diverge=0.0), {label: [0.9] * 5 for label in THREE})
    frames.sweep["question"] = "Is `a|b` *better*\nthan #1?"
    text = markdown(summary_of(frames), [])
    assert text.startswith("# Is \\`a\\|b\\` \\*better\\* than \\#1?\n")
    assert "**All 3 strategies tie for first place**: confirmed test accuracy 90.0% each." in text
    assert text.count("| equivalent | identical runs |") == 4  # the pairs and the families
