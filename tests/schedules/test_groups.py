"""Parameter groups that were scheduled before, come and go: each starts from its own base learning rate.

torch's own schedulers run beside ours, on groups of the same learning rates.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from decaybench.schedules import SCHEDULES, TorchScheduler
from schedules.loops import group, plateau, sgd, update


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_group_added_later_plateaus_as_under_torch(data):
    """Counters and cooldown are shared, and so is the best; the new group starts from its own learning rate."""
    rate = st.sampled_from([0.1, 1e-9, 0.0, 3.0])
    rates = data.draw(st.lists(rate, min_size=1, max_size=3).filter(any))
    patience, cooldown = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))
    fields = {
        "factor": 0.5,
        "patience": patience,
        "cooldown": cooldown,
        "mode": data.draw(st.sampled_from(["min", "max"])),
    }
    ours, torchs = plateau(sgd(*rates), **fields), ReduceLROnPlateau(sgd(*rates), **fields)
    for _ in range(data.draw(st.integers(2, 12))):
        if data.draw(st.booleans()):
            new = data.draw(rate)
            for scheduler in (ours, torchs):
                scheduler.optimizer.add_param_group(group(new))
        metric = data.draw(st.sampled_from([1.0, 0.5, 1.5, -1.0]))
        update(ours, metric)
        torchs.step(metric)
        assert ours.get_last_lr() == pytest.approx(
            [float(g["lr"]) for g in torchs.optimizer.param_groups], rel=1e-12, abs=0
        )


def test_a_fixed_schedule_is_lambda_lr_for_groups_that_come_and_go():
    ours = TorchScheduler(sgd(0.1, 2.0), SCHEDULES["polynomial"](power=2.0, end=0.1), 20, 5)
    torchs = LambdaLR(sgd(0.1, 2.0), lambda t: 0.9 * (1 - t / 20) ** 2 + 0.1)
    for t in range(20):
        if t in (3, 4, 11):
            ours.optimizer.add_param_group(group(0.5))
            torchs.optimizer.add_param_group(group(0.5))
            torchs.base_lrs.append(0.5)
            torchs.lr_lambdas.append(torchs.lr_lambdas[0])
        if t == 8:
            for scheduler in (ours, torchs):
                del scheduler.optimizer.param_groups[1]
            del torchs.base_lrs[1], torchs.lr_lambdas[1]
        torchs.optimizer.step()
        torchs.step()
        update(ours)
        assert ours.get_last_lr() == pytest.approx(torchs.get_last_lr(), rel=1e-12)
    assert ours.state_dict()["step"] == 20
    assert len(ours.get_last_lr()) == len(ours.base_lrs) == 4


def test_a_new_groups_first_update_has_the_schedules_rate():
    optimizer = sgd(0.1)
    scheduler = TorchScheduler(optimizer, SCHEDULES["linear"](), 10, 1)
    for _ in range(3):
        update(scheduler)
    optimizer.add_param_group(group(0.5))
    weight = optimizer.param_groups[1]["params"][0]
    weight.grad = torch.ones(1)
    optimizer.step()
    assert weight.item() == pytest.approx(1 - 0.5 * 0.7)
    scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.06, 0.3])


@pytest.mark.parametrize("kind", ["linear", "reduce_on_plateau", "exp_loss", "hypergradient"])
def test_a_group_that_cannot_be_followed_changes_nothing(kind):
    fields = {"reduce_on_plateau": {"factor": 0.5, "patience": 0, "cooldown": 0}, "hypergradient": {"beta": 0.1}}
    optimizer = sgd(0.1, 0.2)
    scheduler = TorchScheduler(optimizer, SCHEDULES[kind](**fields.get(kind, {})), 10, 1)
    for member in optimizer.param_groups:
        member["params"][0].grad = torch.ones(1)

    def proceed():
        if kind == "reduce_on_plateau":
            update(scheduler, 1.0)
        else:
            scheduler.observe(1.0)
            update(scheduler)

    proceed()
    before, rates = scheduler.state_dict(), scheduler.get_last_lr()
    for bad, message in [
        (math.nan, r"^param_groups\[2\]\['lr'\] must be a finite number of at least 0, got nan$"),
        (math.inf, r"^param_groups\[2\]\['lr'\] must be .*, got inf$"),
        (-0.5, r"^param_groups\[2\]\['lr'\] must be .*, got -0.5$"),
    ]:
        optimizer.param_groups[2:] = [optimizer.param_groups[0] | group(bad)]
        del optimizer.param_groups[2]["initial_lr"]
        for call in (scheduler.step, optimizer.step, *([lambda: scheduler.observe(1.0)] if kind != "linear" else [])):
            with pytest.raises(ValueError, match=message):
                call()
            assert scheduler.last_epoch == 1
            assert scheduler.get_last_lr()[:2] == rates
    del optimizer.param_groups[2]
    after = scheduler.state_dict()
    assert {name: after[name] for name in before if name not in ("state", "directions")} == {
        name: before[name] for name in before if name not in ("state", "directions")
    }
    assert all(after["state"][name].equal(values) for name, values in before["state"].items())
    proceed()
    assert scheduler.state_dict()["step"] == 2
    optimizer.param_groups.clear()
    with pytest.raises(ValueError, match=r"^param_groups must have a learning rate above 0, got none$"):
        scheduler.step()


def test_gradient_rules_follow_groups_too():
    optimizer = sgd(0.1)
    scheduler = TorchScheduler(optimizer, SCHEDULES["hypergradient"](beta=0.1), 100, 10)
    for t in range(6):
        if t == 3:
            optimizer.add_param_group(group(0.5))
        for member in optimizer.param_groups:
            member["params"][0].grad = torch.full((1,), 1.0)
        scheduler.observe(1.0)
        optimizer.step()
        scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.1 + 0.5, 0.5 + 0.2])
    optimizer.add_param_group(group(0.1) | {"maximize": True})
    with pytest.raises(ValueError, match=r"^hypergradient needs an optimizer that minimises, got maximize=True$"):
        scheduler.step()


def test_a_rule_of_ones_own_says_what_belongs_to_a_learning_rate():
    """exp_loss follows from the loss alone, so a new group is at its share at once; bold_driver's rate is its own."""
    loud = TorchScheduler(sgd(0.1), SCHEDULES["exp_loss"](), 100, 1)
    bold = TorchScheduler(sgd(0.1), SCHEDULES["bold_driver"](up=1.5, down=0.5), 100, 1)
    loud.observe(2.0)
    for loss in (1.0, 2.0, 3.0):
        update(bold, loss)
    for scheduler in (loud, bold):
        scheduler.optimizer.add_param_group(group(0.7))
        scheduler.optimizer.step()
    assert loud.get_last_lr() == pytest.approx([0.1 * math.exp(2), 0.7 * math.exp(2)])
    assert bold.get_last_lr() == [0.025, 0.7]
    bold.step()
    bold.observe(2.0)  # it fell, against the loss that only the first group was there for
    assert bold.get_last_lr() == pytest.approx([0.0375, 1.05])


