"""Back up a SQLite database while it is used, and upgrade an older one after a backup."""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from decaybench.errors import UserError
from decaybench.store.guard import look_at_file
from decaybench.store.migrations import VERSION
from decaybench.store.open import find_storage, open_storage
from decaybench.store.storage import BUSY_TIMEOUT, Storage, trouble


class Upgraded(NamedTuple):
    """What was upgraded: where, from which layout, the columns of metrics that were added, and the backup before it.

    ``backup`` is None on a server, and if there was nothing to do.
    """

    where: str
    layout: int
    added: frozenset[str]
    backup: Path | None

    @property
    def needed(self) -> bool:
        """Whether there was anything to do."""
        return self.layout != VERSION or bool(self.added)


def backup(storage: Storage, target: Path) -> None:
    """Copy a SQLite database, as it is at one moment, to a new file, and check the copy.

    Other processes may go on to write meanwhile. Raises UserError, and leaves nothing behind, for a server, if there is
    a file already, and if the copy cannot be written or is damaged.
    """
    if storage.file is None:
        raise UserError(f"{storage.where} is on a server; back it up with pg_dump --format=custom --file=FILE DATABASE")
    unfinished = target.absolute().with_name(f".{target.name}.new-{os.getpid()}")
    try:
        target.open("x").close()  # ours from here on, so that nothing is overwritten
    except FileExistsError:
        raise UserError(f"{target} exists, and a backup overwrites nothing; name another file") from None
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}") from error
    try:
        _copy(storage, unfinished, target)
        unfinished.replace(target)
    except BaseException as error:
        for path in (unfinished, target):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UserError(f"{target} cannot be written: {error.strerror}") from error
        raise


def upgrade(url: str) -> Upgraded:
    """Migrate the database at ``url`` to the newest layout, after a backup beside it.

    Raises UserError as `open_storage` and `backup` do; the database is as it was then.
    """
    with open_storage(url, create=False) as old:
        found = Upgraded(old.where, old.layout, old.lacks if old.layout == VERSION else frozenset(), None)
        if not found.needed:
            return found
        if (writable := find_storage(url)) is not None:  # refuses what must not be written, before there is a backup
            writable.engine.dispose()
        if old.file is not None:
            beside = old.file.with_name(f"{old.file.stem}.layout-{old.layout}{old.file.suffix}")
            backup(old, beside)
            found = found._replace(backup=beside)
    open_storage(url, create=True).engine.dispose()
    return found


def _copy(storage: Storage, unfinished: Path, target: Path) -> None:
    with storage.read() as connection, contextlib.closing(sqlite3.connect(unfinished)) as copy:
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)
        try:
            source.backup(copy)
        except sqlite3.Error as error:
            raise trouble(error, storage.engine.url.set(database=str(target))) from error
    if not look_at_file(unfinished, BUSY_TIMEOUT, write=False).ours:  # raises UserError if it is damaged
        raise UserError(f"{target}: the copy lacks decaybench's tables; its disk may be failing")
