"""Records are found by what is asked, in one order, on every database."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from calrecords.errors import (
    ConfigurationError,
    DuplicateRecordError,
    InvalidRecordError,
    RecordNotFoundError,
)
from calrecords.frames import FrameFacts
from calrecords.records import FrameFilter
from calrecords.vocabulary import Binning, ObservationType, Verdict

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BIAS = FrameFacts(obstype="BIAS", site="lsc", camera="fa15", dateobs=NOON, dayobs=date(2026, 1, 2))
FLAT = replace(
    BIAS,
    obstype="SKYFLAT",
    camera="kb70",
    instrument="sbig",
    dateobs=NOON + DAY,
    dayobs=date(2026, 1, 3),
    is_master=True,
    reduction_level=91,
    filter="rp",
    binning=Binning(2, 2),
    configuration_mode="central",
)
NO_FILTER = replace(FLAT, site="cpt", filter="", dateobs=None, dayobs=None, is_master=False)


@pytest.fixture
def three(database, record, make_version, sql):
    """Record a bias, a flat of two versions, and one frame of an unknown time."""
    record(make_version("bias", "1", facts=BIAS, frame_id=1, version_key="v1"))
    old = replace(FLAT, filter="gp")
    record(make_version("flat", "2", facts=old, frame_id=2, version_key="v2", archived_at=NOON))
    sql("UPDATE frame_versions SET verdict = 'bad' WHERE version_key = 'v2'", "SELECT 1")
    later = NOON + DAY
    record(make_version("flat", "3", facts=FLAT, frame_id=2, version_key="v3", archived_at=later))
    record(make_version("timeless", "4", facts=NO_FILTER, version_key="v4"))
    return database


def keys(frames):
    return [frame.version.version_key for frame in frames]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["v3", "v1", "v4"]),
        ({"all_versions": True}, ["v3", "v2", "v1", "v4"]),
        ({"obstype": "BIAS"}, ["v1"]),
        ({"obstype": " bias "}, ["v1"]),
        ({"obstype": ObservationType.SKYFLAT}, ["v3", "v4"]),
        ({"site": "cpt"}, ["v4"]),
        ({"camera": "kb70"}, ["v3", "v4"]),
        ({"instrument": "fa15"}, ["v1"]),
        ({"filter": "rp"}, ["v3"]),
        ({"filter": "gp"}, []),
        ({"filter": "gp", "all_versions": True}, ["v2"]),
        ({"filter": ""}, ["v4"]),
        ({"filter": "RP"}, []),
        ({"configuration_mode": "default"}, ["v1"]),
        ({"basename": "flat"}, ["v3"]),
        ({"basename": "fla%"}, []),
        ({"binning": Binning(2, 2)}, ["v3", "v4"]),
        ({"binning": Binning(2, 1)}, []),
        ({"is_master": True}, ["v3"]),
        ({"is_master": False}, ["v1", "v4"]),
        ({"reduction_level": 91}, ["v3", "v4"]),
        ({"reduction_level": 0}, []),
        ({"verdict": Verdict.UNKNOWN}, ["v3", "v1", "v4"]),
        ({"verdict": Verdict.BAD, "all_versions": True}, ["v2"]),
        ({"dayobs": date(2026, 1, 2)}, ["v1"]),
        ({"start": NOON}, ["v3", "v1"]),
        ({"start": NOON + timedelta(microseconds=1)}, ["v3"]),
        ({"end": NOON + DAY}, ["v1"]),
        ({"end": NOON}, []),
        ({"start": NOON, "end": NOON + DAY, "camera": "fa15"}, ["v1"]),
        ({"camera": "fa15", "obstype": "SKYFLAT"}, []),
        ({"basename": "fl\0at"}, []),
        ({"filter": "\ud800"}, []),
        ({"reduction_level": 2**31}, []),
        ({"reduction_level": -(2**80)}, []),
        ({"camera": "k" * 5000}, []),
    ],
)
def test_each_filter_finds_what_it_means(three, wanted, found):
    assert keys(three.find(FrameFilter(**wanted))) == found


def test_a_naive_range_is_refused(three):
    with pytest.raises(InvalidRecordError, match="naive"):
        three.find(FrameFilter(start=NOON.replace(tzinfo=None)))


@pytest.mark.parametrize(
    ("row_limit", "found"),
    [(None, ["v3", "v1", "v4"]), (-1, ["v3", "v1", "v4"]), (0, []), (2, ["v3", "v1"])],
)
def test_a_row_limit_cuts_the_oldest(three, row_limit, found):
    assert keys(three.find(FrameFilter(), row_limit)) == found


def test_equal_times_are_ordered_by_basename_on_every_database(database, record, make_version):
    names = ["b", "B", "_", "a-b", "ab", "é", "1", "\U0001f52d"]
    for name in names:
        record(make_version(name, name, facts=BIAS))
    assert [frame.basename for frame in database.find(FrameFilter())] == sorted(names)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"basename": "bias"}, "v1"),
        ({"basename": "flat"}, "v3"),
        ({"frame_id": 2}, "v3"),
        ({"version_key": "v2"}, "v2"),
        ({"version_key": "v3"}, "v3"),
        ({"basename": "flat", "frame_id": 2}, "v3"),
        ({"basename": "flat", "version_key": "v2"}, "v2"),
        ({"frame_id": 2, "md5": "c81e728d9d4c2f636f067f89cc14862c"}, "v2"),
        ({"md5": "c81e728d9d4c2f636f067f89cc14862c"}, "v2"),
    ],
)
def test_one_frame_is_found_by_each_of_its_names(three, asked, found):
    assert three.get(**asked).version.version_key == found


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"basename": "nosuch"}, "basename nosuch"),
        ({"basename": "FLAT"}, "basename FLAT"),
        ({"basename": ""}, "basename "),
        ({"frame_id": 3}, "frame ID 3"),
        ({"frame_id": 0}, "frame ID 0"),
        ({"frame_id": 2**63}, f"frame ID {2**63}"),
        ({"frame_id": -(2**80)}, f"frame ID {-(2**80)}"),
        ({"md5": "0" * 32}, f"md5 {'0' * 32}"),
        ({"version_key": "v9"}, "version key v9"),
        ({"basename": "bias", "frame_id": 2}, "basename bias, frame ID 2"),
        ({"basename": "fl\0at"}, "basename fl\0at"),
        ({"basename": "\ud800"}, "basename \ud800"),
    ],
)
def test_a_miss_says_what_was_asked(three, asked, says):
    with pytest.raises(RecordNotFoundError) as missed:
        three.get(**asked)
    assert str(missed.value) == (
        f"no frame is recorded with {says}; ingest it, or look at `calrecords query`"
    )


def test_two_frames_with_the_same_bytes_are_told_apart_by_name(three, record, make_version):
    new = make_version("copy-of-bias", "1", facts=BIAS)
    record(new)
    with pytest.raises(DuplicateRecordError, match=r"bias, copy-of-bias; add basename="):
        three.get(md5=new.digest.md5)
    assert three.get(basename="copy-of-bias", md5=new.digest.md5).basename == "copy-of-bias"
    assert three.get(basename="bias", md5=new.digest.md5).basename == "bias"


def test_asking_for_nothing_is_a_mistake(three):
    with pytest.raises(ConfigurationError, match="say which frame"):
        three.get()


def test_versions_are_listed_newest_first(three):
    assert keys(three.versions("flat")) == ["v3", "v2"]
    assert three.versions("nosuch") == three.versions("fl\0at") == []


@pytest.mark.parametrize(
    ("archived_at", "superseded"),
    [(NOON, True), (NOON + DAY, False), (NOON + 2 * DAY, False), (None, False)],
)
def test_a_version_is_superseded_by_one_that_the_archive_stored_later(
    three, archived_at, superseded
):
    assert three.is_superseded("flat", archived_at) is superseded
    assert three.is_superseded("timeless", archived_at) is False
    assert three.is_superseded("nosuch", archived_at) is False


def test_frames_are_counted_not_versions(three):
    assert three.count() == 3
