"""Accelerate drives a schedule as the plain loop does: accumulation, its checkpoints, a scaler's skipped updates."""

import pytest
import torch
from accelerate import Accelerator
from accelerate.scheduler import AcceleratedScheduler
from accelerate.state import AcceleratorState, GradientState
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from frameworks.plain import (
    ACCUMULATE,
    BATCH,
    EPOCHS,
    PER_UPDATE,
    RULES,
    UPDATES,
    Net,
    a_scheduler,
    an_optimizer,
    examples,
    plain,
)

MICRO_BATCHES = UPDATES * ACCUMULATE  # per epoch


@pytest.fixture(autouse=True)
def _forget():
    """Accelerate keeps its state for the whole process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


class Training:
    def __init__(self, rule, scaler=None, overflows=()):
        self.rule, self.net = rule, Net()
        self.net.overflow(*overflows)
        self.accelerator = Accelerator(cpu=True, gradient_accumulation_steps=ACCUMULATE)
        self.accelerator.scaler = scaler  # on a CPU it makes none of its own
        self.inner, self.rates = an_optimizer(self.net)
        self.scheduler = a_scheduler(self.inner, rule)
        data = DataLoader(TensorDataset(*examples()), BATCH)
        prepared = self.accelerator.prepare(self.net, self.inner, data, self.scheduler)
        self.model, self.optimizer, self.data, self.stepper = prepared
        assert type(self.stepper) is AcceleratedScheduler

    def run(self, first=0, last=EPOCHS * MICRO_BATCHES):
        """From a micro-batch, counted from the run's begin, up to another."""
        position = first - first % MICRO_BATCHES
        while position < last:
            skipped = max(first - position, 0)
            position += skipped
            epoch, losses = [], []
            for x, y in self.accelerator.skip_first_batches(self.data, skipped):
                if position == last:
                    return self
                with self.accelerator.accumulate(self.model):
                    loss = cross_entropy(self.model(x), y)
                    self.accelerator.backward(loss)
                    losses.append(loss.detach())
                    if self.accelerator.sync_gradients:
                        self._before_step(self.accelerator.gather(torch.stack(losses)).mean())
                        epoch, losses = epoch + losses, []
                    self.optimizer.step()
                    self.stepper.step()
                    self.optimizer.zero_grad()
                position += 1
            if self.rule == "epoch":
                self.scheduler.observe(torch.stack(epoch).mean())
        return self

    def _before_step(self, loss):
        if self.rule in PER_UPDATE:
            if self.accelerator.scaler is not None:
                self.accelerator.scaler.unscale_(self.inner)
            self.scheduler.observe(loss)


@pytest.mark.parametrize("rule", RULES)
def test_accumulation(rule):
    rates, weights = plain(rule)
    done = Training(rule).run()
    assert done.rates == rates
    assert torch.equal(done.net.weights(), weights)


@pytest.mark.parametrize("rule", RULES)
def test_a_run_is_resumed(rule, tmp_path):
    rates, weights = plain(rule)
    until = 2 * MICRO_BATCHES + (0 if rule == "epoch" else ACCUMULATE)  # within an epoch, where no mean is lost
    first = Training(rule).run(last=until)
    first.accelerator.save_state(tmp_path)
    second = Training(rule)
    second.accelerator.load_state(tmp_path)
    second.run(first=until)
    assert first.rates + second.rates == rates
    assert torch.equal(second.net.weights(), weights)


@pytest.mark.parametrize("rule", RULES)
def test_skipped_updates_are_none(rule):
    overflows = (0, 13, 20)  # in the first micro-batch of an update or its second, one per epoch
    rates, weights = plain(rule, overflows)
    done = Training(rule, torch.amp.GradScaler("cpu", init_scale=2.0**10), overflows).run()
    assert done.rates == rates
    assert torch.equal(done.net.weights(), weights)
