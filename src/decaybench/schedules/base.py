"""The base classes of schedules: frozen dataclasses that turn the time and the observations so far into a scale.

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

# float | int | Tensor | Range, or a tuple of numbers for a list. The type checker sees Any because the same body
# computes with floats and with tensors, and a Range never reaches it (`require_resolved`).
Param: TypeAlias = Any


@dataclass(frozen=True)
class Clock:
    """The time in updates: ``step`` (made so far) of ``total_steps``, with ``steps_per_epoch`` updates per epoch.

    All are whole numbers: ints, or float64 tensors (exact up to 2**53) in the clocks that ``at`` receives.
    """

    step: Any
    steps_per_epoch: int
    total_steps: Any

    @property
    def epoch(self) -> Any:
        """The epoch of update ``step``, from 0."""
        return self.step // self.steps_per_epoch

    @property
    def progress(self) -> Any:
        """The elapsed fraction of the run, in [0, 1] until total_steps."""
        return self.step / self.total_steps

    def tensors(self, device: torch.device) -> "Clock":
        """The same time as float64 tensors, at most total_steps; created on ``device``, so nothing waits for it."""
        step, total = (
            n.to(device, torch.float64)
            if isinstance(n, Tensor)
            else torch.full((), n, dtype=torch.float64, device=device)
            for n in (self.step, self.total_steps)
        )
        return Clock(torch.minimum(step, total), self.steps_per_epoch, total)


# What a rule may observe besides the loss. g is the gradient of the unregularised loss; u is what the learning rate
# multiplies in an update (with SGD the velocity, weight decay included): u_t = -dw_t/d(eta). `gradients.products`
# defines them for parameter groups with learning rates of their own.
PRODUCTS: Mapping[str, str] = MappingProxyType(
    {
        "grad_norm_sq": "|g_t|^2",
        "grad_dot_direction": "g_t . u_t",
        "grad_dot_previous": "g_t . u_(t-1), 0 at the first update",
    }
)


class Observation(NamedTuple):
    """What a reactive schedule observes: the unregularised loss (k,) of an update or an epoch (see ``when``).

    ``products`` holds the entries of ``PRODUCTS`` that the rule lists in ``observes``, each (k,).
    """

    loss: Tensor
    products: Mapping[str, Tensor] = MappingProxyType({})
    steps_per_epoch: int = 1

    def product(self, name: str) -> Tensor:
        """Return the product ``name``, (k,). Raises ValueError if it was not measured."""
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
    """Declare a numeric field of a schedule: its legal values, its default, and how it is searched.

    ``domain`` is the interval of legal values, such as "(0, 1]" or "int [0, inf)". ``default`` is a number, or the
    Range that is searched; ``search`` gives a field with a number as default a Range, too. ``unit`` is the native unit
    (default: the range's native unit). ``range_unit`` is the unit of ranges that are written without one (default: the
    range's unit, or else the native one). ``pad`` allows lists; when lists of different lengths are stacked, they are
    padded with this value.
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

    Both families have the same three methods: ``init(k, base_lr) -> state``, ``observe(state, observation) -> state``
    and ``scale(state, clock) -> (k,) float64``. States are NamedTuples of (k,) tensors. A numeric field may be a (k,)
    tensor and a list a (k, m) tensor, so that one object can hold k schedules of one kind. Therefore all computations
    broadcast and use torch.where.

    Construction raises ValueError if a value is outside its field's domain, naming class, field, rule and value.
    """

    kind: ClassVar[str]
    family: ClassVar[Literal["fixed", "reactive"]]
    learning_rate: ClassVar[Range | None] = None  # the kind's own search range for the base learning rate
    loop_only: ClassVar[tuple[str, ...]] = ()  # options only for a user's own loop; a sweep uses their defaults
    _options: ClassVar[dict[str, tuple[Any, ...]]] = {}
    # Values of fields, and of "learning_rate", for the example curve if the middles of the ranges show too little.
    example: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    _: KW_ONLY
    warmup: Param = number("[0, inf)", 0, unit="update", range_unit="run")  # updates, rounded to whole ones
    warmup_start: Param = number("int [0, 1]", 1)  # 1: (t + 1)/W, so that no update is a no-op; 0: t/W

    def __init_subclass__(cls) -> None:
        """Name the kind after its class (TimeBased: "time_based") unless the class sets ``kind`` itself."""
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
        """The unit of the value of field ``name``, given the kind's options."""
        spec = cls._spec(name)
        searched = spec.default if isinstance(spec.default, Range) else None
        return str(spec.metadata.get("native", searched.native if searched else "1"))

    @classmethod
    def range_unit(cls, name: str, options: Mapping[str, Any]) -> str:
        """The unit of a range for field ``name`` that is written without a unit."""
        spec = cls._spec(name)
        searched = spec.default if isinstance(spec.default, Range) else None
        unit = spec.metadata.get("range_unit", searched.unit if searched else "1")
        return str(unit)

    @classmethod
    def range_of(cls, name: str, *, epochs: int, options: Mapping[str, Any] | None = None) -> Range | None:
        """The default search range of field ``name`` in a run of ``epochs``, or None if it is not searched."""
        spec = cls._spec(name)
        searched = spec.default if isinstance(spec.default, Range) else spec.metadata.get("search")
        return None if searched is None else replace(searched, native=cls.native_unit(name, options or {}))

    @property
    def resolved(self) -> bool:
        """Whether every field has a value, and none is a Range."""
        return not any(isinstance(getattr(self, name), Range) for name in self.parameters())

    def require_resolved(self) -> None:
        """Raise ValueError if a field is still a Range."""
        for name in self.parameters():
            if isinstance(getattr(self, name), Range):
                raise ValueError(f"{type(self).__name__}.{name} has no value: it is a Range to search in")

    def init(self, k: int, base_lr: Tensor) -> Any:
        """The state of k runs before the first observation, on the device of ``base_lr`` (k,)."""
        raise NotImplementedError

    def observe(self, state: Any, observation: Observation) -> Any:
        """The state after ``observation``."""
        raise NotImplementedError

    def scale(self, state: Any, clock: Clock) -> Tensor:
        """Learning rate / base learning rate at ``clock``, float64 (k,)."""
        raise NotImplementedError

    def _ramp(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """(W, the warmup's factor at ``step``), which is 1 from update W on."""
        length = torch.round(torch.as_tensor(self.warmup, dtype=torch.float64, device=step.device))
        rising = (step + self.warmup_start) / length.clamp(min=1.0)
        return length, torch.where(step < length, rising, 1.0)

    @property
    def _warms_up(self) -> bool:
        return isinstance(self.warmup, Tensor) or self.warmup > 0


class FixedState(NamedTuple):
    """A fixed schedule remembers nothing; ``base_lr`` (k,) only carries the number of runs and the device."""

    base_lr: Tensor


@dataclass(frozen=True)
class Fixed(Schedule):
    """Depends on time alone; a kind defines ``at(clock)``. After a warmup of W updates it runs over the other T - W."""

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
    """Depends on time and training; a kind defines ``init``, ``observe``, ``at(state, clock)``. Warmup multiplies it.

    ``observes`` names the products of gradients (``PRODUCTS``) that an update rule observes besides the loss. They are
    computed only if a rule in the stack observes them. ``own`` names the fields of the state that belong to one
    learning rate. All other fields hold what was observed, and a parameter group that is added to an optimizer later
    shares them. ``domains`` gives the legal values of fields of the state, such as counters; a state that is loaded is
    checked against them.
    """

    family = "reactive"
    observes: ClassVar[tuple[str, ...]] = ()
    own: ClassVar[tuple[str, ...]] = ("base_lr",)
    domains: ClassVar[Mapping[str, str]] = MappingProxyType({})

    @property
    def when(self) -> Literal["update", "epoch"]:
        """When it observes: "update": before each update, whose learning rate it sets; "epoch": at an epoch's end."""
        return "epoch" if getattr(self, "signal", "batch") in ("epoch", "held_out") else "update"

    @property
    def held_out(self) -> bool:
        """Whether it observes the loss on the signal split instead of the training loss."""
        return getattr(self, "signal", "batch") == "held_out"

    def at(self, state: Any, clock: Clock) -> Tensor:
        """The scale without warmup, (k,); ``clock`` holds float64 tensors."""
        raise NotImplementedError

    def scale(self, state: Any, clock: Clock) -> Tensor:
        now = clock.tensors(state[0].device)
        scale = self.at(state, now)
        return self._ramp(now.step)[1] * scale if self._warms_up else scale
