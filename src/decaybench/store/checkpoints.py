"""Where the checkpoints of stacks are kept: in files beside a SQLite database, or in a table on a server.

A stack keeps its current attempt's last checkpoint. Until there is one, it keeps that of an earlier attempt. A stale
worker cannot replace it: on a server, because the claim is checked in the transaction; beside a file, because the file
is named after the attempt.
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import delete, insert, select

from decaybench.errors import UserError
from decaybench.store.claims import Claim, require_held
from decaybench.store.patience import patient
from decaybench.store.schema import CHECKPOINTS
from decaybench.store.storage import Storage

MOST_BYTES: Final = 256 * 2**20
"""The largest checkpoint that is kept on a server."""


class Saved(NamedTuple):
    """A checkpoint. ``made_with`` says what must be the same to use it, and ``epochs`` how many had been finished.

    ``data`` is None if the checkpoint is damaged.
    """

    attempt: int
    epochs: int
    made_with: str
    data: bytes | None


def save_checkpoint(storage: Storage, claim: Claim, epochs: int, made_with: str, data: bytes) -> None:
    """Keep a checkpoint instead of the stack's last one, unless it is too large for the server.

    Raises StaleError unless this attempt holds the stack, and UserError, without waiting, if there is no space.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    if (folder := _folder(storage)) is None:
        if len(data) <= MOST_BYTES:
            row = {"attempt": claim.attempt, "epochs": epochs, "made_with": made_with, "sha256": sha256, "data": data}
            with storage.write() as connection:
                here = CHECKPOINTS.c.sweep_id == claim.sweep_id, CHECKPOINTS.c.stack == claim.stack
                connection.execute(delete(CHECKPOINTS).where(*here))
                connection.execute(insert(CHECKPOINTS).values(sweep_id=claim.sweep_id, stack=claim.stack, **row))
                require_held(connection, claim)  # last, so that a long upload keeps no renewal of the lease waiting
        return
    with storage.write() as connection:
        require_held(connection, claim)
    head = json.dumps({"epochs": epochs, "made_with": made_with, "sha256": sha256})
    path = folder / f"{claim.sweep_id}-{claim.stack}-{claim.attempt}"
    try:
        folder.mkdir(exist_ok=True)
        with open(path.with_suffix(".new"), "wb") as file:
            file.write(f"{head}\n".encode())
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        path.with_suffix(".new").replace(path)
    except OSError as error:
        with suppress(OSError):
            path.with_suffix(".new").unlink(missing_ok=True)
        raise UserError(f"{path}: a checkpoint cannot be written: {error.strerror}") from error
    for attempt, older in _files(folder, claim.sweep_id, claim.stack):
        if attempt < claim.attempt:
            _remove(older)


@patient
def last_checkpoint(storage: Storage, sweep_id: str, stack: int) -> Saved | None:
    """The stack's last checkpoint; None if there is none."""
    if (folder := _folder(storage)) is None:
        columns = (CHECKPOINTS.c[name] for name in ("attempt", "epochs", "made_with", "sha256", "data"))
        query = select(*columns).where(CHECKPOINTS.c.sweep_id == sweep_id, CHECKPOINTS.c.stack == stack)
        with storage.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return Saved(row.attempt, row.epochs, row.made_with, _intact(bytes(row.data), row.sha256))
    files = sorted(_files(folder, sweep_id, stack))
    return _read(*files[-1]) if files else None


@patient
def drop_checkpoints(storage: Storage, sweep_id: str, but: Collection[int] = ()) -> None:
    """Delete the checkpoints of a sweep's stacks, except those of the stacks in ``but``."""
    if (folder := _folder(storage)) is None:
        with storage.write() as connection:
            others = CHECKPOINTS.c.sweep_id == sweep_id, CHECKPOINTS.c.stack.not_in(list(but))
            connection.execute(delete(CHECKPOINTS).where(*others))
        return
    for path in folder.glob(f"{sweep_id}-*"):
        stack = path.stem.split("-")[-2]
        if not stack.isdigit() or int(stack) not in but:
            _remove(path)
    with suppress(OSError):  # other sweeps have some
        folder.rmdir()


@patient
def drop_checkpoint(storage: Storage, sweep_id: str, stack: int) -> None:
    """Delete the checkpoints of one stack."""
    if (folder := _folder(storage)) is None:
        with storage.write() as connection:
            here = CHECKPOINTS.c.sweep_id == sweep_id, CHECKPOINTS.c.stack == stack
            connection.execute(delete(CHECKPOINTS).where(*here))
        return
    for _, path in _files(folder, sweep_id, stack):
        _remove(path)


def _folder(storage: Storage) -> Path | None:
    """The folder of the files; None on a server."""
    return None if storage.file is None else storage.file.with_name(f".{storage.file.name}.checkpoints")


def _files(folder: Path, sweep_id: str, stack: int) -> Iterator[tuple[int, Path]]:
    """The stack's checkpoints with their attempts, without any that was being written."""
    for path in folder.glob(f"{sweep_id}-{stack}-*"):
        if (attempt := path.name.rpartition("-")[2]).isdigit():
            yield int(attempt), path


def _remove(path: Path) -> None:
    with suppress(OSError):  # nobody needs that it is gone
        path.unlink(missing_ok=True)


def _read(attempt: int, path: Path) -> Saved | None:
    try:
        head, _, data = path.read_bytes().partition(b"\n")
    except OSError:  # a newer one has just replaced it
        return None
    try:
        said = json.loads(head)
        return Saved(attempt, int(said["epochs"]), str(said["made_with"]), _intact(data, said["sha256"]))
    except (ValueError, KeyError, TypeError):
        return Saved(attempt, 0, "", None)


def _intact(data: bytes, sha256: str) -> bytes | None:
    return data if hashlib.sha256(data).hexdigest() == sha256 else None
