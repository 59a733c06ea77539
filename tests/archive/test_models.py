"""What is needed of an answer is read strictly, what is not is passed over."""

import json
from datetime import UTC, datetime

import pytest

from calrecords.archive.models import ArchiveFrame, parse_frame, parse_id, parse_version
from calrecords.errors import StoredFileNotFoundError

VERSION = {"id": 1, "key": "k", "md5": "a" * 32, "extension": ".fits"}
LEAST = {"id": 5, "basename": "bias-a", "version_set": []}


def test_a_frame_needs_three_fields_only():
    assert parse_frame({**LEAST, "news": {"of": "tomorrow"}}) == ArchiveFrame(
        frame_id=5,
        basename="bias-a",
        obstype="",
        site=None,
        telescope=None,
        camera=None,
        filter=None,
        reduction_level=None,
        dateobs=None,
        dayobs=None,
        exposure_time=None,
        proposal=None,
        object=None,
        public_date=None,
        observation_id=None,
        request_id=None,
        versions=(),
        related_frame_ids=(),
    )


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        "frame",
        {},
        {**LEAST, "id": None},
        {**LEAST, "id": "5"},
        {**LEAST, "id": 5.0},
        {**LEAST, "id": True},
        {**LEAST, "id": -1},
        {**LEAST, "id": 2**63},
        {**LEAST, "basename": None},
        {**LEAST, "basename": ""},
        {**LEAST, "basename": 5},
        {**LEAST, "version_set": None},
        {**LEAST, "version_set": {}},
        {**LEAST, "version_set": [None]},
        {**LEAST, "version_set": [{**VERSION, "md5": None}]},
        {**LEAST, "version_set": [{**VERSION, "key": 1}]},
        {**LEAST, "version_set": [{**VERSION, "extension": None}]},
        {**LEAST, "version_set": [{**VERSION, "id": "1"}]},
        {**LEAST, "version_set": [{**VERSION, "created": "yesterday"}]},
        {**LEAST, "version_set": [{**VERSION, "url": 1}]},
        {**LEAST, "observation_date": "today"},
        {**LEAST, "observation_date": 5},
        {**LEAST, "observation_day": "2026-13-01"},
        {**LEAST, "exposure_time": "1.0"},
        {**LEAST, "exposure_time": 10**400},
        {**LEAST, "reduction_level": True},
        {**LEAST, "reduction_level": 9.5},
        {**LEAST, "site_id": 5},
        {**LEAST, "related_frames": 5},
        {**LEAST, "related_frames": ["5"]},
    ],
    ids=lambda row: str(row)[:70],
)
def test_what_is_no_frame_is_refused(row):
    with pytest.raises(ValueError, match=r"\w"):
        parse_frame(row)


def test_an_id_may_be_as_large_as_a_record_can_hold():
    assert parse_id(2**63 - 1) == 2**63 - 1


def test_versions_are_newest_first_however_they_come():
    rows = [
        {**VERSION, "id": 1, "created": "2026-01-01T00:00:00Z"},
        {**VERSION, "id": 3, "created": "2026-01-03T00:00:00.5Z"},
        {**VERSION, "id": 2, "created": "2026-01-02T00:00:00+00:00"},
    ]
    frame = parse_frame({**LEAST, "version_set": rows})
    assert [v.id for v in frame.versions] == [3, 2, 1]
    assert frame.version.created == datetime(2026, 1, 3, 0, 0, 0, 500000, tzinfo=UTC)


def test_versions_without_a_time_keep_the_archives_order():
    rows = [{**VERSION, "id": 1}, {**VERSION, "id": 2, "created": "2026-01-02T00:00:00Z"}]
    frame = parse_frame({**LEAST, "version_set": rows})
    assert [v.id for v in frame.versions] == [1, 2]


def test_a_frame_without_a_file_has_no_newest_version():
    with pytest.raises(StoredFileNotFoundError, match="no file"):
        _ = parse_frame(LEAST).version


def test_an_address_is_neither_printed_nor_compared():
    one = parse_version({**VERSION, "url": "http://s3/a?sig=ONE"})
    two = parse_version({**VERSION, "url": "http://s3/a?sig=TWO"})
    assert one == two
    assert "sig" not in repr(one)
    assert one.url == "http://s3/a?sig=ONE"


def test_every_recorded_frame_can_be_read(shared_data):
    read = 0
    for path in sorted((shared_data / "contract").glob("*.json")):
        pair = json.loads(path.read_text())
        data = pair.get("response", {}).get("json")
        rows = data.get("results", [data]) if isinstance(data, dict) else data
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and "version_set" in row and isinstance(row.get("id"), int):
                frame = parse_frame(row)
                assert (frame.frame_id, frame.basename) == (row["id"], row["basename"])
                assert [v.md5 for v in frame.versions] == [v["md5"] for v in row["version_set"]]
                read += 1
    assert read > 80
