"""K models of one architecture as one computation, and the check whether a model can be trained like this."""

from decaybench.training.stack.check import check_builder, check_model
from decaybench.training.stack.forward import Noise, Stack, cross_entropy, decays, flatten_parameters

__all__ = ["Noise", "Stack", "check_builder", "check_model", "cross_entropy", "decays", "flatten_parameters"]
