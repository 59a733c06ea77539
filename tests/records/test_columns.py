"""Times, numbers and documents come back as they went in, on every database."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calrecords.errors import InvalidRecordError
from calrecords.records.columns import Characters, Document, UTCDateTime

SAME_FIXTURES = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NOW = datetime(2026, 1, 2, 0, 0, tzinfo=timezone(-timedelta(hours=7)))


def through(database, value, kind):
    """Return what a column of a temporary table makes of a value."""
    table = sa.Table("t", sa.MetaData(), sa.Column("c", kind), prefixes=["TEMPORARY"])
    with database.write() as session:
        connection = session.connection()
        table.create(connection)
        connection.execute(sa.insert(table), {"c": value})
        back = connection.scalar(sa.select(table.c.c))
        table.drop(connection)
    return back


@pytest.mark.parametrize(
    "moment",
    [
        NOW,
        datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        datetime(2026, 7, 1, tzinfo=ZoneInfo("America/Santiago")),
        datetime(1800, 1, 1, tzinfo=ZoneInfo("America/Santiago")),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
        None,
    ],
)
def test_a_time_comes_back_as_the_same_instant_in_utc(database, moment):
    back = through(database, moment, UTCDateTime)
    assert back == moment
    assert moment is None or back.tzinfo is UTC


@SAME_FIXTURES
@given(moment=st.datetimes(timezones=st.timezones()).filter(lambda moment: 1 < moment.year < 9999))
def test_any_time_comes_back(database, moment):
    assert through(database, moment, UTCDateTime) == moment.astimezone(UTC)


class Nowhere(timezone.__base__):
    """A time zone that does not know its offset, which makes a datetime naive."""

    def utcoffset(self, _moment):
        return None


@pytest.mark.parametrize("zone", [None, Nowhere()])
def test_a_naive_time_is_refused(database, zone):
    with pytest.raises(InvalidRecordError, match="naive datetime cannot be recorded: 2026-01-02"):
        through(database, datetime(2026, 1, 2, tzinfo=zone), UTCDateTime)


def test_a_time_that_utc_cannot_hold_is_refused(database):
    early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=7)))
    with pytest.raises(InvalidRecordError):
        through(database, early, UTCDateTime)


@pytest.mark.parametrize(
    "document",
    [
        {"b": 1, "a": [1.0, 1e300, 5e-324, 0.1, 2**70, True, None, "é\U0001f52d", ""]},
        {"": {"deep": [[], {}]}},
    ],
)
def test_a_document_comes_back_with_its_numbers_and_its_order(database, document):
    back = through(database, document, Document)
    assert back == document
    assert repr(back) == repr(document)


def test_text_sorts_by_its_characters_on_every_database(database):
    texts = ["a", "B", "é", "b", "_", "A", "Z", "\U0001f52d", "a-b", "ab"]
    table = sa.Table("t", sa.MetaData(), sa.Column("c", Characters), prefixes=["TEMPORARY"])
    with database.write() as session:
        connection = session.connection()
        table.create(connection)
        connection.execute(sa.insert(table), [{"c": text} for text in texts])
        found = connection.scalars(sa.select(table.c.c).order_by(table.c.c)).all()
        table.drop(connection)
    assert found == sorted(texts)
