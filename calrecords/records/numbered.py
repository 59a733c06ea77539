"""Rows by many numbers at once, as each kind of database takes a list.

SQLite is given each number by itself, and takes only so many; PostgreSQL is given one array, so
that the statement is the same for all lists.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from calrecords.records.columns import Identifier

IDS = "ids"
"""The name by which a statement is given its list."""

_each: sa.BindParameter[Any] = sa.bindparam(IDS, expanding=True)
_array: sa.BindParameter[Any] = sa.bindparam(IDS, type_=sa.ARRAY(Identifier))


def is_listed(column: Any, *, is_server: bool) -> sa.ColumnElement[bool]:
    """Return the condition that a column's number is in the list that is given."""
    listed: sa.ColumnElement[bool] = column == sa.any_(_array) if is_server else column.in_(_each)
    return listed


def for_each(statement: sa.Select[Any], *columns: Any) -> sa.Select[Any]:
    """Return a statement for PostgreSQL that looks up each number of the list by itself.

    No number may be given twice. A planner without statistics would rather read the whole
    table for a list.

    Parameters
    ----------
    statement : Select
        What is read for one number.
    *columns
        What must be that number; each is looked up by its own index.
    """
    given = sa.func.unnest(_array).table_valued("number", name="given").render_derived()
    fence: sa.ColumnElement[Any] = sa.literal_column("0")
    one = statement.where(*(column == given.c.number for column in columns)).offset(fence)
    looked_up = one.lateral("looked_up")
    return sa.select(looked_up).select_from(given.join(looked_up, sa.true()))
