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
        ("train_labels", torch.tensor([0, 0]), "must have every class, got none of 1"),
        ("test_images", torch.zeros(2, 1, 4, 5, dtype=torch.uint8), "one image shape"),
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
    }
    Dataset(**fields)
    with pytest.raises(ValueError, match=rule):
        Dataset(**{**fields, field: value})


def test_an_empty_dataset_is_refused():
    images, labels = torch.zeros(0, 1, 4, 4, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64)
    with pytest.raises(ValueError, match="must not be empty"):
        Dataset("x", images, labels, images, labels, 2, "", 1)
