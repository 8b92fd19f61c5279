"""What every kind of augmentation is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor


@dataclass(frozen=True)
class Augmentation(ABC):
    """A random change of training images. What it draws for an image are whole numbers, each of them uniform.

    ``pixels`` is the N of a kind that is written with a number, such as "crop4", and 0 for the others.
    """

    pixels: int = 0

    kind: ClassVar[str]
    sized: ClassVar[bool]  # whether the kind is written with a number
    normalised: ClassVar[bool]  # whether it changes normalised images, rather than their uint8 pixels

    @abstractmethod
    def bounds(self, height: int, width: int) -> tuple[int, ...]:
        """What it draws for an image of that size: each number is at least 0 and below its bound."""

    @abstractmethod
    def largest(self, height: int, width: int) -> int:
        """The largest ``pixels`` for images of that size."""

    @abstractmethod
    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """The changed ``images`` (B, K, C, H, W), which it may overwrite, given its draws int64 (B, K, len(bounds))."""

    @abstractmethod
    def in_torch(self) -> str:
        """A function named like the kind, which does the same to images (B, C, H, W), with draws of its own."""

    @abstractmethod
    def in_numpy(self) -> str:
        """The same with NumPy for images (B, H, W, C), drawing from a generator called ``random``."""

    def __str__(self) -> str:
        """As in a sweep file."""
        return f"{self.kind}{self.pixels}" if self.sized else self.kind
