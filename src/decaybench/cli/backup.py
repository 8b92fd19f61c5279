"""``decaybench backup``: the database in another file, complete even while sweeps are running."""

from decaybench import store
from decaybench.paths import expanded, typed


def write(file: str, *, storage: str | None) -> None:
    """Write the backup, and print how much is in it."""
    target = expanded(file, "FILE")
    with store.open_storage(store.storage_url(storage), create=False) as opened:
        store.backup(opened, target)
        names = store.sweep_names(opened)
    print(f"{opened.where}: backed up in {typed(target)} ({len(names)} sweep{'' if len(names) == 1 else 's'})")
