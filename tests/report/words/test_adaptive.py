"""An adaptive sweep is a search for one good setting: no rank, no comparison, no verdict."""

import csv

from decaybench.compare import Withheld
from decaybench.findings.pairs import SharedSlots
from decaybench.report import answer_text
from decaybench.report.words.verdicts import reason
from frames_factory import confirm_scores, make, summary_of, unconfirm, write_report

CHOSEN = {0: "cosine", 1: "cosine", 2: "exp_loss", 3: "cosine", 4: "exp_loss"}
SCORES = {label: [0.95, 0.96, 0.97, 0.96, 0.96] for label in ("constant", "cosine", "exp_loss")}


def adaptive(**settings):
    """Each repeat's slots dealt out unevenly, and one strategy's setting confirmed."""
    frames = confirm_scores(make(diverge=0.0, trials=3, **settings), SCORES)
    frames.sweep["spec"]["search"] |= {"sampler": "tpe", "allocation": "adaptive", "batch": 4}
    runs = frames.runs
    kept = (runs.phase == "search") | (runs.strategy == runs.repeat.map(CHOSEN))
    return frames._replace(runs=runs[kept].reset_index(drop=True))


def text(frames) -> str:
    return answer_text(summary_of(frames))


def test_the_answer() -> None:
    assert text(adaptive()) == (
        "A search for one good setting, not a comparison: the best setting of 5 repeats is one of cosine (3) and "
        "exp_loss (2); confirmed test accuracy 96.0% (95% interval 95.1 to 96.9). No verdict is given (the strategies "
        "shared their slots)."
    )


def test_few_repeats_and_lengths() -> None:
    got = text(adaptive(lengths=(0.5, 1.0), repeats=1))
    assert got.startswith("A search for one good setting, not a comparison, at 100% of the epochs: the best setting of")
    assert "1 repeat is one of cosine (1); confirmed test accuracy 95.0% (no interval)." in got
    assert got.endswith(
        "At 50% of the epochs: the best setting of 1 repeat is one of cosine (1); confirmed test accuracy 95.0% (no interval)."
    )


def test_an_unfinished_one_counts_the_slots_that_nobody_has_yet() -> None:
    frames = adaptive()
    runs = frames.runs
    early = frames._replace(runs=runs[(runs.phase == "search") & (runs.slot == 0)])
    assert text(early) == (
        "A search for one good setting, not a comparison: nothing is confirmed yet. The sweep is unfinished, with 15 of "
        "45 slots and 0 of 10 confirm runs done. No verdict is given (the strategies shared their slots)."
    )
    half = text(unconfirm(frames, lambda r: r.repeat > 2))
    assert "the best setting of 3 repeats is one of cosine (2) and exp_loss (1)" in half
    assert "with 45 of 45 slots and 6 of 10 confirm runs done." in half


def test_no_ranks_and_no_verdicts(tmp_path) -> None:
    frames = adaptive()
    summary = summary_of(frames)
    assert {row.rank for row in summary.rows} == {None}
    assert [row.account.confirm.planned for row in summary.rows] == [0, 6, 4]
    assert all(row.complete for row in summary.rows)
    assert summary.families(1.0) is None
    write_report(frames, tmp_path / "report")
    rows = list(csv.DictReader((tmp_path / "report" / "verdicts.csv").read_text().splitlines()))
    assert len(rows) == 4
    for row in rows:
        assert (row["verdict"], row["difference"], row["p_better"]) == ("no verdict", "", "")
        assert row["reason"].startswith(reason(Withheld((SharedSlots(),)), "accuracy"))
    page = (tmp_path / "report" / "index.html").read_text()
    assert "That is a search for one good setting, not a comparison" in page
    assert "of the settings found: not a comparison" in page
    for claim in ("the best first", "Fixed against reactive", "paired across strategies.", "came first"):
        assert claim not in page
