"""TorchScheduler as a scheduler of torch's: for frameworks, on wrapped optimizers, in a sequence, copied and pickled."""

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
    with pytest.raises(ValueError, match=rf"^{kind} looks at gradients and is for torch.optim.SGD, got Adam$"):
        TorchScheduler(Wrapped(torch.optim.Adam(inner.param_groups[0]["params"])), schedule, UPDATES, EPOCH)


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
        with pytest.raises(TypeError, match=r"^schedule must be one, such as SCHEDULES\['linear'\]\(\), got "):
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
