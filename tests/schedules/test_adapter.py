import io
import math
from copy import deepcopy

import numpy as np
import pytest
import torch

from decaybench.schedules import SCHEDULES, TorchScheduler, trace
from schedules.loops import sgd
from schedules.samples import draw

KINDS = pytest.mark.parametrize("kind", sorted(SCHEDULES))
UPDATES, EPOCH = 24, 3


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
        counting.optimizer.step()
        counting.step()
        handed.step(t)
        assert counting.get_last_lr() == handed.get_last_lr() == [scales[t]]
    handed.step(3)
    assert handed.get_last_lr() == [scales[3]]
    handed.step()
    assert handed.get_last_lr() == [scales[4]]
    for bad in (-1, 2.5, True):
        with pytest.raises(
            ValueError, match=r"step must be a whole number of updates from 0 \(a metric goes to observe\(\)\), got"
        ):
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

    def drive(scheduler, updates):
        rates = []
        for t in updates:
            if schedule.when == "update":
                scheduler.observe(losses[t])
            rates += scheduler.get_last_lr()
            scheduler.optimizer.step()
            scheduler.step()
            if schedule.when == "epoch" and t % 5 == 4:
                scheduler.observe(losses[t])
        return rates

    whole = TorchScheduler(sgd(0.1, 0.5), schedule, 40, 5)
    first = TorchScheduler(sgd(0.1, 0.5), schedule, 40, 5)
    expected, rates = drive(whole, range(40)), drive(first, range(17))
    resumed = TorchScheduler(sgd(7.0, 9.0), schedule, 40, 5)  # whatever rates the new optimizer has
    resumed.load_state_dict(first.state_dict())
    assert rates + drive(resumed, range(17, 40)) == expected
    with pytest.raises(ValueError, match=r"base_lrs must be one per parameter group \(1\), got 2"):
        TorchScheduler(sgd(0.1), schedule, 40, 5).load_state_dict(first.state_dict())


def test_a_learning_rate_that_is_a_tensor_is_filled_in_place():
    rate = torch.tensor(0.5)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))], lr=rate, capturable=False)
    scheduler = TorchScheduler(optimizer, SCHEDULES["linear"](), 4, 2)
    optimizer.step()
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


class Learner:
    """A small net on noisy labels, whose losses go up and down: all that a user's own loop keeps between updates."""

    def __init__(self, schedule):
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3))
        searched = type(schedule).learning_rate
        rate = searched.high if searched else 0.5
        groups = [{"params": list(self.model[i].parameters()), "lr": rate / (1 + i)} for i in (0, 2)]
        self.optimizer = torch.optim.SGD(groups, lr=1.0, momentum=0.6, weight_decay=1e-3)
        self.scheduler = TorchScheduler(self.optimizer, schedule, UPDATES, EPOCH)

    def loss(self, seed):
        rng = torch.Generator().manual_seed(seed)
        x, labels = torch.randn(8, 3, generator=rng), torch.randint(3, (8,), generator=rng)
        return torch.nn.functional.cross_entropy(self.model(x), labels)

    def update(self, t):
        """Update t; the learning rates that it was made with."""
        self.optimizer.zero_grad()
        loss = self.loss(t)
        loss.backward()
        if getattr(self.scheduler.schedule, "when", "") == "update":
            self.scheduler.observe(loss)
        rates = self.scheduler.get_last_lr()
        self.optimizer.step()
        self.scheduler.step()
        return rates

    def end_epoch(self, t):
        """After update t - 1: show an epoch rule its loss, if an epoch has ended."""
        if t and t % EPOCH == 0 and getattr(self.scheduler.schedule, "when", "") == "epoch":
            self.scheduler.observe(self.loss(UPDATES))

    def state(self):
        parts = {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}
        return {name: part.state_dict() for name, part in parts.items()}

    def resumed(self, state):
        for name, value in state.items():
            getattr(self, name).load_state_dict(value)
        return self


@KINDS
@pytest.mark.parametrize(("seeds", "every"), [(2, 3), pytest.param(3, 1, marks=pytest.mark.soak)])
def test_a_run_killed_before_updates_and_every_epochs_end_has_the_rates_of_one_that_was_not(kind, seeds, every):
    """Through a file, as a user would save it; before every third update, another one for the second seed."""

    def reborn(learner):
        file = io.BytesIO()
        torch.save(learner.state(), file)
        file.seek(0)
        return Learner(learner.scheduler.schedule).resumed(torch.load(file, weights_only=True))

    seen = set()
    for seed in range(seeds):  # other options, and the second with a warmup
        schedule = draw(kind, seed, UPDATES, EPOCH)
        whole, killed, expected, rates = Learner(schedule), Learner(schedule), [], []
        for t in range(UPDATES):
            whole.end_epoch(t)
            expected.append(whole.update(t))
            if t % EPOCH == 0:
                killed = reborn(killed)
                killed.end_epoch(t)
            if (t + seed) % every == 0:
                killed = reborn(killed)
            rates.append(killed.update(t))
        assert rates == expected
        seen |= {rate for rate, _ in expected[schedule.warmup :]}
    assert kind == "constant" or len(seen) > 2  # it moves, so that there was something to lose


