"""Random windows of padded images."""

import torch
import torch.nn.functional as F
from torch import Tensor

from decaybench.data.augment.base import Augmentation


class Crop(Augmentation):
    """Put a border of N black pixels around the image and cut out a window of the image's size.

    The draws are the window's top and left. Source: Lee et al. 2015, "Deeply-Supervised Nets" (there for CIFAR-10).
    """

    kind, sized, normalised = "crop", True, False

    def bounds(self, height: int, width: int) -> tuple[int, ...]:
        return 2 * self.pixels + 1, 2 * self.pixels + 1

    def largest(self, height: int, width: int) -> int:
        return min(height, width) - 1

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        batch, k, _, height, width = images.shape
        windows = F.pad(images, [self.pixels] * 4).unfold(3, height, 1).unfold(4, width, 1)
        top, left = drawn.unbind(2)
        rows = torch.arange(batch, device=images.device).unsqueeze(1)
        # Copying whole rows of windows is almost twice as fast as gathering single pixels.
        return windows[rows, torch.arange(k, device=images.device), :, top, left]

    def in_torch(self) -> str:
        return f'''\
def crop(images):
    """Random windows of images (B, C, H, W) in a border of zeros."""
    n, _, height, width = images.shape
    bordered = torch.nn.functional.pad(images, [{self.pixels}] * 4)
    windows = bordered.unfold(2, height, 1).unfold(3, width, 1)
    top, left = torch.randint({2 * self.pixels + 1}, (2, n), device=images.device)
    return windows[torch.arange(n, device=images.device), :, top, left]'''

    def in_numpy(self) -> str:
        border = f"({self.pixels}, {self.pixels})"
        return f'''\
def crop(images):
    """Random windows of images (B, H, W, C) in a border of zeros."""
    n, height, width, _ = images.shape
    bordered = np.pad(images, [(0, 0), {border}, {border}, (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(bordered, (height, width), axis=(1, 2))
    top, left = random.integers({2 * self.pixels + 1}, size=(2, n))
    return windows[np.arange(n), top, left].transpose(0, 2, 3, 1)'''
