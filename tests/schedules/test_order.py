"""Calls that are missing, too many or out of order: one warning for each kind of fault; none in a loop that is right."""

import re
import warnings

import pytest
import torch

from decaybench.schedules import SCHEDULES, TorchScheduler

NO_UPDATE = r"^step\(\) was called without an optimizer.step\(\) since the last step\(\)"
NO_LOSS = r"^step\(\) was called without an observe\(loss\) since the last step\(\): exp_loss reacts"
LATE = r"^observe\(\) was called after optimizer.step\(\): exp_loss sets the learning rate of the very update"
TWICE = r"^observe\(\) was called several times before step\(\), twice in a row: exp_loss needs one loss per update"
OFTEN = (
    r"^observe\(\) was called only (1 update|\d+ updates) after the previous observe\(\) \(or the start\): "
    r"\w+ needs one loss per epoch"
)
BEHIND = r"^step\(\) was not called after each optimizer.step\(\): \w+ counts updates and falls behind"
MISSED = r"^step\(\) was called \d+ times since the last observe\(loss\): \w+ needs one loss per epoch"
BEYOND = r"^step\(\) was called for update 5 of a run of total_steps = 4: linear stays at its end"
PLATEAU = {"factor": 0.1, "patience": 2, "cooldown": 0}


def new(kind, total=100, epoch=10, **fields):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    return optimizer, TorchScheduler(optimizer, SCHEDULES[kind](**fields), total, epoch)


def play(script, optimizer, scheduler):
    """o: observe, u: update, s: step."""
    calls = {"o": lambda: scheduler.observe(1.0), "u": optimizer.step, "s": scheduler.step}
    for call in script:
        calls[call]()


@pytest.mark.parametrize(
    ("kind", "epoch", "script", "message"),
    [
        ("linear", 10, "s" * 4, NO_UPDATE),
        ("linear", 10, "su" * 4, NO_UPDATE),
        ("linear", 10, "us" * 3 + "s", NO_UPDATE),
        ("linear", 10, "uss" * 3, NO_UPDATE),  # a step per micro-batch
        ("exp_loss", 10, "ous" + "us" * 10, NO_LOSS),
        ("exp_loss", 10, "ous" * 3 + "us", NO_LOSS),
        ("exp_loss", 10, "uos" * 5, LATE),
        ("exp_loss", 10, "ous" * 3 + "uos", LATE),
        ("exp_loss", 10, "oous" * 4, TWICE),  # accumulation, each micro-batch shown
        ("exp_loss", 10, "ous" * 4 + "ooous" * 2, TWICE),
        ("reduce_on_plateau", 10, "uso" * 10, OFTEN),  # after every update
        ("reduce_on_plateau", 10, "uos" * 10, OFTEN),
        ("reduce_on_plateau", 10, "o" + "us" * 10 + "o", OFTEN),  # before any training
        ("reduce_on_plateau", 10, "us" * 10 + "oo", OFTEN),
        ("reduce_on_plateau", 10, ("us" * 5 + "o") * 4, OFTEN),
        ("reduce_on_plateau", 2, "uso" * 4, OFTEN),
        ("reduce_on_plateau", 1, "usoo" * 4, OFTEN),
        ("reduce_on_plateau", 10, "us" * 10 + "o" + "us" * 15, MISSED),
        ("reduce_on_plateau", 1, "uso" + "us" * 2, MISSED),
        ("linear", 10, "u" * 40, BEHIND),  # never
        ("linear", 5, ("u" * 5 + "s") * 4, BEHIND),  # once per epoch
        ("linear", 5, ("u" * 7 + "s") * 4, BEHIND),
        ("linear", 5, "uus" * 10, BEHIND),  # every second update
        ("linear", 2, "uus" * 10, BEHIND),
        ("exp_loss", 5, "ou" * 20, BEHIND),
        ("exp_loss", 5, ("ou" * 5 + "s") * 4, BEHIND),
        ("reduce_on_plateau", 5, ("u" * 5 + "so") * 4, BEHIND),
        ("reduce_on_plateau", 5, ("u" * 5 + "os") * 4, BEHIND),
        ("exp_loss_epoch", 10, ("us" * 20 + "o") * 3, None),  # the loss of every second epoch only: refused, below
    ],
)
def test_each_fault_warns_once_at_the_callers_line(kind, epoch, script, message):
    fields = {"reduce_on_plateau": PLATEAU, "exp_loss_epoch": {"signal": "epoch"}}.get(kind, {})
    optimizer, scheduler = new(kind.removesuffix("_epoch"), epoch=epoch, **fields)
    if message is None:
        with pytest.raises(RuntimeError, match=r"call observe\(loss\) once, at the end of each epoch"):
            play(script, optimizer, scheduler)
        return
    with pytest.warns(UserWarning, match=message) as caught:
        play(script, optimizer, scheduler)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        play(script, optimizer, scheduler)


@pytest.mark.parametrize(
    ("kind", "epoch", "script"),
    [
        ("linear", 10, "us" * 30),
        ("linear", 10, ("us" * 9 + "u" * 3 + "s") * 8),  # updates that do not count
        ("linear", 1, "uuuus" * 20),
        ("linear", 10, "us" * 100 + "u" * 40),  # trained on after the end, at its rate
        ("exp_loss", 10, "ous" * 30),
        (
            "exp_loss",
            10,
            "oooous" + "ous" * 20 + "oous" + "ous" * 5,
        ),  # scaler: the first updates, and a later one, skipped
        ("reduce_on_plateau", 10, ("us" * 10 + "o") * 3),
        ("reduce_on_plateau", 10, ("us" * 9 + "uos") * 3),  # just before the epoch's last step
        ("reduce_on_plateau", 10, ("us" * 8 + "o") * 5),  # some updates skipped, or the last, partial batches
        ("reduce_on_plateau", 1, "uso" * 5),
        ("reduce_on_plateau", 1, "uos" * 5),
        ("reduce_on_plateau", 2, "ususo" * 5),
        ("reduce_on_plateau", 3, ("us" * 2 + "uos") * 5),
    ],
)
def test_a_loop_that_is_right_warns_of_nothing(kind, epoch, script):
    play(script, *new(kind, epoch=epoch, **(PLATEAU if kind == "reduce_on_plateau" else {})))


