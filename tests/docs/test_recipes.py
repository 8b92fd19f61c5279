"""The page's recipes, as written but for their size: one epoch of 256 small images."""

import tomllib

import pytest

import decaybench
from data.conftest import write_part
from decaybench.runner import run_sweep
from decaybench.sweep import Sweep
from docs.pages import files

RECIPES = {name: code for name, code in files("recipes.md").items() if name.endswith(".toml")}
SIDE = {"lenet": 16, "3c3d": 9}


def test_there_are_five():
    assert len(RECIPES) == 5


@pytest.mark.filterwarnings("ignore:.*the warmup does not end before the run does")  # in a run of one epoch
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains(name, tmp_path):
    mapping = tomllib.loads(RECIPES[name])
    task = Sweep.from_mapping(mapping, name).task  # as it is written
    side, classes = SIDE.get(task.model.name, 8), [number % 10 for number in range(310)]
    folder = tmp_path / "data" / task.data
    for part, labels in (("train", classes), ("test", classes[:20])):
        write_part(folder / f"{part}.parquet", labels, size=(side, side), colour=task.data == "cifar10")
    small = {"epochs": 1, "batch_size": min(task.batch_size, 64), "train_size": 256}
    mapping["task"] |= small | {"validation_size": 20, "test_size": 20}
    mapping["budget"] = {"trials": 1, "repeats": 1, "confirm_seeds": 0}
    sweep = Sweep.from_mapping(mapping, name)
    url = f"sqlite:///{tmp_path / 'recipes.db'}"
    run_sweep(sweep, url=url, data_root=tmp_path / "data", device="cpu")
    runs = decaybench.load(url, sweep.name).runs
    assert set(runs.outcome) == {"finished"} and set(runs.strategy) == set(sweep.strategies)
