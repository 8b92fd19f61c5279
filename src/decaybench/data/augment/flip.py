"""Mirror images."""

from torch import Tensor

from decaybench.data.augment.base import Augmentation


class Flip(Augmentation):
    """Exchange left and right with probability 1/2. The draw is whether to (1) or not (0)."""

    kind, sized, normalised = "flip", False, False

    def bounds(self, height: int, width: int) -> tuple[int, ...]:
        return (2,)

    def largest(self, height: int, width: int) -> int:
        return 0

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        chosen = drawn[:, :, :, None, None].to(images.dtype)
        # image + chosen * (mirrored - image), modulo 256: exact, and more than twice as fast as torch.where.
        return images.flip(4).sub_(images).mul_(chosen).add_(images)

    def in_torch(self) -> str:
        return '''\
def flip(images):
    """Images (B, C, H, W), each mirrored with probability 1/2."""
    mirrored = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(mirrored, images.flip(3), images)'''

    def in_numpy(self) -> str:
        return '''\
def flip(images):
    """Images (B, H, W, C), each mirrored with probability 1/2."""
    mirrored = random.random((len(images), 1, 1, 1)) < 0.5
    return np.where(mirrored, images[:, :, ::-1], images)'''
