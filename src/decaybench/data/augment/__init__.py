"""Augmentation: random changes of training images. Each kind is one class; all are listed in ``KINDS``."""

import re
from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor

from decaybench import seeds
from decaybench.data.augment.base import Augmentation
from decaybench.data.augment.crop import Crop
from decaybench.data.augment.cutout import Cutout
from decaybench.data.augment.flip import Flip

__all__ = ["KINDS", "Augmentation", "augmentation", "augmented", "draw_augmentation", "ordered"]

KINDS: Final[Sequence[type[Augmentation]]] = (Crop, Flip, Cutout)
"""In the order in which they are applied: those of normalised images are the last."""


def augmentation(text: str) -> Augmentation:
    """The augmentation that is written so in a sweep file, such as "crop4". Raises ValueError if there is none."""
    found = re.fullmatch(r"([a-z]+)([1-9][0-9]{0,8})?", text)
    kind, number = found.groups() if found else (None, None)
    for known in KINDS:
        if known.kind == kind and known.sized == (number is not None):
            return known(int(number or 0))
    raise ValueError(f"no augmentation is called {text!r}")


def ordered(augment: Sequence[Augmentation]) -> tuple[Augmentation, ...]:
    """The same in the order in which they are applied."""
    return tuple(sorted(augment, key=lambda each: KINDS.index(type(each))))


def draw_augmentation(
    augment: Sequence[Augmentation], seed: int, epoch: int, examples: int, size: tuple[int, int]
) -> Tensor:
    """What an epoch draws for each example, by its number: int16 (``examples``, draws), on the CPU.

    It is a pure function of its arguments, and a kind's draws do not depend on which others there are. ``size`` is the
    images' height and width.
    """
    drawn = []
    for each in augment:
        own = seeds.generator(seed, "augment", each.kind, epoch)
        drawn += [torch.randint(n, (examples,), generator=own, dtype=torch.int16) for n in each.bounds(*size)]
    return torch.stack(drawn, 1)


def augmented(
    augment: Sequence[Augmentation], images: Tensor, draws: Tensor, normalised: Callable[[Tensor], Tensor]
) -> Tensor:
    """``normalised`` images (B, K, C, H, W), changed by ``augment`` (in order) as the ``draws`` (B, K, draws) say.

    ``images`` are uint8. Every pixel of the result is one of the image's, normalised, or black, or 0. So its bits
    depend neither on the other images nor on K.
    """
    counts = [len(each.bounds(*images.shape[-2:])) for each in augment]
    own = list(zip(augment, torch.split(draws.long(), counts, -1), strict=True))
    for each, drawn in own:
        images = images if each.normalised else each.apply(images, drawn)
    images = normalised(images)
    for each, drawn in own:
        images = each.apply(images, drawn) if each.normalised else images
    return images
