"""Keras 3: the optimizer and its learning rate; rules that observe the loss become callbacks (`keras_rules`).

Keras computes schedules in float32, so its learning rates agree with decaybench's to six or seven figures.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from decaybench.errors import UserError
from decaybench.export import augmentation
from decaybench.export import keras_rules as rules
from decaybench.export.formula import FORMULAS, KERAS, body, first_cycle, milestones
from decaybench.export.setting import Setting, literal, whole, wrapped
from decaybench.optimizers import OPTIMIZERS, KerasCode
from decaybench.optimizers.code import Decay, Subclass
from decaybench.schedules import Reactive


@dataclass(frozen=True)
class Rate:
    """The optimizer's ``learning_rate`` argument, the lines before it, and the lines after it, with ``callbacks``."""

    rate: str
    before: Sequence[str] = ()
    after: Sequence[str] = ()


def write(setting: Setting) -> str:
    """Code that makes ``optimizer`` and, for a rule that observes the loss, ``callbacks``.

    Raises UserError if Keras lacks the optimizer or the average, or cannot follow the rule.
    """
    _require_able(setting)
    rate = _rate(setting)
    optimizer = _optimizer(setting, _code(setting), rate.rate)
    functions = augmentation.functions([each.in_numpy() for each in setting.augment])
    generator = ["random = np.random.default_rng()"] if functions else []
    lines = [*rate.before, *optimizer, *rate.after, *_loss(setting), *generator, *functions]
    used = "\n".join(lines)
    imports = ["import math", ""] if "math." in used else []
    imports.append("import keras")
    imports += ["import numpy as np"] if "np." in used else []
    imports += ["from keras import ops"] if "ops." in used else []
    if "KerasCallback(" in used:
        imports.append("from decaybench.schedules import SCHEDULES, KerasCallback")
    return "\n".join([*setting.head(), *imports, "", *lines, "", *_fit(setting, bool(rate.after))]) + "\n"


def _require_able(setting: Setting) -> None:
    """UserError for an average that Keras lacks, or a rule that would observe another loss there."""
    label, average, rule = setting.arm.label, setting.arm.average, setting.schedule
    if average is not None and average.last is not None:
        raise UserError(f"--format: Keras cannot average the last epochs' weights, which {label} needs; use torch")
    if setting.sweep.task.label_smoothing is not None and isinstance(rule, Reactive):
        raise UserError(
            f"--format: Keras callbacks see the loss with label smoothing, {label} needs the one without; use torch"
        )


def _rate(setting: Setting) -> Rate:
    """Keras' own schedule if it has the same learning rates (it has no such warmup), else the general form."""
    exact = None if setting.warmup else RATES.get(setting.arm.kind)
    return exact(setting) if exact else _general(setting)


def _general(setting: Setting) -> Rate:
    """The kind's formula; a kind without one, such as one of another package, uses decaybench's class."""
    return (_by_formula if setting.arm.kind in FORMULAS else _by_decaybench)(setting)


def _fit(setting: Setting, calls: bool) -> list[str]:
    arguments = ["batches", f"epochs={setting.epochs}"]
    swaps = "keras.callbacks.SwapEMAWeights()"  # evaluates the average in each epoch's validation
    if setting.arm.average is not None:
        arguments.append(f"callbacks=[{'*callbacks, ' if calls else ''}{swaps}]")
    elif calls:
        arguments.append("callbacks=callbacks")
    held_out = getattr(setting.schedule, "held_out", False)
    smooth = bool(_loss(setting))
    lines = [
        f"# model.compile(optimizer=optimizer, loss={'loss' if smooth else '...'}, metrics=[...])",
        f"# model.fit({', '.join([*arguments, *(['validation_data=held_out'] if held_out else [])])})",
        f"# `batches` holds {setting.steps_per_epoch} per epoch. Drop a partial last batch: Keras would train on it.",
    ]
    if smooth:
        lines.append("# The labels in `batches` are one-hot, and the model's outputs are logits.")
    if augment := setting.augment:
        takes = "pixels, in which 0 is black" if augmentation.needs_pixels(augment) else "normalised images"
        lines.append(f"# Its images are `{augmentation.call(augment)}`, computed anew in each epoch,")
        lines.append(f"# where `images` are {takes}.")
    if held_out:
        lines.append("# The rule observes `held_out`: examples that are used neither for training nor for selection.")
    return lines


