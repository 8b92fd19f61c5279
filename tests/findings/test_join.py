"""Sweeps of one task, joined: the numbers of one sweep that has all of their strategies."""

import copy
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from decaybench import api, store
from decaybench.compare import Withheld
from decaybench.errors import UserError
from decaybench.findings import Evidence, Summary, collect, join, summarise
from decaybench.findings.decision import decision
from decaybench.findings.ledger import UnequalTrials
from decaybench.report.folder.csv_files import runs_csv, verdicts_csv
from decaybench.report.folder.manifest import read_manifest
from decaybench.report.page.setup import setup
from decaybench.runner import run_sweep
from decaybench.store import Stored
from decaybench.sweep import Sweep
from small_sweep import SMALL

BASE = tomllib.loads(SMALL.replace("epochs = 3", "epochs = 1").replace("trials = 4", "trials = 2"))
STRATEGIES = BASE.pop("strategies")


def sweep(name: str, *labels: str, **search: Any) -> dict[str, Any]:
    spec = copy.deepcopy(BASE) | {"name": name, "question": f"What of {name}?"}
    spec["search"] |= search
    return spec | {"strategies": {label: STRATEGIES[label] for label in labels}}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    more = sweep("more", "constant", "exp_loss")
    more["budget"]["trials"] = 3
    whole = sweep("whole", "constant", "staircase", "exp_loss", "doomed")
    wide = sweep("wide", "exp_loss", "doomed", momentum=0.9)
    for spec in (sweep("a", "constant", "staircase"), sweep("b", "exp_loss", "doomed"), whole, more, wide):
        run_sweep(Sweep.from_mapping(spec, spec["name"]), url=f"sqlite:///{folder}/d.db", data_root=None)
    return folder


@pytest.fixture(scope="module")
def load(done: Path) -> Callable[[str], Stored]:
    def read(name: str) -> Stored:
        with store.open_storage(f"sqlite:///{done}/d.db", create=False) as opened:
            return store.load(opened, name)

    return read


def summary_of(evidence: Evidence) -> Summary:
    return summarise(collect(evidence))


def test_joined_sweeps_give_the_numbers_of_one_sweep_with_all_strategies(load: Callable[[str], Stored]) -> None:
    evidence = join([load("a"), load("b")])
    joined, whole = summary_of(evidence), summary_of(join([load("whole")]))
    ours, theirs = decision(joined), decision(whole)
    for what in ("pairs", "looks", "margin", "settled", "trainings"):
        assert ours[what] == theirs[what], what
    estimates = [{label: row["estimate"] for label, row in each["strategies"].items()} for each in (ours, theirs)]
    assert estimates[0] == estimates[1]
    assert verdicts_csv(joined) == verdicts_csv(whole)
    assert (evidence.sweep.name, evidence.sweep.question) == ("a+b", "What of a? / What of b?")
    assert setup(evidence.sweep)[:4] == setup(whole.results.sweep)[:4]


def test_the_tables_are_those_of_the_sweeps(load: Callable[[str], Stored]) -> None:
    parts = load("a"), load("b")
    evidence = join(parts)
    assert runs_csv(evidence.runs) == runs_csv(parts[0].runs) + runs_csv(parts[1].runs).partition("\n")[2]
    assert list(evidence.epochs) == [*parts[0].epochs, *parts[1].epochs]
    for part in parts:
        assert all((evidence.epochs[run] == epochs).all() for run, epochs in part.epochs.items())
    assert list(evidence.traces) == [*parts[0].traces, *parts[1].traces]


def test_a_label_that_both_have_bears_its_sweeps_name(load: Callable[[str], Stored]) -> None:
    evidence = join([load("a"), load("more")])
    assert list(setup(evidence.sweep).strategies) == ["a.constant", "staircase", "more.constant", "exp_loss"]
    assert [s.label for s in evidence.sweep.strategies] == list(setup(evidence.sweep).strategies)
    assert {part.name: list(part.labels.values()) for part in evidence.sweep.parts} == {
        "a": ["a.constant", "staircase"],
        "more": ["more.constant", "exp_loss"],
    }
    assert {run.strategy for run in evidence.runs} == {"a.constant", "staircase", "more.constant", "exp_loss"}


def test_other_trials_are_an_unequal_ledger(load: Callable[[str], Stored]) -> None:
    evidence = join([load("a"), load("more")])
    assert setup(evidence.sweep).budget["trials"] == {"a": 2, "more": 3}
    summary = summary_of(evidence)
    assert {row.strategy.label: row.account.trials.planned for row in summary.rows} == {
        "a.constant": 4,
        "staircase": 4,
        "more.constant": 6,
        "exp_loss": 6,
    }
    assert {pair.reason for pair in summary.pairs} == {Withheld((UnequalTrials((2, 3)),))}


def test_shared_ranges_that_differ_are_said_of_each_strategy(load: Callable[[str], Stored]) -> None:
    shown = setup(join([load("a"), load("wide")]).sweep)
    assert "momentum" not in shown.search and "learning_rate" in shown.search
    assert shown.strategies["staircase"]["momentum"] == load("a").sweep["spec"]["search"]["momentum"]
    assert shown.strategies["exp_loss"]["momentum"] == 0.9
    assert shown.strategies["doomed"]["momentum"] == 0.0  # its own


