"""The images for which a model is built."""

from decaybench.errors import UserError

Shape = tuple[int, int, int]
"""(C, H, W)."""


def require(name: str, shape: Shape, least: int) -> None:
    """Raise UserError if images are smaller than ``least`` x ``least`` pixels."""
    _, height, width = shape
    if min(height, width) < least:
        raise UserError(f"task.model {name!r} needs images of at least {least}x{least} pixels, got {width}x{height}")
