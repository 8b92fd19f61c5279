"""The code blocks of docs/own-loop.md, run as they stand, with what they did to learning rates."""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from decaybench.schedules import TorchScheduler, trace
from docs.pages import BLOCK, section, text

PAGE = "own-loop.md"


def titles() -> list[str]:
    """The headings that have Python below them."""
    return [title for title in re.findall(r"^## (.*)$", text(PAGE), re.MULTILINE) if blocks(title)]


def blocks(title: str) -> list[str]:
    return [code for language, code in BLOCK.findall(section(PAGE, title)) if language == "python"]


@dataclass
class Run:
    """A block's names after it ran; per update the learning rate of each group; what was observed."""

    names: dict[str, Any]
    rates: list[list[float]] = field(default_factory=list)
    observed: list[float] = field(default_factory=list)

    def traced(self, base: float = 0.1) -> list[float]:
        """What ``trace`` says of the block's schedule and the losses that it observed, times ``base``."""
        schedule, total_steps, steps_per_epoch = self.names["made"]
        return [base * scale for scale in trace(schedule, total_steps, steps_per_epoch, self.observed or None).tolist()]


def run(code: str, names: dict[str, Any] | None = None) -> Run:
    """Run one block in the current folder, after those that left ``names``."""
    done = Run(names or {"__name__": "own_loop"})
    observe, init = TorchScheduler.observe, TorchScheduler.__init__

    def noted_init(self, optimizer, schedule, total_steps, steps_per_epoch):
        done.names["made"] = schedule, total_steps, steps_per_epoch
        init(self, optimizer, schedule, total_steps, steps_per_epoch)

    def noted_observe(self, loss):
        done.observed.append(float(loss.detach()))
        observe(self, loss)

    def noted_step(optimizer, *_):
        done.rates.append([float(group["lr"]) for group in optimizer.param_groups])

    torch.manual_seed(0)
    hook = register_optimizer_step_post_hook(noted_step)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TorchScheduler, "__init__", noted_init)
            patch.setattr(TorchScheduler, "observe", noted_observe)
            exec(compile(code, PAGE, "exec"), done.names)
    finally:
        hook.remove()
    return done
