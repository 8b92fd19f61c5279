"""Digests of a module's state other than its parameters, to detect what a forward pass changes."""

import contextlib
import hashlib
import pickle
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

TORCHS = frozenset(vars(nn.Module()))  # the attributes that every module has


def memory(module: nn.Module) -> dict[str, bytes]:
    """Map the name of each buffer and attribute of a module, its submodules and their classes to a digest.

    Values that cannot be pickled (a lock, a lambda) are left out; a change in these shows only in the module's outputs.
    """
    held = {}
    for what, value in _named(module):
        with contextlib.suppress(Exception):
            held[what] = _digest(value)
    return held


def _named(module: nn.Module) -> Iterator[tuple[str, Any]]:
    for path, part in module.named_modules():
        within = f"{path}." if path else ""
        for kind, values in (
            ("buffer", part._buffers),
            ("attribute", {name: value for name, value in vars(part).items() if name not in TORCHS}),
        ):
            yield from ((f"{kind} {within}{name}", value) for name, value in values.items())
        for owner in type(part).__mro__:
            if not owner.__module__.startswith(("torch.", "builtins")):
                yield from ((f"class attribute {owner.__name__}.{name}", value) for name, value in vars(owner).items())


class _Pickler(pickle.Pickler):
    """Pickles tensors by their values, ignoring any autograd graph, and functions by their code."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor):
            numbers = obj.detach().resolve_conj().resolve_neg().cpu().contiguous().reshape(-1).view(torch.uint8)
            return _Content, (str(obj.dtype), tuple(obj.shape), hashlib.sha256(numbers.numpy().data).digest())
        if isinstance(obj, torch.Generator):
            return _Content, (obj.get_state().numpy().tobytes(),)
        if isinstance(obj, FunctionType):
            return _Content, (id(obj.__code__),)
        return NotImplemented


class _Content:
    """Stands in for a value in the pickle, which is never read back."""

    def __init__(self, *content: Any) -> None:
        self.content = content


class _Hash:
    """A file that only keeps a digest of what is written, so that large values are not copied in memory."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()

    def write(self, content: Any) -> None:
        self._sha256.update(content)

    def digest(self) -> bytes:
        return self._sha256.digest()


def _digest(value: Any) -> bytes:
    written = _Hash()
    _Pickler(written).dump(value)
    return written.digest()
