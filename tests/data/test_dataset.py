"""A dataset refuses what would be wrong later."""

import pytest
import torch

from decaybench.data import Dataset


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("train_images", torch.zeros(2, 1, 4, 4), "must be uint8"),
        ("test_labels", torch.zeros(2, dtype=torch.int32), "must be int64"),
        ("test_labels", torch.tensor([0, 2]), "must be in 0 .. 1, got 0 .. 2"),
        ("train_labels", torch.tensor([0, 0]), "must have every class, got none of class 1"),
        ("test_images", torch.zeros(2, 1, 4, 5, dtype=torch.uint8), "one image shape"),
        (
            "validation_images",
            torch.zeros(2, 1, 5, 4, dtype=torch.uint8),
            "train_images and validation_images must have",
        ),
        ("validation_images", None, "must be given together"),
        ("validation_labels", torch.tensor([0, 2]), "Dataset.validation_labels must be in 0 .. 1, got 0 .. 2"),
        ("labels", (10,), "labels must have one entry per class, 2, got 1"),
        ("class_names", ("cat", "dog", "cow"), "class_names must have one entry per class, 2, got 3"),
    ],
)
def test_a_dataset_checks_itself(field, value, rule):
    images, labels = torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 1])
    fields = {
        "name": "x",
        "train_images": images,
        "train_labels": labels,
        "test_images": images,
        "test_labels": labels,
        "classes": 2,
        "sha256": "",
        "validation_size": 1,
        "validation_images": images,
        "validation_labels": labels,
    }
    Dataset(**fields)
    with pytest.raises(ValueError, match=rule):
        Dataset(**{**fields, field: value})


def test_an_empty_dataset_is_refused():
    images, labels = torch.zeros(0, 1, 4, 4, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64)
    with pytest.raises(ValueError, match="must not be empty"):
        Dataset("x", images, labels, images, labels, 2, "", 1)


@pytest.mark.parametrize(
    ("said", "called"),
    [
        ({}, "class 1"),
        ({"labels": (10, -7)}, "class -7"),
        ({"labels": (10, 20), "class_names": ("cat", "dog")}, "class 20 ('dog')"),
        ({"class_names": ("cat", "")}, "class 1"),
    ],
)
def test_a_class_is_called_what_its_source_calls_it(said, called):
    images, labels = torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 1])
    assert Dataset("x", images, labels, images, labels, 2, "", 1, **said).called(1) == called


def test_a_class_that_train_lacks_is_called_so_too():
    images, labels = torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 0])
    with pytest.raises(ValueError, match="got none of class 20"):
        Dataset("x", images, labels, images, labels, 2, "", 1, labels=(10, 20))
