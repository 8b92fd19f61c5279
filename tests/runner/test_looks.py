"""The driver takes looks, parks and catches up, and stops; a changed file and a time limit change no more than they say."""

import shutil

import pytest

from decaybench import UserError, store
from decaybench.runner import Watcher, audit, driver
from looking import LOOKS, STRICT, decided, kept, repeats_of
from small_sweep import results
from trained import train


class Heard(Watcher):
    """Notes how many updates are announced and made, and the looks."""

    def __init__(self) -> None:
        self.left = self.made = 0
        self.looks = []

    def begin(self, name, updates_left, stack_size, device):
        self.left += updates_left

    def more(self, updates):
        self.left += updates

    def advance(self, updates):
        self.made += updates

    def look(self, shown):
        self.looks.append(dict(shown.results.repeats))


@pytest.fixture
def settled(looks, tmp_path):
    """A copy of the database of the sweep that settles while exp_loss waits."""
    return shutil.copyfile(looks, tmp_path / "settled.db")


def search(database) -> dict[tuple, tuple]:
    """Every search run by strategy, repeat and trial: its seed, parameters and results."""
    return {row[1:4]: row[4:-2] for row in results(database)["runs"] if row[0] == "search" and not row[-1]}


def test_it_looks_until_one_strategy_is_good_and_trains_no_more_than_that_needs(settled):
    looks = kept(settled).looks
    assert repeats_of(looks) == [(5, 5, 5), (6, 6, 5), (9, 9, 5), (12, 12, 5)]
    assert [look.step for look in looks] == [0, 1, 2, 3] and [look.repeats for look in looks] == [5, 6, 9, 12]
    assert [look.spent for look in looks] == pytest.approx([0.8 * r / 15 for r in (5, 6, 9, 12)])
    assert [look.trained_next for look in looks] == [
        {"members": ["constant", "cosine"], "repeats": 6},
        {"members": ["constant", "cosine"], "repeats": 9},
        {"members": ["constant", "cosine"], "repeats": 12},
        {},
    ]
    assert {(look.margin, look.margin_source, look.to_repeats) for look in looks} == {(0.05, "file", 15)}
    assert looks[-1].outcome == {"until": "one", "leader": "constant", "pick": "constant", "settled": True}
    assert len(search(settled)) == 6 * (12 + 12 + 5)
    found = decided(settled)
    assert (found["settled"], found["pick"], found["looks"], found["trainings"]) == (
        True,
        "constant",
        [5, 6, 9, 12],
        174,
    )
    assert found["strategies"]["exp_loss"]["parked"] and not found["strategies"]["cosine"]["parked"]
    assert found["strategies"]["constant"]["bound"] <= 0.05 < found["strategies"]["cosine"]["bound"]


def test_the_same_file_again_trains_nothing_and_looks_no_more(settled):
    before = kept(settled)
    train(LOOKS, settled)
    after = kept(settled)
    assert after.looks == before.looks and after.runs == before.runs


def test_a_strategy_that_waited_catches_up_on_the_trials_that_it_would_have_had(settled, strict, tmp_path):
    grown, heard, before = shutil.copyfile(settled, tmp_path / "grown.db"), Heard(), len(kept(settled).runs)
    train(STRICT, grown, watcher=heard)
    looks = kept(grown).looks
    # Another margin is another look at the same repeats; then only exp_loss trains, one look after the other.
    assert repeats_of(looks)[3:] == [(12, 12, 5), (12, 12, 5), (12, 12, 6), (12, 12, 9), (12, 12, 12), (15, 15, 15)]
    assert [look.margin for look in looks[3:6]] == [0.05, 0.02, 0.02]
    assert looks[4].trained_next == {"members": ["exp_loss"], "repeats": 6}
    assert [tuple(look.values()) for look in heard.looks] == repeats_of(looks)[5:]
    assert heard.made == heard.left == 2 * (len(kept(grown).runs) - before)
    assert search(grown) == search(strict)
    ours, theirs = decided(grown), decided(strict)
    assert ours == theirs and not ours["settled"] and ours["pick"] is None


def test_until_may_change_at_any_time_and_runs_that_are_not_needed_any_more_are_left(settled, tmp_path, monkeypatch):
    database = tmp_path / "changed.db"
    everybody = LOOKS.replace("[search]", '[decide]\nuntil = "end"\n\n[search]')
    with monkeypatch.context() as patch:
        patch.setattr(driver.Planner, "look", stopping_after(database, 1))
        with pytest.raises(KeyboardInterrupt):
            train(everybody, database)
    assert repeats_of(kept(database).looks) == [(5, 5, 5), (6, 6, 6)]
    assert [run.outcome for run in kept(database).runs].count(None) == 3 * 3 * 6  # the step up to 9, not yet trained
    train(LOOKS, database)
    looks = kept(database).looks
    assert repeats_of(looks)[1:3] == [(6, 6, 6), (6, 6, 6)]
    assert [look.outcome["until"] for look in looks[:3]] == ["end", "end", "one"]
    left = {(run.strategy, run.repeat) for run in kept(database).runs if run.superseded and run.phase == "search"}
    assert left == {("exp_loss", repeat) for repeat in (6, 7, 8)}
    assert all(run.outcome is None for run in kept(database).runs if run.superseded)
    assert decided(database)["pick"] == "constant"


