"""What training reads: gathered splits, exact statistics, pixels as numbers, and the order of batches."""

import dataclasses
import statistics

import pytest
import torch

from decaybench.data import Dataset, Splits, batch_order, draw_splits, load_dataset, normalise, prepare, repeated_images


def noise(*shape, seed=0):
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.fixture
def dataset():
    labels = torch.arange(30) % 3
    return Dataset("made", noise(30, 3, 5, 4), labels, noise(9, 3, 5, 4), labels[:9], 3, "", 6)


@pytest.fixture
def splits(dataset):
    return draw_splits(dataset, 0, signal=True)


def test_the_splits_are_gathered(dataset, splits):
    data = prepare(dataset, splits)
    assert data.shape == (3, 5, 4) and data.classes == 3 and len(data.train) == len(splits.train)
    for name in ("train", "validation", "signal"):
        examples, index = getattr(data, name), getattr(splits, name)
        assert torch.equal(examples.images, dataset.train_images[index])
        assert torch.equal(examples.labels, dataset.train_labels[index])
    assert torch.equal(data.test.images, dataset.test_images[splits.test])


def test_a_validation_part_of_its_own_is_gathered(dataset):
    images, labels = noise(6, 3, 5, 4, seed=1), torch.arange(6) % 3
    own = dataclasses.replace(dataset, validation_images=images, validation_labels=labels, validation_size=6)
    data = prepare(own, draw_splits(own, 0, signal=True))
    assert torch.equal(data.validation.images, images) and torch.equal(data.validation.labels, labels)
    assert len(data.train) + len(data.signal) == 30
    splits = draw_splits(own, 0, validation_size=3)
    data = prepare(own, splits)
    assert torch.equal(data.validation.images, images[splits.validation - 30])
    assert torch.equal(data.train.images, dataset.train_images)


def test_test_images_that_were_seen_before_are_counted(dataset, splits):
    random = torch.Generator().manual_seed(0)
    train, test = (
        torch.randint(0, 256, images.shape, dtype=torch.uint8, generator=random)
        for images in (dataset.train_images, dataset.test_images)
    )
    drawn = dataclasses.replace(dataset, train_images=train, test_images=test)
    assert repeated_images(prepare(drawn, splits)) == 0
    test[splits.test[0]] = train[splits.train[1]]
    test[splits.test[1]] = train[splits.signal[0]]
    assert repeated_images(prepare(drawn, splits)) == 2


def test_no_signal_split_is_none(dataset):
    assert prepare(dataset, draw_splits(dataset, 0)).signal is None


def test_statistics_are_of_the_training_split_alone(dataset, splits):
    data = prepare(dataset, splits)
    assert data.mean.dtype == data.std.dtype == torch.float64
    for channel in range(3):
        pixels = [value / 255 for value in data.train.images[:, channel].flatten().tolist()]
        assert data.mean[channel].item() == pytest.approx(statistics.fmean(pixels), rel=1e-14)
        assert data.std[channel].item() == pytest.approx(statistics.pstdev(pixels), rel=1e-14)


def test_a_constant_channel_has_deviation_one(dataset, splits):
    images = dataset.train_images.clone()
    images[:, 1] = 51
    data = prepare(dataclasses.replace(dataset, train_images=images), splits)
    assert data.mean[1] == 0.2 and data.std[1] == 1.0


@pytest.mark.parametrize(
    "pair", [("validation", "train"), ("signal", "train"), ("signal", "validation"), ("test", "test")]
)
def test_overlapping_splits_are_refused(dataset, splits, pair):
    fields = {name: getattr(splits, name) for name in ("train", "validation", "signal", "test")}
    into, of = pair
    fields[into] = torch.cat([fields[into], fields[of][:1]])
    with pytest.raises(ValueError, match="splits must be disjoint, got 1 examples that occur more than once"):
        prepare(dataset, Splits(**fields))


def test_to_moves_every_tensor(dataset, splits):
    moved = prepare(dataset, splits).to("meta")
    assert {moved.train.images.device.type, moved.signal.labels.device.type, moved.mean.device.type} == {"meta"}
    assert prepare(dataset, draw_splits(dataset, 0)).to("cpu").signal is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normalise_is_its_formula(dtype):
    images = noise(7, 3, 5, 4)
    mean, std = (
        torch.tensor([0.1, 0.5, 0.3], dtype=torch.float64),
        torch.tensor([0.2, 1.0, 0.7], dtype=torch.float64),
    )
    got = normalise(images, mean, std, dtype)
    assert got.dtype == dtype and got.shape == images.shape
    expected = (images.double() / 255 - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)
    torch.testing.assert_close(got.double(), expected, rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normalised_bits_depend_on_the_pixel_alone(dtype):
    mean, std = torch.tensor([0.1307], dtype=torch.float64), torch.tensor([0.3081], dtype=torch.float64)
    every = torch.arange(256, dtype=torch.uint8)
    alone = torch.stack([normalise(v.view(1, 1, 1), mean, std, dtype).view(()) for v in every])
    for shape in [
        (3, 1, 7, 5),
        (2, 4, 1, 8, 8),
        (1, 1, 1, 3),
    ]:  # bodies and tails of vectors, with a stack axis too
        images = noise(*shape)
        assert torch.equal(normalise(images, mean, std, dtype), alone[images.long()])


def test_a_training_split_is_normalised_to_mean_zero_and_deviation_one():
    dataset = load_dataset("digits", None)
    data = prepare(dataset, draw_splits(dataset, 0))
    pixels = normalise(data.train.images, data.mean, data.std, torch.float64)
    assert abs(pixels.mean()) < 1e-12 and abs(pixels.std(correction=0) - 1) < 1e-12


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normalised_bits_are_the_same_on_cuda(dtype):
    mean, std = torch.tensor([0.1307], dtype=torch.float64), torch.tensor([0.3081], dtype=torch.float64)
    images = torch.arange(256, dtype=torch.uint8).view(4, 1, 8, 8)
    there = normalise(images.cuda(), mean.cuda(), std.cuda(), dtype).cpu()
    assert torch.equal(there, normalise(images, mean, std, dtype))


def test_batch_order_is_a_permutation_pure_in_seed_and_epoch():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    order = batch_order(3, 2, 100)
    assert order.dtype == torch.int64 and torch.equal(order.sort().values, torch.arange(100))
    batch_order(3, 1, 100)
    assert torch.equal(batch_order(3, 2, 100), order)
    assert not torch.equal(batch_order(3, 3, 100), order)
    assert not torch.equal(batch_order(4, 2, 100), order)
    assert torch.equal(torch.get_rng_state(), state)
