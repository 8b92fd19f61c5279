"""Loss-reactive schedules: time and the run's own training, one file a rule with a state worth reading."""

from decaybench.schedules.reactive.exp_loss import ExpLoss, ExpLossRelative
from decaybench.schedules.reactive.plateau import ReduceOnPlateau

__all__ = ["ExpLoss", "ExpLossRelative", "ReduceOnPlateau"]
