"""What only a store in a bucket must withstand; moto where it tells the truth, else a liar."""

import hashlib
import io
import pickle
import socket
import struct
import time
import traceback
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config

from calrecords.errors import (
    ChecksumMismatchError,
    ConfigurationError,
    FileStoreRefusedError,
    FileStoreUnavailableError,
    StoredFileNotFoundError,
)
from calrecords.filestore import S3Store, make_s3_client
from calrecords.frames import ContentDigest, StoredFile
from calrecords.testing.s3_server import LoopbackS3, ObjectVersion

KEY = "cpt/kb70/20260101/raw/bias.fits"
FIRST = b"first" * 1000
VERSION = "v" * 32
MD5 = hashlib.md5(FIRST).hexdigest()
SHA256 = b64encode(hashlib.sha256(FIRST).digest()).decode()
WRONG_SHA256 = b64encode(hashlib.sha256(b"other").digest()).decode()
STORED = StoredFile(KEY, VERSION, MD5, hashlib.sha256(FIRST).hexdigest(), len(FIRST))


def error_page(code, message="said by the server"):
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


def test_an_object_has_what_the_archive_expects_of_it(s3, s3_store, put):
    observed = datetime.now(UTC) - timedelta(days=59)
    stored = put(s3_store, KEY, FIRST, content_type="image/fits", dateobs=observed)
    assert s3.versions(KEY) == [
        ObjectVersion(
            version_key=stored.version_key,
            data=FIRST,
            metadata={"md5": stored.md5, "sha256": stored.sha256},
            content_type="image/fits",
            content_disposition="attachment; filename=bias.fits",
            storage_class=None,
        )
    ]


def test_a_name_that_is_no_token_is_quoted(s3, s3_store, put):
    put(s3_store, "a/HARPS.2020-01-01T00:00:00.fits", FIRST)
    (version,) = s3.versions("a/HARPS.2020-01-01T00:00:00.fits")
    assert version.content_disposition == 'attachment; filename="HARPS.2020-01-01T00:00:00.fits"'


@pytest.mark.parametrize(
    ("days", "storage_class"),
    [(0, None), (59.9, None), (60.1, "STANDARD_IA"), (9e3, "STANDARD_IA")],
)
def test_old_frames_go_to_the_cheaper_class(s3, s3_store, put, days, storage_class):
    put(s3_store, KEY, FIRST, dateobs=datetime.now(UTC) - timedelta(days=days))
    assert [version.storage_class for version in s3.versions(KEY)] == [storage_class]


def test_the_number_of_days_is_a_setting(s3, put):
    store = S3Store(s3.client(), s3.bucket, ia_after_days=5)
    put(store, KEY, FIRST, dateobs=datetime.now(UTC) - timedelta(days=6))
    assert [version.storage_class for version in s3.versions(KEY)] == ["STANDARD_IA"]


def test_finds_the_oldest_of_versions_with_the_same_bytes(s3, s3_store, put):
    client = s3.client()
    versions = []
    for data in (FIRST, b"other", FIRST):
        versions.append(client.put_object(Bucket=s3.bucket, Key=KEY, Body=data)["VersionId"])
        time.sleep(0.01)
    found = s3_store.find(KEY, put.digest_of(FIRST))
    assert found is not None
    assert found.version_key == versions[0]


def test_finds_a_version_behind_a_delete_marker(s3, s3_store, put):
    stored = put(s3_store, KEY, FIRST)
    s3.client().delete_object(Bucket=s3.bucket, Key=KEY)
    assert s3_store.find(KEY, put.digest_of(FIRST)) == stored
    with s3_store.open(stored) as source:
        assert source.read() == FIRST


def test_finds_a_version_beyond_the_first_page(s3, s3_store, put, monkeypatch):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")  # moto's, not ours
    stored = put(s3_store, KEY, FIRST)
    for number in range(5):
        time.sleep(0.002)
        put(s3_store, KEY, b"%05d" % number * 1000)
    put(s3_store, KEY + ".fz", FIRST)
    assert s3_store.find(KEY, put.digest_of(FIRST)) == stored


