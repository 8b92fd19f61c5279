"""What several tests of training watch."""

import pytest

from decaybench.training.lanes import Lanes


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
