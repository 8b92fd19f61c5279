"""The calls that a model's forward makes for one batch of images.

A copy of the model is called with a few images, and every function of torch that it applies to them is written down.
Python code that depends on shapes runs as it always does; numbers are hidden from it. (On torch's ``meta`` device there
would be no numbers at all, but its first convolution imports torch's compiler, which takes seconds.)
"""

import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from inspect import signature
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from decaybench import seeds
from decaybench.errors import reason
from decaybench.training.layers.base import Buffer, Call, Parameter, Value, known
from decaybench.training.layers.merge import Seen, Untraceable, merged
from decaybench.training.layers.whole import duplicate
from decaybench.training.memory import memory

# What a model may learn of an activation without computing with it.
QUESTIONS: Final = {
    "__len__", "device", "dim", "dtype", "is_cuda", "is_floating_point", "is_meta", "layout", "ndim", "ndimension",
    "nelement", "numel", "shape", "size",
}  # fmt: skip


class Trace(NamedTuple):
    """The calls of a model's forward; call i makes the `Value` of place i + 1, and place 0 is that of the images."""

    calls: Sequence[Call]
    output: int


def trace(model: nn.Module, shape: tuple[int, int, int], *, training: bool, batches: Collection[int] = ()) -> Trace:
    """The calls of a model for images of this shape, (C, H, W), in training or in evaluation.

    Raises Untraceable if they depend on numbers, on the model's history or on chance, if they are not the same in
    ``batches`` of these sizes, or if the model computes with anything but its images and its parameters. The model
    is left as it was.
    """
    few, *others = (2, 3, *(batch for batch in batches if batch not in (2, 3)))
    first, output = _recorded(model, (few, *shape), training)
    for batch in others:
        calls, end = _recorded(model, (batch, *shape), training)
        if (len(calls), end) != (len(first), output):
            raise Untraceable(f"makes other calls for a batch of {batch} than for one of {few}")
        both = [merged(*pair, sizes=(few, batch)) for pair in zip(first, calls, strict=True)]
        if batch == others[0]:
            made = both
        elif made != both:
            raise Untraceable(f"makes other calls for a batch of {batch} than for one of {few}")
    return Trace(made, output)


def _recorded(model: nn.Module, shape: tuple[int, ...], training: bool) -> tuple[list[Seen], int]:
    for _ in range(seeds.TRIES):
        with suppress(_Draws):
            return _recorded_once(model, shape, training)
    raise Untraceable("draws random numbers in a way of its own")


def _recorded_once(model: nn.Module, shape: tuple[int, ...], training: bool) -> tuple[list[Seen], int]:
    dtype = next(model.parameters()).dtype
    with _explained():
        double = duplicate(model, dtype).train(training)
    if any(mine is theirs for mine, theirs in zip(double.parameters(), model.parameters(), strict=False)):
        raise Untraceable("cannot be copied")
    own: dict[int, Parameter | Buffer] = {id(p): Parameter(i) for i, p in enumerate(double.parameters())}
    own |= {id(buffer): Buffer(i) for i, buffer in enumerate(float_buffers(double))}
    recorder, before = _Recorder(own, training), _remembered(double)
    images = recorder.begin(torch.rand(shape, dtype=dtype, generator=torch.Generator().manual_seed(0)))
    # Another seed for each number of images shows what follows the seed.
    with seeds.seeded(shape[0]), torch.set_grad_enabled(training):
        drawn = seeds.states()
        with _explained(), recorder:
            out = double(images)
        chance = seeds.states() != drawn
    if chance:
        raise _Draws
    if _changed(before, _remembered(double), _owned(double, recorder.calls)):
        raise Untraceable("keeps in its attributes what it computes")
    if not isinstance(out, _Traced) or out.dim() != 2:
        raise Untraceable("does not give one tensor of logits")
    if training and _has_own_backward(out):
        raise Untraceable("has a backward pass of its own")
    return recorder.calls, out.place


class _Draws(Exception):  # noqa: N818  # as Untraceable
    """A global generator was drawn from during a call, by the model or by another thread of this process."""


@contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever the user's module raises into the reason why it is called itself."""
    try:
        yield
    except Untraceable:
        raise
    except (Exception, SystemExit) as error:
        raise Untraceable(f"cannot be called with a few images: {reason(error)}") from error


def float_buffers(model: nn.Module) -> list[Tensor]:
    """The buffers of a model that layers may keep statistics in."""
    return [buffer for buffer in model.buffers() if buffer.is_floating_point()]


def _changed(before: Mapping[str, Any], after: Mapping[str, Any], owned: Collection[str]) -> bool:
    """Whether a model remembers anything anew, but for the buffers that layers own."""
    return any(before.get(what) != after.get(what) for what in {*before, *after} if what not in owned)


def _remembered(model: nn.Module) -> dict[str, Any]:
    """What a model remembers, by name."""
    names: dict[str, Any] = {f"the names in {path}": sorted(vars(part)) for path, part in model.named_modules()}
    return names | memory(model)


