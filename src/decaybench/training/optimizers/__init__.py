"""The optimizers of a stack: K runs at once."""

from torch import Tensor

from decaybench.training.optimizers.adam import Adam
from decaybench.training.optimizers.base import Kind, Optimizer, OptimizerForm
from decaybench.training.optimizers.no_schedule import Prodigy, ScheduleFree
from decaybench.training.optimizers.sgd import KerasSGD, TorchSGD

__all__ = ["Kind", "Optimizer", "OptimizerForm", "make_optimizer"]


def make_optimizer(
    form: OptimizerForm, parameters: Tensor, *, momentum: Tensor, weight_decay: Tensor, decays: Tensor
) -> Optimizer:
    """The optimizer of K runs that begin at ``parameters`` (K, P).

    ``momentum`` (beta1 under Adam and Prodigy) and ``weight_decay`` are ``(K,)``; ``decays`` is ``(P,)``, 1 where
    weight decay applies.
    """
    given = (parameters.detach(), momentum, weight_decay, decays)
    match form.kind:
        case "adam":
            return Adam(*given)
        case "schedule-free":
            return ScheduleFree(*given)
        case "prodigy":
            return Prodigy(*given)
        case "sgd":
            make = TorchSGD if form.velocity == "torch" else KerasSGD
            return make(*given, nesterov=form.nesterov)
