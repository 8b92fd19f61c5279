"""Decide, before the first write, whose tables a database holds and whether this version may write to it."""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final

from sqlalchemy.engine import URL

from decaybench.errors import UserError
from decaybench.store import optunas
from decaybench.store.migrations import VERSION
from decaybench.store.schema import TABLES, VERSIONS, tables_in
from decaybench.store.url import SERVER, place

KNOWN: Final = frozenset({*TABLES, *optunas.TABLES, optunas.STAMP})
"""The tables that decaybench and Optuna need."""
NAMES: Final = KNOWN | optunas.INDEXES.keys()
"""The names that must be free for tables and indexes."""


@dataclass(frozen=True)
class Found:
    """What a database holds under the unqualified names that matter here.

    * ``tables`` maps each table to its columns, which may be left out for tables that are not in `KNOWN`.
    * ``keys`` maps each table to the columns of its primary key, each with its type ("trial_id integer").
    * ``taken`` maps names that are needed, but used for something else, to what that is ("a view").
    * ``enums`` maps types to their labels.
    * ``version`` is the layout of our tables.
    * ``revisions`` is the content of alembic's table, None without one.
    * ``studies`` says whether Optuna's tables hold a study.
    """

    tables: Mapping[str, frozenset[str]] = field(default_factory=dict)
    keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    taken: Mapping[str, str] = field(default_factory=dict)
    enums: Mapping[str, frozenset[str]] = field(default_factory=dict)
    version: int | None = None
    revisions: tuple[str, ...] | None = None
    studies: bool = False

    @property
    def ours(self) -> bool:
        """Whether it has our tables."""
        return VERSIONS.name in self.tables

    @property
    def names(self) -> frozenset[str]:
        """The names that are already taken."""
        return frozenset(self.taken) | self.tables.keys()

    def called(self, name: str) -> str:
        """Describe what has the name, such as "a table 'runs'"."""
        return f"{'a table' if name in self.tables else self.taken[name]} {name!r}"


def found_in(
    tables: Mapping[str, frozenset[str]],
    ask: Callable[[str], Iterable[Any]],
    *,
    keys: Mapping[str, frozenset[str]],
    taken: Mapping[str, str],
    enums: Mapping[str, frozenset[str]] | None = None,
) -> Found:
    """Return `Found`, with the rows that `judge` needs; ``ask`` returns the values of a query's only column."""
    version = revisions = None
    if VERSIONS.name in tables:
        (version,) = ask(f"SELECT max(version) FROM {VERSIONS.name}")
    if "version_num" in tables.get(optunas.STAMP, ()):
        stamps = ask(f"SELECT version_num FROM {optunas.STAMP}")
        revisions = tuple("NULL" if stamp is None else str(stamp) for stamp in stamps)
    studies = "studies" in tables and bool(list(ask("SELECT 1 FROM studies LIMIT 1")))
    return Found(tables, keys, taken, enums or {}, version, revisions, studies)


def judge(found: Found, url: URL, *, optuna: bool = True) -> None:
    """Raise UserError unless a database at ``url`` that holds ``found`` may be written to, by us and by Optuna.

    Our results can be read without Optuna's tables, so without ``optuna`` those beside ours are not checked.

    A file belongs to decaybench, to Optuna or to both. A PostgreSQL database may be shared with other programs, as
    long as they use no name that our tables or Optuna's need.
    """
    where = place(url)
    if found.ours:
        _judge_ours(found, where)
    elif url.get_backend_name() == "sqlite" and found.names and not found.names & optunas.TABLES.keys():
        holds = f"tables: {', '.join(sorted(found.tables)[:3])}" if found.tables else found.called(min(found.taken))
        raise UserError(f"{where} is another program's database ({holds}); use another file")
    elif taken := sorted(TABLES & found.names):
        raise UserError(f"{where} has {found.called(taken[0])} that is not decaybench's; use another database")
    if optuna or not found.ours:
        _judge_optunas(found, url)


