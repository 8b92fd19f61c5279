"""Resolved schedules of any kind, drawn from the kind's own options and default search ranges."""

import random
from typing import Any

from decaybench.schedules import SCHEDULES, Schedule


def draw(kind: str, seed: int, total_steps: int, steps_per_epoch: int, **given: Any) -> Schedule:
    """A schedule of ``kind`` as a sweep may have it; every other seed has a warmup. ``given`` fields stay as they are."""
    cls, rng = SCHEDULES[kind], random.Random(f"{kind}/{seed}")
    values = {name: rng.choice(legal) for name, legal in cls.options().items() if name not in cls.loop_only} | given
    for name in cls.parameters():
        searched = cls.range_of(name, epochs=total_steps // steps_per_epoch, options=values)
        if searched is not None and name not in values:
            value = searched.at([rng.random() for _ in range(searched.dims)])
            values[name] = searched.to_native(value, total_steps=total_steps, steps_per_epoch=steps_per_epoch)
    if seed % 2 and "warmup" not in given:
        values |= {"warmup": rng.randint(1, total_steps // 4), "warmup_start": rng.randint(0, 1)}
    return cls(**values)


def losses(schedule: Schedule, seed: int, total_steps: int, steps_per_epoch: int) -> list[float] | None:
    """As many random losses as the schedule asks of a trace; None for a fixed one."""
    if schedule.family == "fixed":
        return None
    rng = random.Random(seed)
    n = total_steps if schedule.when == "update" else -(-total_steps // steps_per_epoch)
    return [2.3 * rng.random() ** (1 + 3 * i / n) for i in range(n)]


def products(schedule: Schedule, seed: int, total_steps: int) -> dict[str, list[float]]:
    """Random products of gradients, as many as a trace needs: |g|^2 above 0, the others of either sign."""
    rng = random.Random(f"products/{seed}")
    low = {"grad_norm_sq": 0.0, "grad_dot_direction": -1.0, "grad_dot_previous": -1.0}
    return {
        name: [rng.uniform(low[name], 4.0) for _ in range(total_steps)] for name in getattr(schedule, "observes", ())
    }
