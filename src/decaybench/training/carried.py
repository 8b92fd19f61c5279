"""All that travels with a lane."""

from collections.abc import Iterator, Mapping

from torch import Tensor


class Carried(Mapping[str, Tensor]):
    """All that L lanes remember between updates, by name: tensors (L, ...).

    These are the ``parameters`` (L, P), the ``buffers`` (L, S) in which layers keep statistics, the settings
    ``momentum`` and ``weight_decay`` (L, 1), and the memory of each link of the chain. A lane that is copied, kept or
    cleared takes all of it along, and so does a checkpoint: a new kind of memory needs no code of its own.

    An update changes the tensors in place and replaces none, so that a CUDA graph finds them where they were.
    """

    def __init__(self, *parts: Mapping[str, Tensor]) -> None:
        """Join ``parts``. Raises ValueError if two of them have a name in common."""
        self._tensors: dict[str, Tensor] = {}
        for part in parts:
            if twice := self._tensors.keys() & part.keys():
                raise ValueError(f"lanes cannot carry two tensors of the same name: {', '.join(sorted(twice))}")
            self._tensors |= part

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def take(self, rows: Tensor) -> "Carried":
        """The lanes in ``rows`` int64 (L',), in this order; a lane that occurs twice is copied."""
        return Carried({name: tensor[rows] for name, tensor in self.items()})

    def clear(self, dead: Tensor) -> None:
        """Zero the lanes marked in ``dead``, bool (L,), so that later updates do not compute with their NaNs."""
        for tensor in self.values():
            tensor.masked_fill_(dead.view(-1, *[1] * (tensor.ndim - 1)), 0.0)
