"""The rules that watch the loss, as Keras callbacks."""

from typing import Any

from decaybench.errors import UserError
from decaybench.export.setting import Setting, call, literal, wrapped
from decaybench.schedules import Reactive

LATE = (
    "# Keras shows a loss after its update only: each learning rate follows from the loss of the update before, one",
    "# update later than in decaybench, where it follows from the update's own. steps_per_execution must stay 1.",
)


def by_decaybench(setting: Setting) -> list[str]:
    """Lines that make ``callbacks``, in which decaybench computes the kind; UserError where Keras cannot follow it."""
    rule = setting.schedule
    times = f"{call(rule)}, {setting.total_steps}, {setting.steps_per_epoch}"
    if not isinstance(rule, Reactive) or rule.when == "epoch":
        return [f"callbacks = [KerasCallback({times})]"]
    if rule.observes:
        raise UserError(f"--format: Keras shows a callback no gradients, which {rule.kind} looks at; use torch")
    return [
        "",
        "",
        *LATE,
        "class LearningRate(keras.callbacks.Callback):",
        f'    """{rule.kind}, as decaybench computes it."""',
        "",
        "    def on_train_begin(self, logs=None):",
        f"        stand_in = torch.optim.SGD([torch.zeros(1)], lr={literal(float(setting.parameters.learning_rate))})",
        f"        self.rule = TorchScheduler(stand_in, {times})",
        "",
        "    def on_train_batch_begin(self, batch, logs=None):",
        "        self.model.optimizer.learning_rate = self.rule.get_last_lr()[0]",
        "",
        "    def on_train_batch_end(self, batch, logs=None):",
        '        mean = float(logs["loss"])  # Keras shows the mean of the epoch so far: this batch\'s own follows',
        "        loss = mean if batch == 0 else (batch + 1) * mean - batch * self.mean",
        "        self.mean = mean",
        "        self.rule.observe(loss)",
        "        self.rule.step()",
        "",
        "",
        "callbacks = [LearningRate()]",
    ]


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
