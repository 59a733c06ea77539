"""Rows are found by many numbers at once, each by an index, alike on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calrecords.records.importing import Importer, ImportOrder
from calrecords.records.models import Frame, Version
from calrecords.records.numbered import IDS, for_each, is_listed

NIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
MANY = 3000
WANTED = [7, 2999, 40, 123456]
READ = sa.select(Frame.id, Frame.basename, Version.extension).join_from(Version, Frame)


@pytest.fixture
def many(database):
    """Return a database of whose tables no planner has statistics."""
    rows = (
        {
            **{"filename": f"bias-{number}.fits", "obstype": "BIAS", "is_master": True},
            **{"site": "lsc", "camera": "fa01", "dateobs": NIGHT + timedelta(hours=number)},
        }
        for number in range(MANY)
    )
    order = ImportOrder(source="rows", reason="test", author="test")
    assert Importer(database, order).run(enumerate(rows, 1)).recorded == MANY
    return database


def statement_of(database):
    ids = (Version.calibration_frame_id, Frame.id)
    if database.is_server:
        return for_each(READ, *ids)
    return READ.where(*(is_listed(column, is_server=False) for column in ids))


def test_rows_are_found_by_their_numbers(many, sql):
    wanted = sql("SELECT id, basename, '.fits' FROM calibration_frames WHERE id IN (7, 40, 2999)")
    with many.read() as connection:
        rows = connection.execute(statement_of(many), {IDS: WANTED}).all()
        assert sorted(map(tuple, rows)) == sorted(wanted)
        assert len(rows) == 3
        listed = sa.select(Frame.id).where(is_listed(Frame.id, is_server=many.is_server))
        assert sorted(connection.scalars(listed, {IDS: WANTED})) == [7, 40, 2999]
        assert connection.execute(statement_of(many), {IDS: []}).all() == []


def test_each_number_is_looked_up_in_an_index(many):
    statement = statement_of(many).compile(dialect=many._connected().dialect)
    with many.read() as connection:
        if many.is_server:
            given = {IDS: list(range(1, 400))}
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", given)
            plan = "\n".join(row[-1] for row in rows)
            assert "Seq Scan" not in plan, plan
            assert plan.count("Index Scan") >= 2, plan
        else:
            text = str(statement).replace("__[POSTCOMPILE_ids]", "7, 40")
            plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
            assert all(line.startswith("SEARCH") for line in plan), plan
