"""The ranges and defaults that sweep files of other people rely on, written down a second time."""

import pytest

from decaybench.schedules import SCHEDULES, Range

RUN, PER_RUN, LOG = {"unit": "run"}, {"unit": "1/run"}, {"log": True}
ZERO_OR_LOG = {"log": True, "zero_or": True}
#  kind, field, what is searched (low, high, more) or (choices,) or None, default or None
TABLE = [
    ("time_based", "decay", (0.05, 1000, PER_RUN | LOG), None),
    ("inverse_time", "decay_rate", (0.1, 100, LOG), None),
    ("inverse_time", "decay_steps", (0.05, 0.5, RUN), None),
    ("inv", "gamma", (1, 1000, PER_RUN | LOG), None),
    ("inv", "power", (0.5, 1, {}), None),
    ("step_decay", "drop", (0.1, 0.9, {}), None),
    ("step_decay", "epochs_drop", (0.1, 0.5, RUN | {"at_least": 1}), None),
    ("step_decay", "offset", None, 0),
    ("multi_step", "milestones", (0.3, 0.9, RUN | {"count": (1, 3)}), None),
    ("multi_step", "gamma", ((0.1, 0.2, 0.5),), None),
    ("exponential", "decay_rate", (0.05, 0.99, LOG), None),
    ("exponential", "decay_steps", (0.1, 1, RUN), None),
    ("polynomial", "power", (0.5, 3, {}), None),
    ("polynomial", "end", (1e-3, 0.1, ZERO_OR_LOG), None),
    ("linear", "end", None, 0),
    ("cosine", "floor", (1e-3, 0.1, ZERO_OR_LOG), None),
    ("cosine_restarts", "cycles", (1, 4, {"int": True}), None),
    ("cosine_restarts", "mult", ((1, 2),), None),
    ("cosine_restarts", "decay", None, 1),
    ("cosine_restarts", "floor", None, 0),
    ("one_cycle", "pct", (0.1, 0.45, {}), 0.3),
    ("one_cycle", "div", None, 25),
    ("one_cycle", "final_div", None, 1e4),
    ("one_cycle", "shape", None, "cos"),
    ("one_cycle", "phases", None, 2),
    ("triangular", "cycles", (1, 5, {"int": True}), None),
    ("triangular", "low", (0.05, 0.33, {}), None),
    ("triangular", "gamma", None, 1),
    ("wsd", "decay_fraction", (0.05, 0.5, {}), None),
    ("wsd", "shape", None, "linear"),
    ("inverse_sqrt", "timescale", (0.01, 0.1, RUN | LOG), None),
    ("noam", "warmup_steps", (0.02, 0.1, RUN | LOG), None),
    ("exp_loss", "gain", (0.1, 2, LOG), 1),
    ("exp_loss", "signal", None, "batch"),
    ("exp_loss", "max_scale", None, 1000),
    ("exp_loss_relative", "gain", (0.1, 4, LOG), None),
    ("loss_ratio", "power", (0.25, 2, {}), None),
    ("reduce_on_plateau", "factor", (0.1, 0.7, {}), None),
    ("reduce_on_plateau", "cooldown", (0, 3, {"int": True, "unit": "epoch"}), None),
    ("reduce_on_plateau", "threshold", None, 1e-4),
    ("reduce_on_plateau", "convention", None, "torch"),
    ("bold_driver", "up", (1.01, 1.1, {}), None),
    ("bold_driver", "down", (0.3, 0.9, {}), None),
    ("greedy_lr", "factor", (0.5, 0.99, {}), None),
    ("polyak", "c", (0.2, 1, {}), None),
    ("l4", "alpha", (0.05, 0.3, {}), None),
    ("hypergradient", "beta", (1e-7, 1e-2, LOG), None),
]
BASES = {"exp_loss": (1e-4, 0.1), "polyak": (0.01, 10), "alig": (0.01, 10)}


@pytest.mark.parametrize(
    ("kind", "name", "searched", "default"), TABLE, ids=[f"{kind}.{name}" for kind, name, *_ in TABLE]
)
def test_what_is_searched_and_what_is_not(kind, name, searched, default):
    cls = SCHEDULES[kind]
    found = cls.range_of(name, epochs=100)
    if searched is None:
        assert found is None
    elif len(searched) == 1:
        assert found.choices == searched[0]
    else:
        low, high, more = searched
        expected = Range(low, high, **{"unit": "1"} | more)
        parts = ("low", "high", "log", "int", "zero_or", "unit", "at_least", "count")
        assert [getattr(found, part) for part in parts] == [getattr(expected, part) for part in parts]
    if default is not None:
        assert getattr(cls, name) == default


@pytest.mark.parametrize("kind", SCHEDULES)
def test_base_learning_rates_are_searched_in_the_kinds_own_range(kind):
    own = SCHEDULES[kind].learning_rate
    assert (None if own is None else (own.low, own.high)) == BASES.get(kind)
    assert own is None or own.log
