import pytest
import torch

from decaybench.schedules import SCHEDULES, TorchScheduler, trace


def sgd(*rates):
    return torch.optim.SGD([{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in rates])


def test_groups_keep_their_own_base_learning_rates():
    optimizer = sgd(0.1, 2.0)
    scheduler = TorchScheduler(optimizer, SCHEDULES["linear"](), 10, 5)
    assert scheduler.get_last_lr() == [0.1, 2.0]
    for _ in range(5):
        optimizer.step()
        scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.05, 1.0])


def test_a_counter_handed_in_gives_the_trace_of_one_that_moves_by_itself():
    schedule = SCHEDULES["exponential"](0.9, 4)
    scales = trace(schedule, 20, 5).tolist()
    counting, handed = (TorchScheduler(sgd(1.0), schedule, 20, 5) for _ in range(2))
    for t in range(1, 20):
        counting.step()
        handed.step(t)
        assert counting.get_last_lr() == handed.get_last_lr() == [scales[t]]
    handed.step(3)
    assert handed.get_last_lr() == [scales[3]]
    handed.step()
    assert handed.get_last_lr() == [scales[4]]
    for bad in (-1, 2.5, True):
        with pytest.raises(ValueError, match="step must be a whole number of updates from 0, got"):
            handed.step(bad)


def test_an_update_rule_sets_this_updates_own_learning_rate():
    weight = torch.nn.Parameter(torch.tensor([3.0], dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=0.01)
    scheduler = TorchScheduler(optimizer, SCHEDULES["exp_loss"](), 10, 5)
    w = 3.0
    for _ in range(10):
        optimizer.zero_grad()
        loss = 0.5 * (weight**2).sum()
        loss.backward()
        scheduler.observe(loss)
        optimizer.step()
        scheduler.step()
        w -= 0.01 * min(torch.tensor(0.5 * w * w, dtype=torch.float64).exp().item(), 1000.0) * w
        assert weight.item() == pytest.approx(w, rel=1e-12)


@pytest.mark.parametrize("fields", [{"signal": "ema"}, {"signal": "epoch"}])
def test_state_is_resumed_exactly(fields):
    schedule = SCHEDULES["exp_loss_relative"](1.3, warmup=6, **fields)
    losses = torch.rand(40, generator=torch.Generator().manual_seed(1)).tolist()

    def drive(scheduler, part):
        rates = []
        for loss in part:
            scheduler.observe(loss)
            rates += scheduler.get_last_lr()
            scheduler.step()
        return rates

    whole = TorchScheduler(sgd(0.1, 0.5), schedule, 40, 5)
    first = TorchScheduler(sgd(0.1, 0.5), schedule, 40, 5)
    expected, rates = drive(whole, losses), drive(first, losses[:17])
    resumed = TorchScheduler(sgd(7.0, 9.0), schedule, 40, 5)  # whatever rates the new optimizer has
    resumed.load_state_dict(first.state_dict())
    assert rates + drive(resumed, losses[17:]) == expected
    with pytest.raises(ValueError, match=r"base_lrs must be one per parameter group \(1\), got 2"):
        TorchScheduler(sgd(0.1), schedule, 40, 5).load_state_dict(first.state_dict())


def test_a_learning_rate_that_is_a_tensor_is_filled_in_place():
    rate = torch.tensor(0.5)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))], lr=rate, capturable=False)
    scheduler = TorchScheduler(optimizer, SCHEDULES["linear"](), 4, 2)
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == pytest.approx(0.375)


@pytest.mark.parametrize("signal", ["batch", "epoch"])
def test_a_reactive_rule_that_is_never_shown_a_loss_says_so(signal):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = TorchScheduler(optimizer, SCHEDULES["exp_loss"](gain=0.5, signal=signal), 20, 5)
    for _ in range(5 if signal == "epoch" else 0):
        optimizer.step()
        scheduler.step()
    with pytest.raises(RuntimeError, match="exp_loss reacts to the loss: call observe"):
        scheduler.step()
