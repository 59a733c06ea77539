"""A download gives the recorded bytes, or says why not."""

import gzip
import hashlib
import io
import logging

import pytest

from calrecords.archive.models import parse_frame
from calrecords.errors import (
    ArchiveRefusedError,
    ArchiveUnavailableError,
    ChecksumMismatchError,
    StoredFileNotFoundError,
)
from calrecords.frames import ContentDigest

DATA = b"SIMPLE  =                    T" + bytes(range(256)) * 2000
MD5 = hashlib.md5(DATA).hexdigest()
DIGEST = ContentDigest(MD5, hashlib.sha256(DATA).hexdigest(), len(DATA))
SIGNED = "?versionId=v1&X-Amz-Signature=SECRET"


@pytest.fixture
def store(make_server):
    return make_server()


@pytest.fixture
def described(store, frame_row, version_row):
    """The frame's row, its older version the one that is asked for."""
    return frame_row(
        5,
        versions=[
            version_row("0" * 32, key="new", number=2, url=store.root + "new.fits" + SIGNED),
            version_row(MD5, key="old", number=1, url=store.root + "old.fits" + SIGNED),
        ],
    )


@pytest.fixture
def frame(described):
    return parse_frame(described)


@pytest.fixture
def archive(server, replies, described):
    return server.will(replies.json(200, described))


def test_picks_the_version_by_its_checksum_and_sends_no_token(
    archive, client, store, replies, frame
):
    store.will(replies.raw(200, DATA))
    sink = io.BytesIO(b"x" * 10**6)
    assert client.download(frame, MD5.upper(), sink) == DIGEST
    assert sink.getvalue() == DATA
    assert store.calls == ["GET /old.fits" + SIGNED]
    assert "authorization" not in store.seen[0].headers
    assert archive.seen == [], "a fresh frame's address is used as it is"


def test_sends_no_token_to_files_on_the_archives_own_origin(
    server, client, replies, frame_row, version_row
):
    server.will(replies.raw(200, DATA))
    url = server.root + "files/old.fits"
    frame = parse_frame(frame_row(5, versions=[version_row(MD5, url=url)]))
    assert client.download(frame, MD5, io.BytesIO()) == DIGEST
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize("status", [400, 403, 404])
def test_asks_for_a_fresh_address_where_the_old_one_expired(
    archive, client, store, replies, frame, status
):
    store.will(replies.raw(status, b"<Error>expired</Error>"), replies.raw(200, DATA))
    assert client.download(frame, MD5, io.BytesIO()) == DIGEST
    assert archive.calls == ["GET /frames/5/"]


def test_looks_again_where_the_frame_at_hand_lacks_the_version(
    archive, client, store, replies, frame_row
):
    store.will(replies.raw(200, DATA))
    assert client.download(parse_frame(frame_row(5)), MD5, io.BytesIO()) == DIGEST


@pytest.mark.parametrize("status", [404, 410])
def test_an_older_version_whose_file_is_gone_was_superseded(
    archive, client, store, replies, frame, status
):
    store.will(replies.raw(status, b"<Error><Code>NoSuchVersion</Code></Error>"))
    with pytest.raises(StoredFileNotFoundError, match="superseded or moved") as caught:
        client.download(frame, MD5, io.BytesIO())
    assert len(store.seen) == 2
    assert "SECRET" not in str(caught.value)


def test_a_version_that_the_archive_does_not_list_is_not_found(archive, client, store, frame):
    with pytest.raises(StoredFileNotFoundError, match="no version with md5"):
        client.download(frame, "a" * 32, io.BytesIO())
    assert store.seen == []


@pytest.mark.parametrize("url", [None, "", "cpt/kb70/20260101/raw/a.fits", "file:///etc/passwd"])
def test_an_archive_that_keeps_no_files_is_named(
    server, client, replies, frame_row, version_row, url
):
    row = frame_row(5, versions=[version_row(MD5, url=url)])
    server.will(replies.json(200, row))
    with pytest.raises(StoredFileNotFoundError, match="dummy"):
        client.download(parse_frame(row), MD5, io.BytesIO())


def test_other_bytes_of_the_right_length_are_a_mismatch_at_once(
    archive, client, store, replies, frame
):
    store.will(replies.raw(200, DATA[:-1] + b"?"))
    with pytest.raises(ChecksumMismatchError, match="overwritten or damaged") as caught:
        client.download(frame, MD5, io.BytesIO())
    assert len(store.seen) == 1
    assert "SECRET" not in str(caught.value)