def stopping_after(database, step):
    """A `Planner.look` that is interrupted when it has written this look."""
    take = driver.Planner.look

    def look(self):
        shown = take(self)
        if kept(database).looks[-1].step == step:
            raise KeyboardInterrupt
        return shown

    return look


def test_until_all_ends_at_the_last_look_at_the_latest(tmp_path):
    everything = LOOKS.replace("[search]", '[decide]\nuntil = "all"\n\n[search]').replace("to = 15", "to = 6")
    heard = Heard()
    train(everything, tmp_path / "all.db", watcher=heard)
    looks = kept(tmp_path / "all.db").looks
    assert repeats_of(looks) == [(5, 5, 5), (6, 6, 6)] and looks[-1].trained_next == {}
    assert [tuple(look.values()) for look in heard.looks] == repeats_of(looks)
    assert heard.made == heard.left == 2 * len(kept(tmp_path / "all.db").runs)
    assert not decided(tmp_path / "all.db")["settled"]


def test_to_may_be_raised_after_the_end_and_while_a_step_is_trained(tmp_path, monkeypatch):
    six, nine = (STRICT.replace("to = 15", f"to = {to}") for to in (6, 9))
    ended, midway = tmp_path / "ended.db", tmp_path / "midway.db"
    train(six, ended)
    train(nine, ended)
    with monkeypatch.context() as patch:
        patch.setattr(driver.Planner, "look", stopping_after(midway, 0))
        with pytest.raises(KeyboardInterrupt):
            train(six, midway)
    train(nine, midway)
    assert decided(ended)["looks"] == decided(midway)["looks"] == [5, 6, 9]
    # Another share of the error at the second look keeps exp_loss in the last step; what both have trained is the same.
    assert repeats_of(kept(ended).looks)[-1] == (9, 9, 6) and repeats_of(kept(midway).looks)[-1] == (9, 9, 9)
    after = {key: found for key, found in search(midway).items() if key[0] != "exp_loss" or key[1] < 6}
    assert len(after) == 6 * (9 + 9 + 6) and search(ended) == after
    # The looks that were taken keep their share of the error; of what is left, so much is spent by the new end.
    spent = {look.repeats: look.spent for look in kept(ended).looks}
    assert spent == pytest.approx({5: 0.8 * 5 / 6, 6: 0.8, 9: 0.8 + 0.8 * 0.2})
    spent = {look.repeats: look.spent for look in kept(midway).looks}
    assert spent == pytest.approx({5: 2 / 3, 6: 2 / 3 + 0.8 / 3 / 4, 9: 2 / 3 + 0.8 / 3})


def test_what_a_look_has_fixed_is_refused_in_one_line(settled):
    for change, line in [
        (("to = 15", "to = 12"), "budget.repeats.to: to must be above the 12 repeats that were looked at, got 12"),
        (
            ("trials = 6", "trials = 7"),
            "budget.trials: 6 in the database, 7 in the file; it may be raised only until the first",
        ),
        (("epochs = 1", "epochs = 2"), "task.epochs: 1 in the database, 2 in the file; only question,"),
        (
            ("confirm_seeds = 2", "confirm_seeds = 1"),
            "budget.confirm_seeds: 2 in the database, 1 in the file; it can be",
        ),
        (("[strategies.cosine]\n", ""), 'strategies: ["constant", "cosine", "exp_loss"] in the database, ["constant",'),
    ]:
        before = kept(settled)
        with pytest.raises(UserError) as refused:
            train(LOOKS.replace(*change), settled)
        assert str(refused.value).startswith(f"sweep.toml: looks: {line}") and "\n" not in str(refused.value)
        assert kept(settled).sweep == before.sweep and kept(settled).looks == before.looks


def test_more_confirm_seeds_choose_among_more_runs_and_report_others(settled, tmp_path):
    more, once = LOOKS.replace("confirm_seeds = 2", "confirm_seeds = 3"), tmp_path / "once.db"
    train(more, once)
    grown = shutil.copyfile(settled, tmp_path / "grown.db")
    train(more, grown)
    assert decided(grown) == decided(once)
    live = [[row[:-2] for row in results(database)["runs"] if not row[-1]] for database in (grown, once)]
    assert live[0] == live[1]


def test_a_time_limit_stops_the_search_and_the_next_run_ends_as_if_there_had_been_none(settled, tmp_path, monkeypatch):
    database, clock = tmp_path / "limited.db", iter(range(10_000))
    with monkeypatch.context() as patch:
        patch.setattr(driver, "monotonic", lambda: next(clock))  # one second per stack
        train(LOOKS, database, time_limit=14)  # 12 stacks make the first look
    stopped = kept(database)
    assert stopped.sweep["status"] == "stopped" and len(stopped.looks) >= 1
    assert not decided(database)["settled"]
    assert any(run.outcome is None for run in stopped.runs if run.phase == "search")
    assert all(run.outcome for run in stopped.runs if run.phase != "search")
    assert {"confirm", "replay"} < {run.phase for run in stopped.runs}
    assert audit(store.frames(stopped), stopped.runs, stopped.looks, None) == []
    train(LOOKS, database)
    assert kept(database).sweep["status"] == "complete"
    assert kept(database).looks == kept(settled).looks
    assert decided(database) == decided(settled) and search(database) == search(settled)