def test_a_url_is_signed_for_one_version_and_its_time(s3_store, put):
    import urllib.request

    stored = put(s3_store, KEY, FIRST)
    put(s3_store, KEY, b"newer")
    url = s3_store.url(stored)
    query = parse_qs(urlsplit(url).query)
    assert (query["versionId"], query["X-Amz-Expires"]) == ([stored.version_key], ["172800"])
    assert parse_qs(urlsplit(s3_store.url(stored, expires_s=60)).query)["X-Amz-Expires"] == ["60"]
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == FIRST


def test_a_missing_bucket_is_named(s3, put):
    store = S3Store(s3.client(), "never-made")
    for act in (
        store.check,
        lambda: put(store, KEY, FIRST),
        lambda: store.find(KEY, put.digest_of(FIRST)),
    ):
        with pytest.raises(ConfigurationError, match=r"no S3 bucket never-made;.*BUCKET"):
            act()


def test_a_bucket_that_goes_missing_is_named(s3, s3_store, put):
    s3_store.check()
    s3.client().delete_bucket(Bucket=s3.bucket)
    with pytest.raises(ConfigurationError, match=r"NoSuchBucket.*BUCKET"):
        put(s3_store, KEY, FIRST)


def test_an_unversioned_bucket_is_refused_before_anything_is_written(put):
    with LoopbackS3(versioned=False) as s3:
        store = S3Store(s3.client(), s3.bucket)
        for act in (store.check, lambda: put(store, KEY, FIRST)):
            with pytest.raises(ConfigurationError, match=f"{s3.bucket} keeps no versions"):
                act()
        assert s3.object_keys() == []


def test_version_ids_that_the_archive_cannot_take_are_refused_only_for_it(put):
    with LoopbackS3(stock_version_ids=True) as s3:
        store = S3Store(s3.client(), s3.bucket)
        store.check()
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=r"36 characters.*takes 32"):
                store.check(for_archive=True)
        assert s3.object_keys() == []
        assert len(put(store, KEY, FIRST).version_key) == 36


def test_a_file_too_large_for_s3_is_refused_unread(s3, s3_store):
    digest = ContentDigest("0" * 32, "0" * 64, 5 * 1024**4 + 1)
    with pytest.raises(FileStoreRefusedError, match="5 TiB"):
        s3_store.put(KEY, io.BytesIO(b""), digest)
    assert s3.object_keys() == []


def test_a_version_without_a_name_is_never_deleted_or_read(s3, s3_store, put):
    put(s3_store, KEY, FIRST)
    for act in (s3_store.delete, s3_store.stat):
        with pytest.raises(StoredFileNotFoundError, match="no version"):
            act(StoredFile(KEY, ""))
    client = s3.client()
    assert client.get_object(Bucket=s3.bucket, Key=KEY)["Body"].read() == FIRST


class BrokenDiskError(OSError):
    """An error of the caller's own file."""


class Broken(io.BytesIO):
    def read(self, size=-1):
        if self.tell() > 1 << 20:
            raise BrokenDiskError(5, "the source's disk is broken")
        return super().read(size)


@pytest.mark.parametrize("signed_by", ["us", "botocore over http", "botocore over TLS"])
def test_long_files_that_turn_out_wrong_while_they_are_sent_are_not_stored(s3, put, signed_by):
    """They are sent as they are read; botocore alone reads them for a signature as well."""
    client = s3.client()
    if signed_by != "us":
        styles = {"addressing_style": "path"}
        if signed_by == "botocore over TLS":
            styles["payload_signing_enabled"] = False
        client = boto3.client(
            "s3",
            endpoint_url=s3.endpoint_url,
            config=Config(s3=styles, retries={"mode": "standard", "total_max_attempts": 3}),
        )
    store = S3Store(client, s3.bucket)
    data = FIRST * 300
    with pytest.raises(ChecksumMismatchError, match="ingest it anew"):
        store.put(KEY, io.BytesIO(data[:-1] + b"x"), put.digest_of(data))
    with pytest.raises(BrokenDiskError, match="the source's disk is broken"):
        store.put(KEY, Broken(data), put.digest_of(data))
    assert s3.object_keys() == []
    assert store.put(KEY, io.BytesIO(data), put.digest_of(data)).size == len(data)
    client.close()