def _loss(setting: Setting) -> list[str]:
    """The line that makes the ``loss``, if it is known."""
    smoothing = setting.sweep.task.label_smoothing
    if smoothing is None:
        return []
    arguments = ["from_logits=True", f"label_smoothing={literal(smoothing)}"]
    return wrapped("loss = keras.losses.CategoricalCrossentropy", arguments)


def _code(setting: Setting) -> KerasCode:
    """The optimizer in Keras; UserError if Keras does not have it."""
    optimizer = OPTIMIZERS.get(setting.arm.optimizer)
    code = optimizer.in_keras(setting.use) if optimizer else None
    if code is None:
        raise UserError(
            f"--format: Keras has no {setting.arm.optimizer}, the optimizer of {setting.arm.label}; use torch"
        )
    return code


def _optimizer(setting: Setting, code: KerasCode, rate: str) -> list[str]:
    arguments, lines, name = [f"learning_rate={rate}", *code.arguments], list[str](), code.name
    note, after, task = list(code.note), list[str](), setting.sweep.task
    if code.decay is None:
        arguments.append(f"weight_decay={literal(setting.parameters.weight_decay)}")
        if setting.decays_weights_only:
            after = ['optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])  # biases and norms']
    elif code.other or setting.parameters.weight_decay:
        name, lines = _subclass(setting, code, code.decay)
    if task.clip_norm is not None:
        arguments.append(f"global_clipnorm={literal(task.clip_norm)}")
        note.append("# Keras divides by the gradient's norm when it clips, decaybench (as torch) by the norm + 1e-6.")
    if (average := setting.arm.average) is not None:
        arguments += ["use_ema=True", f"ema_momentum={literal(average.ema)}"]
        note.append("# Keras' average starts at the weights after the first update, decaybench's at the initial ones.")
    return [*lines, *note, *wrapped(f"optimizer = {name}", arguments), *after]


def _subclass(setting: Setting, code: KerasCode, decay: Decay) -> tuple[str, list[str]]:
    """The name and lines of a subclass with weight decay, and with the update step that Keras' optimizer lacks."""
    decaying = f"Decaying{code.name.rpartition('.')[2]}"
    step = ["super().update_step(gradient, variable, learning_rate)"]
    made = code.other or Subclass(decaying, decay.words, step)
    doc = made.doc + ("\n" if "\n" in made.doc else "")
    lines = [
        *f'"""{doc}"""'.splitlines(),
        "",
        "def update_step(self, gradient, variable, learning_rate):",
        "    gradient = ops.cast(gradient, variable.dtype)",
    ]
    if setting.parameters.weight_decay:
        add = decay.line.format(decay=literal(setting.parameters.weight_decay))
        if setting.decays_weights_only:
            lines += ["    if len(variable.shape) > 1:  # not for biases", f"        {add}"]
        else:
            lines.append(f"    {add}")
    lines += [f"    {line}" for line in made.step]
    return made.name, ["", f"class {made.name}({code.name}):", *(line and f"    {line}" for line in lines), "", ""]


def _base(setting: Setting) -> str:
    return literal(float(setting.parameters.learning_rate))


def _schedule(name: str, *arguments: str) -> Rate:
    return Rate("learning_rate", wrapped(f"learning_rate = keras.optimizers.schedules.{name}", arguments))


def _by_formula(setting: Setting) -> Rate:
    lines = [
        "",
        "class LearningRate(keras.optimizers.schedules.LearningRateSchedule):",
        f'    """{setting.arm.kind}: the learning rate at each update, counted from 0."""',
        "",
        "    def __call__(self, step):",
        f"        return {_base(setting)} * self.scale(step)",
        "",
        "    def scale(self, step):",
        *(f"        {line}" for line in body(setting, KERAS, 'ops.cast(step, "float32")')),
        "",
        "    def get_config(self):",
        "        return {}",
        "",
        "",
    ]
    return Rate("LearningRate()", lines)