def _judge_ours(found: Found, where: str) -> None:
    needed = tables_in(found.version if isinstance(found.version, int) else 1)
    if not isinstance(found.version, int) or needed - found.tables.keys():
        missing = ", ".join(sorted(needed - found.tables.keys())) or "its layout's version"
        raise UserError(f"{where} is damaged: it is decaybench's, but lacks {missing}")
    if found.version > VERSION:
        raise UserError(
            f"{where} was written by a newer decaybench (layout {found.version}, "
            f"this one knows {VERSION}); upgrade decaybench"
        )


def _judge_optunas(found: Found, url: URL) -> None:
    """Raise UserError unless Optuna can use what has its names: its newest tables, or some of them, empty.

    Optuna creates its tables one by one and stamps them last. Some tables without a stamp come from a process that was
    killed meanwhile or is still creating them; Optuna creates the rest. It accepts any table with the right name.
    """
    where, here = place(url), sorted(optunas.TABLES.keys() & found.names)
    stamp, known, installed = found.revisions, optunas.revisions(), metadata.version("optuna")
    if stamp and (len(stamp) > 1 or stamp[0] not in known):
        if re.fullmatch(r"v\d+\.\d+\.\d+\.[a-z]", stamp[0]) and _release(stamp[0]) > _release(installed):
            raise UserError(
                f"{where} was written by a newer Optuna (tables {stamp[0]}, Optuna {installed} is installed); "
                "upgrade optuna"
            )
        raise UserError(
            f"{where} has a table {optunas.STAMP!r} of another program (revision {', '.join(stamp)!r}), and Optuna "
            "needs that name; use another database"
        )
    if stamp and stamp[0] != known[-1]:
        other = "" if found.ours else "use another database, or "
        raise UserError(
            f"{where} was written by an older Optuna (tables {stamp[0]}, Optuna {installed} needs {known[-1]}); "
            f"{other}upgrade this one: optuna storage upgrade --storage {_spelt(url)}"
        )
    if stamp and (missing := sorted(optunas.TABLES.keys() - found.names)):
        raise UserError(f"{where} is damaged: it has Optuna's tables, but lacks {', '.join(missing)}")
    theirs = [name for name in here if not _fits(found, name)]
    theirs += [
        name
        for name, labels in optunas.ENUMS.items()
        if name in found.names and not found.enums.get(name, frozenset()) >= labels
    ]
    # If the index's table is missing, Optuna creates both.
    theirs += [name for name, table in optunas.INDEXES.items() if name in found.names and table not in found.names]
    if not stamp and optunas.STAMP in found.names and (stamp is None or len(here) < len(optunas.TABLES)):
        theirs.append(optunas.STAMP)
    if theirs:
        raise UserError(
            f"{where} has {found.called(theirs[0])} that is not Optuna's, and Optuna needs that name; "
            "use another database"
        )
    if not stamp and found.studies:
        raise UserError(f"{where} is damaged: it has Optuna's tables, but lacks the revision in {optunas.STAMP}")


def _fits(found: Found, name: str) -> bool:
    """Whether Optuna can use a table. Without a stamp, it must be one that the installed Optuna would create."""
    columns, keys = found.tables.get(name, frozenset()), found.keys.get(name, frozenset())
    if found.revisions:  # moving a database to a server may change the type of numbers
        return columns >= optunas.TABLES[name] and [key.partition(" ")[0] for key in keys] == [optunas.KEYS[name]]
    return columns == optunas.TABLES[name] and keys == {f"{optunas.KEYS[name]} integer"}


def _release(version: str) -> tuple[int, ...]:
    """Return (3, 2, 0) for ``v3.2.0.a`` and ``3.2.0``; Optuna names a revision after the release that added it."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _spelt(url: URL) -> str:
    """Return the URL quoted for a shell, with placeholders for user and password."""
    if url.get_backend_name() == "sqlite":
        return shlex.quote(url.render_as_string())
    return shlex.quote(SERVER.replace("HOST/DATABASE", place(url).partition("://")[2]))
