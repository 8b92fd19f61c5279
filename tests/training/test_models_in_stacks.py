"""Every built-in model, in a stack: its bits depend on no other run, not even on one that diverges."""

import pytest
import torch

from decaybench.data import Examples, TaskData
from decaybench.models import MODELS, build
from decaybench.schedules import SCHEDULES
from decaybench.training import Recipe, Run, check_model, train

CPU = torch.device("cpu")
SHAPES = {"lenet": (1, 16, 16), "2c2d": (1, 8, 8), "small-cnn": (1, 8, 8), "3c3d": (3, 11, 9), "all-cnn-c": (3, 10, 9)}
LARGE = {"2c2d", "all-cnn-c", "resnet18", "resnet20", "resnet9", "wrn-16-4"}


def data_of(shape):
    drawn = torch.Generator().manual_seed(0)

    def examples(n):
        pixels = torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=drawn)
        return Examples(pixels, torch.randint(0, 10, (n,), generator=drawn))

    half = torch.full(shape[:1], 0.5, dtype=torch.float64)
    return TaskData(examples(8), examples(3), None, examples(3), half, half / 2, 10)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.soak if name in LARGE else ()) for name in sorted(MODELS._built_in)]
)
@pytest.mark.parametrize("width", [None, 1])
def test_a_built_in_model_has_its_own_bits(name, width):
    shape = SHAPES.get(name, (3, 8, 8))
    data = data_of(shape)
    check_model(build(name, shape, 10, seed=0), shape, 10)

    def losses(*rates):
        made = [Run(seed, SCHEDULES["constant"](), rate, 0.9, 1e-3) for seed, rate in enumerate(rates)]
        results = train(Recipe(name, 1, 4), made, data, device=CPU, width=width, read_test=True)
        assert [result.outcome == "diverged" for result in results] == [rate == 1e30 for rate in rates]
        return [(result.validation["loss"], result.test["loss"]) for result in results]

    (alone,) = losses(0.01)
    assert losses(0.01, 1e30, 0.02)[0] == losses(0.01, 0.02)[0] == alone
