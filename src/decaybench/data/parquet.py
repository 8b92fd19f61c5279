"""Parquet files in the hub's image schema, decoded to uint8 arrays; whatever is wrong is told in one line."""

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from decaybench.data.schema import choose_columns
from decaybench.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr")
SIXTEEN_BITS = re.compile(r"(?<!BGR);16")  # a channel; BGR;16 is 5 + 6 + 5 bits a pixel
ROWS_AT_ONCE = 1024  # of encoded images in memory as Python objects


class Part(NamedTuple):
    """One file decoded: ``images`` uint8 (N, C, H, W), C = 1 if all are grey and else 3; ``labels`` int64
    (N,), as in the file; ``label_column`` is their column's name; ``classes`` the names of labels 0, 1, ..., if known.
    """

    path: Path
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    label_column: str
    classes: tuple[str, ...]


def read_part(path: Path, content: bytes) -> Part:
    """Decode ``content``, the bytes of the parquet file at ``path`` (which is only named in errors).

    The file has one column of ``{bytes, path}`` structs, whatever its name, and integer labels in the column
    ``label``. Without one they stand in the only column whose name ends in label or labels (of several, the only one
    of integers), or else in the only one that the hub's metadata names the classes of, or else, where no name ends so,
    in the only column of integers that does not number the rows. Other columns are ignored.

    Images are of one size, in any format that Pillow knows (the first frame counts). They are turned upright as their
    EXIF data says; 1-bit images become 0 and 255; palettes, CMYK and YCbCr become RGB; opaque alpha is dropped.
    Transparency and 16 bits a channel are refused, since either needs a choice that is not ours. Raises UserError.

    Arrow reads without its thread pool: a thread of it may drop the last reference to ``content`` when the interpreter
    is already going, and the process then ends with SIGABRT instead of its exit code.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        columns = choose_columns(path, file.schema_arrow)
        rows = file.metadata.num_rows
        if rows == 0:
            raise UserError(f"{path}: must hold at least one example, got 0 rows")
        labels = _labels(path, columns.label, file.read([columns.label], use_threads=False).column(columns.label))
        images = _decode(path, columns.image, file, rows)
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: a name that is not UTF-8, a negative size
        raise UserError(f"{path}: must be a readable parquet file, got: {error}") from error
    return Part(path, images, labels, columns.label, columns.classes)


def _labels(path: Path, name: str, column: Any) -> npt.NDArray[np.int64]:
    import pyarrow as pa

    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise UserError(f"{path}: column {name!r} must hold integers, got null in row {row} (from 0)")
    try:
        labels: npt.NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: column {name!r} must hold 64-bit signed integers, got: {error}") from error
    return labels


def _decode(path: Path, name: str, file: Any, rows: int) -> npt.NDArray[np.uint8]:
    images: npt.NDArray[np.uint8] | None = None
    row = 0
    for batch in file.iter_batches(ROWS_AT_ONCE, columns=[name], use_threads=False):
        for cell in batch.column(name).to_pylist():
            where = f"{path}: column {name!r}, row {row} (from 0)"
            if cell is None or cell["bytes"] is None:
                path_alone = f" and the path {cell['path']!r}" if cell and cell["path"] else ""
                raise UserError(f"{where}: the image must be in the file, got null bytes{path_alone}")
            image = _open(where, cell["bytes"])
            if images is None:
                images = np.empty((rows, 1, image.height, image.width), dtype=np.uint8)
            if (image.height, image.width) != images.shape[2:]:
                raise UserError(
                    f"{where}: all images must have row 0's size, {images.shape[3]}x{images.shape[2]}, "
                    f"got {image.width}x{image.height}"
                )
            pixels = np.asarray(image)
            if image.mode == "RGB":
                if images.shape[1] == 1:  # the first image in colour
                    images = _widened(images, decoded=row)
                images[row] = pixels.transpose(2, 0, 1)
            else:
                images[row] = pixels  # grey among colour is three equal channels
            row += 1
    if images is None or row != rows:
        raise OSError(f"{row} rows where its footer says {rows}")
    return images


def _widened(grey: npt.NDArray[np.uint8], decoded: int) -> npt.NDArray[np.uint8]:
    wide = np.empty((len(grey), 3, *grey.shape[2:]), dtype=np.uint8)
    wide[:decoded] = grey[:decoded]
    return wide


def _open(where: str, encoded: bytes) -> "Image":
    """The image as Pillow's mode L or RGB, upright."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(encoded))
        # Pillow would silently halve the depth of a 16-bit colour image; its raw mode still tells.
        deep = any(SIXTEEN_BITS.search(str(tile.args)) for tile in image.tile)
        image.load()
        upright = ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        message = f"{where}: must be an image that Pillow can decode, got {len(encoded)} bytes of another kind"
        raise UserError(message) from error
    except Exception as error:  # the decoders have no common class: OSError, SyntaxError, struct.error, ...
        raise UserError(f"{where}: must be an image that Pillow can decode, got: {error}") from error
    mode = upright.mode
    if deep or mode not in GREY_MODES + COLOUR_MODES:
        depth = " with 16 bits a channel" if deep else ""
        raise UserError(f"{where}: must be grey or colour with 8 bits a channel, got mode {mode}{depth}")
    if upright.has_transparency_data and upright.convert("RGBA").getchannel("A").getextrema() != (255, 255):
        raise UserError(f"{where}: must be opaque, got an image of mode {mode} with transparent pixels")
    return upright.convert("L" if mode in GREY_MODES else "RGB")
