"""Whether a run has the same numbers on the device in every stack, and those of a plain loop."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.device.setting import Measurement, Setting, constant_runs, curves
from decaybench.data import TaskData
from decaybench.schedules import SCHEDULES
from decaybench.training import Recipe, Run
from decaybench.training.recipe import Precision

TESTS = Path(__file__).parents[2] / "tests"
PLACE, EPOCHS, UPDATES = 3, 3, 16  # the place of the run in a stack of 8; two chunks of recorded updates an epoch
DIVERGES = Run(99, SCHEDULES["constant"](), 1e30, 0.9, 0.0)
PROMISED = 1e-8  # how far a float64 run may be from the plain loop


def bits(setting: Setting) -> Iterator[Measurement]:
    """One run in different company, and trained again: are its losses the same bits?"""
    for precision in ("fp32", "bf16"):
        for model in ("small-cnn",) if setting.quick else ("lenet", "3c3d", "resnet8"):
            yield from _of_one(setting, model, precision)


def _of_one(setting: Setting, model: str, precision: Precision) -> Iterator[Measurement]:
    data = setting.data(model, 4 if setting.quick else UPDATES)
    eight = constant_runs(8)

    def losses(runs: Sequence[Run], place: int, captured: bool = True) -> NDArray[np.float64]:
        found = curves(setting, model, precision, list(runs), data, epochs=EPOCHS, captured=captured)
        return np.array([(c.train_loss[place], c.validation["loss"][place]) for c in found])

    @cache
    def usual() -> NDArray[np.float64]:
        return losses(eight, PLACE)

    def compared(runs: Sequence[Run], place: int, captured: bool = True) -> Mapping[str, object]:
        return difference(losses(runs, place, captured), usual())

    compare = {
        "again in the same stack of 8": partial(compared, eight, PLACE),
        "alone": partial(compared, [eight[PLACE]], 0),
        "in another place of the stack": partial(compared, eight[::-1], 7 - PLACE),
        "beside a run that diverges": partial(compared, [DIVERGES, *eight[1:]], PLACE),
        "in a stack of 3": partial(compared, eight[2:5], 1),
        "not recorded as a CUDA graph": partial(compared, eight, PLACE, False),
    }
    for name, call in compare.items():
        yield {"net": model, "precision": precision, "a run in a stack of 8, and": name}, call


def difference(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Mapping[str, object]:
    """Whether losses are equal, and their largest relative difference."""
    apart = float(np.max(np.abs(ours - theirs) / np.abs(theirs)))
    return {"same bits": bool(np.array_equal(ours, theirs)), "largest relative difference": f"{apart:.1e}"}


def plain_loop(setting: Setting) -> Iterator[Measurement]:
    """Runs in float64 on the device, and the tests' plain loop on the CPU."""
    batch, updates = (4, 2) if setting.quick else (16, 4)
    for model in ("small-cnn",) if setting.quick else ("lenet", "resnet8"):
        for kind in ("constant", "exp_loss", "hypergradient"):
            yield (
                {"net": model, "schedule": kind},
                partial(_against_plain, setting, model, kind, setting.data(model, updates, batch), batch),
            )


def _against_plain(setting: Setting, model: str, kind: str, data: TaskData, batch: int) -> Mapping[str, object]:
    if str(TESTS) not in sys.path:
        sys.path.append(str(TESTS))
    import reference  # a module of the tests

    values = {"exp_loss": {"gain": 0.1}, "hypergradient": {"beta": 1e-4}}.get(kind, {})
    runs = [replace(run, schedule=SCHEDULES[kind](**values)) for run in constant_runs(3)]
    ours = curves(setting, model, "fp64", runs, data, epochs=2, batch=batch)
    recipe = Recipe(model, 2, batch, precision="fp64")
    theirs = reference.plain_loop(recipe, runs[1], data)
    found = [value for c in ours for value in (c.train_loss[1], c.validation["loss"][1])]
    expected = np.array([theirs.train_loss, theirs.validation_loss]).T.flatten()
    apart = float(np.abs(np.array(found) - expected).max())
    return {f"within {PROMISED:g}": apart <= PROMISED, "largest difference of losses": f"{apart:.1e}"}
