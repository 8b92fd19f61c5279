"""``decaybench upgrade``: give an older database the tables of this version, after a backup beside it."""

from decaybench import store
from decaybench.paths import typed


def show(*, storage: str | None) -> None:
    """Upgrade, and print what was done."""
    done = store.upgrade(store.storage_url(storage))
    if not done.needed:
        print(f"{done.where}: nothing to do, it has layout {store.VERSION}")
        return
    what = f"upgraded from layout {done.layout} to {store.VERSION}"
    if done.layout == store.VERSION:
        what = f"columns added ({', '.join(sorted(done.added))})"
    kept = "no backup was made: a server's databases are backed up with pg_dump"
    print(f"{done.where}: {what}; {kept if done.backup is None else f'as it was: {typed(done.backup)}'}")
