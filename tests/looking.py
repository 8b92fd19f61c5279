"""A sweep that takes several looks within seconds, parks a strategy, and settles; and what its looks hold."""

from pathlib import Path
from typing import Any

from decaybench import store
from decaybench.findings import collect, join, summarise
from decaybench.findings.decision import decision
from decaybench.store import LookRow, Stored

LOOKS = """
name = "looks"

[task]
data = "digits"
model = "small-cnn"
epochs = 1
batch_size = 50
train_size = 100
validation_size = 60
test_size = 100
rope = 0.05

[budget]
trials = 6
repeats = { from = 5, to = 15 }
confirm_seeds = 2

[search]
seed = 1
learning_rate = { low = 0.03, high = 1.0, log = true }

[strategies.constant]
[strategies.cosine]
[strategies.exp_loss]
learning_rate = { low = 0.01, high = 0.3, log = true }
"""
"""constant is good after 12 repeats; cosine is trained along, and exp_loss waits at 5."""
STRICT = LOOKS.replace("rope = 0.05", "rope = 0.02")
"""The same with a margin for which exp_loss matters: nothing is good after all 15 repeats of all three."""


def kept(database: Path, name: str = "looks") -> Stored:
    """Everything stored about the sweep."""
    with store.open_storage(f"sqlite:///{database}", create=False) as opened:
        return store.load(opened, name)


def decided(database: Path, name: str = "looks") -> dict[str, Any]:
    """The answer as data."""
    return decision(summarise(collect(join([kept(database, name)]))))


def repeats_of(looks: list[LookRow]) -> list[tuple[int, ...]]:
    """The repeats of each strategy at each look."""
    return [tuple(known["repeats"] for known in look.strategies.values()) for look in looks]
