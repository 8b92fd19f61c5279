"""One call of a model for any number of images, from what was seen with two numbers of them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from decaybench.training.layers.base import BATCH, Buffer, Call, Parameter, Value


class Untraceable(Exception):  # noqa: N818  # a verdict, not an error
    """Why a model's calls cannot be listed; the message completes a sentence that begins with the model's name."""


class Seen(NamedTuple):
    """A call as it was made, with tensors as `Value` (whose shape includes the images), `Parameter` or `Buffer`."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    shape: tuple[int, ...]


def merged(a: Seen, b: Seen, sizes: tuple[int, int]) -> Call:
    """One call for any number of images from the calls for two."""
    if a.function != b.function:
        raise Untraceable(f"makes other calls for a batch of {sizes[1]} than for one of {sizes[0]}")
    args, kwargs = _same((a.args, dict(a.kwargs)), (b.args, dict(b.kwargs)), sizes)
    return Call(a.function, args, kwargs, _one_image(a.shape, b.shape, sizes))


def _same(a: Any, b: Any, sizes: tuple[int, int]) -> Any:
    """An argument that is ``a`` for one number of images and ``b`` for the other."""
    same = type(a) is type(b)
    match a:
        case Value() if same and a.place == b.place:
            return Value(a.place, _one_image(a.shape, b.shape, sizes))
        case Value() | Parameter() | Buffer():
            same = same and a == b
        case tuple() | list() if same and len(a) == len(b):
            made = [_same(*pair, sizes) for pair in zip(a, b, strict=True)]
            return made if isinstance(a, list) else tuple(made)
        case dict() if same and a.keys() == b.keys():
            return {name: _same(value, b[name], sizes) for name, value in a.items()}
        case slice() if same:
            return slice(*(_same(*pair, sizes) for pair in zip(_ends(a), _ends(b), strict=True)))
        case int() if (a, b) == sizes:
            return BATCH
        case _:
            same = same and bool(a == b)
    if not same:
        raise Untraceable("computes with the number of images")
    return a


def _ends(part: slice) -> tuple[Any, Any, Any]:
    return part.start, part.stop, part.step


def _one_image(a: tuple[int, ...], b: tuple[int, ...], sizes: tuple[int, int]) -> tuple[int, ...]:
    if a[:1] + b[:1] != sizes or a[1:] != b[1:]:
        raise Untraceable("computes one thing from several images")
    return a[1:]
