"""Models as people bring them: the rows of each theme."""

from training.own_models import (
    builders,
    computing,
    drawing,
    layers,
    odd,
    outputs,
    reaching,
    remembering,
    sequentials,
    weights,
)
from training.own_models.rows import ROWS, Own

THEMES = (sequentials, weights, outputs, remembering, reaching, drawing, computing, layers, odd, builders)
__all__ = ["ROWS", "THEMES", "Own"]
