"""The cache only ever saves time: it is never seen in a result, an error or a folder left behind."""

from pathlib import Path

import numpy as np
import pytest
import torch

from decaybench.data import cache, load_dataset, sources
from decaybench.errors import UserError


def same(a, b):
    return (
        a.sha256 == b.sha256
        and torch.equal(a.train_images, b.train_images)
        and torch.equal(a.test_labels, b.test_labels)
        and (a.labels, a.class_names) == (b.labels, b.class_names)
    )


def test_a_cache_hit_equals_the_decode(root, cache_folder, monkeypatch):
    first = load_dataset("tiny", root)
    assert len(list(cache_folder.iterdir())) == 1

    def never(*_):
        raise AssertionError("decoded although cached")

    monkeypatch.setattr(sources, "read_part", never)
    assert same(first, load_dataset("tiny", root))


def test_a_changed_file_is_decoded_again(write, root):
    first = load_dataset("tiny", root)
    write(root / "tiny" / "test.parquet", [20, 10], seed=2)
    assert load_dataset("tiny", root).sha256 != first.sha256


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "text", "other arrays", "other dtype"])
def test_a_damaged_cache_is_decoded_again(root, cache_folder, damage):
    first = load_dataset("tiny", root)
    (stored,) = cache_folder.iterdir()
    whole = stored.read_bytes()
    if damage == "truncated":
        stored.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        stored.write_bytes(b"")
    elif damage == "flipped":
        position = whole.index(first.train_images.numpy().tobytes()) + 5
        stored.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
    elif damage == "text":
        stored.write_text("hello")
    elif damage == "other arrays":
        np.savez(stored, a=np.arange(3))
    else:
        parts = cache.read(stored.stem)
        np.savez(stored, **parts._replace(train_labels=parts.train_labels.astype(float))._asdict())
    assert cache.read(stored.stem) is None
    assert same(first, load_dataset("tiny", root))
    assert cache.read(stored.stem) is not None  # mended


def test_no_damage_of_a_byte_passes(root, cache_folder):
    load_dataset("tiny", root)
    (stored,) = cache_folder.iterdir()
    whole, untouched = stored.read_bytes(), cache.read(stored.stem)
    for position in np.random.default_rng(0).integers(0, len(whole), 150):
        stored.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        parts = cache.read(stored.stem)  # None, or untouched where the byte does not matter
        assert parts is None or all(map(np.array_equal, parts, untouched))


@pytest.mark.parametrize("block", ["folder", "parent"])
def test_an_unwritable_cache_only_costs_time(root, cache_folder, block):
    blocked = cache_folder if block == "folder" else cache_folder.parent
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file where a folder should be")
    assert same(load_dataset("tiny", root), load_dataset("tiny", root))


def test_a_full_disk_leaves_nothing_behind(root, cache_folder, monkeypatch):
    def full(file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert load_dataset("tiny", root).classes == 3
    assert list(cache_folder.iterdir()) == []


def test_the_default_cache_is_under_home(root, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    load_dataset("tiny", root)
    assert len(list((tmp_path / "home" / ".cache" / "decaybench").iterdir())) == 1


def test_without_a_home_nothing_is_cached(root, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert load_dataset("tiny", root).classes == 3


def test_a_bad_source_is_not_cached(write, root, cache_folder):
    write(root / "tiny" / "test.parquet", [20, 99])
    with pytest.raises(UserError):
        load_dataset("tiny", root)
    assert not cache_folder.exists()
