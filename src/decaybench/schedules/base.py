"""What every schedule is: a frozen dataclass that turns the time, and what has been observed, into a scale.

To add a kind, write one class and list it in the ``KINDS`` of its family: the search space, the conformance tests, the
bank and the torch adapter follow from its fields.
"""

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, MISSING, Field, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from decaybench.schedules.ranges import Range, convert
from decaybench.schedules.validation import check_field, plain

__all__ = ["Clock", "Fixed", "Observation", "Param", "Range", "Reactive", "Schedule", "convert", "number"]

# float | int | Tensor | Range, or a tuple of numbers for a list. Any to the type checker: a body computes
# with floats or tensors alike, and a Range never reaches it (`require_resolved`).
Param: TypeAlias = Any


@dataclass(frozen=True)
class Clock:
    """The time: ``step`` updates made (from 0) of ``total_steps``, with ``steps_per_epoch`` updates per epoch.

    Whole numbers: ints, or float64 tensors (exact up to 2**53) in the clocks that bodies receive.
    """

    step: Any
    steps_per_epoch: int
    total_steps: Any

    @property
    def epoch(self) -> Any:
        """The epoch that update ``step`` is in, from 0."""
        return self.step // self.steps_per_epoch

    @property
    def progress(self) -> Any:
        """The fraction of the run that is over, in [0, 1] until total_steps."""
        return self.step / self.total_steps

    def tensors(self, device: torch.device) -> "Clock":
        """The same time as float64 tensors, held at total_steps; filled on the device: no waiting."""
        step, total = (
            n.to(device, torch.float64)
            if isinstance(n, Tensor)
            else torch.full((), n, dtype=torch.float64, device=device)
            for n in (self.step, self.total_steps)
        )
        return Clock(torch.minimum(step, total), self.steps_per_epoch, total)


# What a rule may look at beside the loss. g is the gradient of the unregularised loss, u what the learning rate
# multiplies in an update (with SGD the velocity, weight decay included): u_t = -dw_t/d(eta). `gradients.products` says
# what they are where parameter groups have learning rates of their own.
PRODUCTS: Mapping[str, str] = MappingProxyType(
    {
        "grad_norm_sq": "|g_t|^2",
        "grad_dot_direction": "g_t . u_t",
        "grad_dot_previous": "g_t . u_(t-1), 0 at the first update",
    }
)


class Observation(NamedTuple):
    """What a reactive schedule observes: the unregularised loss (k,) of an update or epoch (``when``).

    ``products`` holds those of ``PRODUCTS`` that the rule names in ``observes``, each (k,).
    """

    loss: Tensor
    products: Mapping[str, Tensor] = MappingProxyType({})
    steps_per_epoch: int = 1

    def product(self, name: str) -> Tensor:
        """A product by name; ValueError if it was not measured."""
        if name not in self.products:
            raise ValueError(f"the rule observes {name}, which was not measured")
        return self.products[name]


