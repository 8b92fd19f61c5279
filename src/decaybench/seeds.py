"""Every random number's origin: streams derived from one seed by name, independent of order, clock and process."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive(seed: int, *path: int | str) -> int:
    """A 53-bit seed (exact in JSON) that is a pure function of ``seed`` and the names on its ``path``.

    SHA-256 over the joined text keeps streams apart: ``derive(0, "confirm", 1)`` shares nothing with ``derive(0,
    "search", 1)``.
    """
    text = "/".join([str(seed), *(f"{type(part).__name__}:{part}" for part in path)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 11


def generator(seed: int, *path: int | str) -> torch.Generator:
    """A CPU generator for the stream ``derive(seed, *path)``."""
    return torch.Generator().manual_seed(derive(seed, *path))


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Python's, NumPy's and torch's global generators begin at ``seed``, and are as they were afterwards; so is torch's
    default dtype.

    For code that is not ours: what is ours draws from no global generator. A GPU's is one of them where it is the
    ``device``.
    """
    python, numpys, dtype = random.getstate(), np.random.get_state(), torch.get_default_dtype()
    with torch.random.fork_rng(devices=[device] if device is not None and device.type == "cuda" else []):
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU's too
        if device is not None and device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpys)
            torch.set_default_dtype(dtype)