def test_updates_that_another_scheduler_drives_are_not_this_ones():
    """Each in its phase: a warmup of torch's before, another after."""
    optimizer, scheduler = new("linear", total=40, epoch=5)
    before = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, 1.0, 5)
    for scheduled in (before, scheduler, torch.optim.swa_utils.SWALR(optimizer, 0.05)):
        for _ in range(20 if scheduled is scheduler else 5):
            optimizer.step()
            scheduled.step()
    first, second = new("linear", epoch=5)[1], None
    for _ in range(20):
        first.optimizer.step()
        first.step()
    second = TorchScheduler(first.optimizer, SCHEDULES["linear"](), 100, 5)
    del first  # nobody steps it now
    for _ in range(20):
        second.optimizer.step()
        second.step()


def test_a_counter_handed_in_once_per_epoch_needs_no_steps_between():
    optimizer, scheduler = new("linear", epoch=5)
    for epoch in range(1, 5):
        play("u" * 5, optimizer, scheduler)
        scheduler.step(5 * epoch)


def test_several_faults_are_several_warnings():
    optimizer, scheduler = new("reduce_on_plateau", **PLATEAU)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        play("os" * 10, optimizer, scheduler)
    first, second = (str(warning.message) for warning in caught)
    assert re.match(OFTEN, first)
    assert re.match(NO_UPDATE, second)
    assert scheduler.get_last_lr() == pytest.approx([1e-4])


def test_more_steps_than_the_run_has_warn_and_hold_its_end():
    optimizer, scheduler = new("linear", total=4, end=0.5)
    play("us" * 4, optimizer, scheduler)
    with pytest.warns(UserWarning, match=BEYOND) as caught:
        play("us" * 3, optimizer, scheduler)
    assert len(caught) == 1
    assert scheduler.get_last_lr() == [0.05]
    optimizer, scheduler = new("linear", total=4)
    scheduler.step(4)
    with pytest.warns(UserWarning, match=BEYOND):
        scheduler.step(5)


def test_a_warmup_longer_than_the_run_is_said_when_the_scheduler_is_made():
    with pytest.warns(
        UserWarning,
        match="^linear: a warmup of 200 updates is longer than the run of 100, which never reaches the base learning rate$",
    ) as caught:
        new("linear", warmup=200)
    assert caught[0].filename == __file__
    for warmup in (0, 99, 100, 100.4):
        new("linear", warmup=warmup)


def test_a_counter_handed_in_needs_no_update():
    _, scheduler = new("linear")
    for t in range(1, 10):
        scheduler.step(t)
    _, rule = new("exp_loss")
    for t in range(1, 4):
        rule.observe(1.0)
        rule.step(t)
    with pytest.warns(UserWarning, match=NO_LOSS):
        rule.step(4)


def test_several_processes_may_step_once_each(monkeypatch):
    """accelerate's scheduler does, unless batches are split."""
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    play("ousss" * 4, *new("exp_loss"))
    with pytest.warns(UserWarning, match=NO_UPDATE):
        play("oussss", *new("exp_loss"))


def test_a_resumed_run_is_not_taken_for_a_faulty_one():
    for saved in range(1, 30):
        optimizer, scheduler = new("exp_loss", signal="epoch", epoch=5)
        script = ("us" * 5 + "o") * 6
        play(script[:saved], optimizer, scheduler)
        again, resumed = new("exp_loss", signal="epoch", epoch=5)
        resumed.load_state_dict(scheduler.state_dict())
        play(script[saved:], again, resumed)
    optimizer, scheduler = new("exp_loss")
    play("ous" * 3 + "o", optimizer, scheduler)
    again, resumed = new("exp_loss")
    resumed.load_state_dict(scheduler.state_dict())
    play("us" + "ous" * 3, again, resumed)


def test_a_state_past_the_end_warns_when_it_is_loaded():
    _, scheduler = new("linear", total=4)
    state = scheduler.state_dict()
    scheduler.load_state_dict(state | {"step": 4})
    with pytest.warns(UserWarning, match=r"^load_state_dict\(\) was called with update 500 of a run of") as caught:
        scheduler.load_state_dict(state | {"step": 500})
    assert caught[0].filename == __file__
    assert scheduler.get_last_lr() == [0.0]


def test_a_loss_that_warns_as_an_error_is_not_shown():
    optimizer, scheduler = new("reduce_on_plateau", **PLATEAU)
    play("usus", optimizer, scheduler)
    before = scheduler.state_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=OFTEN):
            scheduler.observe(1.0)
    after = scheduler.state_dict()
    assert (after["observed_at"], after["observations"]) == (before["observed_at"], before["observations"]) == (0, 0)


def test_a_warning_made_an_error_leaves_everything_as_it_was():
    _, scheduler = new("linear")
    before = scheduler.state_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=NO_UPDATE):
            scheduler.step()
    assert scheduler.state_dict()["step"] == before["step"] == 0
    assert scheduler.get_last_lr() == [0.1]