def number(
    domain: str,
    default: Any = MISSING,
    *,
    search: Range | None = None,
    unit: str | None = None,
    range_unit: str | None = None,
    pad: float | None = None,
) -> Any:
    """A numeric field: its legal values, its default, and how it is searched.

    ``domain`` is an interval such as "(0, 1]" or "int [0, inf)". ``default`` is a number, or the Range that
    is searched; ``search`` gives a field with a plain default a Range as well. ``unit`` is the native unit
    (else the range's) and ``range_unit`` the one that a range written without a unit is in (else the range's,
    else the native one). ``pad`` makes it a field that may hold a list, padded with this value when lists of
    several lengths are stacked.
    """
    searched = default if isinstance(default, Range) else search
    native = unit or (searched.native if searched else "1")
    metadata = {
        "domain": domain,
        "search": searched,
        "native": native,
        "range_unit": range_unit or (searched.unit if searched else native),
        "pad": pad,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Schedule:
    """A rule for the learning rate: scale = learning rate / base learning rate.

    The contract of both families: ``init(k, base_lr) -> state``, ``observe(state, observation) -> state`` and
    ``scale(state, clock) -> (k,) float64``. States are NamedTuples of (k,) tensors. Every field that is a
    number may be a (k,) tensor (a list (k, m)), so k schedules of one kind are one object; bodies broadcast
    and use torch.where. Construction raises ValueError, naming class, field, rule and value, for anything
    outside a field's domain.
    """

    kind: ClassVar[str]
    family: ClassVar[Literal["fixed", "reactive"]]
    learning_rate: ClassVar[Range | None] = None  # the kind's own search range for the base learning rate
    loop_only: ClassVar[tuple[str, ...]] = ()  # options for one's own loop: a sweep leaves them at their defaults
    _options: ClassVar[dict[str, tuple[Any, ...]]] = {}
    # Where the middles of its ranges show little of a kind, what shows more: values of fields and of "learning_rate".
    example: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    _: KW_ONLY
    warmup: Param = number("[0, inf)", 0, unit="update", range_unit="run")  # updates, rounded to whole ones
    warmup_start: Param = number("int [0, 1]", 1)  # 1: (t + 1)/W, so that no update is a no-op; 0: t/W

    def __init_subclass__(cls) -> None:
        """A kind is named after its class: TimeBased is "time_based", unless the class says otherwise."""
        super().__init_subclass__()
        if "kind" not in cls.__dict__:
            cls.kind = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        hints = get_type_hints(cls).items()
        literals = {name: get_args(hint) for name, hint in hints if get_origin(hint) is Literal}
        cls._options = {**{name: (False, True) for name, hint in hints if hint is bool}, **literals}

    def __post_init__(self) -> None:
        for spec in fields(self):
            value = plain(getattr(self, spec.name), lists=spec.metadata.get("pad") is not None)
            if isinstance(value, Tensor):
                value = value.to(torch.float64)
            object.__setattr__(self, spec.name, value)
            check_field(type(self).__name__, spec, value, self._options.get(spec.name))

    @classmethod
    def _spec(cls, name: str) -> "Field[Any]":
        for spec in fields(cls):
            if spec.name == name:
                return spec
        raise ValueError(f"{cls.kind} has no parameter {name!r}: it has {', '.join(cls.parameters())}")

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """The names of all fields: the kind's own, then those of every kind."""
        shared = [spec.name for spec in fields(Schedule)]
        return (*(spec.name for spec in fields(cls) if spec.name not in shared), *shared)

    @classmethod
    def options(cls) -> dict[str, tuple[Any, ...]]:
        """The fields that are not numbers (annotated bool or Literal), with their legal values."""
        return dict(cls._options)

    @classmethod
    def native_unit(cls, name: str, options: Mapping[str, Any]) -> str:
        """The unit that field ``name`` is held in, given the kind's options."""
        spec = cls._spec(name)
        searched = spec.default if isinstance(spec.default, Range) else None
        return str(spec.metadata.get("native", searched.native if searched else "1"))

    @classmethod
    def range_unit(cls, name: str, options: Mapping[str, Any]) -> str:
        """The unit of a range for field ``name`` that is written without one."""
        spec = cls._spec(name)
        searched = spec.default if isinstance(spec.default, Range) else None
        unit = spec.metadata.get("range_unit", searched.unit if searched else "1")
        return str(unit)

    @classmethod
    def range_of(cls, name: str, *, epochs: int, options: Mapping[str, Any] | None = None) -> Range | None:
        """What is searched for field ``name`` by default in a run of ``epochs``; None: it is not."""
        spec = cls._spec(name)
        searched = spec.default if isinstance(spec.default, Range) else spec.metadata.get("search")
        return None if searched is None else replace(searched, native=cls.native_unit(name, options or {}))

    @property
    def resolved(self) -> bool:
        """Whether every field has a value: no Range is left."""
        return not any(isinstance(getattr(self, name), Range) for name in self.parameters())

    def require_resolved(self) -> None:
        """Raise ValueError if a field is still a Range."""
        for name in self.parameters():
            if isinstance(getattr(self, name), Range):
                raise ValueError(f"{type(self).__name__}.{name} has no value: it is a Range to search in")

    def init(self, k: int, base_lr: Tensor) -> Any:
        """The state of k runs, on the device of ``base_lr`` (k,), before anything is observed."""
        raise NotImplementedError

    def observe(self, state: Any, observation: Observation) -> Any:
        """The state once ``observation`` is known."""
        raise NotImplementedError

    def scale(self, state: Any, clock: Clock) -> Tensor:
        """Learning rate / base learning rate at ``clock``, float64 (k,)."""
        raise NotImplementedError

    def _ramp(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """(W, warmup's factor at ``step``): 1 from update W on."""
        length = torch.round(torch.as_tensor(self.warmup, dtype=torch.float64, device=step.device))
        rising = (step + self.warmup_start) / length.clamp(min=1.0)
        return length, torch.where(step < length, rising, 1.0)

    @property
    def _warms_up(self) -> bool:
        return isinstance(self.warmup, Tensor) or self.warmup > 0


class FixedState(NamedTuple):
    """A fixed schedule remembers nothing; the base learning rates say how many runs there are, and where."""

    base_lr: Tensor


@dataclass(frozen=True)
class Fixed(Schedule):
    """Time alone: a kind writes ``at(clock)``. Warmup of W updates goes before, then s(t - W) over T - W."""

    family = "fixed"

    def at(self, clock: Clock) -> Tensor:
        """The scale without warmup; ``clock`` holds float64 tensors, () or (k,)."""
        raise NotImplementedError

    def init(self, k: int, base_lr: Tensor) -> FixedState:
        self.require_resolved()
        return FixedState(base_lr.expand(k))

    def observe(self, state: FixedState, observation: Observation) -> FixedState:
        return state

    def scale(self, state: FixedState, clock: Clock) -> Tensor:
        now = clock.tensors(state.base_lr.device)
        if not self._warms_up:
            return self.at(now).expand(state.base_lr.shape)
        length, ramp = self._ramp(now.step)
        rest = (now.total_steps - length).clamp(min=1.0)
        step = torch.minimum((now.step - length).clamp(min=0.0), rest)
        return (ramp * self.at(Clock(step, now.steps_per_epoch, rest))).expand(state.base_lr.shape)


@dataclass(frozen=True)
class Reactive(Schedule):
    """Time and the training: a kind has ``init``, ``observe`` and ``at(state, clock)``. Warmup multiplies.

    ``observes`` names the products of gradients (``PRODUCTS``) that an update rule looks at beside the loss. They are
    computed for the runs of a stack only when one of its rules asks. ``own`` names the fields of the state that
    belong to a learning rate; the others hold what was seen, which a parameter group that is added to an optimizer
    later shares. ``domains`` says where fields of the state lie, such as counters: a saved state is held to it.
    """

    family = "reactive"
    observes: ClassVar[tuple[str, ...]] = ()
    own: ClassVar[tuple[str, ...]] = ("base_lr",)
    domains: ClassVar[Mapping[str, str]] = MappingProxyType({})

    @property
    def when(self) -> Literal["update", "epoch"]:
        """``update``: it observes update t's loss before its step and sets its rate; ``epoch``: at the epoch's end."""
        return "epoch" if getattr(self, "signal", "batch") in ("epoch", "held_out") else "update"

    @property
    def held_out(self) -> bool:
        """Whether the loss observed is that of the signal split instead of the training loss."""
        return getattr(self, "signal", "batch") == "held_out"

    def at(self, state: Any, clock: Clock) -> Tensor:
        """The scale without warmup, (k,); ``clock`` holds float64 tensors."""
        raise NotImplementedError

    def scale(self, state: Any, clock: Clock) -> Tensor:
        now = clock.tensors(state[0].device)
        scale = self.at(state, now)
        return self._ramp(now.step)[1] * scale if self._warms_up else scale
