"""TorchScheduler as a scheduler of torch's: for frameworks, on wrapped optimizers, in a sequence, copied and pickled."""

import math
import pickle
from copy import deepcopy

import pytest
import torch

from decaybench.schedules import SCHEDULES, TorchScheduler
from schedules.loops import sgd
from schedules.samples import draw

UPDATES, EPOCH = 24, 3


class Wrapped(torch.optim.Optimizer):
    """What accelerate makes of an optimizer: no attributes of its own, and not every step is an update."""

    def __init__(self, optimizer):
        self.optimizer, self.syncs = optimizer, True

    param_groups = property(lambda self: self.optimizer.param_groups)
    state = property(lambda self: self.optimizer.state)
    defaults = property(lambda self: self.optimizer.defaults)

    def step(self, closure=None):
        if self.syncs:
            self.optimizer.step(closure)


@pytest.mark.parametrize("kind", [kind for kind, cls in SCHEDULES.items() if getattr(cls, "observes", ())])
@pytest.mark.parametrize("depth", [1, 2])
def test_wrapped_optimizers_are_looked_through(kind, depth):
    schedule, rates = draw(kind, 0, UPDATES, EPOCH), []
    for wraps in (0, depth):
        inner = optimizer = sgd(0.1, 0.3)
        for _ in range(wraps):
            optimizer = Wrapped(optimizer)
        scheduler = TorchScheduler(optimizer, schedule, UPDATES, EPOCH)
        assert scheduler.optimizer is optimizer
        for t in range(5):
            for group in inner.param_groups:
                group["params"][0].grad = torch.tensor([1.0 + t])
            scheduler.observe(1.0)
            optimizer.step()
            scheduler.step()
        rates.append(scheduler.get_last_lr())
    assert rates[0] == rates[1]
    with pytest.raises(ValueError, match=rf"^{kind} looks at gradients and needs torch.optim.SGD, got Adam$"):
        TorchScheduler(Wrapped(torch.optim.Adam(inner.param_groups[0]["params"])), schedule, UPDATES, EPOCH)