def _by_decaybench(setting: Setting) -> Rate:
    return Rate(_base(setting), after=rules.by_decaybench(setting))


def _constant(setting: Setting) -> Rate:
    return Rate(_base(setting))


def _time_based(setting: Setting) -> Rate:
    s: Any = setting.schedule
    steps = ["decay_steps=1"] if s.per == "update" else [f"decay_steps={setting.steps_per_epoch}", "staircase=True"]
    return _schedule("InverseTimeDecay", _base(setting), f"decay_rate={literal(s.decay)}", *steps)


def _inverse_time(setting: Setting) -> Rate:
    return _schedule("InverseTimeDecay", _base(setting), *_stairs(setting.schedule))


def _exponential(setting: Setting) -> Rate:
    return _schedule("ExponentialDecay", _base(setting), *_stairs(setting.schedule))


def _stairs(s: Any) -> list[str]:
    given = [f"decay_rate={literal(s.decay_rate)}", f"decay_steps={literal(s.decay_steps)}"]
    return [*given, "staircase=True"] if s.staircase else given


def _step_decay(setting: Setting) -> Rate:
    s: Any = setting.schedule
    if s.offset or not whole(s.epochs_drop):
        return _general(setting)
    steps = int(s.epochs_drop) * setting.steps_per_epoch
    drop = f"decay_rate={literal(s.drop)}"
    return _schedule("ExponentialDecay", _base(setting), drop, f"decay_steps={steps}", "staircase=True")


def _multi_step(setting: Setting) -> Rate:
    """In Keras, the value changes only after a boundary, so that is the last update before the milestone."""
    rate = float(setting.parameters.learning_rate)
    values, boundaries = [rate], []
    for time, gamma in milestones(setting.schedule):
        boundaries.append(math.ceil(time) * setting.steps_per_epoch - 1)
        values.append(values[-1] * gamma)
    return _schedule("PiecewiseConstantDecay", f"boundaries={boundaries}", f"values={values}")


def _polynomial(setting: Setting) -> Rate:
    s: Any = setting.schedule
    end = f"end_learning_rate={literal(s.end * setting.parameters.learning_rate)}"
    power = f"power={literal(float(getattr(s, 'power', 1.0)))}"  # linear is a polynomial of power 1
    return _schedule("PolynomialDecay", _base(setting), f"decay_steps={setting.total_steps}", end, power)


def _cosine(setting: Setting) -> Rate:
    s: Any = setting.schedule
    return _schedule("CosineDecay", _base(setting), f"decay_steps={setting.total_steps}", f"alpha={literal(s.floor)}")


def _cosine_restarts(setting: Setting) -> Rate:
    """Keras finds the cycle by a quotient of float32 logarithms: exact for ``mult`` 1 and 2 (7 fails on JAX)."""
    s: Any = setting.schedule
    first = first_cycle(s, setting.total_steps)
    if s.mult not in (1, 2) or not whole(first):
        return _general(setting)
    growth = [f"t_mul={literal(float(s.mult))}", f"m_mul={literal(float(s.decay))}", f"alpha={literal(float(s.floor))}"]
    return _schedule("CosineDecayRestarts", _base(setting), f"first_decay_steps={int(first)}", *growth)


def _reduce_on_plateau(setting: Setting) -> Rate:
    return Rate(_base(setting), after=rules.reduce_on_plateau(setting))


# The kinds that Keras has a schedule or callback for; a function falls back if the learning rates would differ.
RATES: Final[Mapping[str, Callable[[Setting], Rate]]] = MappingProxyType(
    {
        "constant": _constant,
        "time_based": _time_based,
        "inverse_time": _inverse_time,
        "step_decay": _step_decay,
        "multi_step": _multi_step,
        "exponential": _exponential,
        "polynomial": _polynomial,
        "linear": _polynomial,
        "cosine": _cosine,
        "cosine_restarts": _cosine_restarts,
        "reduce_on_plateau": _reduce_on_plateau,
    }
)