@KINDS
def test_a_state_taken_on_the_way_stays_what_it_was(kind):
    schedule = draw(kind, 0, UPDATES, EPOCH)
    learner, states, expected = Learner(schedule), [], []
    for t in range(UPDATES):
        learner.end_epoch(t)
        parts = learner.state()
        states.append({name: part if name == "scheduler" else deepcopy(part) for name, part in parts.items()})
        expected.append(learner.update(t))
    for begin in range(1, UPDATES, 4):
        resumed, rates = Learner(schedule).resumed(states[begin]), []
        for t in range(begin, UPDATES):
            if t > begin:
                resumed.end_epoch(t)
            rates.append(resumed.update(t))
        assert rates == expected[begin:]


@pytest.mark.parametrize("kind", [kind for kind, cls in SCHEDULES.items() if getattr(cls, "observes", ())])
def test_gradient_rules_refuse_optimizers_that_they_cannot_follow(kind):
    schedule, weights = draw(kind, 0, UPDATES, EPOCH), [torch.nn.Parameter(torch.ones(2))]
    for make in (torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop):
        with pytest.raises(
            ValueError, match=rf"^{kind} looks at gradients and needs torch.optim.SGD, got {make.__name__}$"
        ):
            TorchScheduler(make(weights, lr=0.1), schedule, UPDATES, EPOCH)
    uphill = torch.optim.SGD(
        [{"params": weights}, {"params": [torch.nn.Parameter(torch.ones(1))], "maximize": True}], lr=0.1
    )
    with pytest.raises(ValueError, match=rf"^{kind} needs an optimizer that minimises, got maximize=True$"):
        TorchScheduler(uphill, schedule, UPDATES, EPOCH)


@pytest.mark.parametrize("number", [np.int64, np.int32, np.uint8, torch.tensor, np.array, int])
def test_numbers_of_numpy_and_torch_are_numbers(number):
    optimizer = sgd(0.1)
    scheduler = TorchScheduler(optimizer, SCHEDULES["linear"](), number(180), number(18))
    scheduler.step(number(90))
    assert scheduler.get_last_lr() == [0.05]
    assert scheduler.state_dict()["step"] == 90
    assert type(scheduler.state_dict()["step"]) is int
    assert trace(SCHEDULES["linear"](), number(180), number(18)).equal(trace(SCHEDULES["linear"](), 180, 18))


@pytest.mark.parametrize(
    "bad",
    ["180", True, 1.5, 0, -1, None, [180], torch.tensor([1, 2, 3]), torch.tensor(1.5), torch.tensor(True), np.True_],
)
def test_sizes_that_are_no_whole_numbers_are_refused_in_one_line(bad):
    for name, sizes in (("total_steps", (bad, 18)), ("steps_per_epoch", (180, bad))):
        with pytest.raises(ValueError, match=rf"^{name} must be a whole number of at least 1, got ") as raised:
            TorchScheduler(sgd(0.1), SCHEDULES["linear"](), *sizes)
        assert "\n" not in str(raised.value)
    scheduler = TorchScheduler(sgd(0.1), SCHEDULES["linear"](), 10, 5)
    if bad is not None and not (isinstance(bad, int) and bad == 0):
        with pytest.raises(
            ValueError, match=r"^step must be a whole number of updates from 0 \(a metric goes to observe\(\)\), got "
        ):
            scheduler.step(bad)
        assert scheduler.get_last_lr() == [0.1]


@pytest.mark.parametrize("good", [2.0, 2, np.float32(2), torch.tensor(2.0), torch.tensor([2.0], requires_grad=True)])
def test_a_loss_is_one_number(good):
    scheduler = TorchScheduler(sgd(0.1), SCHEDULES["exp_loss"](), 10, 5)
    scheduler.observe(good)
    assert scheduler.get_last_lr() == [pytest.approx(0.1 * math.exp(2))]
    for bad in (10**400, -(10**5000)):
        with pytest.raises(ValueError, match=r"^loss must be a number that a float can hold, got .{20,60}$"):
            scheduler.observe(bad)
    for bad in ("2.0", None, True, [2.0], torch.ones(2), np.ones(3), 2j):
        with pytest.raises(ValueError, match=r"^loss must be one number, got ") as raised:
            scheduler.observe(bad)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("bits", [53, 100, 20_000])
def test_whole_numbers_that_no_float_holds_are_refused(bits):
    huge = 2**bits + 1
    for sizes in ((huge, 5), (10, huge)):
        with pytest.raises(ValueError, match=r"^\w+ must be at most 2\*\*53, got "):
            TorchScheduler(sgd(0.1), SCHEDULES["linear"](), *sizes)
    scheduler = TorchScheduler(sgd(0.1), SCHEDULES["linear"](), 10, 5)
    with pytest.raises(ValueError, match=r"^step must be at most 2\*\*53, got "):  # and no warning before it
        scheduler.step(huge)
