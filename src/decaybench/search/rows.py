"""A study's rows, as Optuna's own models, which are not a public interface."""

import json

from optuna.distributions import distribution_to_json
from optuna.storages._rdb.models import (
    TrialIntermediateValueModel,
    TrialModel,
    TrialParamModel,
    TrialUserAttributeModel,
    TrialValueModel,
)
from optuna.trial import FrozenTrial


def trial_row(trial: FrozenTrial) -> TrialModel:
    """A trial as Optuna stores it, without its study and number."""
    return TrialModel(
        state=trial.state,
        datetime_start=trial.datetime_start,
        params=[
            TrialParamModel(
                param_name=name,
                param_value=distribution.to_internal_repr(trial.params[name]),
                distribution_json=distribution_to_json(distribution),
            )
            for name, distribution in trial.distributions.items()
        ],
        user_attributes=[
            TrialUserAttributeModel(key=key, value_json=json.dumps(value)) for key, value in trial.user_attrs.items()
        ],
    )


def value_row(trial: TrialModel, value: float) -> TrialValueModel:
    """A trial's result."""
    stored, kind = TrialValueModel.value_to_stored_repr(value)
    return TrialValueModel(trial_id=trial.trial_id, objective=0, value=stored, value_type=kind)


def step_row(trial: TrialModel, step: int, value: float) -> TrialIntermediateValueModel:
    """A trial's value at the epoch ``step``."""
    stored, kind = TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
    row = {"intermediate_value": stored, "intermediate_value_type": kind}
    return TrialIntermediateValueModel(trial_id=trial.trial_id, step=step, **row)
