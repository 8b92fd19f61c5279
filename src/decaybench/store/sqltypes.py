"""Column types that keep every digit and every time zone, on SQLite and on PostgreSQL."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, String, Text, TypeDecorator
from sqlalchemy.types import TypeEngine


class JsonText(TypeDecorator[Any]):
    """JSON as text, which keeps every digit of a float; keys in their order, or sorted with ``sort_keys``."""

    impl = Text
    cache_ok = True

    def __init__(self, sort_keys: bool) -> None:
        super().__init__()
        self.sort_keys = sort_keys

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """``value`` as text, None as NULL; ValueError for a NaN or an infinity, which JSON does not have."""
        if value is None:
            return None
        return json.dumps(value, sort_keys=self.sort_keys, allow_nan=False, ensure_ascii=False)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """The parsed text, NULL as None."""
        return None if value is None else json.loads(value)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; on SQLite ISO text of one width, which sorts: ``2026-11-21T01:37:33.326000+00:00``."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite has no type for a moment with a time zone, so it gets text."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """``value`` in UTC; ValueError when it does not say which time zone it is in."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment must have a time zone, got {value.isoformat()}")
        moment = value.astimezone(UTC)
        return moment.isoformat(timespec="microseconds") if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """An aware datetime in UTC."""
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)
