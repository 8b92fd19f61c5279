"""The check whether a model can be trained in a stack."""

from decaybench.training.check.model import check_builder, check_model

__all__ = ["check_builder", "check_model"]