def test_an_optimizer_that_holds_itself_is_no_wrapper():
    class Itself(torch.optim.SGD):
        optimizer = property(lambda self: self)

    optimizer = Itself([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    assert TorchScheduler(optimizer, SCHEDULES["linear"](), 10, 5).get_last_lr() == [0.1]


def test_a_step_that_is_not_an_update_is_none_to_the_watch():
    optimizer = Wrapped(sgd(0.1))
    scheduler = TorchScheduler(optimizer, SCHEDULES["linear"](), 10, 5)
    optimizer.syncs = False
    optimizer.step()
    with pytest.warns(UserWarning, match=r"^step\(\) was called without an optimizer.step\(\)"):
        scheduler.step()


def test_it_is_a_scheduler_of_torchs():
    """As Lightning, Accelerate and Trainer ask."""
    optimizer = sgd(0.1, 2.0)
    scheduler = TorchScheduler(optimizer, SCHEDULES["linear"](), 10, 5)
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
    assert not hasattr(scheduler, "total_steps")  # accelerate would stop at it, counting micro-batches
    assert scheduler.get_lr() == scheduler.get_last_lr() == scheduler.base_lrs == [0.1, 2.0]
    assert optimizer.step.__func__ is type(optimizer).step  # it replaces no method, as others do and undo
    scheduler._step_count += 100  # accelerate, in each micro-batch
    optimizer.step()
    scheduler.step()
    assert scheduler.last_epoch == 1
    assert scheduler.get_lr() == scheduler.get_last_lr() == pytest.approx([0.09, 1.8])
    for bad in (None, [torch.zeros(1)], torch.nn.Linear(1, 1)):
        with pytest.raises(TypeError, match=rf"^{type(bad).__name__} is not an Optimizer$"):
            TorchScheduler(bad, SCHEDULES["linear"](), 10, 5)
    for bad in (SCHEDULES["linear"], "linear", None):
        with pytest.raises(TypeError, match=r"^schedule must be a schedule, such as SCHEDULES\['linear'\]\(\), got "):
            TorchScheduler(optimizer, bad, 10, 5)


def test_torchs_sequence_of_schedulers_begins_it_at_its_milestone():
    optimizer = sgd(0.1)
    first = torch.optim.lr_scheduler.ConstantLR(optimizer, 0.5, 100)
    ours = TorchScheduler(optimizer, SCHEDULES["linear"](), 4, 2)
    both = torch.optim.lr_scheduler.SequentialLR(optimizer, [first, ours], [3])
    rates = []
    for _ in range(7):
        rates += [group["lr"] for group in optimizer.param_groups]
        optimizer.step()
        both.step()
    assert rates == pytest.approx([0.05] * 3 + [0.1, 0.075, 0.05, 0.025])
    optimizer = sgd(0.1)
    ours = TorchScheduler(optimizer, SCHEDULES["linear"](), 4, 2)
    last = torch.optim.lr_scheduler.ConstantLR(optimizer, 0.5, 100)
    both = torch.optim.lr_scheduler.SequentialLR(optimizer, [ours, last], [2])
    rates = []
    for _ in range(3):
        rates += both.get_last_lr()
        optimizer.step()
        both.step()
    assert rates == pytest.approx([0.1, 0.075, 0.05])


def sequence(kind, first, **fields):
    """An optimizer, ours, and a sequence of it and one of torch's, ours ``first`` or second."""
    optimizer = sgd(0.1)
    torchs = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, 1.0, 3)
    ours = TorchScheduler(optimizer, SCHEDULES[kind](**fields), 6, 2)
    both = [ours, torchs] if first else [torchs, ours]
    return optimizer, ours, torch.optim.lr_scheduler.SequentialLR(optimizer, both, [3])


def drive(optimizer, ours, both, updates, turn=range(40)):
    """The learning rates of ``updates``; ours is shown losses in its ``turn``."""
    rates = []
    for t in updates:
        if getattr(ours.schedule, "when", None) == "update" and t in turn:
            ours.observe(1 / (1 + t))
        rates += [group["lr"] for group in optimizer.param_groups]
        optimizer.step()
        both.step()
    return rates


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", ["linear", "exp_loss"])
@pytest.mark.parametrize("at", range(8))
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_torchs_sequence_of_schedulers_is_taken_up_at_any_update(first, kind, at, order):
    turn = range(3) if first else range(9)  # before its turn it takes no notice
    expected = drive(*sequence(kind, first), range(9), turn)
    parts = sequence(kind, first)
    rates = drive(*parts, range(at), turn)
    saved = [deepcopy(parts[i].state_dict()) for i in (0, 2)]
    again = sequence(kind, first)
    for i in order:
        again[2 * i].load_state_dict(saved[i])
    assert rates + drive(*again, range(at, 9), turn) == expected


@pytest.mark.parametrize("first", [True, False])
def test_a_rule_stands_anywhere_in_torchs_sequence(first):
    rates = drive(*sequence("exp_loss", first), range(6), range(3) if first else range(6))
    warms = pytest.approx([0.01, 0.04, 0.07])
    follows = [pytest.approx(0.1 * math.exp(1 / (1 + t))) for t in range(0 if first else 3, 3 if first else 6)]
    assert [rates[:3], rates[3:]] == ([follows, warms] if first else [warms, follows])
    optimizer, ours, _ = sequence("reduce_on_plateau", first, factor=0.5, patience=0, cooldown=0)
    assert ours.get_last_lr() == pytest.approx([0.1 if first else 0.01])
    TorchScheduler(optimizer, SCHEDULES["exp_loss"](), 6, 2).step(0)


@pytest.mark.parametrize("first", [True, False])
def test_a_long_phase_of_another_in_the_sequence_warns_of_nothing(first):
    optimizer = sgd(0.1)
    ours = TorchScheduler(optimizer, SCHEDULES["constant"](), 40, 2)
    torchs = torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0, 100)
    both = torch.optim.lr_scheduler.SequentialLR(optimizer, [ours, torchs] if first else [torchs, ours], [20])
    drive(optimizer, ours, both, range(40))


@pytest.mark.parametrize("again", [deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
@pytest.mark.parametrize("kind", ["linear", "exp_loss", "hypergradient"])
def test_copies_and_pickles_go_on_by_themselves(kind, again):
    schedule = SCHEDULES[kind](**({"beta": 0.01} if kind == "hypergradient" else {}))

    def go(optimizer, scheduler, updates):
        for t in updates:
            for group in optimizer.param_groups:
                group["params"][0].grad = torch.tensor([1.0 + t])
            scheduler.observe(1 / (1 + t))
            optimizer.step()
            scheduler.step()
        return scheduler.get_last_lr()

    first = sgd(0.1, 0.3)
    pair = (first, TorchScheduler(first, schedule, 20, 5))
    go(*pair, range(4))
    copy = again(pair)
    assert copy[1].optimizer is copy[0] is not first
    kept = pair[1].get_last_lr()
    expected = go(*copy, range(4, 8))
    assert pair[1].get_last_lr() == kept
    assert go(*pair, range(4, 8)) == expected
