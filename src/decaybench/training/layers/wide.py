"""A model's K-wide form: the layers that compute it for K runs at once."""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import NamedTuple

from torch import nn
from torch.nn.modules.module import _has_any_global_hook

from decaybench.training.layers.base import Buffer, Call, Layer, Layout, Parameter, Value, natural
from decaybench.training.layers.kinds import LAYERS
from decaybench.training.layers.layout import ToMaps, ToRows
from decaybench.training.layers.merge import Untraceable
from decaybench.training.layers.trace import Trace, trace

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Step(NamedTuple):
    """A layer, the places of its inputs among the activations so far, and those that no one needs after it.

    The images have place 0, and each step's output has the next place. After the last step, the logits are left.
    """

    layer: Layer
    inputs: tuple[int, ...]
    last: tuple[int, ...]


class Wide(NamedTuple):
    """The steps of a model in training and in evaluation, from images as maps to logits as rows."""

    steps: Mapping[bool, Sequence[Step]]

    @property
    def draws(self) -> bool:
        """Whether a layer draws random numbers in training."""
        return any(step.layer.draws for step in self.steps[True])

    @property
    def mixes(self) -> bool:
        """Whether an image's logits depend on the other images of its batch, at least in training."""
        return any(step.layer.mixes for steps in self.steps.values() for step in steps)

    @property
    def keeps(self) -> frozenset[Parameter]:
        """The parameters that are used in the dtype of the lanes."""
        return frozenset(own for steps in self.steps.values() for step in steps for own in step.layer.keeps)


def wide(template: nn.Module, shape: tuple[int, int, int]) -> Wide:
    """The K-wide form of a model for images of this shape, (C, H, W).

    Raises Untraceable, with the reason, if the model must be called itself: its calls cannot be listed, one of them is
    of no known kind, or calling a module does more than its class says.
    """
    if altered := [name for name, module in template.named_modules() if _altered(module)]:
        raise Untraceable(f"has hooks or replaced methods in {altered[0] or 'itself'}")
    steps = {training: _steps(trace(template, shape, training=training)) for training in (True, False)}
    if any(step.layer.draws for step in steps[False]):
        raise Untraceable("draws random numbers in evaluation")
    if any(step.layer.changes for step in steps[False]):
        raise Untraceable("changes its statistics in evaluation")
    return Wide(steps)


def _steps(traced: Trace) -> Sequence[Step]:
    reader = _Reader()
    for place, call in enumerate(traced.calls, 1):
        reader.read(call, place)
    output = reader.in_layout(traced.output, Layout.ROWS)
    last: dict[int, int] = {}
    for place, (_, inputs) in enumerate(reader.steps, 1):
        last.update(dict.fromkeys((*inputs, place), place))
    del last[output]  # what is left in the end
    ends = {place: [other for other, end in last.items() if end == place] for place in last.values()}
    return [Step(*step, tuple(ends.get(place, ()))) for place, step in enumerate(reader.steps, 1)]


class _Reader:
    """Makes steps of calls, with changes of layout between them."""

    def __init__(self) -> None:
        self.steps: list[tuple[Layer, tuple[int, ...]]] = []
        self._places: dict[int, dict[Layout, int]] = {0: {Layout.MAPS: 0}}  # of a model's values among the activations

    def read(self, call: Call, place: int) -> None:
        layer = _layer(call)
        values = [value.place for value in call.values]
        layout = layer.takes or self._shared(values) or natural(call.values[0].shape)
        if layout is Layout.MAPS and any(len(value.shape) != 3 for value in call.values):
            raise Untraceable(f"calls {call.function.__name__} with something other than maps")
        made = self._add(layer, tuple(self.in_layout(value, layout) for value in values))
        self._places[place] = {layer.gives or layout: made}

    def in_layout(self, value: int, layout: Layout) -> int:
        """The place of a value in this layout."""
        places = self._places[value]
        if layout not in places:
            (other,) = places.values()
            places[layout] = self._add(ToRows() if layout is Layout.ROWS else ToMaps(), (other,))
        return places[layout]

    def _shared(self, values: Sequence[int]) -> Layout | None:
        """A layout in which all values are there already."""
        return next((layout for layout in Layout if all(layout in self._places[value] for value in values)), None)

    def _add(self, layer: Layer, inputs: tuple[int, ...]) -> int:
        self.steps.append((layer, inputs))
        return len(self.steps)


def _layer(call: Call) -> Layer:
    kind = LAYERS.get(call.function) if call.values else None
    layer = kind.of(call, *call.args, **call.kwargs) if kind and _takes(kind, call) else None
    if layer is None:
        names = {Parameter: "a parameter", Buffer: "a buffer"}
        shown = [names.get(type(leaf), leaf) for leaf in call.leaves if not isinstance(leaf, Value | None)]
        given = ", ".join(map(str, shown))
        raise Untraceable(f"calls {call.function.__name__}({given}), for which there is no layer")
    return layer


def _takes(kind: type[Layer], call: Call) -> bool:
    """Whether the kind knows the arguments by their names: it does not if one is ``out``, for example."""
    try:
        signature(kind.of).bind(call, *call.args, **call.kwargs)
    except TypeError:
        return False
    return True


def _altered(module: nn.Module) -> bool:
    """Whether calling the module does more than its class's forward, through hooks or replaced methods."""
    everywhere = _has_any_global_hook()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    methods = any(callable(getattr(type(module), name, None)) for name in vars(module))
    return methods or any(vars(module)[name] for name in HOOKS) or bool(everywhere)
