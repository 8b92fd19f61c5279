"""A training as it stands after one of its updates, as plain data and as bytes, and who keeps it."""

import io
import zlib
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self

import torch
from torch import Tensor

FORMAT = 1
_HEAD = b"decaybench checkpoint %d\n" % FORMAT
_SUM = 4  # bytes of the checksum that follows


class CheckpointError(ValueError):
    """A checkpoint is damaged, has another format, or belongs to another training. Training must begin anew."""


class Interrupted(Exception):  # noqa: N818  # as planned, not an error
    """Training has stopped early, since its keeper wanted to leave; the keeper has the checkpoint to resume from."""


@dataclass(frozen=True)
class Checkpoint:
    """All that a stack of K runs in L lanes holds after an update, in tensors on the CPU, numbers, lists and dicts.

    ``epochs`` have been finished, and reported to ``on_epoch``. In the next one, ``updates`` have been made, at least
    one and at most all of them, in ``seconds``. ``training`` identifies the recipe, the runs and how they are trained.
    ``seeds`` (L) are those of the lanes, and ``lane`` (K) is the lane of each run. ``state`` is what an update makes
    anew, and ``tensors`` what it changes in place, by name. ``generators`` are the states of the generators that layers
    draw from, by seed. ``record`` holds the finished epochs, and the test values of the runs that have ended.

    ``extra`` is the caller's, such as what its ``stop`` remembers: any such value.
    """

    training: str
    epochs: int
    updates: int
    seconds: float
    seeds: list[int]
    lane: list[int]
    state: list[Tensor]
    tensors: dict[str, Tensor]
    generators: dict[int, Tensor]
    record: dict[str, Any]
    extra: Any = None

    def to_bytes(self) -> bytes:
        """As bytes, which no class of decaybench is needed to read: a line, a checksum, and a file of torch.save."""
        file = io.BytesIO()
        torch.save({each.name: getattr(self, each.name) for each in fields(self)}, file)
        return _HEAD + zlib.crc32(file.getbuffer()).to_bytes(_SUM) + file.getbuffer()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The checkpoint that `to_bytes` made into these. Raises CheckpointError if they are anything else."""
        if not data.startswith(_HEAD):
            raise CheckpointError(f"not a checkpoint of format {FORMAT}")
        head, content = len(_HEAD), memoryview(data)[len(_HEAD) + _SUM :]
        # torch does not look at the checksums that it writes.
        if zlib.crc32(content).to_bytes(_SUM) != data[head : head + _SUM]:
            raise CheckpointError("the checkpoint is damaged")
        try:
            return cls(**torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
        except Exception as error:  # torch.load raises whatever it meets
            raise CheckpointError(f"not a checkpoint of format {FORMAT}: {error}") from error


class Keeper(Protocol):
    """Decides when checkpoints are made, and keeps them. Training calls it after every update, or chunk of updates."""

    def due(self) -> bool:
        """Whether to make a checkpoint now; called so often that it must cost next to nothing."""

    def leave(self) -> bool:
        """Whether to make a checkpoint now and stop; as cheap."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep the checkpoint, which does not change any more."""
