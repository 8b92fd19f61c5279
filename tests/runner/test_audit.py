"""What contradicts itself in a database is named, though nobody has said what was there before."""

import re
import shutil
import sqlite3
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from decaybench import store
from decaybench.runner import audit
from decaybench.search import read_study
from small_sweep import SMALL
from trained import train


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("done") / "d.db"
    train(SMALL, database)
    return database


@pytest.fixture
def audited(done: Path, tmp_path: Path) -> Callable[..., list[str]]:
    return changing(done, tmp_path / "d.db", "small")


def changing(database: Path, copy: Path, name: str) -> Callable[..., list[str]]:
    """A function that runs statements on a copy of the database and returns what is said of it."""
    shutil.copyfile(database, copy)

    def run(*statements: str) -> list[str]:
        with sqlite3.connect(copy) as connection:
            for statement in statements:
                connection.execute("PRAGMA ignore_check_constraints = ON")
                assert connection.execute(statement).rowcount > 0
        connection.close()
        return said(f"sqlite:///{copy}", name)

    return run


def said(url: str, name: str) -> list[str]:
    with store.open_storage(url, create=False) as opened:
        kept, study = store.load(opened, name), read_study(opened.url, name)
    return audit(store.frames(kept), kept.runs, kept.looks, study)


ONE = "(SELECT id FROM runs WHERE phase = 'search' AND strategy = 'exp_loss' AND repeat = 1 AND slot = 2)"
CALLED = r"run \S{36} \(search of exp_loss, repeat 1, trial 2, length 1, seed \d+\)"
CASES = [
    (f"UPDATE runs SET epochs_done = 2 WHERE id = {ONE}", r": epochs_done is 2, but its epochs are 1, 2, 3"),
    (f"DELETE FROM epochs WHERE epoch = 1 AND run_id = {ONE}", r": epochs_done is 3, but its epochs are 2, 3"),
    (f"UPDATE runs SET validation_loss = 0.5 WHERE id = {ONE}", r": validation_loss is 0.5, but its last epoch's is \S+"),
    (f"UPDATE epochs SET validation_accuracy = 0.5 WHERE epoch = 3 AND run_id = {ONE}", r": validation_accuracy is \S+, but its last epoch's is 0.5"),
    (f"UPDATE epochs SET learning_rate = learning_rate * 1.0001 WHERE epoch = 2 AND run_id = {ONE}", r": epoch 2: learning_rate is \S+, but its trace has \S+"),
    (f"UPDATE traces SET learning_rate = zeroblob(64) WHERE run_id = {ONE}", r": its trace has 16 learning rates, but it made 15 updates"),
    (f"DELETE FROM traces WHERE run_id = {ONE}", r": finished, but has no trace"),
    (f"DELETE FROM runs WHERE id = {ONE}", r": is planned, but has no row"),
    (f"UPDATE runs SET seed = 7 WHERE id = {ONE}", r": is not in the plan"),
    (f"UPDATE runs SET outcome = NULL WHERE id = {ONE}", r": has no result, although the sweep is complete"),
    (f"UPDATE runs SET trial_number = 99 WHERE id = {ONE}", r": trial_number is 99, but its Optuna trial is number \d+"),
    (f"UPDATE runs SET params = replace(params, 'gain', 'pain') WHERE id = {ONE}", r": Optuna trial \d+ specifies \{.*gain.*\}, but params is \{.*pain.*\}"),
    (f"UPDATE trial_values SET value = 0.5 WHERE trial_id = 1 + (SELECT trial_number FROM runs WHERE id = {ONE})", r": Optuna trial \d+ has the value 0.5, but the result is \S+"),
    (f"UPDATE trials SET state = 'FAIL' WHERE number = (SELECT trial_number FROM runs WHERE id = {ONE})", r": has no trial in the Optuna study"),
    (f"UPDATE trial_params SET param_value = 0 WHERE param_name = 'strategy' AND trial_id = 1 + (SELECT trial_number FROM runs WHERE id = {ONE})", r": Optuna trial \d+ specifies strategy constant, but params is .*"),
]  # fmt: skip


def test_what_was_trained_does_not_contradict_itself(audited):
    assert audited() == []


@pytest.mark.parametrize(("statement", "line"), CASES)
def test_contradictions_are_named(audited, statement, line):
    lines = audited(statement)
    if statement.startswith("DELETE FROM runs"):
        assert len(lines) == 1  # nothing about what would have been retrained with it
    expected = CALLED if "SET seed" not in statement else CALLED.replace(r"\d+", "7")
    assert any(re.fullmatch(expected + line, found) for found in lines), lines


