"""What the archive would choke on is not sent."""

import json
import math
from datetime import UTC, datetime

import pytest

from calrecords.archive.outgoing import encoded_record
from calrecords.errors import ArchiveRefusedError

VERSION = {"version_key": "k" * 32, "md5": "a" * 32, "extension": ".fits.fz"}


def test_sends_the_record_with_its_one_version(record):
    sent = json.loads(encoded_record({**record, "version_set": ["of another time"]}, **VERSION))
    assert sent == {
        **record,
        "version_set": [{"key": "k" * 32, "md5": "a" * 32, "extension": ".fits.fz"}],
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"basename": None}, "basename"),
        ({"basename": ""}, "basename"),
        ({"basename": "x" * 1001}, "1000"),
        ({"basename": "a\0b"}, "NUL"),
        ({"observation_date": None}, "observation date"),
        ({"observation_date": ""}, "observation date"),
        ({"headers": {"A": "x\0y"}}, r"headers\.A holds a NUL"),
        ({"headers": {"A\0": "x"}}, "NUL"),
        ({"headers": {"A": [1, math.nan]}}, r"headers\.A holds a number that is not finite"),
        ({"exposure_time": math.inf}, "exposure_time holds a number"),
        ({"area": object()}, "not JSON"),
        ({"observation_date": datetime(2026, 1, 1, tzinfo=UTC)}, "not JSON"),
    ],
)
def test_refuses_what_the_archive_would_take_badly(record, change, said):
    with pytest.raises(ArchiveRefusedError, match=said):
        encoded_record({**record, **change}, **VERSION)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version_key": ""}, "0 characters"),
        ({"version_key": "k" * 36}, "36 characters, the archive takes 1 to 32"),
        ({"extension": "fits"}, "extension"),
        ({"extension": ""}, "extension"),
        ({"extension": "." + "x" * 20}, "extension"),
    ],
)
def test_refuses_a_version_that_the_archive_cannot_hold(record, change, said):
    with pytest.raises(ArchiveRefusedError, match=said):
        encoded_record(record, **{**VERSION, **change})


def test_a_backslash_is_no_nul(record):
    record["headers"] = {"A": "\\u0000", "É": "é"}
    assert json.loads(encoded_record(record, **VERSION))["headers"] == record["headers"]


def test_a_record_that_holds_itself_is_no_json(record):
    record["headers"]["SELF"] = record["headers"]
    with pytest.raises(ArchiveRefusedError, match="not JSON") as caught:
        encoded_record(record, **VERSION)
    assert caught.value.__context__ is None
