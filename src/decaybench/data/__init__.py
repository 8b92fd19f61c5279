"""Datasets as uint8 tensors, their splits, and the order of batches: pure functions of files and seeds."""

from decaybench.data.cache import cache_folder
from decaybench.data.dataset import Dataset, sha256_of
from decaybench.data.order import batch_order
from decaybench.data.sources import load_dataset
from decaybench.data.splits import Splits, draw_splits
from decaybench.data.task import Examples, TaskData, normalise, prepare, repeated_images

__all__ = [
    "Dataset",
    "Examples",
    "Splits",
    "TaskData",
    "batch_order",
    "cache_folder",
    "draw_splits",
    "load_dataset",
    "normalise",
    "prepare",
    "repeated_images",
    "sha256_of",
]
