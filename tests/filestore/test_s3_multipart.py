"""Files that are longer than one request may hold, at a server that tells the truth and a liar."""

import hashlib
import io
import os
import threading
import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest

from calrecords.errors import (
    ChecksumMismatchError,
    ConfigurationError,
    FileStoreRefusedError,
    FileStoreUnavailableError,
)
from calrecords.filestore import S3Store
from calrecords.filestore.s3_checksums import composite_of
from calrecords.filestore.s3_multipart import MAX_OBJECT_BYTES, MAX_PARTS, PART_BYTES, part_length
from calrecords.frames import StoredFile
from calrecords.testing.s3_server import ObjectVersion

KEY = "cpt/kb70/20260101/raw/bias.fits"
DATA = b"".join(hashlib.sha512(bytes([n])).digest() for n in range(40))  # 2,560 bytes
PART = 1000
PIECES = [DATA[:1000], DATA[1000:2000], DATA[2000:]]
VERSION = "v" * 32
STORED = StoredFile(
    KEY, VERSION, hashlib.md5(DATA).hexdigest(), hashlib.sha256(DATA).hexdigest(), len(DATA)
)
DIGESTS = [hashlib.sha256(piece).digest() for piece in PIECES]
COMPOSITE = b64encode(hashlib.sha256(b"".join(DIGESTS)).digest()).decode() + "-3"
OTHER = b64encode(hashlib.sha256(b"other").digest()).decode()
ETAG = '"0123456789abcdef0123456789abcdef-3"'
BEGINNING = ["HEAD bucket", "versioning", "uploads", "HEAD key", "create"]


def base64(digest):
    return b64encode(digest).decode()


def error_page(code):
    return f"<Error><Code>{code}</Code><Message>said by the server</Message></Error>".encode()


def completed(checksum=COMPOSITE):
    said = f"<ChecksumSHA256>{checksum}</ChecksumSHA256>" if checksum else ""
    page = f"<CompleteMultipartUploadResult><ETag>x-3</ETag>{said}</CompleteMultipartUploadResult>"
    return 200, {"x-amz-version-id": VERSION}, page.encode()


