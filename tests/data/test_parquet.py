"""Every wrong thing in a parquet file is one line; every image that can be understood is understood."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from decaybench.data.parquet import read_part
from decaybench.errors import UserError

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
PATH = Path("folder/train.parquet")


def encoded(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **{"format": "PNG", **options})
    return buffer.getvalue()


def grey(value=7, size=(4, 3)):
    return Image.new("L", size, value)


def cells(*images):
    stored = [i if i is None or isinstance(i, bytes) else encoded(i) for i in images]
    return pa.array([{"bytes": content, "path": None} for content in stored], IMAGE)


def parquet(**columns):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def read(**columns):
    return read_part(PATH, parquet(**columns))


def read_images(*images):
    return read(image=cells(*images), label=list(range(len(images)))).images


def refused(content):
    with pytest.raises(UserError) as caught:
        read_part(PATH, content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused_image(image):
    return refused(parquet(image=cells(grey(), image), label=[0, 1]))


def test_grey_images_have_one_channel():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    part = read(anything=cells(Image.fromarray(pixels), grey()), label=[5, -2], other=["a", "b"])
    assert part.images.shape == (2, 1, 3, 4) and part.images.dtype == np.uint8
    np.testing.assert_array_equal(part.images[0, 0], pixels)
    assert part.labels.dtype == np.int64 and part.labels.tolist() == [5, -2]


def test_colour_images_have_three_channels():
    pixels = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    images = read_images(Image.fromarray(pixels))
    np.testing.assert_array_equal(images[0], pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_grey_among_colour_is_three_equal_channels(order):
    both = [grey(7), Image.new("RGB", (4, 3), (1, 2, 3))]
    images = read_images(*(both[i] for i in order))
    assert images.shape == (2, 3, 3, 4)
    assert images[order.index(0), :, 0, 0].tolist() == [7, 7, 7]
    assert images[order.index(1), :, 0, 0].tolist() == [1, 2, 3]


def test_jpeg_is_what_pillow_decodes():
    content = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)), format="JPEG")
    expected = np.asarray(Image.open(io.BytesIO(content))).transpose(2, 0, 1)
    np.testing.assert_array_equal(read_images(content)[0], expected)


def test_many_row_groups_and_batches_keep_the_order():
    n = 2500
    table = pa.table({"image": cells(*(grey(i % 251) for i in range(n))), "label": list(range(n))})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=700)
    part = read_part(PATH, buffer.getvalue())
    assert part.images[:, 0, 0, 0].tolist() == [i % 251 for i in range(n)]
    assert part.labels.tolist() == list(range(n))


@pytest.mark.parametrize(
    ("image", "pixel"),
    [
        (Image.new("1", (4, 3), 1), [255]),
        (Image.new("LA", (4, 3), (9, 255)), [9]),
        (Image.new("RGBA", (4, 3), (9, 8, 7, 255)), [9, 8, 7]),
        (Image.new("RGB", (4, 3), (9, 8, 7)).quantize(2), [9, 8, 7]),
    ],
)
def test_other_modes(image, pixel):
    assert read_images(image)[0, :, 0, 0].tolist() == pixel


def test_cmyk_becomes_rgb():
    assert read_images(encoded(Image.new("CMYK", (4, 3)), format="TIFF"))[0, :, 0, 0].tolist() == [
        255,
        255,
        255,
    ]


def test_exif_orientation_turns_the_image():
    image = grey(size=(4, 3))
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by a quarter
    assert read_images(encoded(image, exif=exif)).shape == (1, 1, 4, 3)


@pytest.mark.parametrize(
    "image",
    [Image.new("RGBA", (4, 3), (9, 8, 7, 254)), Image.new("LA", (4, 3), (9, 0))],
    ids=lambda i: i.mode,
)
def test_transparency_is_refused(image):
    message = refused_image(image)
    assert message.startswith("folder/train.parquet: column 'image', row 1 (from 0): must be opaque")
    assert image.mode in message


def test_a_transparent_colour_key_is_refused():
    assert "must be opaque" in refused_image(encoded(grey(7), transparency=7))


def png_16_bit_rgb():
    """A 4x3 PNG with 16 bits per channel, which Pillow reads but does not write."""
    import struct
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + b"\x12\x34" * 12 for _ in range(3))
    header = struct.pack(">IIBBBBB", 4, 3, 16, 2, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("image", [Image.new("I;16", (4, 3), 300), png_16_bit_rgb()], ids=["grey", "colour"])
def test_sixteen_bits_are_refused(image):
    message = refused_image(image)
    assert "row 1 (from 0)" in message and "8 bits per channel, got mode" in message


def test_float_images_are_refused():
    assert "got mode F" in refused_image(encoded(Image.new("F", (4, 3)), format="TIFF"))


@pytest.mark.parametrize("content", [b"", b"not an image", encoded(grey())[:50]], ids=["empty", "text", "truncated"])
def test_an_image_that_cannot_be_decoded(content):
    message = refused_image(content)
    assert message.startswith("folder/train.parquet: column 'image', row 1 (from 0): must be an image that Pillow")
    assert "0x" not in message  # no memory addresses


def test_null_bytes():
    assert "row 1 (from 0): the image must be in the file, got null bytes" in refused_image(None)


def test_a_path_alone():
    images = pa.array([{"bytes": None, "path": "cats/1.png"}], IMAGE)
    assert refused(parquet(image=images, label=[0])).endswith("got null bytes and the path 'cats/1.png'")


def test_null_cell():
    images = pa.array([{"bytes": encoded(grey()), "path": None}, None], IMAGE)
    assert "row 1 (from 0)" in refused(parquet(image=images, label=[0, 1]))


def test_differing_sizes():
    message = refused_image(grey(size=(5, 3)))
    assert message == (
        "folder/train.parquet: column 'image', row 1 (from 0): all images must have row 0's size, 4x3, got 5x3"
    )


@pytest.mark.parametrize("content", [b"", b"label,image\n0,x\n", b"PAR1" + b"\0" * 20 + b"PAR1"])
def test_not_a_parquet_file(content):
    assert refused(content).startswith("folder/train.parquet: must be a readable parquet file, got: ")


def test_a_damaged_page():
    content = bytearray(parquet(image=cells(*(grey(i) for i in range(50))), label=list(range(50))))
    content[4:200] = b"\xff" * 196
    assert refused(bytes(content)).startswith("folder/train.parquet: must be a readable parquet file, got: ")


def test_a_damaged_name():
    content = parquet(image=cells(grey()), label=[0], extra=[b"x"])
    assert refused(content.replace(b"extra", b"\xc0xtra")).startswith(
        "folder/train.parquet: must be a readable parquet"
    )


def test_no_rows():
    message = refused(parquet(image=cells(), label=pa.array([], pa.int64())))
    assert message == "folder/train.parquet: must hold at least one example, got 0 rows"


def test_null_labels():
    message = refused(parquet(image=cells(grey(), grey()), label=[0, None]))
    assert message == "folder/train.parquet: column 'label' must hold integers, got null in row 1 (from 0)"


def test_labels_beyond_64_bits():
    message = refused(parquet(image=cells(grey()), label=pa.array([2**64 - 1], pa.uint64())))
    assert "column 'label' must hold 64-bit signed integers" in message


def test_small_integer_labels():
    assert read(image=cells(grey()), label=pa.array([255], pa.uint8())).labels.tolist() == [255]
