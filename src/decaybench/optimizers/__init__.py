"""The optimizers: each is one class that describes it completely, and all are listed in ``OPTIMIZERS``."""

from collections.abc import Mapping, Sequence
from typing import Final

from torch import Tensor

from decaybench.optimizers.adam import Adam
from decaybench.optimizers.base import Optimizer
from decaybench.optimizers.code import KerasCode, TorchCode, Use
from decaybench.optimizers.form import DEFAULT, OptimizerForm, Velocity
from decaybench.optimizers.prodigy import Prodigy
from decaybench.optimizers.schedule_free import ScheduleFree
from decaybench.optimizers.sgd import SGD

KINDS: Final[Sequence[type[Optimizer]]] = (SGD, Adam, ScheduleFree, Prodigy)
OPTIMIZERS: Final[Mapping[str, type[Optimizer]]] = {optimizer.name: optimizer for optimizer in KINDS}

__all__ = [
    "DEFAULT",
    "KINDS",
    "OPTIMIZERS",
    "KerasCode",
    "Optimizer",
    "OptimizerForm",
    "TorchCode",
    "Use",
    "Velocity",
    "make_optimizer",
]


def make_optimizer(
    form: OptimizerForm, parameters: Tensor, *, momentum: Tensor, weight_decay: Tensor, decays: Tensor
) -> Optimizer:
    """Create the optimizer of K runs that start at ``parameters`` (K, P).

    ``momentum`` (beta1 for Adam and Prodigy) and ``weight_decay`` are ``(K,)``. ``decays`` is ``(P,)``: 1 where weight
    decay applies, 0 elsewhere. Raises KeyError if ``form.kind`` is not in ``OPTIMIZERS``.
    """
    return OPTIMIZERS[form.kind](form, parameters.detach(), momentum, weight_decay, decays)
