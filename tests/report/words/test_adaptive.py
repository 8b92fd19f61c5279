"""An adaptive sweep is a search for one good configuration: no rank, no comparison, no verdict."""

import csv

from decaybench.compare import Withheld
from decaybench.findings.pairs import SharedSlots
from decaybench.report import answer_text
from decaybench.report.words.verdicts import reason
from frames_factory import confirm_scores, make, summary_of, unconfirm, write_report

CHOSEN = {0: "cosine", 1: "cosine", 2: "exp_loss", 3: "cosine", 4: "exp_loss"}
SCORES = {label: [0.95, 0.96, 0.97, 0.96, 0.96] for label in ("constant", "cosine", "exp_loss")}


def adaptive(**settings):
    """Each repeat's trials divided unevenly, and one strategy's configuration retrained."""
    frames = confirm_scores(make(diverge=0.0, trials=3, **settings), SCORES)
    frames.sweep["spec"]["search"] |= {"sampler": "tpe", "allocation": "adaptive", "batch": 4}
    runs = frames.runs
    kept = (runs.phase == "search") | (runs.strategy == runs.repeat.map(CHOSEN))
    return frames._replace(runs=runs[kept].reset_index(drop=True))


def text(frames) -> str:
    return answer_text(summary_of(frames))


def test_the_answer() -> None:
    assert text(adaptive()) == (
        "A search for one good configuration, not a comparison: the best configuration is from cosine in 3 repeats and "
        "exp_loss in 2 repeats; test accuracy 96.0% after retraining (95% interval 95.1 to 96.9). There is no verdict, "
        "because the strategies shared their trials."
    )


def test_few_repeats_and_lengths() -> None:
    got = text(adaptive(lengths=(0.5, 1.0), repeats=1))
    found = "the best configuration is from cosine in 1 repeat; test accuracy 95.0% after retraining (no interval)."
    assert got.startswith(f"A search for one good configuration, not a comparison, at 100% of the epochs: {found}")
    assert got.endswith(f"At 50% of the epochs: {found}")


def test_an_unfinished_one_counts_the_slots_that_nobody_has_yet() -> None:
    frames = adaptive()
    runs = frames.runs
    early = frames._replace(runs=runs[(runs.phase == "search") & (runs.slot == 0)])
    assert text(early) == (
        "A search for one good configuration, not a comparison: nothing has been retrained yet. The sweep is unfinished, "
        "with 15 of 45 trials and 0 of 10 retraining runs done. There is no verdict, because the strategies shared their "
        "trials."
    )
    half = text(unconfirm(frames, lambda r: r.repeat > 2))
    assert "the best configuration is from cosine in 2 repeats and exp_loss in 1 repeat" in half
    assert "with 45 of 45 trials and 6 of 10 retraining runs done." in half


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
    assert "That is a search for one good configuration, not a comparison" in page
    assert "Results of the best configurations after retraining: not a comparison" in page
    for claim in ("retraining, best first", "Fixed against reactive", "paired across strategies.", "came first"):
        assert claim not in page