def test_what_differs_in_provenance_is_there_by_sweep(load: Callable[[str], Stored]) -> None:
    a, b = load("a"), load("b")
    other = b._replace(sweep=b.sweep | {"provenance": b.sweep["provenance"] | {"git_revision": "x", "threads": 2}})
    provenance = setup(join([a, other]).sweep).provenance
    assert provenance["threads"] == {"a": 1, "b": 2} and provenance["classes"] == 10
    assert provenance["git_revision"] == {"a": a.sweep["provenance"]["git_revision"], "b": "x"}


def test_one_sweep_stays_what_it_is(load: Callable[[str], Stored]) -> None:
    alone, evidence = load("a"), join([load("a")])
    assert evidence.runs == tuple(alone.runs) and list(evidence.epochs) == list(alone.epochs)
    assert setup(evidence.sweep).task is evidence.sweep.parts[0].spec["task"]  # as it was stored
    assert setup(evidence.sweep).provenance == alone.sweep["provenance"]


REFUSED = [
    ("spec", "task", "epochs", 2, 1),
    ("spec", "task", "precision", "fp64", "fp32"),
    ("spec", "task", "train_size", None, 160),
    ("spec", "search", "seed", 4, 3),
    ("spec", "search", "sampler", "random", "sobol"),
    ("spec", "budget", "repeats", {"from": 3, "to": 3}, {"from": 2, "to": 2}),
    ("spec", "decide", "until", "all", "one"),
    ("spec", "budget", "confirm_seeds", 3, 2),
    ("spec", "budget", "lengths", [0.5], [1.0]),
    ("provenance", "", "device", "cuda", "cpu"),
    ("provenance", "", "data_sha256", "x", None),
    ("provenance", "", "splits_sha256", "x", None),
]


@pytest.mark.parametrize(("column", "table", "key", "value", "known"), REFUSED, ids=[case[2] for case in REFUSED])
def test_runs_that_are_not_paired_are_refused(
    load: Callable[[str], Stored], column: str, table: str, key: str, value: Any, known: Any
) -> None:
    a, b = load("a"), copy.deepcopy(load("b"))
    values = b.sweep[column][table] if table else b.sweep[column]
    if value is None:
        del values[key]
    else:
        values[key] = value
    known = known or a.sweep[column][key]
    named = f"sweep b: {table}{'.' if table else ''}{key}: must be that of a, {known!r}, to be joined with it, got {value!r}"
    with pytest.raises(UserError, match=re.escape(named)):
        join([a, b])


def test_one_that_pruned_is_not_joined_with_one_that_did_not(load: Callable[[str], Stored]) -> None:
    a, b = load("a"), copy.deepcopy(load("b"))
    b.sweep["spec"]["search"]["prune"] = {"at": 0.5, "spare": 0.2}
    with pytest.raises(UserError, match=r"sweep b: search.prune: must be that of a, None, to be joined with it, got {"):
        join([a, b])


def test_scales_on_which_slots_cannot_be_paired_are_refused(load: Callable[[str], Stored]) -> None:
    a, b = load("a"), copy.deepcopy(load("b"))
    b.sweep["spec"]["search"]["learning_rate"]["log"] = False
    b.sweep["spec"]["strategies"]["exp_loss"]["learning_rate"]["log"] = False
    said = "strategies.exp_loss.learning_rate: must be searched like strategies.constant's (log = true)"
    with pytest.raises(UserError, match=re.escape(f"sweep a+b: {said}, since trials are paired, got log = false")):
        join([a, b])


def test_a_search_for_one_setting_is_refused(load: Callable[[str], Stored]) -> None:
    a, b = copy.deepcopy(load("a")), load("b")
    a.sweep["spec"]["search"].update(allocation="adaptive", sampler="random")
    for pair in ([a, b], [b, a]):
        with pytest.raises(
            UserError, match=r"sweep a: search.allocation: must be 'balanced' to be joined, got 'adaptive'"
        ):
            join(pair)


def test_a_sweep_is_not_joined_with_itself(load: Callable[[str], Stored]) -> None:
    with pytest.raises(UserError, match="cannot be joined with itself, got b twice"):
        join([load("a"), load("b"), load("b")])


def test_the_report_is_written_says_what_it_joins_and_is_verified(
    done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None
) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{done}/d.db"
    written = api.report("a", "more", "wide", storage=url)
    assert written.index == Path("studies/a+more+wide/report/index.html")
    page = written.index.read_text()
    assert "What of a? / What of more? / What of wide?" in page
    assert (
        "Joined from sweep a (a.constant, staircase), sweep more (more.constant, more.exp_loss) and sweep wide"
        " (wide.exp_loss, doomed). Their numbers of trials differ, so only strategies of the same sweep had equal budgets."
    ) in " ".join(page.split())
    assert [of["name"] for of in read_manifest(written.out)["sweeps"]] == ["a", "more", "wide"]
    runs = pd.read_csv(written.out / "runs.csv")
    assert api.verify(written.out, storage=url) == (
        written.out,
        len(read_manifest(written.out)["files"]) + 1,
        len(runs),
        (),
    )
