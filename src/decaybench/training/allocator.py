"""How the C library keeps memory for the large temporary tensors of training on a CPU."""

import ctypes
import os
from functools import cache

TRIM, MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD in glibc's malloc.h
NEVER = {TRIM: 2**31 - 1, MMAP: 2**30}  # bytes
OLD_LIMIT = 2**25  # glibc before 2.35 refuses an mmap threshold above 32 MiB


@cache
def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, from now on. Does nothing except on Linux with glibc.

    By default, glibc returns a large tensor's memory to the system when the tensor is freed. The next tensor then gets
    new pages, and the system fills each of them with zeros when it is first used. Every update makes dozens of such
    tensors, whose sizes are the same each time. Where a tensor lies changes no number.
    """
    try:
        glibc = (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError, OSError):  # another system or C library
        return
    if glibc:
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(TRIM, NEVER[TRIM])
        if not mallopt(MMAP, NEVER[MMAP]):
            mallopt(MMAP, OLD_LIMIT)
