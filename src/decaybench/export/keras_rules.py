"""The rules that watch the loss, as Keras callbacks."""

from typing import Any

from decaybench.errors import UserError
from decaybench.export.setting import Setting, call, literal, wrapped
from decaybench.schedules import Reactive

LATE = (
    "# Keras shows a loss after its update only: each learning rate follows from the loss of the update before, one",
    "# update later than in decaybench, where it follows from the update's own.",
)


def by_decaybench(setting: Setting) -> list[str]:
    """Lines that make ``callbacks``, in which decaybench computes the kind; UserError where Keras cannot follow it."""
    rule = setting.schedule
    late: tuple[str, ...] = ()
    if isinstance(rule, Reactive) and rule.when == "update":
        if rule.observes:
            raise UserError(f"--format: Keras shows a callback no gradients, which {rule.kind} looks at; use torch")
        late = LATE
    return [*late, f"callbacks = [KerasCallback({call(rule)}, {setting.total_steps}, {setting.steps_per_epoch})]"]


def reduce_on_plateau(setting: Setting) -> list[str]:
    """Keras' own callback, where it counts and compares as the setting does; it knows no warmup."""
    s: Any = setting.schedule
    if s.convention != "keras" or s.threshold_mode == "rel":
        return by_decaybench(setting)
    arguments = [
        f'monitor="{"val_loss" if s.held_out else "loss"}"',
        'mode="min"',
        f"factor={literal(s.factor)}",
        f"patience={s.patience}",
        f"min_delta={literal(s.threshold)}",
        f"cooldown={s.cooldown}",
        f"min_lr={literal(s.min_scale * setting.parameters.learning_rate)}",
    ]
    return [*wrapped("plateau = keras.callbacks.ReduceLROnPlateau", arguments), "callbacks = [plateau]"]
