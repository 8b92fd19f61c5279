"""Rules that observe the loss, as Keras callbacks."""

from typing import Any

from decaybench.errors import UserError
from decaybench.export.setting import Setting, call, literal, wrapped
from decaybench.schedules import Reactive

LATE = (
    "# Keras reports a loss only after its update. So each learning rate follows from the previous update's loss, one",
    "# update later than in decaybench, where it follows from the loss of the update itself.",
)


def by_decaybench(setting: Setting) -> list[str]:
    """Lines that make ``callbacks``, in which decaybench computes the rule; UserError if it needs gradients."""
    rule = setting.schedule
    late: tuple[str, ...] = ()
    if isinstance(rule, Reactive) and rule.when == "update":
        if rule.observes:
            raise UserError(f"--format: Keras callbacks cannot see gradients, which {rule.kind} needs; use torch")
        late = LATE
    return [*late, f"callbacks = [KerasCallback({call(rule)}, {setting.total_steps}, {setting.steps_per_epoch})]"]


def reduce_on_plateau(setting: Setting) -> list[str]:
    """Keras' own callback if it counts and compares as the configuration does, else decaybench's."""
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
