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


@dataclass(frozen=True)
class Found:
    """What a database holds, as its unqualified names say.

    ``tables`` are the columns of each table (of those in `KNOWN`; of others none need to be listed), ``taken`` the
    names of what is not a table but cannot stand beside one of that name (views, types, ...), ``enums`` the labels of
    types. ``version`` is our layout's; ``revisions`` is all that alembic's table holds, None without one; ``studies``
    says whether Optuna's table has a study.
    """

    tables: Mapping[str, frozenset[str]] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()
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
        return self.taken | self.tables.keys()


def found_in(
    tables: Mapping[str, frozenset[str]],
    ask: Callable[[str], Iterable[Any]],
    *,
    taken: frozenset[str] = frozenset(),
    enums: Mapping[str, frozenset[str]] | None = None,
) -> Found:
    """`Found`, the rows read that judge them; ``ask`` gives the values of a query's one column."""
    version = revisions = None
    if VERSIONS.name in tables:
        (version,) = ask(f"SELECT max(version) FROM {VERSIONS.name}")
    if "version_num" in tables.get(optunas.STAMP, ()):
        revisions = tuple(str(row) for row in ask(f"SELECT version_num FROM {optunas.STAMP}"))
    studies = "studies" in tables and bool(list(ask("SELECT 1 FROM studies LIMIT 1")))
    return Found(tables, taken, enums or {}, version, revisions, studies)


def judge(found: Found, url: URL) -> None:
    """Raise UserError unless a database at ``url`` that holds ``found`` may be written to, by us and by Optuna.

    A file belongs to one program: to decaybench, to Optuna or to both. A PostgreSQL database may be shared, as long as
    nothing of another program bears a name that our tables or Optuna's need.
    """
    where = place(url)
    if found.ours:
        _judge_ours(found, where)
    elif url.get_backend_name() == "sqlite" and found.names and not found.names & optunas.TABLES.keys():
        listed = ", ".join(sorted(found.names)[:3])
        raise UserError(f"{where} is another program's database (tables: {listed}); take another file")
    elif taken := sorted(TABLES & found.names):
        raise UserError(f"{where} has a table {taken[0]!r} that is not decaybench's; take another database")
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
    where, here = place(url), optunas.TABLES.keys() & found.names
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
        raise UserError(
            f"{where} was written by an older Optuna (tables {stamp[0]}, Optuna {installed} needs {known[-1]}); "
            f"take another database, or upgrade this one: optuna storage upgrade --storage {_spelt(url)}"
        )
    if stamp and (missing := sorted(optunas.TABLES.keys() - found.names)):
        raise UserError(f"{where} is damaged: it has Optuna's tables, but lacks {', '.join(missing)}")
    theirs = [name for name in sorted(here) if not found.tables.get(name, frozenset()) >= optunas.TABLES[name]]
    theirs += [name for name, labels in found.enums.items() if not labels >= optunas.ENUMS[name]]
    if not stamp and found.studies:
        theirs.append("studies")
    if not stamp and optunas.STAMP in found.names and (stamp is None or len(here) < len(optunas.TABLES)):
        theirs.append(optunas.STAMP)
    if theirs:
        raise UserError(
            f"{where} has a table {theirs[0]!r} that is not Optuna's, and Optuna needs that name; take another database"
        )


def _release(version: str) -> tuple[int, ...]:
    """``v3.2.0.a`` and ``3.2.0`` as (3, 2, 0); Optuna names a revision after the release that brought it."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _spelt(url: URL) -> str:
    """The URL for a shell, with words for what people may not read."""
    if url.get_backend_name() == "sqlite":
        return shlex.quote(url.render_as_string())
    return shlex.quote(SERVER.replace("HOST/DATABASE", place(url).partition("://")[2]))