BROKEN = {
    "cut short": lambda r: r.raw(200, DATA[:1000], length=len(DATA), then="close"),
    "cut short, unannounced": lambda r: r.raw(200, DATA[:1000], length=False),
    "half chunk": lambda r: r.bytes(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nabc", then="close"
    ),
    "chunk below zero": lambda r: r.bytes(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc", then="close"
    ),
    "cut short, the length no length, unannounced": lambda r: r.raw(
        200, DATA[:1000], length=-1, then="close"
    ),
    "a part": lambda r: r.raw(206, DATA, content_range=f"bytes 0-{len(DATA) - 1}/{len(DATA)}"),
    "reset": lambda r: r.reset(),
    "server error": lambda r: r.html(500),
    "slow down": lambda r: r.raw(503, b"<Error><Code>SlowDown</Code></Error>"),
    "login page": lambda r: r.html(200),
    "no content": lambda r: r.raw(204),
    "stalled": lambda r: r.raw(200, DATA[:1000], length=len(DATA), then="hold"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_download_starts_anew_in_an_emptied_sink(
    archive, make_client, store, replies, frame, name
):
    client = make_client(archive.root, read_timeout_s=0.3)
    store.will(BROKEN[name](replies), replies.raw(200, DATA))
    sink = io.BytesIO()
    assert client.download(frame, MD5, sink) == DIGEST
    assert sink.getvalue() == DATA
    assert archive.calls == ["GET /frames/5/"], "each repetition takes a fresh address"


@pytest.mark.parametrize(
    ("name", "error"),
    [(n, ChecksumMismatchError if "unannounced" in n else ArchiveUnavailableError) for n in BROKEN],
)
def test_a_download_that_stays_broken_says_so(
    archive, make_client, store, replies, frame, name, error
):
    client = make_client(archive.root, read_timeout_s=0.1)
    store.will(BROKEN[name](replies))
    with pytest.raises(error) as caught:
        client.download(frame, MD5, io.BytesIO())
    assert len(store.seen) == 3
    assert "SECRET" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_a_store_that_refuses_a_fresh_address_is_no_matter_of_the_token(
    archive, client, store, replies, frame
):
    store.will(replies.raw(403, b"<Error><Code>AccessDenied</Code></Error>"))
    with pytest.raises(ArchiveRefusedError, match="clock") as caught:
        client.download(frame, MD5, io.BytesIO())
    assert caught.value.status == 403
    assert "AUTH_TOKEN" not in str(caught.value)


def test_a_page_whose_checksum_is_the_recorded_one_is_the_file(
    archive, client, store, replies, frame_row, version_row
):
    page = b"<html>a report</html>"
    md5 = hashlib.md5(page).hexdigest()
    store.will(replies.raw(200, page, content_type="text/html"))
    frame = parse_frame(frame_row(5, versions=[version_row(md5, url=store.root)]))
    assert client.download(frame, md5, io.BytesIO()).md5 == md5


def test_a_packed_file_is_not_unpacked_on_the_way(archive, client, store, replies, frame):
    store.will(replies.raw(200, DATA, content_encoding="gzip"))
    assert client.download(frame, MD5, io.BytesIO()) == DIGEST
    assert store.seen[0].headers["accept-encoding"] == "identity"


def test_a_file_that_was_packed_on_the_way_says_so(archive, client, store, replies, frame):
    store.will(replies.raw(200, gzip.compress(DATA), content_encoding="gzip"))
    with pytest.raises(ChecksumMismatchError, match="Content-Encoding 'gzip'; does a proxy"):
        client.download(frame, MD5, io.BytesIO())


def test_what_is_no_whole_file_is_told_by_its_status(archive, client, store, replies, frame):
    store.will(replies.raw(206, DATA))
    with pytest.raises(ArchiveUnavailableError, match="was answered 206, and a whole file comes"):
        client.download(frame, MD5, io.BytesIO())


def test_follows_a_redirect_of_the_store_to_another_origin(
    archive, client, store, make_server, replies, frame
):
    other = make_server(replies.raw(200, DATA))
    store.will(replies.raw(307, location=other.root + "old.fits"))
    assert client.download(frame, MD5, io.BytesIO()) == DIGEST
    assert "authorization" not in other.seen[0].headers


def test_a_store_that_drips_is_stopped(archive, make_client, store, replies, frame):
    client = make_client(archive.root, total_timeout_s=0.4)
    store.will(replies.raw(200, DATA[:1000], length=len(DATA), drip_s=0.02))
    with pytest.raises(ArchiveUnavailableError, match=r"within 0\.4 s"):
        client.download(frame, MD5, io.BytesIO())


def test_writes_on_where_a_sink_takes_a_part(archive, client, store, replies, frame):
    class Sink(io.BytesIO):
        def write(self, data):
            return super().write(data[:1000])

    store.will(replies.raw(200, DATA))
    sink = Sink()
    client.download(frame, MD5, sink)
    assert sink.getvalue() == DATA


def test_no_log_holds_the_signed_part_of_an_address(archive, client, store, replies, frame, caplog):
    caplog.set_level(logging.DEBUG)
    store.will(replies.raw(403), replies.html(500), replies.raw(200, DATA))
    client.download(frame, MD5, io.BytesIO())
    assert store.calls == ["GET /old.fits" + SIGNED] * 3
    assert "/old.fits?" in caplog.text, "the requests are logged"
    assert "SECRET" not in caplog.text


def test_a_full_disk_is_not_the_archives_fault(archive, client, store, replies, frame):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    store.will(replies.raw(200, DATA))
    with pytest.raises(OSError, match="No space left"):
        client.download(frame, MD5, Full())
    assert len(store.seen) == 1


class TestAtAWholeArchive:
    """Files at an archive that serves them from a folder, as the real one can."""

    @pytest.fixture
    def archive(self, tmp_path):
        from calrecords.testing import ScienceArchive

        with ScienceArchive(files=tmp_path) as archive:
            yield archive

    @pytest.fixture
    def client(self, make_client, archive):
        return make_client(archive.root, archive.token)

    @pytest.fixture
    def register(self, client, record, tmp_path):
        def register(data, *, extension=".fits", reduction_level=0):
            md5 = hashlib.md5(data).hexdigest()
            kind = "processed" if reduction_level else "raw"
            path = tmp_path / "cpt" / "kb70" / "20260101" / kind / f"bias-a{extension}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            fields = {
                "site_id": "cpt",
                "instrument_id": "kb70",
                "reduction_level": reduction_level,
            }
            return client.create_frame(
                {**record, **fields}, version_key=md5, md5=md5, extension=extension
            )

        return register

    def test_what_was_registered_comes_back(self, archive, client, register):
        frame = register(DATA)
        sink = io.BytesIO()
        assert client.download(client.frame(frame.frame_id), MD5, sink) == DIGEST
        assert sink.getvalue() == DATA

    @pytest.mark.parametrize(
        "fault",
        ["500", "503", "429", "reset", "lost-answer", "login-page", "truncated", "unannounced-end"],
    )
    def test_a_fault_on_the_way_is_overcome(self, archive, client, register, fault):
        frame = register(DATA)
        archive.faults.add(fault, path="/files/*")
        assert client.download(frame, MD5, io.BytesIO()) == DIGEST
        assert archive.faults.pending() == ()

    def test_a_byte_that_changed_is_noticed(self, archive, client, register):
        frame = register(DATA)
        archive.faults.add("corrupted", path="/files/*")
        with pytest.raises(ChecksumMismatchError):
            client.download(frame, MD5, io.BytesIO())

    def test_an_older_version_whose_path_was_recomputed_is_told(
        self, make_client, store, replies, record
    ):
        from calrecords.testing import ScienceArchive

        older, newer = hashlib.md5(b"older").hexdigest(), MD5
        held = {
            f"/cpt/kb70/20260101/raw/bias-a.fits?versionId={older}": b"older",
            f"/cpt/kb70/20260101/processed/bias-a.fits.fz?versionId={newer}": DATA,
        }
        store.will(
            lambda seen: (
                replies.raw(200, held[seen.path])
                if seen.path in held
                else replies.raw(404, b"<Error><Code>NoSuchVersion</Code></Error>")
            )
        )
        fields = {**record, "site_id": "cpt", "instrument_id": "kb70"}
        with ScienceArchive(url_for=lambda p, key: f"{store.root}{p}?versionId={key}") as archive:
            client = make_client(archive.root, archive.token)
            first = client.create_frame(
                {**fields, "reduction_level": 0}, version_key=older, md5=older, extension=".fits"
            )
            assert client.download(first, older, io.BytesIO()).size == 5
            client.create_frame(
                {**fields, "reduction_level": 90},
                version_key=newer,
                md5=newer,
                extension=".fits.fz",
            )
            frame = client.frame(first.frame_id)
            assert client.download(frame, newer, io.BytesIO()) == DIGEST
            with pytest.raises(StoredFileNotFoundError, match="superseded or moved"):
                client.download(frame, older, io.BytesIO())

    def test_an_older_version_that_was_overwritten_is_a_mismatch(self, client, register):
        register(b"older")
        frame = register(DATA)
        with pytest.raises(ChecksumMismatchError):
            client.download(frame, hashlib.md5(b"older").hexdigest(), io.BytesIO())

    def test_the_dummy_store_keeps_nothing(self, make_client, record):
        from calrecords.testing import ScienceArchive

        with ScienceArchive() as archive:
            client = make_client(archive.root, archive.token)
            frame = client.create_frame(record, version_key=MD5, md5=MD5, extension=".fits")
            with pytest.raises(StoredFileNotFoundError):
                client.download(frame, MD5, io.BytesIO())


@pytest.mark.parametrize("length", [False, 10**15])
def test_a_file_that_goes_on_after_its_end_is_not_read_on(
    archive, client, store, replies, frame, length
):
    store.will(replies.raw(200, DATA + b"x" * 10**7, length=length))
    sink = io.BytesIO()
    with pytest.raises(ChecksumMismatchError, match="goes on after the bytes that are recorded"):
        client.download(frame, MD5, sink, size=len(DATA))
    assert len(DATA) < len(sink.getvalue()) <= len(DATA) + (1 << 20)


def test_a_file_of_the_length_that_is_known_is_taken(archive, client, store, replies, frame):
    store.will(replies.raw(200, DATA))
    assert client.download(frame, MD5, io.BytesIO(), size=len(DATA)) == DIGEST
