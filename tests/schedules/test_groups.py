"""Several parameter groups: each with its own base learning rate and, where a rule knows it, its own learning rate.

torch's own schedulers run beside ours, on groups of the same learning rates.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from decaybench.schedules import SCHEDULES, TorchScheduler

RATES = [(0.0, 0.1), (1e-9, 0.1), (0.1, 0.0, 1e-9), (1.0, 1e-3), (0.3, 0.3), (0.02, 5.0, 0.0, 1e-7)]


def sgd(*rates, momentum=0.0):
    return torch.optim.SGD([group(rate) for rate in rates], lr=0.1, momentum=momentum)


def group(rate):
    return {"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate}


def plateau(optimizer, **fields):
    fields = {"factor": 0.5, "patience": 0, "cooldown": 0} | fields
    return TorchScheduler(optimizer, SCHEDULES["reduce_on_plateau"](**fields), 1000, 1)


def update(scheduler, *losses):
    """An update, and an epoch of one update its losses; fixed schedules hear none."""
    scheduler.optimizer.step()
    scheduler.step()
    for loss in losses:
        scheduler.observe(loss)


def rates_of(scheduler):
    return [float(g["lr"]) for g in scheduler.optimizer.param_groups]


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize(("patience", "cooldown", "least"), [(0, 0, 0.0), (2, 0, 0.1), (1, 3, 0.0)])
def test_the_plateau_is_torchs_for_each_group(rates, mode, threshold_mode, patience, cooldown, least):
    given = {"factor": 0.3, "patience": patience, "cooldown": cooldown, "threshold_mode": threshold_mode, "mode": mode}
    ours = plateau(sgd(*rates), threshold=0.01, min_scale=least, **given)
    torchs = ReduceLROnPlateau(sgd(*rates), threshold=0.01, min_lr=[least * rate for rate in rates], **given)
    generator = torch.Generator().manual_seed(patience)
    for loss in (torch.randn(60, generator=generator) + 0.5).cumsum(0).div(10).tolist():
        update(ours, loss)
        torchs.step(loss)
        assert ours.get_last_lr() == rates_of(ours) == pytest.approx(torchs.get_last_lr(), rel=1e-12, abs=0)
    assert ours.get_last_lr() != list(rates)  # it cut


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 0.0, torch.tensor(0.5)])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_plateau_takes_any_metric_as_torch_does(mode, value):
    ours, torchs = plateau(sgd(0.1, 2.0), mode=mode), ReduceLROnPlateau(sgd(0.1, 2.0), mode, factor=0.5, patience=0)
    for metric in (1.0, value, 1.0, value, value, -0.99995, -1.0, -1.00005, 0.0, 1e-9):
        update(ours, metric)
        torchs.step(metric)
        assert ours.get_last_lr() == pytest.approx(torchs.get_last_lr(), rel=1e-12, abs=0)


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


def test_the_first_group_may_be_frozen_under_greedy_lr():
    ours = TorchScheduler(sgd(0.0, 1e-9, 0.1), SCHEDULES["greedy_lr"](factor=0.5, patience=0), 100, 1)
    update(ours, 1.0)
    assert ours.get_last_lr() == [0.0, 1e-9, 0.2]  # the first loss is the best yet
    update(ours, 2.0)
    assert ours.get_last_lr() == [0.0, 1e-9, 0.1]


def alone(kind, rates, gradients, momentum=0.0, **fields):
    """The learning rates of one scheduler per group, each on an optimizer of its own."""
    return [trained(kind, [rate], [[g[i]] for g in gradients], momentum, **fields)[0] for i, rate in enumerate(rates)]


def trained(kind, rates, gradients, momentum=0.0, **fields):
    """The learning rates (groups,) after updates of these gradients, one number a group."""
    optimizer = sgd(*rates, momentum=momentum)
    scheduler = TorchScheduler(optimizer, SCHEDULES[kind](**fields), 1000, 10)
    for row in gradients:
        for member, gradient in zip(optimizer.param_groups, row, strict=True):
            member["params"][0].grad = torch.tensor([gradient])
        scheduler.observe(0.7)
        last = scheduler.get_last_lr()
        optimizer.step()
        scheduler.step()
    return last


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_hypergradient_is_one_rule_per_learning_rate(momentum):
    generator = torch.Generator().manual_seed(0)
    rates, gradients = [1e-3, 1.0, 0.05], torch.randn(12, 3, generator=generator).tolist()
    together = trained("hypergradient", rates, gradients, momentum, beta=0.01)
    assert together == pytest.approx(alone("hypergradient", rates, gradients, momentum, beta=0.01), rel=1e-6)
    order = [2, 0, 1]
    turned = trained(
        "hypergradient", [rates[i] for i in order], [[g[i] for i in order] for g in gradients], momentum, beta=0.01
    )
    assert turned == [together[i] for i in order]


def test_hypergradient_has_no_hold_of_another_group():
    """The second group's share used to be a thousand times the first's."""
    last = trained("hypergradient", [1e-3, 1.0], [[0.1, 0.1]] * 3, beta=0.1)
    assert last == pytest.approx([0.003, 1.002], rel=1e-6)


def test_groups_at_one_learning_rate_are_one_group_to_hypergradient():
    """Weights with decay and biases without, say."""
    gradients = torch.randn(12, 2, generator=torch.Generator().manual_seed(1)).tolist()
    split = trained("hypergradient", [0.05, 0.05], gradients, beta=0.01)
    whole = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.05)
    scheduler = TorchScheduler(whole, SCHEDULES["hypergradient"](beta=0.01), 1000, 10)
    for row in gradients:
        whole.param_groups[0]["params"][0].grad = torch.tensor(row)
        scheduler.observe(0.7)
        last = scheduler.get_last_lr()
        whole.step()
        scheduler.step()
    assert split == pytest.approx(last * 2, rel=1e-6)


@pytest.mark.parametrize("rates", [[1e-3, 1.0], [1.0, 1e-3], [0.2, 0.2], [10.0, 0.3]])
def test_polyak_and_alig_are_one_step_along_the_whole_gradient_capped_by_group(rates):
    step = 0.7 / (0.5**2 + 1.5**2 + 1e-5)
    assert trained("alig", rates, [[0.5, 1.5]]) == pytest.approx([min(step, rate) for rate in rates], rel=1e-6)
    step = 0.7 / (0.5 * (0.5**2 + 1.5**2) + 1e-8)
    last = trained("polyak", rates, [[0.5, 1.5]], c=0.5, smoothing=False)
    assert last == pytest.approx([min(step, rate) for rate in rates], rel=1e-6)


@pytest.mark.parametrize("rates", [[1e-3, 1.0], [1.0, 1e-3], [7.0, 7.0]])
def test_l4_is_one_step_along_the_whole_direction_in_proportion_to_the_base_rates(rates):
    """After the first update the loss falls, along its gradient, by alpha (L - gamma gamma0 L), whatever the rates."""
    last = trained("l4", rates, [[0.5, 1.5]], alpha=0.2)
    assert last[0] / last[1] == pytest.approx(rates[0] / rates[1], rel=1e-9)
    falls = last[0] * 0.5**2 + last[1] * 1.5**2
    assert falls == pytest.approx(0.2 * (0.7 - 0.9 * 0.75 * 0.7), rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("polyak", {"c": 0.5}), ("alig", {}), ("l4", {"alpha": 0.2}), ("hypergradient", {"beta": 0.01})],
)
@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_a_frozen_groups_gradient_does_not_count(kind, fields, frozen):
    rates, gradients = [0.3, 0.1], torch.randn(6, 2, generator=torch.Generator().manual_seed(2)).tolist()
    expected = trained(kind, rates, gradients, 0.5, **fields)
    rates.insert(frozen, 0.0)
    for gradient in gradients:
        gradient.insert(frozen, 1e3)
    expected.insert(frozen, 0.0)
    assert trained(kind, rates, gradients, 0.5, **fields) == expected


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


def test_a_frozen_group_stays_frozen():
    scheduler = TorchScheduler(sgd(0.0, 0.1), SCHEDULES["exp_loss"](), 10, 1)
    scheduler.observe(5.0)
    update(scheduler)
    assert scheduler.get_last_lr() == [0.0, pytest.approx(0.1 * math.exp(5))]
