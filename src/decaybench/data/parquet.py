"""Decode parquet files in the hub's image schema to uint8 arrays; every error is one line."""

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
SIXTEEN_BITS = re.compile(r"(?<!BGR);16")  # per channel; BGR;16 means 5 + 6 + 5 bits per pixel
ROWS_AT_ONCE = 1024  # limits how many encoded images are in memory as Python objects


class Part(NamedTuple):
    """A decoded file.

    ``images`` is uint8 (N, C, H, W), where C is 1 if all images are grey and 3 otherwise. ``labels`` is int64 (N,), as
    in the file, and ``label_column`` is the name of their column. ``classes`` are the names of labels 0, 1, ..., if
    known, and otherwise empty.
    """

    path: Path
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    label_column: str
    classes: tuple[str, ...]


def read_part(path: Path, content: bytes) -> Part:
    """Decode ``content``, the bytes of the parquet file at ``path`` (which is only used in error messages).

    The images are in the only column of ``{bytes, path}`` structs, whatever its name. The labels are integers. Their
    column is the first of these that exists and leaves no choice:

    1. the column ``label``;
    2. the column whose name ends in "label" or "labels"; if there are several, the only one of integers;
    3. the integer column for which the hub's metadata has class names;
    4. if no name ends in "label" or "labels", the integer column that does not number the rows.

    All other columns are ignored.

    Images may have any format that Pillow reads (of several frames the first is used) but must all have one size. They
    are turned upright according to their EXIF data; 1-bit images become 0 and 255; palettes, CMYK and YCbCr become RGB;
    an opaque alpha channel is dropped. Transparency and 16 bits per channel are refused, because converting either
    needs a choice that is the user's. Raises UserError.

    Arrow's thread pool is not used: one of its threads might drop the last reference to ``content`` while the
    interpreter shuts down, and the process would end with SIGABRT instead of its exit code.
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
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: a name not in UTF-8, or a negative size
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
                if images.shape[1] == 1:  # this is the first colour image
                    images = _widened(images, decoded=row)
                images[row] = pixels.transpose(2, 0, 1)
            else:
                images[row] = pixels  # among colour images a grey one gets three equal channels
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
        # Pillow silently reduces 16-bit colour images to 8 bits; only the raw mode still shows the depth.
        deep = any(SIXTEEN_BITS.search(str(tile.args)) for tile in image.tile)
        image.load()
        upright = ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        message = f"{where}: must be an image that Pillow can decode, got {len(encoded)} bytes of another kind"
        raise UserError(message) from error
    except Exception as error:  # decoders' errors share no base class: OSError, SyntaxError, struct.error, ...
        raise UserError(f"{where}: must be an image that Pillow can decode, got: {error}") from error
    mode = upright.mode
    if deep or mode not in GREY_MODES + COLOUR_MODES:
        depth = " with 16 bits per channel" if deep else ""
        raise UserError(f"{where}: must be grey or colour with 8 bits per channel, got mode {mode}{depth}")
    if upright.has_transparency_data and upright.convert("RGBA").getchannel("A").getextrema() != (255, 255):
        raise UserError(f"{where}: must be opaque, got an image of mode {mode} with transparent pixels")
    return upright.convert("L" if mode in GREY_MODES else "RGB")
