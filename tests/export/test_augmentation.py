"""The exported functions change images with the probabilities of decaybench's own."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch

from decaybench.data.augment import Crop, Cutout, Flip
from decaybench.export import keras, pytorch
from decaybench.export.augmentation import call
from decaybench.schedules import SCHEDULES
from export.settings import setting

KINDS = [Crop(1), Flip(), Cutout(1), Cutout(2), Cutout(3)]
IMAGES = torch.arange(1.0, 13.0).view(1, 1, 2, 3, 2)  # (B, K, C, H, W)
N = 20_000


def likely(each):
    """Each possible result, and its probability."""
    results = Counter()
    for drawn in product(*map(range, each.bounds(3, 2))):
        results[tuple(each.apply(IMAGES.clone(), torch.tensor([[drawn]])).flatten().tolist())] += 1
    return {result: count / results.total() for result, count in results.items()}


def run(source, **given):
    space = dict(given)
    exec(compile(source, "code", "exec"), space)
    return space


def in_torch(each):
    torch.manual_seed(0)
    return run(each.in_torch(), torch=torch)[each.kind](IMAGES[0].repeat(N, 1, 1, 1)).flatten(1).numpy()


def in_numpy(each):
    images = IMAGES[0].repeat(N, 1, 1, 1).numpy().transpose(0, 2, 3, 1)
    changed = run(each.in_numpy(), np=np, random=np.random.default_rng(0))[each.kind](images)
    assert changed.dtype == images.dtype
    return changed.transpose(0, 3, 1, 2).reshape(N, -1)


@pytest.mark.parametrize("exported", [in_torch, in_numpy])
@pytest.mark.parametrize("each", KINDS, ids=str)
def test_results_are_as_likely(each, exported):
    found, expected = Counter(map(tuple, exported(each).tolist())), likely(each)
    assert set(found) == set(expected)
    for result, p in expected.items():
        assert found[result] / N == pytest.approx(p, abs=5 * (p * (1 - p) / N) ** 0.5)


@pytest.mark.parametrize(
    ("augment", "expression"),
    [
        ((Crop(4), Flip(), Cutout(8)), "cutout(normalise(flip(crop(images))))"),
        ((Flip(),), "normalise(flip(images))"),
        ((Cutout(8),), "cutout(images)"),
    ],
)
def test_pixels_are_changed_before_they_are_normalised(augment, expression):
    assert call(augment) == expression


@pytest.mark.parametrize("write", [pytorch.write, keras.write])
def test_a_setting_without_augmentation_has_no_such_code(write):
    code = write(setting(SCHEDULES["constant"](), 10, 5))
    assert "images =" not in code and "ugment" not in code and "np" not in code.split("optimizer =")[0].split()


def test_keras_code_says_where_it_goes():
    code = keras.write(setting(SCHEDULES["cosine"](floor=0), 10, 5, augment=["flip", "crop4"], momentum=0.0))
    assert "\nimport numpy as np\n" in code and "\nrandom = np.random.default_rng()\n" in code
    assert "# Its images are `normalise(flip(crop(images)))`, computed anew in each epoch," in code
    compile(code, "code", "exec")