def test_groups_are_known_by_their_parameters():
    """The order may change, and optimizer.load_state_dict makes new dicts."""
    optimizer = sgd(0.1, 0.2, 0.4)
    scheduler = plateau(optimizer)
    for loss in (1.0, 2.0):
        update(scheduler, loss)
    optimizer.add_param_group(group(0.8))
    update(scheduler, 1.0)
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.param_groups[:] = [optimizer.param_groups[i] for i in (3, 1, 0)]
    update(scheduler, 1.0)
    assert scheduler.base_lrs == [0.8, 0.2, 0.1]
    assert scheduler.get_last_lr() == pytest.approx([0.2, 0.025, 0.0125])


def test_a_default_that_is_one_tensor_for_all_groups_is_not_a_new_groups_base():
    rate = torch.tensor(0.5)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))], lr=rate)
    scheduler = TorchScheduler(optimizer, SCHEDULES["linear"](), 10, 1)
    for _ in range(5):
        update(scheduler)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))]})
    update(scheduler)
    assert scheduler.base_lrs == [0.5, 0.5]
    assert scheduler.get_last_lr() == pytest.approx([0.2, 0.2])


def test_a_scheduled_optimizer_is_known():
    """By ``initial_lr``, as torch's own schedulers mark it."""
    first = TorchScheduler(sgd(0.1, 3.0), SCHEDULES["linear"](), 10, 1)
    for _ in range(4):
        update(first)
    fresh = sgd(0.1, 3.0)
    fresh.load_state_dict(first.optimizer.state_dict())
    second = TorchScheduler(fresh, SCHEDULES["linear"](), 10, 1)
    assert second.get_last_lr() == [0.1, 3.0]
    second.step(4)
    assert second.get_last_lr() == pytest.approx([0.06, 1.8])
    for _ in range(6):
        update(first)
    assert first.get_last_lr() == [0.0, 0.0]
    again = TorchScheduler(first.optimizer, SCHEDULES["linear"](), 10, 1)
    assert again.get_last_lr() == again.base_lrs == [0.1, 3.0]
    marked = sgd(0.1, 3.0)
    LambdaLR(marked, lambda t: 0.5)
    assert TorchScheduler(marked, SCHEDULES["linear"](), 10, 1).get_last_lr() == [0.1, 3.0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, torch.tensor(math.nan), -0.1])
