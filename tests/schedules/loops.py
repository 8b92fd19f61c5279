"""Optimizers of several parameter groups, and the steps of a loop over them."""

import torch

from decaybench.schedules import SCHEDULES, TorchScheduler


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
