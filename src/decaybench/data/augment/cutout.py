"""Images with a part cut out."""

import torch
from torch import Tensor

from decaybench.data.augment.base import Augmentation


class Cutout(Augmentation):
    """Set a square of side N to 0, the mean of normalised images. The square is clipped at the image's border.

    The draws are the row and the column of the square's centre, any pixel of the image. If N is even, the square
    reaches N/2 pixels up and left of its centre, and N/2 - 1 down and right.
    Source: DeVries & Taylor 2017, "Improved Regularization of Convolutional Neural Networks with Cutout".
    """

    kind, sized, normalised = "cutout", True, True

    def bounds(self, height: int, width: int) -> tuple[int, ...]:
        return height, width

    def largest(self, height: int, width: int) -> int:
        return min(height, width)

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        *_, height, width = images.shape
        side = torch.arange(self.pixels, device=images.device) - self.pixels // 2
        # The centre is in the image. So if rows of the square are outside, the border's row next to them is in it.
        row, column = torch.split(drawn, 1, 2)
        rows = (row + side).clamp(0, height - 1)
        columns = (column + side).clamp(0, width - 1)
        places = (rows.unsqueeze(3) * width + columns.unsqueeze(2)).flatten(2)
        pixels = images.flatten(3)
        zeroed = pixels.scatter_(3, places.unsqueeze(2).expand(-1, -1, pixels.shape[2], -1), 0.0)
        return zeroed.view(images.shape)

    def in_torch(self) -> str:
        return f'''\
def cutout(images):
    """Images (B, C, H, W), each with 0 in a square, which is clipped at the border."""
    n, _, height, width = images.shape
    top = torch.randint(height, (n, 1, 1, 1), device=images.device) - {self.pixels // 2}
    left = torch.randint(width, (n, 1, 1, 1), device=images.device) - {self.pixels // 2}
    rows = torch.arange(height, device=images.device)[:, None]
    columns = torch.arange(width, device=images.device)
    inside = (rows >= top) & (rows < top + {self.pixels}) & (columns >= left) & (columns < left + {self.pixels})
    return images.masked_fill(inside, 0.0)'''

    def in_numpy(self) -> str:
        return f'''\
def cutout(images):
    """Images (B, H, W, C), each with 0 in a square, which is clipped at the border."""
    n, height, width, _ = images.shape
    top = random.integers(height, size=(n, 1, 1, 1)) - {self.pixels // 2}
    left = random.integers(width, size=(n, 1, 1, 1)) - {self.pixels // 2}
    rows, columns = np.arange(height)[:, None, None], np.arange(width)[:, None]
    inside = (rows >= top) & (rows < top + {self.pixels}) & (columns >= left) & (columns < left + {self.pixels})
    return np.where(inside, 0.0, images)'''
