"""A setting of any schedule, as if a sweep had found it."""

from typing import Any

from decaybench.export import Setting
from decaybench.schedules import Schedule
from decaybench.sweep import RunParameters, Sweep, arms

LEARNING_RATE = 0.3


def setting(schedule: Schedule, total_steps: int, steps_per_epoch: int, **task: Any) -> Setting:
    """``task`` holds keys of the file's [task]; also momentum, weight_decay, label and learning_rate."""
    given = {"learning_rate": LEARNING_RATE, "momentum": 0.9, "weight_decay": 0.0}
    shared = {name: task.pop(name, value) for name, value in given.items()}
    label = task.pop("label", "it")
    own = (name for name in schedule.parameters() if name not in schedule.loop_only)
    fields = {name: getattr(schedule, name) for name in own}
    params = {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()} | shared
    sweep = Sweep.from_mapping(
        {
            "name": "made",
            "task": {
                "data": "digits",
                "model": "small-cnn",
                "epochs": total_steps // steps_per_epoch,
                "batch_size": 64,
                **task,
            },
            "budget": {"trials": 4, "repeats": 3, "confirm_seeds": 2},
            "search": {"seed": 7},
            "strategies": {
                label: {"schedule": schedule.kind, **{k: v for k, v in params.items() if v is not None}},
                "held": {"schedule": "exp_loss", "signal": "batch"},
            },
        },
        "made",
    )
    return Setting(
        sweep=sweep,
        arm=arms(sweep)[0],
        parameters=RunParameters(**shared, schedule=schedule, params=params),
        length=1.0,
        steps_per_epoch=steps_per_epoch,
        train_examples=64 * steps_per_epoch,
        repeat=1,
        slot=2,
        found=["Found by a test."],
    )