def test_a_trial_that_is_not_the_selected_one_is_named(audited):
    retrained = "SELECT repeat, slot FROM runs WHERE phase = 'confirm' AND strategy = 'exp_loss'"
    other = (
        "(SELECT repeat, slot FROM runs WHERE phase = 'search' AND strategy = 'exp_loss'"
        f" AND (repeat, slot) NOT IN ({retrained}) LIMIT 1)"
    )
    lines = audited(
        f"UPDATE runs SET (repeat, slot) = {other}"
        f" WHERE phase = 'confirm' AND strategy = 'exp_loss' AND (repeat, slot) = ({retrained} LIMIT 1)"
    )
    assert lines and any(line.endswith("is not in the plan, nor selected") for line in lines)
    assert all(re.search(r"\((confirm|replay) of exp_loss, ", line) for line in lines)


def test_a_better_result_written_in_everywhere_would_have_been_selected(audited):
    one = (
        "(SELECT id FROM runs WHERE phase = 'search' AND strategy = 'exp_loss' AND (repeat, slot) NOT IN"
        " (SELECT repeat, slot FROM runs WHERE phase = 'confirm' AND strategy = 'exp_loss') LIMIT 1)"
    )
    lines = audited(
        f"UPDATE runs SET validation_accuracy = 1 WHERE id = {one}",
        f"UPDATE epochs SET validation_accuracy = 1 WHERE epoch = 3 AND run_id = {one}",
        f"UPDATE trial_values SET value = 1 WHERE trial_id = 1 + (SELECT trial_number FROM runs WHERE id = {one})",
    )
    # Two choosing runs for the best of all, which push out those of the third best.
    assert sum("is planned for a selected trial, but has no row" in line for line in lines) == 2
    assert sum(line.endswith("is not in the plan, nor selected") for line in lines) == 2
    assert len(lines) == 4 and all("(confirm of exp_loss, " in line for line in lines)


def test_what_cannot_be_checked_is_said_and_what_was_found_before_it_too(audited):
    lines = audited(
        f"UPDATE runs SET epochs_done = 2 WHERE id = {ONE}", "UPDATE trial_params SET distribution_json = 'nonsense'"
    )
    assert lines[-1].startswith("sweep small cannot be checked: ")
    assert "epochs_done is 2" in lines[0]


LENGTHS = ("confirm_seeds = 2", "confirm_seeds = 2\nlengths = [0.34, 1.0]")
LOSS = ("batch_size = 32", 'batch_size = 32\nprecision = "fp64"\nmetric = "loss"')
VARIANTS = {
    "tpe, lengths": [("[search]", '[search]\nsampler = "tpe"\nbatch = 2'), LENGTHS],
    "adaptive, loss": [("[search]", '[search]\nsampler = "tpe"\nallocation = "adaptive"'), LOSS],
}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_kind_of_sweep_is_sound_and_after_it_was_extended_too(name, tmp_path):
    file = SMALL.replace("epochs = 3", "epochs = 2", 1)
    for change in VARIANTS[name]:
        file = file.replace(*change)
    steps = '[strategies.steps]\nschedule = "multi_step"\n'
    for budget in ("trials = 2", "trials = 3"):
        train(file.replace("trials = 4", budget) + steps, tmp_path / "d.db")
        assert said(f"sqlite:///{tmp_path}/d.db", "small") == []


@pytest.fixture
def look_audited(looks: Path, tmp_path: Path) -> Callable[..., list[str]]:
    return changing(looks, tmp_path / "d.db", "looks")


