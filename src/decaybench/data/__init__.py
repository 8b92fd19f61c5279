"""Datasets as uint8 tensors, their splits, and what a seed draws per epoch: the order of batches and augmentation."""

from decaybench.data.augment import Augmentation, augmentation, augmented, draw_augmentation, ordered
from decaybench.data.cache import cache_folder
from decaybench.data.dataset import Dataset, sha256_of
from decaybench.data.order import batch_order
from decaybench.data.sources import load_dataset
from decaybench.data.splits import Splits, draw_splits
from decaybench.data.task import Examples, TaskData, normalise, prepare, repeated_images

__all__ = [
    "Augmentation",
    "Dataset",
    "Examples",
    "Splits",
    "TaskData",
    "augmentation",
    "augmented",
    "batch_order",
    "cache_folder",
    "draw_augmentation",
    "draw_splits",
    "load_dataset",
    "normalise",
    "ordered",
    "prepare",
    "repeated_images",
    "sha256_of",
]
