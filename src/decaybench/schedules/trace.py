"""A schedule's scales over a whole run, as one tensor."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from decaybench.schedules.bank import Bank, fixed_scales
from decaybench.schedules.base import Fixed, Observation, Reactive, Schedule
from decaybench.schedules.validation import whole_number


def trace(
    schedule: Schedule,
    total_steps: int,
    steps_per_epoch: int,
    losses: Sequence[float] | Tensor | None = None,
    *,
    base_lr: float = 1.0,
    products: Mapping[str, Sequence[float] | Tensor] | None = None,
) -> Tensor:
    """Learning rate / base learning rate of a run's updates, float64 (total_steps,), element t at step t.

    ``losses[t]`` is update t's loss for an update rule, (total_steps,), and sets scale[t]; ``losses[e]`` is
    epoch e's for an epoch rule, one for each epoch begun, known after epoch e. A fixed schedule needs none.
    ``base_lr`` matters to the rules that know absolute learning rates (torch's plateau ignores cuts below 1e-8).
    ``products`` holds, for a rule that looks at gradients, what its class names in ``observes``, by name, each
    (total_steps,). Raises ValueError for an unresolved Range, for losses or products that are missing or of the wrong
    length, and for sizes below 1.
    """
    total_steps = whole_number("total_steps", total_steps, 1)
    steps_per_epoch = whole_number("steps_per_epoch", steps_per_epoch, 1)
    bank = Bank([schedule], torch.tensor([base_lr], dtype=torch.float64), total_steps, steps_per_epoch)
    if isinstance(schedule, Fixed):
        return fixed_scales(schedule, total_steps, steps_per_epoch)
    assert isinstance(schedule, Reactive)
    seen = _checked(schedule, losses, total_steps, steps_per_epoch)
    if strange := set(products or {}) - set(schedule.observes):
        raise ValueError(f"{schedule.kind} does not observe {', '.join(sorted(strange))}")
    asked = {name: _product(schedule, name, products or {}, total_steps) for name in schedule.observes}
    state = bank.init()
    scales = []
    for t in range(total_steps):
        if schedule.when == "update":
            measured = {name: values[t : t + 1] for name, values in asked.items()}
            state = bank.observe_update(state, Observation(seen[t : t + 1], measured))
        elif t > 0 and t % steps_per_epoch == 0:
            ended = seen[t // steps_per_epoch - 1 :][:1]
            state = bank.observe_epoch(state, ended, ended)
        scales.append(bank.scale(state, t))
    return torch.cat(scales)


def _checked(
    schedule: Reactive, losses: Sequence[float] | Tensor | None, total_steps: int, steps_per_epoch: int
) -> Tensor:
    needed = total_steps if schedule.when == "update" else -(-total_steps // steps_per_epoch)
    rule = f"{schedule.kind} reacts to the loss of every {schedule.when}: losses must be ({needed},)"
    if losses is None:
        raise ValueError(f"{rule}, got none")
    seen = torch.as_tensor(losses, dtype=torch.float64).detach().cpu()
    if seen.shape != (needed,):
        raise ValueError(f"{rule}, got {tuple(seen.shape)}")
    return seen


def _product(
    schedule: Reactive, name: str, products: Mapping[str, Sequence[float] | Tensor], total_steps: int
) -> Tensor:
    rule = f"{schedule.kind} observes {name}: products[{name!r}] must be ({total_steps},)"
    if name not in products:
        raise ValueError(f"{rule}, got none")
    values = torch.as_tensor(products[name], dtype=torch.float64).detach().cpu()
    if values.shape != (total_steps,):
        raise ValueError(f"{rule}, got {tuple(values.shape)}")
    return values
