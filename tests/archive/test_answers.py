"""An answer's three shapes of complaint, its waits and its clock."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from calrecords.archive.answers import Answer, looks_like_html, raise_for
from calrecords.errors import ArchiveError


def answer(body=b"", status=400, **headers):
    return Answer(
        "GET http://h/", status, {k.replace("_", "-"): v for k, v in headers.items()}, body
    )


@pytest.mark.parametrize(
    ("body", "complaints"),
    [
        (b'{"detail": "No."}', {"detail": ["No."]}),
        (b'{"area": ["This field is required."]}', {"area": ["This field is required."]}),
        (b'{"a": ["One.", "Two."]}', {"a": ["One.", "Two."]}),
        (
            b'{"version_set": [{}, {"key": ["exists"], "md5": ["exists"]}]}',
            {"version_set.1.key": ["exists"], "version_set.1.md5": ["exists"]},
        ),
        (
            b'{"related_frame_filenames": {"1": ["blank"]}}',
            {"related_frame_filenames.1": ["blank"]},
        ),
        (b'["a list"]', {}),
        (b"<html>", {}),
        (b"", {}),
        (b"[" * 100000, {}),
    ],
)
def test_complaints_come_in_three_shapes(body, complaints):
    assert answer(body).complaints == complaints


@pytest.mark.parametrize("depth", range(900, 1000))
def test_complaints_may_lie_as_deep_as_they_like(depth):
    body = b'{"a":' * depth + b'"x"' + b"}" * depth
    assert list(answer(body).complaints.values()) in ([["x"]], [])


@pytest.mark.parametrize(
    ("name", "existing"),
    [
        ("120-post-same-record-again", {"key", "md5"}),
        ("121-post-same-md5-new-key", {"md5"}),
        ("122-post-same-md5-other-basename", {"md5"}),
        ("123-post-same-key-new-md5", {"key"}),
        ("130-post-missing-area", set()),
        ("133-post-obstype-BPM", set()),
        ("136-post-key-36-chars", set()),
        ("149-post-md5-33", set()),
    ],
)
def test_what_exists_is_told_from_what_is_wrong(pair, name, existing):
    import json

    recorded = pair(name)["response"]
    assert answer(json.dumps(recorded["json"]).encode()).existing == existing


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'{"detail": "version with this md5 already exists."}',
        b'{"basename": ["frame with this basename already exists."]}',
        b'{"version_set": [{"md5": ["already exists."], "extension": ["required"]}]}',
        b'{"version_set": [{"md5": ["already exists.", "too long"]}]}',
        b'{"version_set": [{"md5": ["already exists."]}], "area": ["required"]}',
    ],
)
def test_a_version_exists_only_where_nothing_else_was_refused(body):
    assert answer(body).existing == frozenset()


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_address_in_a_complaint_is_quoted_without_its_secrets(status):
    body = b'{"url": "https://h/a.fits?sig=SECRET", "detail": "see HTTP://u:SECRET@h/b \\"x\\""}'
    with pytest.raises(ArchiveError) as caught:
        raise_for(answer(body, status), right="")
    assert f'({status}): url: https://h/a.fits; see http://h/b "x"' in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_a_wait_may_be_a_date():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert answer(Retry_After=later).retry_after_s == pytest.approx(90, abs=3)


def test_a_date_without_a_zone_is_utc():
    assert answer(Date="Sun, 22 Nov 2026 05:38:48 -0000").date == datetime(
        2026, 11, 22, 5, 38, 48, tzinfo=UTC
    )
    assert answer(Date="yesterday").date is None
    assert answer().date is None


@pytest.mark.parametrize(
    ("body", "is_page"),
    [
        (b"\n <!DOCTYPE html>", True),
        (b"<HTML>", True),
        (b"<?xml version='1.0'?>", False),
        (b"SIMPLE  =", False),
        (b"", False),
    ],
)
def test_knows_a_page_by_its_beginning(body, is_page):
    assert looks_like_html(body) is is_page