class Counted(io.BytesIO):
    """A file that knows how many bytes were read of it."""

    count = 0

    def read(self, size=-1):
        chunk = super().read(size)
        self.count += len(chunk)
        return chunk


@pytest.mark.parametrize("times", [1, 300])
def test_no_byte_is_read_twice_not_even_without_tls(s3, s3_store, put, times):
    source = Counted(FIRST * times)
    s3_store.put(KEY, source, put.digest_of(FIRST * times))
    assert s3.endpoint_url.startswith("http:")
    assert source.count == len(FIRST) * times


def test_a_new_small_file_costs_two_requests(liar, put):
    liar.answers["PUT"] = truthful_put(**{"x-amz-checksum-sha256": SHA256})
    store = liar.store()
    store.check()
    liar.requests.clear()
    put(store, KEY, FIRST)
    assert liar.requests == ["HEAD key", "PUT"]
    assert "expect" not in liar.headers["PUT"], "which would cost one more round trip"


def truthful_put(**headers):
    return (200, {"x-amz-version-id": VERSION, "ETag": f'"{MD5}"', **headers}, b"")


def test_believes_a_store_that_confirms_the_checksum(liar, put):
    liar.answers["PUT"] = truthful_put(**{"x-amz-checksum-sha256": SHA256})
    assert put(liar.store(), KEY, FIRST) == STORED
    assert liar.requests == ["HEAD bucket", "versioning", "HEAD key", "PUT"]
    assert liar.bodies["PUT"] == STORED.sha256
    assert liar.headers["PUT"]["x-amz-checksum-sha256"] == SHA256, "so S3 itself verifies it"