@pytest.mark.parametrize("name", ["lr", "initial_lr"])
def test_learning_rates_that_are_none_are_refused(name, bad):
    optimizer = sgd(0.1, 0.2)
    optimizer.param_groups[1][name] = bad
    with pytest.raises(
        ValueError, match=rf"^param_groups\[1\]\['{name}'\] must be a finite number of at least 0, got "
    ):
        TorchScheduler(optimizer, SCHEDULES["linear"](), 10, 1)
    assert "initial_lr" not in optimizer.param_groups[0]


@pytest.mark.parametrize("rates", [(0.0,), (0.0, 0.0), (torch.tensor(0.0),)])
def test_one_learning_rate_must_be_above_0(rates):
    with pytest.raises(ValueError, match=r"^param_groups must have a learning rate above 0, got none$"):
        TorchScheduler(sgd(*rates), SCHEDULES["linear"](), 10, 1)


@pytest.mark.parametrize("name", ["lr", "initial_lr"])
@pytest.mark.parametrize("bad", ["0.1", None, True, torch.tensor([0.1, 0.2]), [0.1], 1j])
def test_a_learning_rate_is_one_number(name, bad):
    optimizer = sgd(0.1, 0.2)
    optimizer.param_groups[1][name] = bad
    with pytest.raises(ValueError, match=rf"^param_groups\[1\]\['{name}'\] must be one number, got ") as raised:
        TorchScheduler(optimizer, SCHEDULES["linear"](), 10, 1)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("bad", "got"),
    [
        (torch.tensor(1), "one of torch.int64"),
        (torch.tensor(True), "one of torch.bool"),
        (torch.tensor(0.1, requires_grad=True), "one that requires a gradient"),
    ],
)
@pytest.mark.parametrize("marked", [False, True])
def test_a_tensor_that_cannot_be_filled_with_the_rate_is_refused(bad, got, marked):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    optimizer.param_groups[0] |= {"lr": bad} | ({"initial_lr": 0.1} if marked else {})
    with pytest.raises(
        ValueError, match=rf"^param_groups\[0\]\['lr'\] must be a number or a tensor of a floating type, got {got}$"
    ):
        TorchScheduler(optimizer, SCHEDULES["linear"](), 10, 1)