def _owned(model: nn.Module, calls: Sequence[Seen]) -> set[str]:
    """The buffers that functions were given, and the number of batches that torch's normalisations count."""
    given = {leaf.place for call in calls for leaf in tree_leaves(call[1:3], is_leaf=known) if isinstance(leaf, Buffer)}
    places = {id(buffer): place for place, buffer in enumerate(float_buffers(model))}
    buffers = model.named_buffers(remove_duplicate=False)
    names = {name for name, buffer in buffers if places.get(id(buffer)) in given}
    counts = {f"{path}.num_batches_tracked" for path, part in model.named_modules() if _only_counts(part)}
    return {f"buffer {name.removeprefix('.')}" for name in names | counts}


def _only_counts(part: nn.Module) -> bool:
    """Whether a normalisation counts its batches, but nothing depends on the count."""
    torchs = isinstance(part, _NormBase) and type(part).forward in (_BatchNorm.forward, _InstanceNorm.forward)
    return torchs and part.momentum is not None


def _has_own_backward(out: Tensor) -> bool:
    """Whether a torch.autograd.Function that is not torch's own made ``out``."""
    seen, waiting = set[Any](), [out.grad_fn]
    while waiting:
        node = waiting.pop()
        if isinstance(node, BackwardCFunction):
            return True
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [after for after, _ in node.next_functions]
    return False


class _Traced(Tensor):
    """A tensor whose calls are recorded."""

    place: int

    # What the subclass itself does is nothing: the mode sees each call.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # as in torch.nn.Parameter


class _Recorder(TorchFunctionMode):
    """Writes down the calls of one forward pass, made while it is active."""

    def __init__(self, own: Mapping[int, Parameter | Buffer], training: bool) -> None:
        """``own`` maps the ids of the model's tensors to what they are."""
        super().__init__()
        self._own, self._training = own, training
        self.calls: list[Seen] = []
        self._made: list[weakref.ref[_Traced]] = []  # weak, so that an evaluation frees what the model no longer needs
        self._overwritten: set[int] = set()  # places of values that exist no more

    def begin(self, images: Tensor) -> Tensor:
        return self._as_traced(images, 0)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not args and "input" in kwargs:
            args, kwargs = (kwargs["input"],), {name: value for name, value in kwargs.items() if name != "input"}
        name = func.__self__.__name__ if func.__name__ == "__get__" else func.__name__
        leaves = tree_leaves((args, kwargs))
        traced = [leaf for leaf in leaves if isinstance(leaf, _Traced)]
        if name in QUESTIONS or not (traced or any(id(leaf) in self._own for leaf in leaves)):
            return func(*args, **kwargs)
        self._require(name, traced)
        return self._called(func, name, args, kwargs, traced)

    def _called(self, function: Any, name: str, args: Any, kwargs: Any, traced: Sequence[_Traced]) -> Tensor:
        """Make a call, write it down, and return its result."""
        described: tuple[Any, Any] = tree_map(self._described, (args, kwargs))
        versions = [tensor._version for tensor in traced]
        generator = torch.get_rng_state()
        out = function(*args, **kwargs)
        torch.set_rng_state(generator)  # what dropout has drawn does not count
        written = [tensor for tensor, before in zip(traced, versions, strict=True) if tensor._version != before]
        if not isinstance(out, Tensor):
            raise Untraceable(f"calls {name}, which does not give one tensor")
        if any(tensor is not out for tensor in written):
            raise Untraceable(f"calls {name}, which writes into an activation")
        if written:
            others = [other for made in self._made if (other := made()) is not None and other is not out]
            self._overwritten |= {other.place for other in others if _shared(other, out)}
            function, described = _not_in_place(function, *described)
        self.calls.append(Seen(function, *described, tuple(out.shape)))
        return self._as_traced(out, len(self.calls))

    def _require(self, name: str, traced: Sequence[_Traced]) -> None:
        if not traced:
            raise Untraceable("computes with its parameters outside of layers")
        if torch.is_grad_enabled() != self._training:
            raise Untraceable("turns gradients on or off")
        if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
            raise Untraceable("uses autocast")
        if any(tensor.place in self._overwritten for tensor in traced):
            raise Untraceable(f"gives {name} an activation that it has written into through another view")

    def _described(self, argument: Any) -> Any:
        if isinstance(argument, _Traced):
            return Value(argument.place, tuple(argument.shape))
        if isinstance(argument, Tensor):
            if id(argument) not in self._own:
                raise Untraceable("computes with a tensor that is neither a parameter nor an activation")
            return self._own[id(argument)]
        return argument

    def _as_traced(self, tensor: Tensor, place: int) -> _Traced:
        """The tensor as the value of this place: a tensor that is written into changes its place."""
        traced = tensor if isinstance(tensor, _Traced) else tensor.as_subclass(_Traced)
        if traced is not tensor:
            self._made.append(weakref.ref(traced))
        traced.place = place
        return traced


def _shared(a: Tensor, b: Tensor) -> bool:
    return bool(a.untyped_storage()._cdata == b.untyped_storage()._cdata)


def _not_in_place(function: Any, args: Any, kwargs: Any) -> tuple[Any, tuple[Any, Any]]:
    """The call that gives the same result in a new tensor."""
    name = function.__name__
    if name.endswith("_") and not name.endswith("__") and hasattr(Tensor, name[:-1]):
        return getattr(Tensor, name[:-1]), (args, kwargs)
    with suppress(TypeError, ValueError):
        bound = signature(function).bind(*args, **kwargs)
        if bound.arguments.pop("inplace", False):
            return function, (bound.args, bound.kwargs)
    raise Untraceable(f"calls {name}, which writes into an activation")
