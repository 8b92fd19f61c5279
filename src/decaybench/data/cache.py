"""Decoded images on disk, so that a source is decoded once; a cache that cannot be used only costs time."""

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
    """A source decoded, its parts: images uint8 (N, C, H, W), labels int64 (N,) in 0 .. classes - 1.

    N is 0 for the validation part of a source that has none. ``labels`` int64 (classes,) are the classes' labels in the
    files, and ``class_names`` their names (classes,), or (0,).
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
    """The key (hex) of the bytes of each part's files, as this version of Pillow decodes them.

    Hashed anew each time: 15 MB take about 20 ms, and no timestamp can then be wrong.
    """
    import PIL

    # Raise the number when the same bytes are decoded, or kept, in another way.
    words = ["2", PIL.__version__]
    for part, files in parts.items():
        words += [part, *(hashlib.sha256(file).hexdigest() for file in files)]
    return hashlib.sha256(" ".join(words).encode()).hexdigest()


def read(key: str) -> Parts | None:
    """The parts stored under ``key``; None if there are none, or the file is damaged or unreadable."""
    folder = cache_folder()
    if folder is None:
        return None
    try:
        # Opened here, since np.load leaves a damaged file open. A zip file keeps a CRC-32 of every array,
        # which is checked as the array is read.
        with open(folder / f"{key}.npz", "rb") as file, np.load(file, allow_pickle=False) as arrays:
            parts = Parts(*(arrays[field] for field in Parts._fields))
    except Exception:  # damage may raise nearly anything, MemoryError too; decoding again is always right
        return None
    return parts if _is_whole(parts) else None


def write(key: str, parts: Parts) -> None:
    """Store ``parts`` under ``key`` in one step, so that no reader and no crash ever sees half a file."""
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
    """XDG_CACHE_HOME/decaybench, by default ~/.cache/decaybench; None for a user without a home folder."""
    configured = expanded(os.environ.get("XDG_CACHE_HOME", ""), "XDG_CACHE_HOME")
    if configured.is_absolute():  # the XDG specification has relative paths ignored
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
