"""A small sweep to change one thing in."""

import tomllib
from collections.abc import Callable

import pytest

from decaybench.sweep import Sweep

SMALL = """
name = "small"

[task]
data = "digits"
model = "small-cnn"
epochs = 10
batch_size = 64

[budget]
trials = 3
repeats = 2
confirm_seeds = 2
"""

CONSTANT = "[strategies.constant]\n"


@pytest.fixture
def small() -> Callable[..., Sweep]:
    """``small(toml)``: SMALL and more tables; ``small(toml, old, new)`` replaces text in SMALL first."""

    def read(more: str = CONSTANT, *replaced: tuple[str, str]) -> Sweep:
        text = SMALL
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        return Sweep.from_mapping(tomllib.loads(text + more), "small.toml")

    return read
