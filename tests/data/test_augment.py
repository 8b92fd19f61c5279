"""Each kind of augmentation on images made by hand, and what an epoch draws for it."""

from itertools import product

import pytest
import torch

from decaybench.data import augmentation, augmented, draw_augmentation, ordered
from decaybench.data.augment import KINDS, Crop, Cutout, Flip

ALL = (Crop(2), Flip(), Cutout(3))
IMAGE = torch.arange(1, 7, dtype=torch.uint8).view(1, 2, 3)  # 1 2 3 / 4 5 6


def apply(each, image, *drawn):
    """One image (C, H, W) changed as ``drawn`` says."""
    return each.apply(image.clone()[None, None], torch.tensor([[drawn]]))[0, 0]


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ((1, 1), [[1, 2, 3], [4, 5, 6]]),  # the middle
        ((0, 0), [[0, 0, 0], [0, 1, 2]]),
        ((2, 0), [[0, 4, 5], [0, 0, 0]]),
        ((1, 2), [[2, 3, 0], [5, 6, 0]]),
    ],
)
def test_crop_moves_the_image_in_a_black_border(drawn, expected):
    assert apply(Crop(1), IMAGE, *drawn)[0].tolist() == expected


def test_flip_mirrors_left_and_right():
    assert apply(Flip(), IMAGE, 0)[0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert apply(Flip(), IMAGE, 1)[0].tolist() == [[3, 2, 1], [6, 5, 4]]


@pytest.mark.parametrize(
    ("side", "centre", "rows", "columns"),
    [
        (1, (2, 3), [2], [3]),
        (2, (2, 3), [1, 2], [2, 3]),
        (3, (2, 3), [1, 2, 3], [2, 3, 4]),
        (3, (0, 4), [0, 1], [3, 4]),  # clipped at a corner
        (4, (3, 0), [1, 2, 3], [0, 1]),
    ],
)
def test_cutout_zeroes_a_square_that_is_clipped_at_the_border(side, centre, rows, columns):
    changed = apply(Cutout(side), torch.ones(3, 4, 5), *centre)
    zeros = {(c, y, x) for c, y, x in product(range(3), range(4), range(5)) if changed[c, y, x] == 0}
    assert zeros == set(product(range(3), rows, columns))


def test_crop_comes_first_and_cutout_after_the_images_are_normalised():
    draws = torch.tensor([[[1, 0, 1, 0, 0]]], dtype=torch.int16)  # moved right by one, mirrored, without the top left
    changed = augmented((Crop(1), Flip(), Cutout(1)), IMAGE[None, None], draws, lambda images: images.float() - 10)
    assert changed[0, 0, 0].tolist() == [[0, -9, -10], [-5, -6, -10]]


def test_every_image_of_every_run_is_changed_by_its_own_draws():
    images = torch.randint(0, 256, (7, 3, 2, 6, 5), dtype=torch.uint8)
    draws = torch.stack([draw_augmentation(ALL, seed, 0, 7, (6, 5)) for seed in range(3)], 1)
    together = augmented(ALL, images, draws, torch.Tensor.float)
    for b, k in product(range(7), range(3)):
        one = augmented(ALL, images[b : b + 1, k : k + 1], draws[b : b + 1, k : k + 1], torch.Tensor.float)
        assert torch.equal(one[0, 0], together[b, k])


def test_draws_are_pure_in_seed_and_epoch():
    def drawn(seed=3, epoch=2, augment=ALL):
        return draw_augmentation(augment, seed, epoch, 50, (6, 5))

    before, first = torch.get_rng_state(), drawn()
    assert first.shape == (50, 5) and first.dtype == torch.int16
    drawn(epoch=1)
    assert torch.equal(drawn(), first)
    assert not torch.equal(drawn(epoch=3), first) and not torch.equal(drawn(seed=4), first)
    assert torch.equal(drawn(augment=ALL[1:2]), first[:, 2:3])  # whatever the others are
    assert torch.equal(torch.get_rng_state(), before)


def test_draws_are_uniform_and_independent():
    n = 60_000
    draws = draw_augmentation(ALL, 0, 0, n, (6, 4)).long()
    bounds = (5, 5, 2, 6, 4)
    for column, bound in zip(draws.T, bounds, strict=True):
        counts = column.bincount()
        assert len(counts) == bound
        assert ((counts / n - 1 / bound).abs() < 5 * (1 / bound / n) ** 0.5).all()
    correlations = torch.corrcoef(draws.T.double()) - torch.eye(5)
    assert correlations.abs().max() < 5 / n**0.5


@pytest.mark.parametrize("text", ["crop4", "flip", "cutout16"])
def test_what_is_written_is_read(text):
    assert str(augmentation(text)) == text


@pytest.mark.parametrize(
    "text", ["", "crop", "crop0", "crop04", "crop-1", "crop4.0", "flip1", "cutout", "Crop4", "mix2"]
)
def test_what_is_not_written_so_is_refused(text):
    with pytest.raises(ValueError, match=f"no augmentation is called '{text}'"):
        augmentation(text)


def test_the_order_is_always_the_same():
    assert ordered(ALL[::-1]) == ordered((ALL[1], ALL[2], ALL[0])) == ALL


def test_kinds_of_normalised_images_are_the_last():
    after = [kind.normalised for kind in KINDS]
    assert after == sorted(after)
    assert len({kind.kind for kind in KINDS}) == len(KINDS)
