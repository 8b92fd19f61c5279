"""The rules that watch the loss, written out as Keras callbacks.

Keras gives a callback no moment between an update's loss and its step, so a rule of every update acts one update
later there than in decaybench; the code says so.
"""

from collections.abc import Sequence
from typing import Any

from decaybench.export.formula import PYTHON, ramp
from decaybench.export.setting import Setting, call, literal, wrapped
from decaybench.schedules import Reactive

LATE = (
    "# Keras shows a loss after its update only: each learning rate follows from the loss of the update before, one",
    "# update later than in decaybench, where it follows from the update's own. steps_per_execution must stay 1.",
)
THIS_BATCH = (
    'mean = float(logs["loss"])  # Keras shows the mean of the epoch so far: this batch\'s own follows',
    "loss = mean if batch == 0 else (batch + 1) * mean - batch * self.mean",
    "self.mean = mean",
)


def exp_loss(setting: Setting) -> list[str]:
    s: Any = setting.schedule
    exponent = f"{literal(s.gain)} * {_watched(s)}"
    cap = literal(float(s.max_scale))
    return _callback(
        setting,
        "scale = min(exp(gain * loss), max_scale)",
        ["self.scale, self.loss = 1.0, None"],
        [
            *_average(s),
            f"exponent = {exponent}",
            f"self.scale = math.exp(exponent) if exponent <= math.log({cap}) else {cap}",
        ],
    )


def exp_loss_relative(setting: Setting) -> list[str]:
    s: Any = setting.schedule
    seen = _watched(s)
    least = f"max({literal(s.floor)}, math.exp(min(0.0, exponent)))"
    return _callback(
        setting,
        "scale = exp(gain * (loss - first loss)), within [floor, 1]",
        ["self.scale, self.loss, self.first = 1.0, None, None"],
        [
            *_average(s),
            f"self.first = {seen} if self.first is None else self.first",
            f"exponent = {literal(s.gain)} * ({seen} - self.first)",
            f"self.scale = {least} if math.isfinite(exponent) else 1.0",
        ],
    )


def reduce_on_plateau(setting: Setting) -> list[str]:
    s: Any = setting.schedule
    mode = s.threshold_mode or {"torch": "rel", "keras": "abs"}[s.convention]
    if s.convention == "keras" and mode == "abs" and not setting.warmup:
        arguments = [
            f'monitor="{_monitored(s)}"',
            'mode="min"',
            f"factor={literal(s.factor)}",
            f"patience={s.patience}",
            f"min_delta={literal(s.threshold)}",
            f"cooldown={s.cooldown}",
            f"min_lr={literal(s.min_scale * setting.parameters.learning_rate)}",
        ]
        return [*wrapped("plateau = keras.callbacks.ReduceLROnPlateau", arguments), "callbacks = [plateau]"]
    target = f"self.best * {literal(1.0 - s.threshold)}" if mode == "rel" else f"self.best - {literal(s.threshold)}"
    better = [f"better = loss < {target}", "self.best = loss if better else self.best"]
    lower = f"max(self.scale * {literal(s.factor)}, {literal(float(s.min_scale))})"
    rest = f"self.bad, self.cooling = 0, {s.cooldown}"
    if s.convention == "torch":
        react = [
            *better,
            "self.bad = 0 if better or self.cooling > 0 else self.bad + 1",
            "self.cooling = max(0, self.cooling - 1)",
            f"if self.bad > {s.patience}:",
            f"    lower = {lower}",
            f"    if {_base(setting)} * (self.scale - lower) > 1e-8:  # torch leaves a smaller change alone",
            "        self.scale = lower",
            f"    {rest}",
        ]
    else:
        react = [
            *better,
            "self.bad = 0 if self.cooling > 0 else self.bad",
            "self.cooling = max(0, self.cooling - 1)",
            "self.bad = 0 if better or self.cooling > 0 else self.bad + 1",
            "cut = not better and self.cooling == 0",
            f"if cut and self.bad >= {s.patience} and self.scale > {literal(float(s.min_scale))}:",
            f"    self.scale = {lower}",
            f"    {rest}",
        ]
    state = ["self.scale, self.best, self.bad, self.cooling = 1.0, math.inf, 0, 0"]
    return _callback(setting, f"cut on a plateau, counted as {s.convention} counts", state, react)


