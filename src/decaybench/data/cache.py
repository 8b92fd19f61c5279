"""A disk cache of decoded images, so that each source is decoded once. Without a usable cache it is decoded again."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decaybench.paths import expanded


class Parts(NamedTuple):
    """The parts of a decoded source: images uint8 (N, C, H, W) and labels int64 (N,) in 0 .. classes - 1.

    The validation part of a source that has none is empty (N = 0). ``labels``, int64 (classes,), holds the label that
    each class has in the files; ``class_names`` (classes,) holds their names, or is empty (0,) if they are unknown.
    """

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.int64]
    validation_images: npt.NDArray[np.uint8]
    validation_labels: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    class_names: npt.NDArray[np.str_]


def key_of(parts: Mapping[str, Sequence[bytes]]) -> str:
    """The cache key (hex) of a source: a hash of each part's files and of Pillow's version, which decodes them.

    The files are hashed each time rather than trusted by their timestamps: 15 MB take about 20 ms.
    """
    import PIL

    # Raise the number when decoding or the cache's format changes.
    words = ["2", PIL.__version__]
    for part, files in parts.items():
        words += [part, *(hashlib.sha256(file).hexdigest() for file in files)]
    return hashlib.sha256(" ".join(words).encode()).hexdigest()


def read(key: str) -> Parts | None:
    """Return the parts stored under ``key``, or None if there are none or the file is damaged or unreadable."""
    folder = cache_folder()
    if folder is None:
        return None
    try:
        # The file is opened here because np.load would leave a damaged one open. Reading an array checks its CRC-32,
        # which the zip format stores.
        with open(folder / f"{key}.npz", "rb") as file, np.load(file, allow_pickle=False) as arrays:
            parts = Parts(*(arrays[field] for field in Parts._fields))
    except Exception:  # damage may raise nearly anything, even MemoryError; decoding again is always right
        return None
    return parts if _is_whole(parts) else None


def write(key: str, parts: Parts) -> None:
    """Store ``parts`` under ``key`` atomically: neither another reader nor a crash leaves half a file to be seen."""
    folder = cache_folder()
    if folder is None:
        return
    temporary: str | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f"{key[:16]}.", suffix=".tmp")
        with open(descriptor, "wb") as file:
            np.savez(file, **parts._asdict())
        os.replace(temporary, folder / f"{key}.npz")
        temporary = None
    except OSError:
        return  # read-only or full: the images are decoded again next time
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def cache_folder() -> Path | None:
    """Return $XDG_CACHE_HOME/decaybench (default: ~/.cache/decaybench), or None for a user without a home folder."""
    configured = expanded(os.environ.get("XDG_CACHE_HOME", ""), "XDG_CACHE_HOME")
    if configured.is_absolute():  # the XDG specification says to ignore relative paths
        return configured / "decaybench"
    try:
        return Path.home() / ".cache" / "decaybench"
    except RuntimeError:
        return None


def _is_whole(parts: Parts) -> bool:
    return all(
        images.dtype == np.uint8 and images.ndim == 4 and labels.dtype == np.int64 and labels.shape == images.shape[:1]
        for images, labels in (parts[:2], parts[2:4], parts[4:6])
    )
