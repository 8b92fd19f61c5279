"""The blocks of docs/own-loop.md for Lightning, Accelerate and Trainer, as they stand."""

import pytest

from docs.own_loop import blocks, run
from frameworks.test_lightning import pytestmark  # noqa: F401 - what Lightning itself warns of


@pytest.mark.parametrize("title", ["Lightning", "Hugging Face Trainer", "Accelerate"])
@pytest.mark.parametrize(("examples", "updates"), [(160, 15), (176, 18)])  # 3 epochs of 10 or 11 micro-batches
def test_the_learning_rates_are_the_schedules(title, examples, updates, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(title)
    done = run(block.replace("160", str(examples)))
    assert len(done.rates) == len(done.observed) == done.names["made"][1] == updates
    assert [rate for (rate,) in done.rates] == pytest.approx(done.traced(), rel=1e-12)
