"""A download that broke off goes on where it was, and never joins what does not belong together."""

import hashlib
import io
import time

import pytest

from calrecords.archive.models import parse_frame
from calrecords.errors import (
    ArchiveUnavailableError,
    ChecksumMismatchError,
    StoredFileNotFoundError,
)
from calrecords.frames import ContentDigest

BLOCK = 1 << 16
DATA = bytes(range(256)) * 2000
MD5 = hashlib.md5(DATA).hexdigest()
DIGEST = ContentDigest(MD5, hashlib.sha256(DATA).hexdigest(), len(DATA))
TAG = '"v1-tag"'
OLD = {
    "date": "Sun, 22 Nov 2026 05:40:57 GMT",
    "last_modified": "Sun, 22 Nov 2026 05:39:00 GMT",
}
SIGNED = "old.fits?versionId=v1&X-Amz-Signature="


@pytest.fixture
def store(make_server):
    return make_server()


@pytest.fixture
def cut(replies):
    """Make an answer that breaks off after so many bytes."""

    def make(at, status=200, data=DATA, **headers):
        headers = headers or {"etag": TAG}
        return replies.raw(status, data[:at], length=len(data), then="close", **headers)

    return make


@pytest.fixture
def rest(replies):
    """Make the answer that brings the rest of a file."""

    def make(seen, data=DATA, *, up_to=None, **headers):
        first = int(seen.headers["range"].removeprefix("bytes=").removesuffix("-"))
        headers = {"etag": TAG, **headers}
        headers.setdefault("content_range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        body = data[first:]
        if up_to is None:
            return replies.raw(206, body, **headers)
        return replies.raw(206, body[: up_to - first], length=len(body), then="close", **headers)

    return make


@pytest.fixture
def described(server, replies, frame_row, version_row):
    """Let the archive describe the frame, each time with an address signed anew."""

    def describe(*urls):
        frames = [frame_row(5, versions=[version_row(MD5, url=url)]) for url in urls]
        server.will(*(replies.json(200, row) for row in frames[1:] or frames))
        return parse_frame(frames[0])

    return describe


@pytest.fixture
def frame(store, described):
    return described(*(store.root + SIGNED + str(n) for n in range(4)))


def ranges(store):
    return [(s.headers.get("range"), s.headers.get("if-range")) for s in store.seen]


def test_the_rest_alone_is_asked_for_at_a_fresh_address(server, client, store, cut, rest, frame):
    store.will(cut(3 * BLOCK + 5), rest)
    sink = io.BytesIO(b"x" * 10**6)
    assert client.download(frame, MD5, sink) == DIGEST
    assert sink.getvalue() == DATA
    assert ranges(store) == [(None, None), (f"bytes={3 * BLOCK + 5}-", TAG)]
    assert store.calls == [f"GET /{SIGNED}0", f"GET /{SIGNED}1"]
    assert server.calls == ["GET /frames/5/"]
    assert all("authorization" not in seen.headers for seen in store.seen)


def test_goes_on_as_often_as_it_breaks_off(client, store, cut, rest, frame):
    store.will(cut(2 * BLOCK), lambda seen: rest(seen, up_to=5 * BLOCK), rest)
    sink = io.BytesIO()
    assert client.download(frame, MD5, sink) == DIGEST
    assert sink.getvalue() == DATA
    assert [r for r, _ in ranges(store)] == [None, f"bytes={2 * BLOCK}-", f"bytes={5 * BLOCK}-"]


def test_what_arrived_is_kept_while_the_store_is_busy(client, store, cut, rest, replies, frame):
    store.will(cut(BLOCK), replies.raw(503, b"<Error/>"), rest)
    assert client.download(frame, MD5, io.BytesIO()) == DIGEST
    assert [r for r, _ in ranges(store)] == [None, f"bytes={BLOCK}-", f"bytes={BLOCK}-"]


def test_a_date_vouches_where_there_is_no_tag(client, store, cut, rest, replies, frame):
    store.will(cut(BLOCK, **OLD), lambda seen: rest(seen, etag="", **OLD))
    store.will(
        cut(BLOCK, **OLD),
        lambda seen: replies.raw(
            206,
            DATA[BLOCK:],
            content_range=f"bytes {BLOCK}-{len(DATA) - 1}/{len(DATA)}",
            **OLD,
        ),
    )
    assert client.download(frame, MD5, io.BytesIO()) == DIGEST
    assert ranges(store)[1] == (f"bytes={BLOCK}-", OLD["last_modified"])


NOT_VOUCHED_FOR = {
    "nothing": {"x_pad": "x"},
    "weak tag": {"etag": 'W/"v1"'},
    "no tag": {"etag": "v1"},
    "weak tag and a date": {"etag": 'W/"v1"', **OLD},
    "just written": {**OLD, "last_modified": OLD["date"]},
    "no clock": {"last_modified": OLD["last_modified"]},
    "no date": {**OLD, "last_modified": "yesterday"},
    "odd dates": {**OLD, "last_modified": "Sun, 22 Nov 2026 05:39:00 -0000"},
}


def test_a_length_of_too_many_digits_is_no_length(client, store, replies, frame):
    endless = replies.raw(200, DATA, length="9" * 5000, then="close", etag=TAG)
    store.will(endless, replies.raw(200, DATA))
    sink = io.BytesIO()
    assert client.download(frame, MD5, sink) == DIGEST
    assert sink.getvalue() == DATA


@pytest.mark.parametrize("name", NOT_VOUCHED_FOR)
def test_starts_over_where_nothing_vouches_for_the_rest(client, store, cut, replies, frame, name):
    store.will(cut(3 * BLOCK, **NOT_VOUCHED_FOR[name]), replies.raw(200, DATA))
    sink = io.BytesIO()
    assert client.download(frame, MD5, sink) == DIGEST
    assert sink.getvalue() == DATA
    assert ranges(store) == [(None, None)] * 2


def test_starts_over_where_no_length_was_announced(client, store, replies, frame):
    store.will(replies.raw(200, DATA[: 3 * BLOCK], length=False, etag=TAG), replies.raw(200, DATA))
    assert client.download(frame, MD5, io.BytesIO()) == DIGEST
    assert ranges(store) == [(None, None)] * 2


def test_starts_over_where_nothing_had_arrived(client, store, cut, replies, frame):
    store.will(cut(0), replies.raw(200, DATA))
    assert client.download(frame, MD5, io.BytesIO()) == DIGEST
    assert ranges(store) == [(None, None)] * 2


@pytest.mark.parametrize("other", ["new.fits?versionId=v1", "old.fits?versionId=v2", "old.fits"])
def test_starts_over_at_another_place(client, store, described, cut, replies, other):
    frame = described(store.root + SIGNED, store.root + other)
    store.will(cut(3 * BLOCK), replies.raw(200, DATA))
    assert client.download(frame, MD5, io.BytesIO()) == DIGEST
    assert ranges(store) == [(None, None)] * 2


def test_starts_over_at_another_server(client, store, make_server, described, cut, replies):
    other = make_server(replies.raw(200, DATA))
    frame = described(store.root + SIGNED, other.root + SIGNED)
    store.will(cut(3 * BLOCK))
    assert client.download(frame, MD5, io.BytesIO()) == DIGEST
    assert ranges(other) == [(None, None)]


def test_takes_a_whole_file_for_what_it_is(client, store, cut, replies, frame):
    store.will(cut(3 * BLOCK, data=b"?" * len(DATA)), replies.raw(200, DATA, etag='"v2"'))
    sink = io.BytesIO()
    assert client.download(frame, MD5, sink) == DIGEST
    assert sink.getvalue() == DATA
    assert len(store.seen) == 2


NOT_THE_REST = {
    "nothing left": lambda r, rest, seen: r.raw(416, content_range=f"bytes */{len(DATA)}"),
    "not there": lambda r, rest, seen: r.raw(404, b"<Error/>"),
    "not for us": lambda r, rest, seen: r.raw(403, b"<Error/>"),
    "bad request": lambda r, rest, seen: r.raw(400, b"<Error/>"),
    "another tag": lambda r, rest, seen: rest(seen, etag='"v2"'),
    "no range": lambda r, rest, seen: r.raw(206, DATA[BLOCK:], etag=TAG),
    "another range": lambda r, rest, seen: rest(seen, content_range=f"bytes 0-9/{len(DATA)}"),
    "a part": lambda r, rest, seen: rest(seen, content_range=f"bytes {BLOCK}-9/{len(DATA)}"),
    "another length": lambda r, rest, seen: rest(seen, data=DATA + b"more"),
    "unknown length": lambda r, rest, seen: rest(seen, content_range=f"bytes {BLOCK}-511999/*"),
    "huge number": lambda r, rest, seen: rest(seen, content_range=f"bytes {'9' * 5000}-1/1"),
    "many parts": lambda r, rest, seen: r.raw(206, b"--x", content_type="multipart/byteranges"),
}


@pytest.mark.parametrize("name", NOT_THE_REST)
def test_starts_over_where_the_answer_is_not_the_rest(
    client, store, cut, rest, replies, frame, name
):
    store.will(
        cut(BLOCK),
        lambda seen: NOT_THE_REST[name](replies, rest, seen),
        replies.raw(200, DATA, etag='"v3"'),
    )
    sink = io.BytesIO()
    assert client.download(frame, MD5, sink) == DIGEST
    assert sink.getvalue() == DATA
    assert [r for r, _ in ranges(store)] == [None, f"bytes={BLOCK}-", None]


def test_a_file_that_went_away_meanwhile_is_told(client, store, cut, replies, frame):
    store.will(cut(BLOCK), replies.raw(404, b"<Error><Code>NoSuchVersion</Code></Error>"))
    with pytest.raises(StoredFileNotFoundError, match="superseded or moved"):
        client.download(frame, MD5, io.BytesIO())


def test_parts_that_do_not_fit_are_not_believed_before_the_whole_was_seen(
    client, store, cut, rest, replies, frame
):
    store.will(cut(BLOCK, data=b"?" * len(DATA)), rest, replies.raw(200, DATA, etag=TAG))
    sink = io.BytesIO()
    assert client.download(frame, MD5, sink) == DIGEST
    assert sink.getvalue() == DATA
    assert [r for r, _ in ranges(store)] == [None, f"bytes={BLOCK}-", None]


def test_a_whole_that_does_not_fit_either_is_believed(client, store, cut, rest, replies, frame):
    wrong = b"?" * len(DATA)
    store.will(
        cut(BLOCK, data=wrong),
        lambda seen: rest(seen, data=wrong),
        replies.raw(200, wrong, etag=TAG),
    )
    with pytest.raises(ChecksumMismatchError, match="overwritten or damaged"):
        client.download(frame, MD5, io.BytesIO())
    assert len(store.seen) == 3


def test_a_sink_that_takes_a_part_is_written_whole(client, store, cut, rest, frame):
    class Sink(io.BytesIO):
        def write(self, data):
            return super().write(data[:1000])

    store.will(cut(3 * BLOCK), rest)
    sink = Sink()
    assert client.download(frame, MD5, sink) == DIGEST
    assert sink.getvalue() == DATA


@pytest.mark.parametrize("manner", ["drip", "silence", "half open"])
def test_the_deadlines_hold_for_the_rest(make_client, server, store, cut, replies, frame, manner):
    client = make_client(server.root, total_timeout_s=0.4, read_timeout_s=0.2)
    part = {"etag": TAG, "content_range": f"bytes {BLOCK}-{len(DATA) - 1}/{len(DATA)}"}
    length = len(DATA) - BLOCK
    stuck = {
        "drip": replies.raw(206, b"x" * 9000, length=length, drip_s=0.02, drip_bytes=9, **part),
        "silence": replies.silence(),
        "half open": replies.raw(206, b"x" * 9, length=length, then="hold", **part),
    }
    store.will(cut(BLOCK), stuck[manner])
    start = time.monotonic()
    with pytest.raises(ArchiveUnavailableError):
        client.download(frame, MD5, io.BytesIO())
    assert time.monotonic() - start < 3
    assert [r for r, _ in ranges(store)] == [None, f"bytes={BLOCK}-", f"bytes={BLOCK}-"]


def test_a_file_of_a_whole_archive_is_resumed(make_client, record, tmp_path):
    from calrecords.testing import ScienceArchive

    path = tmp_path / "cpt" / "kb70" / "20260101" / "raw" / "bias-a.fits"
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    with ScienceArchive(files=tmp_path) as archive:
        client = make_client(archive.root, archive.token)
        fields = {**record, "site_id": "cpt", "instrument_id": "kb70", "reduction_level": 0}
        frame = client.create_frame(fields, version_key=MD5, md5=MD5, extension=".fits")
        archive.faults.add("truncated", path="/files/*", times=2)
        archive.clear_requests()
        sink = io.BytesIO()
        assert client.download(frame, MD5, sink) == DIGEST
        assert sink.getvalue() == DATA
        assert [path.split("/")[1] for _, path in archive.requests] == [
            "files",
            "frames",
            "files",
            "frames",
            "files",
        ]
        assert archive.count("GET", "/files/*") == 3
