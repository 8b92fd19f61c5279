"""What several tests of training watch."""

import pytest

from decaybench import models
from decaybench.training.lanes import Lanes
from training.judged import few_digits


@pytest.fixture
def lane_updates(monkeypatch):
    """How many updates of models were computed."""
    computed = []
    before = Lanes.gradient

    def counting(self, order, batch):
        computed.append(len(self))
        return before(self, order, batch)

    monkeypatch.setattr(Lanes, "gradient", counting)
    return computed


@pytest.fixture(scope="module")
def few():
    """A few digits of each split."""
    return few_digits()


@pytest.fixture
def own(monkeypatch):
    """Make a builder the model ``own``."""
    return lambda builder: monkeypatch.setitem(models.MODELS._built_in, "own", builder)
