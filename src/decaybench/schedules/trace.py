"""`trace`: a schedule's scales over a whole run, as one tensor."""

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
    """Learning rate / base learning rate for each update of a run, float64 (total_steps,); element t is at step t.

    ``losses`` are the losses that a reactive rule observes. For an update rule they are (total_steps,), and losses[t]
    sets scale[t]. For an epoch rule there is one per epoch, including a last partial one, and losses[e] acts from epoch
    e + 1 on. A fixed schedule needs none. ``base_lr`` matters to rules that use absolute learning rates, such as
    reduce_on_plateau, which ignores cuts below 1e-8 in torch's convention. For a rule that looks at gradients,
    ``products`` maps each name in the class's ``observes`` to values (total_steps,).

    Raises ValueError for an unresolved Range, for sizes below 1, and for losses or products that are missing or have
    the wrong length.
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
