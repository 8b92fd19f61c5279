"""Every random number's origin: streams derived from one seed by name, independent of order, clock and process."""

import hashlib

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