def by_decaybench(setting: Setting) -> list[str]:
    """A kind of another package: decaybench computes it, on a stand-in for the optimizer."""
    rule = setting.schedule
    made = f"TorchScheduler(stand_in, {call(rule)}, {setting.total_steps}, {setting.steps_per_epoch})"
    updates = isinstance(rule, Reactive) and rule.when == "update"
    lines = [
        *_class(f"{setting.arm.kind}, as decaybench computes it", updates),
        "    def on_train_begin(self, logs=None):",
        f"        stand_in = torch.optim.SGD([torch.zeros(1)], lr={_base(setting)})",
        f"        self.rule = {made}",
        "",
        "    def on_train_batch_begin(self, batch, logs=None):",
        "        self.model.optimizer.learning_rate = self.rule.get_last_lr()[0]",
        "",
        "    def on_train_batch_end(self, batch, logs=None):",
        *(f"        {line}" for line in (*THIS_BATCH, "self.rule.observe(loss)") if updates),
        "        self.rule.step()",
    ]
    if isinstance(rule, Reactive) and not updates:
        lines += ["", "    def on_epoch_end(self, epoch, logs=None):"]
        lines.append(f'        self.rule.observe(float(logs["{_monitored(rule)}"]))')
    return [*lines, "", "", "callbacks = [LearningRate()]"]


def _callback(setting: Setting, words: str, state: Sequence[str], react: Sequence[str]) -> list[str]:
    rule = setting.schedule
    assert isinstance(rule, Reactive)
    updates = rule.when == "update"
    rate = f"self.model.optimizer.learning_rate = {_base(setting)} * "
    count = ["self.t = 0"] if setting.warmup else []
    lines = [
        *_class(f"{setting.arm.kind}: {words}", updates),
        "    def on_train_begin(self, logs=None):",
        *(f"        {line}" for line in (*state, *count)),
        "",
    ]
    if setting.warmup:
        lines += [
            "    def on_train_batch_begin(self, batch, logs=None):",
            f"        ramp = {ramp(setting, PYTHON, 'self.t')}  # {setting.warmup} updates of warmup",
            f"        {rate}ramp * self.scale",
            "        self.t += 1",
        ]
    else:
        at = "on_train_batch_begin(self, batch" if updates else "on_epoch_begin(self, epoch"
        lines += [f"    def {at}, logs=None):", f"        {rate}self.scale"]
    shown = THIS_BATCH if updates else (f'loss = float(logs["{_monitored(rule)}"])',)
    end = "on_train_batch_end(self, batch" if updates else "on_epoch_end(self, epoch"
    lines += ["", f"    def {end}, logs=None):", *(f"        {line}" for line in (*shown, *react))]
    return [*lines, "", "", "callbacks = [LearningRate()]"]


def _class(words: str, late: bool) -> list[str]:
    head = ["class LearningRate(keras.callbacks.Callback):", f'    """{words}."""', ""]
    return ["", "", *(LATE if late else ()), *head]


def _watched(s: Any) -> str:
    return "self.loss" if s.signal == "ema" else "loss"


def _average(s: Any) -> list[str]:
    if s.signal != "ema":
        return []
    past = literal(s.smoothing)
    return [f"self.loss = loss if self.loss is None else {past} * self.loss + (1 - {past}) * loss"]


def _monitored(rule: Any) -> str:
    """What Keras calls the loss that an epoch rule is shown."""
    return "val_loss" if rule.held_out else "loss"


def _base(setting: Setting) -> str:
    return literal(float(setting.parameters.learning_rate))
