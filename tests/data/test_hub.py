"""Datasets from the hub: which files are asked for, that they are read like a folder's, and what no network says."""

import json
import os
import re
import subprocess
import sys
import threading

import huggingface_hub
import pytest
import torch

from decaybench.data import hub, load_dataset
from decaybench.errors import UserError

FETCHED = ["mnist", "fashion-mnist", "cifar10"]


@pytest.fixture
def fake(monkeypatch, root):
    """Serves tiny's files instead of the hub's; returns the calls, as (repository, file, repo_type, revision)."""
    asked = []

    def download(repo_id, filename, *, repo_type, revision, token):
        asked.append((repo_id, filename, repo_type, revision))
        assert token is False  # the data is public: nobody's token leaves this machine
        return str(root / "tiny" / ("test.parquet" if "test-" in filename else "train.parquet"))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_, **__: None)
    return asked


def refused(name, root):
    with pytest.raises(UserError) as caught:
        load_dataset(name, root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_sources_are_pinned_to_commits():
    assert list(hub.SOURCES) == FETCHED
    for source in hub.SOURCES.values():
        assert re.fullmatch(r"[0-9a-f]{40}", source.revision)


@pytest.mark.parametrize("name", FETCHED)
@pytest.mark.parametrize("with_root", [False, True])
def test_fetched_when_no_folder_has_it(fake, root, name, with_root):
    data = load_dataset(name, root if with_root else None)
    local = load_dataset("tiny", root)
    assert data.name == name and data.sha256 == local.sha256 and data.classes == 3
    assert torch.equal(data.train_images, local.train_images)
    repository, folder, revision = hub.SOURCES[name]
    assert fake == [
        (repository, f"{folder}/{part}-00000-of-00001.parquet", "dataset", revision) for part in ("train", "test")
    ]


def test_a_local_folder_goes_before_the_hub(fake, root, write):
    write(root / "mnist" / "train.parquet", [0, 1] * 3)
    write(root / "mnist" / "test.parquet", [0, 1], seed=1)
    assert len(load_dataset("mnist", root).train_labels) == 6
    assert fake == []


def test_half_a_local_folder_is_not_made_up_for(fake, root, write):
    write(root / "mnist" / "train.parquet", [0, 1] * 3)
    assert refused("mnist", root).startswith(f"{root}/mnist/test.parquet: must exist")
    assert fake == []


def test_a_mistyped_data_folder_downloads_nothing(fake, tmp_path):
    assert refused("mnist", tmp_path / "nowhere").startswith("--data (or DECAYBENCH_DATA) must be an existing folder")
    assert fake == []


def test_a_cached_file_needs_no_network(fake, monkeypatch):
    def unreachable(*_, **__):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: "/somewhere")
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", unreachable)
    assert load_dataset("mnist", None).classes == 3


def test_a_download_that_breaks_off(fake, monkeypatch, root):
    def broken(*_, **__):
        raise OSError("Not enough free disk space to download the file.\nmore lines")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", broken)
    assert refused("cifar10", root) == (
        "task.data 'cifar10' was not found in a data folder and could not be fetched from the hub's uoft-cs/cifar10 "
        "(Not enough free disk space to download the file.): "
        f"put its files at {root}/cifar10/train.parquet and test.parquet (--data is {root})"
    )


def test_a_hub_that_does_not_answer(fake, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_, **__: released.wait(60))
    monkeypatch.setattr(hub, "PROBE_SECONDS", 0.1)
    message = refused("mnist", None)
    released.set()
    assert "ylecun/mnist (no answer within 0.1 seconds)" in message
    assert fake == []


UNREACHABLE = """
import json, os, sys, time
from decaybench.data import load_dataset
from decaybench.errors import UserError
load_dataset("digits", None)
assert "huggingface_hub" not in sys.modules
# The hub reads its environment when it is imported, so each network has a process of its own.
for network in json.loads(sys.argv[1]):
    if child := os.fork():
        os.waitpid(child, 0)
        continue
    os.environ |= network
    start = time.monotonic()
    try:
        load_dataset("fashion-mnist", None)
    except UserError as error:
        print(error)
    print(time.monotonic() - start)
    break
"""


@pytest.mark.parametrize(
    "networks",
    [
        [{"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}],  # the first refuses at once
        pytest.param([{"HF_ENDPOINT": "http://no-such-host.invalid"}], marks=pytest.mark.soak),  # no resolver knows it
    ],
)
def test_no_network_is_one_line_at_once_and_the_hub_is_imported_only_when_needed(tmp_path, networks):
    env = os.environ | {"HF_HOME": str(tmp_path / "hf"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", UNREACHABLE, json.dumps(networks)]
    out = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    said = out.stdout.splitlines()
    for network, line, seconds in zip(networks, said[::2], said[1::2], strict=True):
        assert line.startswith("task.data 'fashion-mnist' was not found in a data folder and could not be fetched ")
        assert "DIR/fashion-mnist/train.parquet and test.parquet" in line and "--data DIR" in line
        assert ("offline" in line) == ("HF_HUB_OFFLINE" in network)
        assert float(seconds) < 12  # a second or so on an idle machine; the hub's own retries take more than 20
    assert out.stderr == ""
