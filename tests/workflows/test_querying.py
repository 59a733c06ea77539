from datetime import UTC, date, datetime

import pytest

from calrecords.errors import ConfigurationError
from calrecords.records import RecordDatabase
from calrecords.workflows.querying import find_frames


@pytest.fixture
def cal(world, make_frame):
    with world.connect() as connected:
        for n, (obstype, filter_name) in enumerate(
            [("BIAS", ""), ("SKYFLAT", "rp"), ("SKYFLAT", "ip")]
        ):
            path = make_frame(
                obstype=obstype, filter=filter_name, dateobs=datetime(2026, 1, 1 + n, tzinfo=UTC)
            )
            connected.register(path, is_master=True)
        yield connected


pytestmark = pytest.mark.parametrize("world", ["file system"], indirect=True)


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, ["ip", "rp", None]),
        ({"obstype": "skyflat"}, ["ip", "rp"]),
        ({"filter": "rp"}, ["rp"]),
        ({"binning": "2 2", "is_master": True, "site": "lsc"}, ["ip", "rp", None]),
        ({"start": "2026-01-02"}, ["ip", "rp"]),
        ({"end": datetime(2026, 1, 2, tzinfo=UTC)}, [None]),
        ({"dayobs": date(1999, 1, 1)}, []),
        ({"verdict": "unknown", "reduction_level": 91}, ["ip", "rp", None]),
        ({"camera": None}, ["ip", "rp", None]),
    ],
)
def test_finds_by_what_a_user_writes(criteria, expected, cal):
    found = cal.query(**criteria)["filter"].filled("")
    assert [value or None for value in found.tolist()] == expected


def test_a_query_that_finds_nothing_has_its_columns(cal):
    assert cal.query(camera="nowhere").colnames == cal.query().colnames
    assert len(cal.query(camera="nowhere")) == 0


def test_a_listing_that_was_cut_says_so(cal, caplog):
    assert len(cal.query(row_limit=2)) == 2
    assert "only the first 2" in caplog.text
    caplog.clear()
    assert len(cal.query(row_limit=-1)) == len(cal.query(row_limit=3)) == 3
    assert caplog.text == ""


@pytest.mark.parametrize(
    "criteria",
    [
        {"colour": "blue"},
        {"reduction_level": "91"},
        {"is_master": "yes"},
        {"filter": 7},
        {"site": ["cpt"]},
        {"binning": "square"},
        {"start": "yesterday"},
        {"start": datetime(2026, 1, 1)},  # noqa: DTZ001 - naive on purpose
        {"dayobs": "2026"},
        {"verdict": "fine"},
        {"row_limit": "5"},
        {"row_limit": None},
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused_by_name(criteria, cal):
    [name] = criteria
    with pytest.raises(ConfigurationError, match=name):
        cal.query(**criteria)


def test_finding_needs_no_more_than_a_database(tmp_path, world):
    database = RecordDatabase(tmp_path / "records.sqlite")
    database.open()
    assert find_frames(database, -1, {}) == []
    database.close()
