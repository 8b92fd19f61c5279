"""Large tensors get the memory of those that were freed before them."""

import os
import resource

import pytest
import torch

from decaybench.training.allocator import keep_freed_memory

PAGES = 2**26 // resource.getpagesize()


def has_glibc():
    try:
        return "glibc" in (os.confstr("CS_GNU_LIBC_VERSION") or "")
    except (AttributeError, ValueError):
        return False


def new_pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


@pytest.mark.skipif(not has_glibc(), reason="needs glibc")
def test_a_large_tensor_gets_the_pages_of_the_one_before():
    keep_freed_memory()
    after = []
    for _ in range(4):
        torch.zeros(2**24).add_(1)  # 64 MiB
        after.append(new_pages())
    assert after[-1] - after[-2] < PAGES / 2


def test_nothing_happens_without_glibc(monkeypatch):
    def unknown(name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "confstr", unknown, raising=False)
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("must not look for mallopt"))
    keep_freed_memory.__wrapped__()
