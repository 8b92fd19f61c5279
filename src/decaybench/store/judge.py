"""Whose tables does a database hold, and may this version write to it? Answered before the first write."""

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
"""The tables that a database of ours needs."""
NAMES: Final = KNOWN | optunas.INDEXES.keys()
"""All that tables and indexes must be able to be called."""


@dataclass(frozen=True)
class Found:
    """What a database holds, as its unqualified names say.

    ``tables`` are the columns of each table (of those in `KNOWN`; of others none need to be listed) and ``keys`` those
    of its primary key, each with its type ("trial_id integer"). ``taken`` says of what is not a table but has a name
    that we need what it is ("a view"), ``enums`` are the labels of types. ``version`` is our layout's; ``revisions`` is
    all that alembic's table holds, None without one; ``studies`` says whether Optuna's table has a study.
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
        """Whether our tables are there."""
        return VERSIONS.name in self.tables

    @property
    def names(self) -> frozenset[str]:
        """All names that tables cannot have any more."""
        return frozenset(self.taken) | self.tables.keys()

    def called(self, name: str) -> str:
        """What is in the way: "a table 'runs'"."""
        return f"{'a table' if name in self.tables else self.taken[name]} {name!r}"


def found_in(
    tables: Mapping[str, frozenset[str]],
    ask: Callable[[str], Iterable[Any]],
    *,
    keys: Mapping[str, frozenset[str]],
    taken: Mapping[str, str],
    enums: Mapping[str, frozenset[str]] | None = None,
) -> Found:
    """`Found`, the rows read that judge them; ``ask`` gives the values of a query's one column."""
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

    Our own results can be read whatever Optuna makes of its tables, so without ``optuna`` those beside ours are passed.

    A file belongs to one program: to decaybench, to Optuna or to both. A PostgreSQL database may be shared, as long as
    nothing of another program bears a name that our tables or Optuna's need.
    """
    where = place(url)
    if found.ours:
        _judge_ours(found, where)
    elif url.get_backend_name() == "sqlite" and found.names and not found.names & optunas.TABLES.keys():
        holds = f"tables: {', '.join(sorted(found.tables)[:3])}" if found.tables else found.called(min(found.taken))
        raise UserError(f"{where} is another program's database ({holds}); take another file")
    elif taken := sorted(TABLES & found.names):
        raise UserError(f"{where} has {found.called(taken[0])} that is not decaybench's; take another database")
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
    """UserError unless Optuna will take what stands under its names: its newest tables, or a part of empty ones.

    Optuna makes its tables one by one and stamps them last, so a part without a stamp is what a process leaves that is
    killed meanwhile, or what one is making now; Optuna makes the rest. It takes any table that has the right name.
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
            "needs that name; take another database"
        )
    if stamp and stamp[0] != known[-1]:
        other = "" if found.ours else "take another database, or "
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
    # Where its table is missing, Optuna makes both.
    theirs += [name for name, table in optunas.INDEXES.items() if name in found.names and table not in found.names]
    if not stamp and optunas.STAMP in found.names and (stamp is None or len(here) < len(optunas.TABLES)):
        theirs.append(optunas.STAMP)
    if theirs:
        raise UserError(
            f"{where} has {found.called(theirs[0])} that is not Optuna's, and Optuna needs that name; "
            "take another database"
        )
    if not stamp and found.studies:
        raise UserError(f"{where} is damaged: it has Optuna's tables, but lacks the revision in {optunas.STAMP}")


def _fits(found: Found, name: str) -> bool:
    """Whether a table is one that Optuna can go on with: its own, or, without a stamp, as this Optuna makes it."""
    columns, keys = found.tables.get(name, frozenset()), found.keys.get(name, frozenset())
    if found.revisions:  # whoever moves a database to a server may give numbers another type
        return columns >= optunas.TABLES[name] and [key.partition(" ")[0] for key in keys] == [optunas.KEYS[name]]
    return columns == optunas.TABLES[name] and keys == {f"{optunas.KEYS[name]} integer"}


def _release(version: str) -> tuple[int, ...]:
    """``v3.2.0.a`` and ``3.2.0`` as (3, 2, 0); Optuna names a revision after the release that brought it."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _spelt(url: URL) -> str:
    """The URL for a shell, with words for what people may not read."""
    if url.get_backend_name() == "sqlite":
        return shlex.quote(url.render_as_string())
    return shlex.quote(SERVER.replace("HOST/DATABASE", place(url).partition("://")[2]))