LIES = {
    "another checksum": (truthful_put(**{"x-amz-checksum-sha256": WRONG_SHA256}), None, None),
    "another checksum when asked": (
        truthful_put(),
        (200, {"x-amz-checksum-sha256": WRONG_SHA256, "ETag": f'"{MD5}"'}, FIRST),
        None,
    ),
    "another ETag": (truthful_put(), (200, {"ETag": '"' + "0" * 32 + '"'}, FIRST), None),
    "another length": (truthful_put(), (200, {"ETag": f'"{MD5}"'}, FIRST[:-1]), None),
    "other bytes": (
        truthful_put(),
        (200, {"ETag": '"opaque-1"'}, FIRST),
        (200, {}, b"x" + FIRST[1:]),
    ),
    "other bytes, our own metadata repeated": (
        truthful_put(),
        (200, {"ETag": '"opaque-1"', "x-amz-meta-sha256": STORED.sha256}, FIRST),
        (200, {}, b"x" + FIRST[1:]),
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_version_that_is_not_what_was_sent_is_removed_again(liar, put, lie):
    liar.answers = {k: v for k, v in zip(("PUT", "HEAD", "GET"), lie, strict=True) if v}
    with pytest.raises(ChecksumMismatchError, match="removed again"):
        put(liar.store(), KEY, FIRST)
    assert liar.requests[-1] == "DELETE"


TRUTHS = {
    "checksum": ((200, {"x-amz-checksum-sha256": SHA256, "ETag": '"x"'}, FIRST), None),
    "ETag": ((200, {"ETag": f'"{MD5}"'}, FIRST), None),
    "encrypted, read back": (
        (200, {"ETag": '"' + "0" * 32 + '"', "x-amz-server-side-encryption": "aws:kms"}, FIRST),
        (200, {}, FIRST),
    ),
}


@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_a_store_that_confirms_nothing_is_asked(liar, put, truth):
    head, get = truth
    liar.answers = {"PUT": truthful_put(), "HEAD": head, **({"GET": get} if get else {})}
    assert put(liar.store(), KEY, FIRST) == STORED
    assert "DELETE" not in liar.requests


def test_a_bucket_whose_versioning_was_switched_off_meanwhile_is_refused(liar, put):
    liar.answers["PUT"] = (200, {"ETag": f'"{MD5}"'}, b"")
    with pytest.raises(ConfigurationError, match="keeps no versions"):
        put(liar.store(), KEY, FIRST)


ANSWERS = {
    "500": (500, "InternalError", FileStoreUnavailableError),
    "503": (503, "SlowDown", FileStoreUnavailableError),
    "502 without a word": (502, "", FileStoreUnavailableError),
    "400 of a slow client": (400, "RequestTimeout", FileStoreUnavailableError),
    "429": (429, "TooManyRequests", FileStoreUnavailableError),
    "403": (403, "AccessDenied", FileStoreRefusedError),
    "403 key": (403, "InvalidAccessKeyId", FileStoreRefusedError),
    "403 signature": (403, "SignatureDoesNotMatch", FileStoreRefusedError),
    "403 clock": (403, "RequestTimeTooSkewed", FileStoreRefusedError),
    "400 token": (400, "ExpiredToken", FileStoreRefusedError),
    "400 size": (400, "EntityTooLarge", FileStoreRefusedError),
    "400 class": (400, "InvalidStorageClass", ConfigurationError),
    "400 region": (400, "AuthorizationHeaderMalformed", ConfigurationError),
    "400 digest": (400, "BadDigest", ChecksumMismatchError),
    "404 bucket": (404, "NoSuchBucket", ConfigurationError),
    "418": (418, "Teapot", FileStoreRefusedError),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_each_refusal_becomes_the_right_error(liar, put, answer):
    status, code, kind = answer
    liar.answers["PUT"] = (status, {}, error_page(code, "not-to-be-said") if code else b"")
    with pytest.raises(kind) as caught:
        put(liar.store(), KEY, FIRST)
    assert type(caught.value) is kind
    assert (code or "HTTP status 502") in str(caught.value)
    assert "bucket bucket" in str(caught.value)
    assert "not-to-be-said" not in str(caught.value) + repr(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_says_how_long_the_store_asks_to_wait(liar, put):
    liar.answers["PUT"] = (503, {"Retry-After": "7"}, error_page("SlowDown"))
    with pytest.raises(FileStoreUnavailableError) as caught:
        put(liar.store(), KEY, FIRST)
    assert caught.value.retry_after_s == 7.0


def test_tries_again_as_often_as_told_and_only_where_it_helps(liar, put):
    store = liar.store(max_attempts=2)
    liar.answers["PUT"] = (503, {}, error_page("SlowDown"))
    with pytest.raises(FileStoreUnavailableError):
        put(store, KEY, FIRST)
    assert liar.requests.count("PUT") == 2
    liar.answers["PUT"] = (403, {}, error_page("AccessDenied"))
    with pytest.raises(FileStoreRefusedError):
        put(store, KEY, FIRST)
    assert liar.requests.count("PUT") == 3


def test_a_put_that_succeeds_at_the_second_attempt_sends_all_bytes_again(liar, put):
    answers = [(503, {}, error_page("SlowDown")), truthful_put(**{"x-amz-checksum-sha256": SHA256})]
    liar.answers["PUT"] = lambda handler: answers.pop(0)
    assert put(liar.store(max_attempts=2), KEY, FIRST) == STORED
    assert liar.bodies["PUT"] == STORED.sha256


def test_a_right_that_is_missing_is_named_by_what_was_tried(liar, put):
    denied = (403, {}, error_page("AccessDenied"))
    liar.answers["HEAD key"] = THERE
    for operation, words in {
        "versions": f"list the versions of {KEY}",
        "HEAD key": f"look at {KEY}",
        "versioning": "ask whether versions are kept",
        "HEAD bucket": "look at the bucket",
    }.items():
        liar.answers[operation] = denied
        with pytest.raises(FileStoreRefusedError, match=words):
            put(liar.store(), KEY, FIRST)


def test_an_html_page_instead_of_an_answer_is_no_success(liar, put):
    liar.answers["versioning"] = (200, {"Content-Type": "text/html"}, b"<html>login</html")
    with pytest.raises(FileStoreUnavailableError):
        liar.store().check()


def test_a_body_that_ends_early_is_an_error_while_reading(liar):
    liar.answers["GET"] = (200, {"Content-Length": str(len(FIRST))}, FIRST[:-100])
    with pytest.raises(FileStoreUnavailableError), liar.store().open(STORED) as source:
        source.read()


def test_a_body_with_another_checksum_than_announced_is_an_error_while_reading(liar):
    liar.answers["GET"] = (200, {"x-amz-checksum-sha256": WRONG_SHA256}, FIRST)
    with pytest.raises(ChecksumMismatchError), liar.store().open(STORED) as source:
        source.read()


def test_a_body_without_a_length_that_ends_early_is_known_by_its_checksum(liar):
    def cut_short(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(FIRST[:-100])
        handler.close_connection = True

    liar.answers["GET"] = cut_short
    with pytest.raises(ChecksumMismatchError, match=VERSION):
        liar.store().copy_to(STORED, io.BytesIO())


def reset(handler):
    """Break the connection so that the client's next read or write fails."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True


def test_a_connection_that_is_reset_is_worth_trying_again(liar, put):
    def half(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(FIRST)))
        handler.end_headers()
        handler.wfile.write(FIRST[:100])
        reset(handler)

    liar.answers |= {"PUT": reset, "HEAD": reset, "GET": half}
    store = liar.store()
    for act in (
        lambda: put(store, KEY, FIRST),
        lambda: store.stat(STORED),
        lambda: store.copy_to(STORED, io.BytesIO()),
    ):
        with pytest.raises(FileStoreUnavailableError):
            act()


@pytest.mark.parametrize("first", [(500, {}, error_page("InternalError")), reset])
def test_a_put_whose_answer_was_lost_is_sent_again_and_ends_well(liar, put, first):
    answers = [first, truthful_put(**{"x-amz-checksum-sha256": SHA256})]

    def act(handler):
        answer = answers.pop(0)
        return answer(handler) if callable(answer) else answer

    liar.answers["PUT"] = act
    assert put(liar.store(max_attempts=2), KEY, FIRST) == STORED
    assert liar.requests.count("PUT") == 2


def test_a_body_that_comes_drop_by_drop_is_given_up(liar):
    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 20))
        handler.end_headers()
        with suppress(OSError):  # the client broke off
            for _ in range(64):
                handler.wfile.write(bytes(1 << 14))
                time.sleep(0.1)
        handler.close_connection = True

    liar.answers["GET"] = drip
    store = S3Store(liar.client(), "bucket", transfer_timeout_s=0.3)
    began = time.monotonic()
    with (
        pytest.raises(FileStoreUnavailableError, match="longer than"),
        store.open(STORED) as source,
    ):
        source.read()
    assert time.monotonic() - began < 3


def test_an_upload_that_takes_too_long_is_given_up(liar, put):
    class Slow(io.BytesIO):
        def read(self, size=-1):
            time.sleep(0.1)
            return super().read(min(size, 500))

    store = S3Store(liar.client(), "bucket", transfer_timeout_s=0.3)
    with pytest.raises(FileStoreUnavailableError, match="longer than"):
        store.put(KEY, Slow(FIRST), put.digest_of(FIRST))


def test_a_server_that_never_answers_is_given_up_within_the_deadline(liar):
    liar.answers["HEAD bucket"] = lambda handler: time.sleep(3) or (200, {}, b"")
    store = liar.store(read_timeout_s=0.2, max_attempts=2)
    began = time.monotonic()
    with pytest.raises(FileStoreUnavailableError, match="S3_ENDPOINT_URL"):
        store.check()
    assert time.monotonic() - began < 3


def test_a_server_that_is_down_is_given_up_within_the_deadline(liar, put):
    store = S3Store(
        make_s3_client(
            endpoint_url="http://127.0.0.1:1",
            region="us-west-2",
            addressing_style="path",
            access_key="AKIDEXAMPLE",
            secret_key="not-to-be-said",
            connect_timeout_s=1,
            max_attempts=2,
        ),
        "bucket",
    )
    began = time.monotonic()
    for act in (
        store.check,
        lambda: put(store, KEY, FIRST),
        lambda: store.find(KEY, put.digest_of(FIRST)),
        lambda: store.stat(STORED),
        lambda: store.delete(STORED),
        lambda: store.open(STORED).__enter__(),
    ):
        with pytest.raises(FileStoreUnavailableError, match="S3_ENDPOINT_URL") as caught:
            act()
        told = "".join(traceback.format_exception(caught.value))
        assert "not-to-be-said" not in told
        assert "Signature" not in told
    assert time.monotonic() - began < 20
    store.close()


def test_a_version_id_that_s3_never_gave_is_not_found(liar):
    page = (
        b"<Error><Code>InvalidArgument</Code><Message>Invalid version id specified</Message>"
        b"<ArgumentName>versionId</ArgumentName></Error>"
    )
    liar.answers["GET"] = (400, {}, page)
    with pytest.raises(StoredFileNotFoundError), liar.store().open(STORED):
        pass
    liar.answers["HEAD"] = (405, {}, b"")  # a delete marker
    with pytest.raises(StoredFileNotFoundError):
        liar.store().stat(STORED)


def test_stat_tells_what_the_store_knows(liar):
    liar.answers["HEAD"] = (
        200,
        {"ETag": '"abc-2"', "x-amz-meta-md5": MD5, "x-amz-meta-sha256": STORED.sha256},
        FIRST,
    )
    assert liar.store().stat(StoredFile(KEY, VERSION)) == STORED
    liar.answers["HEAD"] = (200, {"ETag": '"abc-2"'}, FIRST)
    assert liar.store().stat(StoredFile(KEY, VERSION)) == StoredFile(
        KEY, VERSION, None, None, len(FIRST)
    )


THERE = (200, {}, b"")
DELETED = (404, {"x-amz-delete-marker": "true"}, b"")


def listed(key):
    page = (
        f"<ListVersionsResult><IsTruncated>false</IsTruncated><Version><Key>{key}</Key>"
        f"<VersionId>{VERSION}</VersionId><Size>{len(FIRST)}</Size></Version>"
        "</ListVersionsResult>"
    )
    return 200, {}, page.encode()


def test_a_version_that_vanishes_after_it_was_listed_is_not_found(liar, put):
    liar.answers = {"HEAD key": THERE, "versions": listed(KEY), "HEAD": (404, {}, b"")}
    assert liar.store().find(KEY, put.digest_of(FIRST)) is None


def test_a_version_of_a_longer_key_is_not_even_looked_at(liar, put):
    liar.answers = {"HEAD key": DELETED, "versions": listed(KEY + ".fz")}
    assert liar.store().find(KEY, put.digest_of(FIRST)) is None
    assert liar.requests == ["HEAD bucket", "versioning", "HEAD key", "versions"]


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"ETag": '"x-3"', "x-amz-checksum-sha256": SHA256}, True),
        ({"ETag": f'"{MD5}"', "x-amz-checksum-sha256": WRONG_SHA256}, False),
        ({"ETag": f'"{MD5}"'}, True),
        ({"ETag": '"' + "0" * 32 + '"', "x-amz-meta-sha256": STORED.sha256}, False),
        (
            {
                "ETag": '"x-3"',
                "x-amz-checksum-sha256": SHA256 + "-3",
                "x-amz-meta-sha256": STORED.sha256,
            },
            True,
        ),
        ({"ETag": '"x-3"', "x-amz-meta-sha256": "0" * 64}, False),
        ({"ETag": '"x-3"'}, False),
    ],
)
def test_what_counts_as_the_same_content_when_looking_for_it(liar, put, headers, found):
    liar.answers = {"HEAD key": THERE, "versions": listed(KEY), "HEAD": (200, headers, FIRST)}
    assert liar.store().find(KEY, put.digest_of(FIRST)) == (STORED if found else None)


def test_says_what_it_is_without_secrets(liar):
    assert repr(liar.store()) == "S3Store(bucket='bucket')"
