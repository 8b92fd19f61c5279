"""Splits: disjoint, stratified, the same for the same seed, and sizes that do not fit are told."""

import pytest
import torch

from decaybench.data import Dataset, Splits, draw_splits, load_dataset
from decaybench.errors import UserError


def dataset(train_labels, test_labels=None, validation_size=None, own=None, **said):
    train = torch.tensor(train_labels)
    test = torch.tensor(sorted(set(train_labels)) * 4 if test_labels is None else test_labels)

    def images(labels):
        return torch.zeros(len(labels), 1, 4, 4, dtype=torch.uint8)

    default = round(len(train) / 6) if validation_size is None else validation_size
    if own is not None:
        own = torch.tensor(own)
        default, said = len(own), said | {"validation_images": images(own), "validation_labels": own}
    return Dataset("made", images(train), train, images(test), test, int(train.max()) + 1, "", default, **said)


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits", None)


def refused(*arguments, **sizes):
    with pytest.raises(UserError) as caught:
        draw_splits(*arguments, **sizes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def shares(labels, index):
    return labels[index].bincount(minlength=int(labels.max()) + 1) / len(index)


def test_digits_have_the_promised_sizes(digits):
    splits = draw_splits(digits, 0)
    assert [len(i) for i in (splits.train, splits.validation, splits.signal, splits.test)] == [
        1197,
        300,
        0,
        300,
    ]


def test_sizes_signal_and_disjointness(digits):
    splits = draw_splits(digits, 3, train_size=500, validation_size=200, test_size=100, signal=True)
    parts = (splits.train, splits.validation, splits.signal)
    assert [len(i) for i in (*parts, splits.test)] == [500, 200, 100, 100]
    assert len(torch.cat(parts).unique()) == 800
    for index in (*parts, splits.test):
        assert index.dtype == torch.int64 and torch.equal(index, index.sort().values)
        assert len(index.unique()) == len(index)


def test_all_that_is_left_trains(digits):
    splits = draw_splits(digits, 1, signal=True)
    parts = torch.cat([splits.train, splits.validation, splits.signal])
    assert torch.equal(parts.sort().values, torch.arange(1497))
    assert torch.equal(splits.test, torch.arange(300))


def test_strata(digits):
    splits = draw_splits(digits, 5, train_size=400, test_size=100, signal=True)
    whole = shares(digits.train_labels, torch.arange(1497))
    for index in (splits.train, splits.validation, splits.signal):
        assert (shares(digits.train_labels, index) - whole).abs().max() < 1.5 / len(index) + 0.001
    whole = shares(digits.test_labels, torch.arange(300))
    assert (shares(digits.test_labels, splits.test) - whole).abs().max() < 0.02


def test_the_same_seed_gives_the_same_splits(digits):
    first, again, other = (draw_splits(digits, seed, signal=True) for seed in (7, 7, 8))
    assert first.sha256 == again.sha256 != other.sha256
    assert not torch.equal(first.validation, other.validation)


def test_global_generators_do_not_enter(digits):
    import numpy as np

    first = draw_splits(digits, 7)
    np.random.seed(99)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert draw_splits(digits, 7).sha256 == first.sha256
    assert torch.equal(torch.get_rng_state(), state)


def test_validation_depends_on_no_other_size(digits):
    first = draw_splits(digits, 7)
    for sizes in ({"train_size": 100}, {"signal": True}, {"test_size": 50}):
        assert torch.equal(draw_splits(digits, 7, **sizes).validation, first.validation)


def test_the_hash_covers_every_split(digits):
    splits = draw_splits(digits, 0, signal=True)
    fields = {name: getattr(splits, name) for name in ("train", "validation", "signal", "test")}
    hashes = {Splits(**{**fields, name: index[1:]}).sha256 for name, index in fields.items()}
    assert len(hashes | {splits.sha256}) == 5


def test_a_split_of_everything_left_can_be_asked_for(digits):
    splits = draw_splits(digits, 0, train_size=1197, test_size=300)
    assert splits.sha256 == draw_splits(digits, 0).sha256


@pytest.mark.parametrize("size", [0, -5, 9, 1188, 1198, 5000, True, 20.0])
def test_train_sizes_that_do_not_fit(digits, size):
    message = refused(digits, 0, train_size=size)
    assert message.startswith("task.train_size must be in 10 .. 1187, or all 1197 (the train part left by validation")
    assert message.endswith(f"got {size!r}")


@pytest.mark.parametrize("size", [0, -1, 9, 1488, 1497, 2000])
def test_validation_sizes_that_do_not_fit(digits, size):
    message = refused(digits, 0, validation_size=size)
    assert message.startswith("task.validation_size must be in 10 .. 1487 (the train part has 1497 examples of 10")
    assert message.endswith(f"got {size}")


@pytest.mark.parametrize("size", [0, 9, 291, 301])
def test_test_sizes_that_do_not_fit(digits, size):
    message = refused(digits, 0, test_size=size)
    assert message.startswith("task.test_size must be in 10 .. 290, or all 300") and message.endswith(f"got {size}")


def test_no_room_for_the_signal_split(digits):
    draw_splits(digits, 0, validation_size=1000)
    message = refused(digits, 0, validation_size=1000, signal=True)
    assert message == (
        "task.validation_size must leave at least 510 training examples, for a signal split of 500 and "
        "10 classes to train on, got 1000, which leaves 497"
    )


def test_a_default_that_does_not_fit_says_that_it_is_one():
    assert refused(dataset([0, 1, 2] * 2), 0).endswith("got 1 (the default, since the task sets none)")


def test_a_small_signal_split_has_one_of_each_class():
    data = dataset([0, 1, 2, 3] * 6)
    splits = draw_splits(data, 0, validation_size=4, signal=True)
    assert data.train_labels[splits.signal].tolist() and len(splits.signal) == 4
    assert sorted(data.train_labels[splits.signal].tolist()) == [0, 1, 2, 3]


FOURTH_IS_RARE = [0, 1, 2] * 20 + [3]


@pytest.mark.parametrize(
    ("sizes", "draw"),
    [
        ({"validation_size": 4}, "task.validation_size: a stratified draw of 4 from 61 examples"),
        ({}, "task.validation_size: a stratified draw of 10 from 61 examples"),
        ({"test_size": 8}, "task.test_size: a stratified draw of 8 from 17 examples"),
    ],
)
@pytest.mark.parametrize(
    ("said", "called"),
    [
        ({}, "class 3"),
        ({"labels": (10, 20, 30, 40)}, "class 40"),
        ({"labels": (1, 2, 3, 12), "class_names": ("ant", "bee", "cow", "dog")}, "class 12 ('dog')"),
    ],
)
def test_a_class_with_one_example(sizes, draw, said, called):
    rare, enough = FOURTH_IS_RARE, [0, 1, 2, 3] * 20
    train, test = (enough, [0, 1, 2] * 5 + [3, 2]) if "test_size" in sizes else (rare, rare)
    assert refused(dataset(train, test, **said), 0, **sizes) == (
        f"{draw} needs at least 2 of each class, got 1 of {called}"
    )


@pytest.mark.parametrize(
    ("fourth", "sizes", "draw"),
    [
        (2, {"signal": True}, "the signal split"),
        (2, {"train_size": 8}, "task.train_size"),
        (3, {"signal": True, "train_size": 5}, "task.train_size"),
    ],
)
def test_a_class_that_earlier_splits_left_one_of(fourth, sizes, draw):
    data = dataset([0, 1, 2] * 6 + [3] * fourth, [0, 1, 2, 3], labels=(10, 20, 30, 40))
    message = refused(data, 0, validation_size=8, **sizes)
    assert message.startswith(f"{draw}: a stratified draw of ") and message.endswith("got 1 of class 40")


OWN = [0, 1, 2] * 4


def test_a_validation_part_of_its_own_chooses_and_train_trains():
    splits = draw_splits(dataset([0, 1, 2] * 8, own=OWN), 0)
    assert splits.train.tolist() == list(range(24)) and splits.validation.tolist() == list(range(24, 36))
    assert len(splits.signal) == 0 and splits.repeated == 0


def test_validation_is_drawn_from_its_own_part():
    data = dataset([0, 1, 2] * 8, own=OWN)
    first, other = (draw_splits(data, seed, validation_size=6, train_size=9) for seed in (0, 1))
    for splits in (first, other):
        assert all(24 <= i < 36 for i in splits.validation.tolist()) and all(i < 24 for i in splits.train.tolist())
        assert data.pool_labels[splits.validation].bincount().tolist() == [2, 2, 2]
        assert data.pool_labels[splits.train].bincount().tolist() == [3, 3, 3]
    assert not torch.equal(first.validation, other.validation)
    assert first.sha256 == draw_splits(data, 0, validation_size=6, train_size=9).sha256
    whole = draw_splits(data, 0, validation_size=12)
    assert torch.equal(whole.validation, torch.arange(24, 36)) and len(whole.train) == 24


def test_the_signal_split_is_drawn_from_train():
    data = dataset([0, 1, 2] * 8, own=OWN)
    splits = draw_splits(data, 0, signal=True)
    assert len(splits.signal) == 6 and int(splits.signal.max()) < 24
    assert torch.cat([splits.train, splits.signal]).sort().values.tolist() == list(range(24))


@pytest.mark.parametrize("size", [0, 2, 10, 13, 24])
def test_sizes_that_the_validation_part_does_not_have(size):
    assert refused(dataset([0, 1, 2] * 8, own=OWN), 0, validation_size=size) == (
        "task.validation_size must be in 3 .. 9, or all 12 (the validation part has 12 examples of 3 classes; "
        f"one of each class must be drawn and one left), got {size}"
    )


def test_a_validation_part_that_can_only_be_taken_whole():
    data = dataset([0, 1, 2] * 8, own=[0, 1, 2])
    assert draw_splits(data, 0).validation.tolist() == [24, 25, 26]
    assert "must be all 3 (" in refused(data, 0, validation_size=2)


def test_a_single_size_is_said_as_such():
    assert "task.validation_size must be 3, or all 6 (" in refused(
        dataset([0, 1, 2] * 8, own=OWN[:6]), 0, validation_size=4
    )
    assert "task.test_size must be 3, or all 6 (" in refused(
        dataset([0, 1, 2] * 8, test_labels=[0, 1, 2] * 2), 0, test_size=5
    )


def test_a_rare_class_of_the_validation_part_is_named():
    data = dataset([0, 1, 2] * 8, own=[0, 0, 0, 1, 1, 1, 1, 2], labels=(7, 8, 9))
    assert len(draw_splits(data, 0).validation) == 8
    assert refused(data, 0, validation_size=4).endswith(
        "from 8 examples needs at least 2 of each class, got 1 of class 9"
    )


def test_no_room_for_the_signal_split_beside_a_validation_part():
    assert refused(dataset([0, 1, 2] * 2, own=OWN), 0, signal=True) == (
        "task.validation_size: the signal split (half as large, at least one example per class) takes 6 of the 6 "
        "training examples and must leave 3, got 12 (the default, since the task sets none)"
    )


def test_sizes_of_train_beside_a_validation_part():
    data = dataset([0, 1, 2] * 8, own=OWN)
    assert "or all 24 (the train part has 24" in refused(data, 0, train_size=25)
    assert "or all 18 (the train part left by signal has 18" in refused(data, 0, train_size=25, signal=True)


def test_a_test_part_that_lacks_classes():
    data = dataset([0, 1, 2] * 8, test_labels=[0, 0, 1, 1])
    assert len(draw_splits(data, 0, validation_size=3, test_size=2).test) == 2
