"""How a column of our tables is described: by an annotation of a row type's field, from which all else is derived."""

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from sqlalchemy import Float
from sqlalchemy.types import TypeEngine

from decaybench.metrics import METRICS

Row = TypeVar("Row")

Writer = Literal["plan", "mirror", "stacks", "attempt", "result", "selection"]
"""What fills a column of ``runs``: `NewRun`, `Mirror`, `set_stacks`, `offer`, `RunResult` or `supersede`."""

_LARGEST_FLOAT: Final = "1.7976931348623157e308"
_FRAME_TYPES: Final = {
    str: "str",
    int: "int64",
    float: "float64",
    bool: "bool",
    dict: "object",
    datetime: "datetime64[us, UTC]",
}


class Check(NamedTuple):
    """A CHECK on one column: the suffix of its name, and its condition with ``{}`` for the column."""

    name: str
    condition: str


def one_of(values: tuple[str, ...]) -> Check:
    """Return a check that allows only these texts."""
    return Check("known", f"{{}} IN ({', '.join(map(repr, values))})")


def within(low: float, high: float) -> Check:
    """Return a check for ``low`` to ``high``, both included."""
    return Check("range", f"{{}} BETWEEN {low} AND {high}")


def at_least(low: int) -> Check:
    """Return a check for ``low`` or more."""
    return Check("least", f"{{}} >= {low}")


FINITE: Final = Check("finite", f"{{}} BETWEEN -{_LARGEST_FLOAT} AND {_LARGEST_FLOAT}")
"""NULL passes a CHECK. PostgreSQL orders NaN above every number; SQLite makes it NULL by itself."""
LENGTH: Final = Check("range", "{0} > 0 AND {0} <= 1")


@dataclass(frozen=True)
class Kept:
    """How the database stores a field: its SQL type and, for a column of ``runs``, what writes it (``by``).

    ``since`` is the layout that added it, or infinity for a column of `measured`; if that is later than 1, older rows
    hold NULL or ``default``. ``of`` is the table that it refers to. ``data`` says whether it belongs to the sweep's
    data, and so to data frames, runs.csv and the hashes of a report's manifest; other columns are internal.
    """

    sql: TypeEngine[Any]
    by: Writer | None = None
    check: Check | None = None
    _: KW_ONLY
    since: float = 1
    default: Any = None
    key: bool = False
    of: str | None = None
    unique: bool = False
    data: bool = True


class Described(NamedTuple):
    """A column: its name, its Python type, whether it may be NULL, and how it is stored."""

    name: str
    python: type
    optional: bool
    kept: Kept

    @property
    def frame_type(self) -> str:
        """Its type in a data frame, where an integer that may be missing is a float with NaN."""
        return "float64" if self.optional and self.python is int else _FRAME_TYPES[self.python]


@cache
def described(row: type) -> tuple[Described, ...]:
    """Return the columns that a row type describes, in order."""
    found = []
    for name, hint in get_type_hints(row, include_extras=True).items():
        python, kept = get_args(hint)
        kinds = [kind for kind in get_args(python) if kind is not type(None)] if type(None) in get_args(python) else []
        plain = kinds[0] if kinds else python
        found.append(Described(name, get_origin(plain) or plain, bool(kinds), kept))
    return tuple(found)


def data_columns(row: type) -> tuple[str, ...]:
    """Return the names of the columns that belong to a sweep's data, in order."""
    return tuple(column.name for column in described(row) if column.kept.data)


def measured(*parts: str, by: Writer | None = None) -> Callable[[type[Row]], type[Row]]:
    """Add to a row type the field ``PART_NAME``, by default None, for each part and each metric that it does not name.

    Apply it before `dataclass`.
    """

    def add(row: type[Row]) -> type[Row]:
        for metric in METRICS.values():
            kept = Kept(Float(53), by, within(0, metric.high) if metric.bounded else FINITE, since=math.inf)
            for name in (f"{part}_{metric.name}" for part in parts):
                if name not in row.__annotations__:
                    row.__annotations__[name] = Annotated[float | None, kept]
                    setattr(row, name, None)
        return row

    return add
