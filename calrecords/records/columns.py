"""Column types that behave alike on every database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator


class UTCDateTime(TypeDecorator[datetime]):
    """A point in time, aware and in UTC on the way in and out.

    SQLite's own type drops the offset: 00:00-07:00 would come back as 00:00.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what the driver is given; a naive datetime is refused."""
        if value is None:
            return None
        if value.utcoffset() is None:
            msg = f"a naive datetime cannot be recorded: {value.isoformat()}"
            raise ValueError(msg)
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return an aware UTC datetime."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if dialect.name == "sqlite" else moment.astimezone(UTC)


def sqlite_text(moment: datetime) -> str:
    """Return an aware time as SQLite holds it in a `UTCDateTime`, for the bare driver."""
    in_utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return in_utc.replace(tzinfo=None).isoformat(" ", "microseconds")


Identifier = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit key; SQLite numbers rows by itself only where the type is INTEGER."""

Characters = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that sorts by its characters' numbers, whatever language a server sorts by."""

Document = JSON(none_as_null=True)
"""JSON that is stored and read whole, never compared; none of it is NULL.

Not JSONB: PostgreSQL would rewrite numbers, and 1e300 would come back as another one.
"""
