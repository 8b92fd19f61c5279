"""Random streams, derived from one seed by name. They do not depend on the order of calls, the time or the process."""

import hashlib
import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import torch


def derive(seed: int, *path: int | str) -> int:
    """Derive a 53-bit seed (exact in JSON), a pure function of ``seed`` and ``path``.

    It is a SHA-256 hash, so different paths give unrelated seeds, such as ``derive(0, "confirm", 1)`` and ``derive(0,
    "search", 1)``.
    """
    text = "/".join([str(seed), *(f"{type(part).__name__}:{part}" for part in path)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 11


def generator(seed: int, *path: int | str) -> torch.Generator:
    """A CPU generator for the stream ``derive(seed, *path)``."""
    return torch.Generator().manual_seed(derive(seed, *path))


TRIES: Final = 5
"""How often code is called before it counts as drawing from the global generators.

Another thread of the process may draw meanwhile, as those of a Dask worker do.
"""


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed the global generators of Python, NumPy and torch; afterwards restore them, and torch's default dtype.

    If ``device`` is a GPU, its generator is included. This is for code that is not ours: our own code never draws from
    global generators.
    """
    python, numpys, dtype = random.getstate(), np.random.get_state(), torch.get_default_dtype()
    with torch.random.fork_rng(devices=[device] if device is not None and device.type == "cuda" else []):
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed all GPUs
        if device is not None and device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpys)
            torch.set_default_dtype(dtype)


def states(device: torch.device | None = None) -> dict[str, bytes]:
    """The states of the global generators, by their names in a sentence; with that of ``device`` if it is a GPU."""
    states = {
        "Python's random": pickle.dumps(random.getstate()),
        "NumPy's random": pickle.dumps(np.random.get_state()),
        "torch's generator": torch.get_rng_state().numpy().tobytes(),
    }
    if device is not None and device.type == "cuda":
        states["torch's generator of the GPU"] = torch.cuda.get_rng_state(device).numpy().tobytes()
    return states