def test_looks_that_were_taken_do_not_contradict_themselves(look_audited):
    assert look_audited() == []


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("UPDATE looks SET spent = 0.5 WHERE step = 2", r"look 2, length 1: spent is 0.5, but its trials give 0.48"),
        ("UPDATE looks SET repeats = 8 WHERE step = 2", r"look 2, length 1: repeats is 8, but its trials give 9"),
        ("UPDATE looks SET to_repeats = 16 WHERE step = 2", r"look 2, length 1: spent is 0.48, but its trials give \S+"),
        ("UPDATE looks SET margin = 0.04 WHERE step = 3", r"look 3: is not of the sweep's own to, until and rope"),
        ("UPDATE looks SET strategies = replace(strategies, 'open', 'good') WHERE step = 1", r"look 1, length 1: strategies is .*"),
        ("UPDATE looks SET strategies = replace(strategies, '\"repeats\": 5', '\"repeats\": 6') WHERE step = 1", r"look 1: is of repeats .*, but the look before it asks for .*"),
        ("UPDATE looks SET trained_next = '{}' WHERE step = 1", r"look 1, length 1: trained_next is \{\}, but its trials give .*"),
        ("UPDATE looks SET outcome = replace(outcome, 'one', 'all') WHERE step = 3", r"look 3, length 1: outcome is .*"),
        ("DELETE FROM looks WHERE step = 1", r"look 1: is missing, or is not there at every length"),
        ("UPDATE runs SET test_accuracy = 1 WHERE phase = 'search' AND strategy = 'cosine' AND repeat = 7", r"look 2, length 1: strategies is .*"),
    ],
)  # fmt: skip
def test_a_changed_look_or_test_result_is_named(look_audited, statement, line):
    lines = look_audited(statement)
    assert any(re.fullmatch(line, found) for found in lines), lines


def test_a_test_result_beyond_the_looks_of_a_strategy_changes_none_of_them(look_audited):
    lines = look_audited(
        "UPDATE runs SET test_accuracy = 1 WHERE phase = 'search' AND strategy = 'cosine' AND repeat = 11"
    )
    assert {line.partition(",")[0] for line in lines} == {"look 3"}


def test_between_a_look_and_its_step_a_sweep_is_sound(look_audited):
    step = "(phase != 'search' OR repeat >= 9)"
    assert (
        look_audited(
            "UPDATE sweeps SET status = 'running'",
            "DELETE FROM looks WHERE step = 3",
            f"DELETE FROM traces WHERE run_id IN (SELECT id FROM runs WHERE {step})",
            f"DELETE FROM epochs WHERE run_id IN (SELECT id FROM runs WHERE {step})",
            f"DELETE FROM runs WHERE {step}",
        )
        == []
    )


def test_a_sweep_that_is_running_is_sound(done, tmp_path):
    """What holds at any moment: confirm rows of a former winner, and runs without a result, are no contradiction."""
    copy = tmp_path / "d.db"
    shutil.copyfile(done, copy)
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE sweeps SET status = 'running'")
        for slot in ("slot + 100", "(slot - 99) % 4"):  # the next trial, without two rows of one place in between
            connection.execute(f"UPDATE runs SET slot = {slot} WHERE phase = 'confirm'")
    connection.close()
    assert said(f"sqlite:///{copy}", "small") == []


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("UPDATE runs SET seed = seed + 1000 WHERE phase = 'confirm'", "is not in the plan, nor selected"),
        ("DELETE FROM runs WHERE phase = 'replay'", "is planned for a selected trial, but has no row"),
        ("UPDATE runs SET outcome = NULL WHERE phase = 'confirm'", "has no result, although the sweep is stopped"),
    ],
)
def test_what_is_retrained_after_a_time_limit_is_checked_as_well(audited, statement, line):
    assert audited("UPDATE sweeps SET status = 'stopped'") == []
    assert any(found.endswith(line) for found in audited(statement))


REPLAYED = "(SELECT id FROM runs WHERE phase = 'replay' LIMIT 1)"


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        (f"UPDATE traces SET learning_rate = (SELECT t.learning_rate FROM traces t JOIN runs r ON r.id = t.run_id WHERE r.strategy = 'constant' AND r.outcome = 'finished' LIMIT 1) WHERE run_id = {REPLAYED}", r"its learning rates are not those of run \S{36}"),
        (f"UPDATE runs SET replay_of = id WHERE id = {REPLAYED}", r"takes the learning rates of \S{36}, not of \S{36}"),
        (f"DELETE FROM runs WHERE id = {REPLAYED}", r"is planned for a selected trial, but has no row"),
    ],
)  # fmt: skip
def test_a_replay_takes_the_rates_that_the_plan_gives_it(audited, statement, line):
    lines = audited(statement)
    assert any(re.fullmatch(r"run \S{36} \(replay of exp_loss, [^)]*\): " + line, found) for found in lines), lines


def test_what_pruning_stopped_is_no_contradiction(tmp_path):
    sweep = tomllib.loads(SMALL)
    sweep["search"]["prune"] = {"spare": 0.3}
    assert set(train(sweep, tmp_path / "p.db").runs["pruned"].dropna()) == {"stopped", "spared"}
    assert said(f"sqlite:///{tmp_path}/p.db", "small") == []
