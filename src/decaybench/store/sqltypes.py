"""Column types that keep every digit of a number and the time zone of a moment, on SQLite and PostgreSQL."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, String, Text, TypeDecorator
from sqlalchemy.types import TypeEngine


class JsonText(TypeDecorator[Any]):
    """JSON stored as text, which keeps every digit of a float; ``sort_keys`` sorts the keys."""

    impl = Text
    cache_ok = True

    def __init__(self, sort_keys: bool) -> None:
        super().__init__()
        self.sort_keys = sort_keys

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return ``value`` as text, None as NULL; ValueError for a NaN or infinity, which JSON does not have."""
        if value is None:
            return None
        return json.dumps(value, sort_keys=self.sort_keys, allow_nan=False, ensure_ascii=False)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the parsed text, None for NULL."""
        return None if value is None else json.loads(value)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; on SQLite, ISO text of fixed width, which sorts: ``2026-11-21T01:37:33.326000+00:00``."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column's type: text on SQLite, which has no type for a moment with a time zone."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Return ``value`` in UTC; ValueError if it has no time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment must have a time zone, got {value.isoformat()}")
        moment = value.astimezone(UTC)
        return moment.isoformat(timespec="microseconds") if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return an aware datetime in UTC, None for NULL."""
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)
