"""The CNNs. Each is written for one model; a stack of K models makes the same calls."""

from decaybench.models.choice import Model
from decaybench.models.registry import MODELS, Builder, build, builder
from decaybench.models.shape import Shape

__all__ = ["MODELS", "Builder", "Model", "Shape", "build", "builder"]
