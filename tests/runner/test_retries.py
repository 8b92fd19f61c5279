"""What fails is tried again, then with less at once, then in halves; what then remains is named."""

import re

import pytest

from decaybench.errors import MachineError, UserError
from decaybench.runner import dispatch, worker
from decaybench.store import find_storage, runs
from small_sweep import SMALL, results
from trained import Told, train

ONE = (
    SMALL.replace("repeats = 2", "repeats = 1").replace("trials = 4", "trials = 2").replace("epochs = 3", "epochs = 1")
)


@pytest.fixture
def attempts(monkeypatch):
    """Lets training fail when ``fails(strategies, width)`` says so; notes both of every attempt."""
    made, whole = [], worker.train

    def begin(fails) -> list[tuple[list[str], int]]:
        stack_of = worker.Worker._stack

        def noted(self, claim):
            stack = stack_of(self, claim)
            made.append((sorted({run.strategy for run in stack.runs}), 0))
            return stack

        def train_(recipe, trained, data, *, width, **options):
            made[-1] = made[-1][0], width
            if fails(*made[-1]):
                raise RuntimeError("out of memory")
            return whole(recipe, trained, data, width=width, **options)

        monkeypatch.setattr(worker.Worker, "_stack", noted)
        monkeypatch.setattr(worker, "train", train_)
        return made

    return begin


def test_a_stack_that_needs_too_much_memory_is_trained_at_half_the_width(tmp_path, attempts):
    train(ONE, tmp_path / "quiet.db")
    made, told = attempts(lambda strategies, width: width > 4), Told()
    train(ONE, tmp_path / "d.db", watcher=told)
    assert [width for _, width in made[:3]] == [8, 8, 4]
    assert told.lines[:2] == 2 * ["stack 0 failed (RuntimeError: out of memory); it is tried again"]
    assert results(tmp_path / "d.db") == results(tmp_path / "quiet.db")
    assert told.made == told.total


def test_one_strategy_that_fails_is_found_in_halves_and_named_when_the_others_are_done(tmp_path, monkeypatch, attempts):
    monkeypatch.setattr(dispatch, "BARREN", 100)
    told = Told()
    attempts(lambda strategies, _: "exp_loss" in strategies)
    with pytest.raises(MachineError) as error:
        train(ONE, tmp_path / "d.db", watcher=told)
    named = "search of exp_loss, repeat 0, trial {}, seed \\d+"
    because = "failed: RuntimeError: out of memory"
    assert re.fullmatch(
        f"sweep small: {named.format(0)} {because}; {named.format(1)} {because}; run the same command again to continue",
        str(error.value),
    )
    storage = find_storage(f"sqlite:///{tmp_path}/d.db")
    with storage:
        found = {run.strategy: (run.outcome, run.reason) for run in runs(storage, "small", phase="search")}
    assert found.pop("exp_loss") == ("failed", "RuntimeError: out of memory")
    assert {reason for _, reason in found.values()} == {None} and all(outcome for outcome, _ in found.values())
    assert any("it is tried again in two halves" in line for line in told.lines)
    monkeypatch.undo()
    train(ONE, tmp_path / "again.db")
    train(ONE, tmp_path / "d.db")
    stacks = slice(0, -2)  # the last columns but one, which halves change
    assert [run[stacks] for run in results(tmp_path / "d.db")["runs"]] == [
        run[stacks] for run in results(tmp_path / "again.db")["runs"]
    ]


def test_a_fault_that_is_no_stacks_ends_the_sweep_soon(tmp_path, attempts):
    made = attempts(lambda *_: True)
    with pytest.raises(
        MachineError, match=r"^sweep small: RuntimeError: out of memory, 6 times in a row; run the same"
    ):
        train(SMALL, tmp_path / "d.db")
    assert len(made) < 2 * dispatch.BARREN  # both halves of a stack are begun before the first is looked at


def test_a_wrong_interval_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("DECAYBENCH_CHECKPOINT_S", "soon")
    with pytest.raises(UserError, match=r"^DECAYBENCH_CHECKPOINT_S: "):
        train(ONE, tmp_path / "d.db")
    assert list(tmp_path.iterdir()) == []