def head(**headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return 200, {"ETag": ETAG, **names}, DATA


TRUE_HEAD = head(x_amz_checksum_sha256=COMPOSITE)


@pytest.fixture
def in_parts(liar):
    """Return a server that takes parts, as Amazon's does."""
    liar.parts = []

    def take(handler):
        checksum = handler.headers["x-amz-checksum-sha256"]
        liar.parts.append((handler.path.partition("?")[2], checksum, liar.bodies["part"]))
        return 200, {"ETag": f'"e{len(liar.parts)}"', "x-amz-checksum-sha256": checksum}, b""

    liar.answers = {"part": take, "complete": completed(), "HEAD": TRUE_HEAD}
    return liar


@pytest.fixture
def store(in_parts):
    return in_parts.store_in_parts(PART)


def test_each_part_is_sent_with_its_checksum_and_the_whole_is_compared(in_parts, store, put):
    observed = datetime.now(UTC) - timedelta(days=61)
    stored = put(store, KEY, DATA, content_type="image/fits", dateobs=observed)

    assert stored == STORED
    assert stored.is_new
    assert in_parts.requests == [*BEGINNING, "part", "part", "part", "complete", "HEAD"]
    assert [(parse_qs(query), checksum, body) for query, checksum, body in in_parts.parts] == [
        ({"partNumber": [str(n)], "uploadId": ["upload"]}, base64(digest), digest.hex())
        for n, digest in enumerate(DIGESTS, 1)
    ]
    sent = in_parts.headers["create"]
    assert {
        name: value
        for name, value in sent.items()
        if name.startswith("x-amz-meta")
        or name
        in {
            "content-type",
            "content-disposition",
            "x-amz-storage-class",
            "x-amz-checksum-algorithm",
        }
    } == {
        "content-type": "image/fits",
        "content-disposition": "attachment; filename=bias.fits",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-checksum-algorithm": "SHA256",
        "x-amz-meta-md5": STORED.md5,
        "x-amz-meta-sha256": STORED.sha256,
    }
    assert in_parts.headers["complete"]["x-amz-mp-object-size"] == str(len(DATA))
    named = [
        {child.tag.partition("}")[2]: child.text for child in part}
        for part in ElementTree.fromstring(in_parts.posted)
    ]
    assert named == [
        {"PartNumber": str(n), "ETag": f'"e{n}"', "ChecksumSHA256": base64(digest)}
        for n, digest in enumerate(DIGESTS, 1)
    ]


def test_parts_are_only_for_what_is_longer_than_one_request(in_parts, store, put):
    data = DATA[:PART]
    checksum = base64(hashlib.sha256(data).digest())
    in_parts.answers["PUT"] = (
        200,
        {"x-amz-version-id": VERSION, "x-amz-checksum-sha256": checksum},
        b"",
    )
    assert put(store, KEY, data).size == PART
    assert in_parts.requests == ["HEAD bucket", "versioning", "HEAD key", "PUT"]


@pytest.mark.parametrize("length", [1001, 2000, 2001, 2560])
def test_every_length_comes_back_and_is_found_again(s3, small_parts, put, length):
    store = S3Store(s3.client(), s3.bucket, single_put_bytes=1000, part_bytes=1000)
    data = DATA[:length]
    stored = put(store, KEY, data, content_type="image/fits")
    assert s3.versions(KEY) == [
        ObjectVersion(
            version_key=stored.version_key,
            data=data,
            metadata={"md5": stored.md5, "sha256": stored.sha256},
            content_type="image/fits",
            content_disposition="attachment; filename=bias.fits",
            storage_class=None,
        )
    ]
    again = put(S3Store(s3.client(), s3.bucket), KEY, data)
    assert (again, again.is_new) == (stored, False)
    assert store.stat(StoredFile(KEY, stored.version_key)) == stored
    sink = io.BytesIO()
    store.copy_to(stored, sink)
    assert sink.getvalue() == data


def test_only_the_bytes_from_where_the_source_stands_are_sent(in_parts, store, put):
    source = io.BytesIO(b"skipped" + DATA)
    source.seek(7)
    assert store.put(KEY, source, put.digest_of(DATA)) == STORED
    assert [body for _, _, body in in_parts.parts] == [digest.hex() for digest in DIGESTS]


WRONG = {
    "shorter": DATA[:-1],
    "shorter by a part": DATA[:2000],
    "shorter by more": DATA[:1500],
    "empty": b"",
    "longer": DATA + b"x",
    "longer by parts": DATA * 2,
    "another byte": b"x" + DATA[1:],
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_a_source_that_is_not_what_was_said_is_never_put_together(in_parts, store, put, data):
    with pytest.raises(ChecksumMismatchError, match="ingest it anew"):
        store.put(KEY, io.BytesIO(data), put.digest_of(DATA))
    assert in_parts.requests[-1] == "abort"
    assert "complete" not in in_parts.requests


def test_a_part_that_changes_between_its_two_readings_is_not_taken(in_parts, store, put):
    class Changing(io.BytesIO):
        reads = 0

        def read(self, size=-1):
            chunk = super().read(size)
            self.reads += bool(chunk)
            return chunk if self.reads < 4 else b"x" * len(chunk)

    with pytest.raises(ChecksumMismatchError, match="ingest it anew"):
        store.put(KEY, Changing(DATA), put.digest_of(DATA))
    # the server may notice only after the next request that one was broken off
    assert [one for one in in_parts.requests if one != "part broken off"][-1] == "abort"


class Interrupted(io.BytesIO):
    def read(self, size=-1):
        if self.tell() >= 2000:
            raise KeyboardInterrupt
        return super().read(size)


class BrokenDiskError(OSError):
    """An error of the caller's own file."""


class Broken(io.BytesIO):
    def read(self, size=-1):
        if self.tell() >= 1000:
            raise BrokenDiskError(5, "the source's disk is broken")
        return super().read(size)


@pytest.mark.parametrize(
    ("source", "kind"), [(Interrupted, KeyboardInterrupt), (Broken, BrokenDiskError)]
)
def test_nothing_is_left_where_the_source_fails_or_the_user_gives_up(
    in_parts, store, put, source, kind
):
    with pytest.raises(kind):
        store.put(KEY, source(DATA), put.digest_of(DATA))
    assert in_parts.requests[-1] == "abort"
    assert in_parts.queries[-1] == "uploadId=upload"


REFUSALS = {
    "create 403": ("create", (403, {}, error_page("AccessDenied")), FileStoreRefusedError),
    "create 503": ("create", (503, {}, error_page("SlowDown")), FileStoreUnavailableError),
    "part 403": ("part", (403, {}, error_page("AccessDenied")), FileStoreRefusedError),
    "part 503": ("part", (503, {}, error_page("SlowDown")), FileStoreUnavailableError),
    "part digest": ("part", (400, {}, error_page("BadDigest")), ChecksumMismatchError),
    "part of an aborted one": (
        "part",
        (404, {}, error_page("NoSuchUpload")),
        FileStoreUnavailableError,
    ),
    "part with another checksum": (
        "part",
        (200, {"ETag": '"e"', "x-amz-checksum-sha256": OTHER}, b""),
        ChecksumMismatchError,
    ),
    "complete 403": ("complete", (403, {}, error_page("AccessDenied")), FileStoreRefusedError),
    "complete 500": (
        "complete",
        (500, {}, error_page("InternalError")),
        FileStoreUnavailableError,
    ),
    "complete 200, in which there is an error": (
        "complete",
        (200, {}, error_page("InternalError")),
        FileStoreUnavailableError,
    ),
    "complete of lost parts": (
        "complete",
        (400, {}, error_page("InvalidPart")),
        ChecksumMismatchError,
    ),
    "complete of too small parts": (
        "complete",
        (400, {}, error_page("EntityTooSmall")),
        FileStoreRefusedError,
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_each_refusal_becomes_the_right_error_and_nothing_is_left(in_parts, store, put, refusal):
    operation, answer, kind = refusal
    in_parts.answers[operation] = answer
    with pytest.raises(kind) as caught:
        put(store, KEY, DATA)
    assert type(caught.value) is kind
    assert KEY in str(caught.value)
    assert "said by the server" not in str(caught.value)
    assert ("abort" in in_parts.requests) is (operation != "create")


def test_a_failure_to_abort_is_told_and_does_not_hide_the_cause(in_parts, store, put, caplog):
    in_parts.answers["part"] = (403, {}, error_page("AccessDenied"))
    in_parts.answers["abort"] = (500, {}, error_page("InternalError"))
    with pytest.raises(FileStoreRefusedError, match="part 1"):
        put(store, KEY, DATA)
    assert f"parts of {KEY} may stay in the bucket" in caplog.text


def listed():
    page = (
        f"<ListVersionsResult><IsTruncated>false</IsTruncated><Version><Key>{KEY}</Key>"
        f"<VersionId>{VERSION}</VersionId><Size>{len(DATA)}</Size></Version>"
        "</ListVersionsResult>"
    )
    return 200, {}, page.encode()


def finish(liar, answer):
    """Return an answer to the last request that is given after S3 has finished."""

    def act(handler):
        metadata = {"x_amz_meta_md5": STORED.md5, "x_amz_meta_sha256": STORED.sha256}
        liar.answers["HEAD key"] = (200, {}, b"")
        liar.answers["versions"] = listed()
        liar.answers["HEAD"] = head(x_amz_checksum_sha256=COMPOSITE, **metadata)
        return answer

    return act


@pytest.mark.parametrize(
    "answer", [(500, {}, error_page("InternalError")), (404, {}, error_page("NoSuchUpload"))]
)
def test_an_error_after_success_is_a_success(in_parts, store, put, answer):
    in_parts.answers["complete"] = finish(in_parts, answer)
    stored = put(store, KEY, DATA)
    assert stored == STORED
    assert not stored.is_new, "somebody else may have written it, so it is not ours to remove"
    assert "DELETE" not in in_parts.requests


def test_a_lost_answer_is_asked_for_again(in_parts, put):
    answers = [None, completed()]

    def lose(handler):
        answer = answers.pop(0)
        handler.close_connection = True
        return answer

    in_parts.answers["complete"] = lose
    assert put(in_parts.store_in_parts(PART, max_attempts=2), KEY, DATA) == STORED
    assert in_parts.requests.count("complete") == 2


def test_a_part_that_succeeds_at_the_second_attempt_is_sent_whole(in_parts, put):
    take, failures = in_parts.answers["part"], [(503, {}, error_page("SlowDown"))]
    in_parts.answers["part"] = lambda handler: failures.pop() if failures else take(handler)
    assert put(in_parts.store_in_parts(PART, max_attempts=2), KEY, DATA) == STORED
    assert [body for _, _, body in in_parts.parts] == [digest.hex() for digest in DIGESTS]


LIES = {
    "another checksum of the parts": (completed(OTHER + "-3"), TRUE_HEAD),
    "the checksum of other parts when asked": (
        completed(None),
        head(x_amz_checksum_sha256=OTHER + "-3"),
    ),
    "another length": (
        completed(),
        (200, {"ETag": ETAG, "x-amz-checksum-sha256": COMPOSITE}, DATA[:-1]),
    ),
    "other bytes, and no checksum": (completed(None), head()),
    "other bytes, our own metadata repeated": (
        completed(None),
        head(x_amz_meta_sha256=STORED.sha256),
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_version_that_is_not_what_was_sent_is_removed_again(in_parts, store, put, lie):
    in_parts.answers["complete"], in_parts.answers["HEAD"] = lie
    in_parts.answers["GET"] = (200, {}, b"x" + DATA[1:])
    with pytest.raises(ChecksumMismatchError, match="removed again"):
        put(store, KEY, DATA)
    assert in_parts.requests[-1] == "DELETE"


def test_a_store_that_keeps_no_checksums_is_read_back(in_parts, store, put):
    in_parts.answers |= {"complete": completed(None), "HEAD": head(), "GET": (200, {}, DATA)}
    assert put(store, KEY, DATA) == STORED
    assert in_parts.requests[-1] == "GET"


def test_a_bucket_whose_versioning_was_switched_off_meanwhile_is_refused(in_parts, store, put):
    in_parts.answers["complete"] = (200, {}, completed()[2])
    with pytest.raises(ConfigurationError, match="keeps no versions"):
        put(store, KEY, DATA)


def test_an_upload_that_takes_too_long_is_given_up_and_aborted(in_parts, put):
    store = S3Store(
        in_parts.client(),
        "bucket",
        single_put_bytes=PART,
        part_bytes=PART,
        transfer_timeout_s=0.3,
    )
    take = in_parts.answers["part"]
    in_parts.answers["part"] = lambda handler: time.sleep(0.2) or take(handler)
    began = time.monotonic()
    with pytest.raises(FileStoreUnavailableError, match=r"longer than 0\.3 s"):
        put(store, KEY, DATA)
    assert time.monotonic() - began < 2
    # the server may hear of the last part only after it was given up
    assert in_parts.requests.count("abort") == 1
    assert "complete" not in in_parts.requests


def test_parts_may_take_longer_to_be_joined_than_another_answer(in_parts, put):
    _, headers, body = completed()

    def join(handler):
        """Send blanks until it is done, as Amazon's does."""
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body) + 40))
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
        handler.wfile.write(body)

    in_parts.answers["complete"] = join
    client = in_parts.client(answer_timeout_s=1.0, join_timeout_s=20)
    store = S3Store(client, "bucket", single_put_bytes=PART, part_bytes=PART)
    assert put(store, KEY, DATA) == STORED


def uploads(*rows):
    """Return S3's list of unfinished uploads, of (key, upload, age in hours)."""
    now = datetime.now(UTC)
    page = "".join(
        f"<Upload><Key>{key}</Key><UploadId>{upload}</UploadId>"
        f"<Initiated>{(now - timedelta(hours=age)).strftime('%Y-%m-%dT%H:%M:%S.000Z')}</Initiated>"
        "</Upload>"
        for key, upload, age in rows
    )
    return 200, {}, f"<R><IsTruncated>false</IsTruncated>{page}</R>".encode()


def test_only_old_unfinished_uploads_of_the_same_key_are_aborted(in_parts, store, put):
    in_parts.answers["uploads"] = uploads(
        (KEY, "old", 25), (KEY, "running", 23), (KEY + ".fz", "longer", 99), (KEY, "older", 99)
    )
    assert store.find(KEY, put.digest_of(DATA)) is None
    assert in_parts.requests[2:] == ["uploads", "abort", "abort", "HEAD key"]
    aborted = [query for query in in_parts.queries if query.startswith("uploadId")]
    assert aborted == ["uploadId=old", "uploadId=older"]


def test_a_right_that_is_missing_to_clear_away_is_told_and_harms_nothing(
    in_parts, store, put, caplog
):
    in_parts.answers["uploads"] = (403, {}, error_page("AccessDenied"))
    assert put(store, KEY, DATA) == STORED
    assert f"unfinished uploads of {KEY} may stay" in caplog.text


def test_small_files_ask_for_no_unfinished_uploads(in_parts, store, put):
    assert store.find(KEY, put.digest_of(DATA[:PART])) is None
    assert "uploads" not in in_parts.requests


def test_what_a_killed_upload_left_is_gone_a_day_later(s3, small_parts, put):
    client = s3.client()
    left = client.create_multipart_upload(Bucket=s3.bucket, Key=KEY)["UploadId"]
    store = S3Store(s3.client(), s3.bucket, single_put_bytes=1000, part_bytes=1000)
    put(store, KEY, DATA)
    (upload,) = client.list_multipart_uploads(Bucket=s3.bucket)["Uploads"]
    assert upload["UploadId"] == left, "it may be running still"
    assert datetime.now(UTC) - upload["Initiated"] < timedelta(minutes=5)


def test_bytes_found_in_parts_are_those_that_their_metadata_tell(in_parts, store, put):
    in_parts.answers |= {"HEAD key": (200, {}, b""), "versions": listed()}
    for headers, found in (
        ({"x_amz_checksum_sha256": COMPOSITE, "x_amz_meta_sha256": STORED.sha256}, True),
        ({"x_amz_checksum_sha256": COMPOSITE[:-2], "x_amz_meta_sha256": STORED.sha256}, True),
        ({"x_amz_checksum_sha256": COMPOSITE, "x_amz_meta_sha256": "0" * 64}, False),
        ({"x_amz_checksum_sha256": COMPOSITE}, False),
    ):
        in_parts.answers["HEAD"] = head(**headers)
        assert store.find(KEY, put.digest_of(DATA)) == (STORED if found else None)


@pytest.mark.parametrize(
    ("size", "part_bytes", "expected"),
    [
        (1, 5, 5),
        (5 * 10_000, 5, 5),
        (5 * 10_000 + 1, 5, 6),
        (6 * 1024**3, PART_BYTES, PART_BYTES),
        (MAX_OBJECT_BYTES, PART_BYTES, 549_755_814),
    ],
)
def test_parts_grow_where_there_would_be_too_many(size, part_bytes, expected):
    length = part_length(size, part_bytes)
    assert length == expected
    assert -(-size // length) <= MAX_PARTS


def test_the_checksum_of_parts_is_as_amazon_makes_it():
    assert composite_of(DIGESTS) == COMPOSITE
    assert composite_of([hashlib.sha256(b"").digest()]).endswith("-1")


def test_a_pipe_is_spooled_and_sent_in_parts(in_parts, store, put):
    read_end, write_end = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(write_end, DATA), os.close(write_end)))
    writer.start()
    with os.fdopen(read_end, "rb") as pipe:
        assert store.put(KEY, pipe, put.digest_of(DATA)) == STORED
    writer.join()
