"""What the values of a sweep file's keys may be, and what all of its tables share."""

import math
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

from decaybench.data import Augmentation, augmentation, ordered
from decaybench.metrics import METRICS
from decaybench.models import Model
from decaybench.optimizers import OPTIMIZERS, Average
from decaybench.shared import SHARED
from decaybench.sweep.values import Parameter, RuleError, parse, parse_shared, plain, show

EXACT = 2**53  # the largest whole number up to which JSON and floats are exact


def label(raw: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", raw) is None:
        raise RuleError(f"must match [A-Za-z0-9_-]{{1,64}}, got {show(raw)}")
    return raw


def _batch_size(raw: object) -> int | str:
    if isinstance(raw, int) and not isinstance(raw, bool) and 1 <= raw <= EXACT:
        return raw
    if isinstance(raw, str) and raw == "full":
        return raw
    raise RuleError(f'must be a whole number >= 1 or "full", got {show(raw)}')


def _optimizer(raw: object) -> str:
    if isinstance(raw, str) and raw in OPTIMIZERS:
        return raw
    raise RuleError(f"must be one of {', '.join(OPTIMIZERS)}, got {show(raw)}")


def _average(raw: object) -> Average:
    if not isinstance(raw, dict) or list(raw) not in (["ema"], ["last"]):
        raise RuleError(f"must be {{ ema = 0.999 }} or {{ last = 5 }} (epochs), got {show(raw)}")
    ((name, value),) = raw.items()
    if name == "ema" and not (isinstance(value, float) and 0 < value < 1):
        raise RuleError(f"must be in (0, 1), got {show(value)}", name)
    if name == "last" and not (isinstance(value, int) and 2 <= value <= EXACT):  # neither is a bool
        raise RuleError(f"must be a whole number >= 2, got {show(value)}", name)
    return Average(**raw)


def _model(raw: object) -> Model:
    if isinstance(raw, str) and raw:
        return Model(raw)
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str) or not raw["name"]:
        raise RuleError(f'must be a name or a table such as {{ name = "resnet20", norm = "group" }}, got {show(raw)}')
    options = {key: value for key, value in raw.items() if key != "name"}
    for key, value in options.items():
        if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
            raise RuleError(f"must be a string, a finite number or a boolean, got {show(value)}", key)
    return Model(raw["name"], tuple(options.items()))


def _augment(raw: object) -> tuple[Augmentation, ...]:
    rule = 'must be a list of "cropN", "flip" and "cutoutN" (N pixels, such as "crop4")'
    try:
        found = [augmentation(each) for each in raw] if isinstance(raw, list | tuple) else []
    except (TypeError, ValueError):
        found = []
    if not found:
        raise RuleError(f"{rule}, got {show(raw)}")
    if len({each.kind for each in found}) < len(found):
        raise RuleError(f"must have each kind once at most, got {show(raw)}")
    return ordered(found)


def _metric(raw: object) -> str:
    if isinstance(raw, str) and raw in METRICS:
        return raw
    raise RuleError(f"must be one of {', '.join(METRICS)}, got {show(raw)}")


def _shared(name: str) -> PlainValidator:
    parameter = next(shared for shared in SHARED if shared.name == name)
    return PlainValidator(lambda raw: parse_shared(parameter, raw))


Name = Annotated[str, AfterValidator(label)]
Text = Annotated[str, Field(min_length=1)]
Whole = Annotated[int, Field(ge=1, le=EXACT)]
# Bounds far beyond any real sweep, so that a typo is refused before it fills a disk.
Epochs = Annotated[int, Field(ge=1, le=1_000_000)]
Fraction = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
MetricName = Annotated[str, PlainValidator(_metric)]
BatchSize = Annotated[int | Literal["full"], PlainValidator(_batch_size)]
Optimizer = Annotated[str, PlainValidator(_optimizer)]
WeightAverage = Annotated[Average, PlainValidator(_average), PlainSerializer(Average.table)]
ModelChoice = Annotated[Model, PlainValidator(_model), PlainSerializer(Model.table)]
Augment = Annotated[
    tuple[Augmentation, ...], PlainValidator(_augment), PlainSerializer(lambda found: [str(each) for each in found])
]
LearningRate = Annotated[Parameter, _shared("learning_rate"), PlainSerializer(plain)]
Momentum = Annotated[Parameter, _shared("momentum"), PlainSerializer(plain)]
WeightDecay = Annotated[Parameter, _shared("weight_decay"), PlainSerializer(plain)]
Own = Annotated[Parameter, PlainValidator(parse), PlainSerializer(plain)]


class Table(BaseModel):
    """The base of all tables: strict types, no unknown keys, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
