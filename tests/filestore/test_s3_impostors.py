"""What a login page, a proxy or another server says in S3's place is no answer, and no damage."""

import gc
import io
from itertools import product

import pytest

from calrecords.errors import FileStoreUnavailableError
from calrecords.filestore import S3Store
from calrecords.filestore.listing import Leftover, LeftoverKind
from calrecords.frames import StoredFile, digest_stream

STORED = StoredFile("a/b.fits", "v" * 32)
UPLOAD = Leftover(kind=LeftoverKind.UPLOAD, key="a/b.fits", name="upload", began=None)
PAGE = b"<!DOCTYPE html><html><head><title>Log in</title></head><body>Who are you?</body></html>"
HTML = {"Content-Type": "text/html; charset=utf-8"}
AWAY = {**HTML, "Location": "https://login.example/?from=s3"}
AN_OBJECT = {"ETag": f'"{"a" * 32}"', "x-amz-version-id": STORED.version_key}


def listing(root, entry):
    return f"<{root}><IsTruncated>false</IsTruncated>{entry}</{root}>".encode()


IMPOSTORS = {
    "a login page": (200, HTML, PAGE),
    "a way to a login page": (302, AWAY, PAGE),
    "a way to a login page, for good": (301, AWAY, b""),
    "another way, for now": (307, AWAY, b""),
}


def put(store):
    data = b"bytes" * 5
    store.put("a/b.fits", io.BytesIO(data), digest_stream(io.BytesIO(data)))


OPERATIONS = {
    "HEAD bucket": lambda store: store.check(),
    "versioning": lambda store: store.check(),
    "versions": lambda store: list(store.listed()),
    "uploads": lambda store: list(store.leftovers()),
    "HEAD": lambda store: store.stat(STORED),
    "GET": lambda store: store.copy_to(STORED, io.BytesIO()),
    "DELETE": lambda store: store.delete(STORED),
    "PUT": put,
    "create": put,
    "abort": lambda store: store.discard(UPLOAD),
}
NOT_TOLD = {("a login page", "HEAD bucket")}
"""An answer without a body may be S3's own."""


def store_on(liar, operation):
    parts = 10 if operation == "create" else 1 << 20
    return S3Store(liar.client(), "bucket", single_put_bytes=parts)


@pytest.mark.parametrize(
    ("name", "operation"), sorted({*product(IMPOSTORS, OPERATIONS)} - NOT_TOLD)
)
def test_what_answers_in_the_place_of_s3_is_named_and_not_believed(liar, name, operation):
    liar.answers[operation] = IMPOSTORS[name]
    with pytest.raises(FileStoreUnavailableError, match="not as S3 answers") as caught:
        OPERATIONS[operation](store_on(liar, operation))
    assert "S3_ENDPOINT_URL" in str(caught.value)
    assert "login.example" not in str(caught.value)
    assert liar.requests.count(operation) == 1


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        ("HEAD", (200, {**AN_OBJECT, "x-amz-checksum-sha256": "no checksum!"}, b"")),
        ("HEAD", (200, {**AN_OBJECT, "Last-Modified": "yesterday"}, b"")),
        ("HEAD", (204, AN_OBJECT, b"")),
        ("GET", (200, {**AN_OBJECT, "Last-Modified": "yesterday"}, b"")),
        ("versions", (200, {}, listing("ListVersionsResult", "<Version><Key>a</Key></Version>"))),
        ("versions", (200, {}, listing("L", "<Version><Key>a</Key><Size>x</Size></Version>"))),
        ("uploads", (200, {}, listing("L", "<Upload><Key>a/b</Key></Upload>"))),
        ("create", (200, {}, b"<R/>")),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_answer_that_cannot_be_read_is_worth_trying_again(liar, operation, answer):
    if answer[0] == 204:
        liar.answers[operation] = lambda handler: without_length(handler, answer)
    else:
        liar.answers[operation] = answer
    with pytest.raises(FileStoreUnavailableError, match="not as S3 answers"):
        OPERATIONS[operation](store_on(liar, operation))
    gc.collect()  # botocore lets go of a connection whose answer it cannot read, unclosed


def without_length(handler, answer):
    status, headers, _ = answer
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


def test_a_store_that_gives_no_etag_is_believed_where_its_checksum_is(liar):
    data = b"bytes"
    digest = digest_stream(io.BytesIO(data))
    liar.answers["HEAD"] = (200, {"x-amz-meta-sha256": digest.sha256, "Content-Length": "5"}, data)
    liar.answers["GET"] = (200, {}, data)
    store = store_on(liar, "GET")
    known = StoredFile(STORED.key, STORED.version_key, sha256=digest.sha256, size=5)
    sink = io.BytesIO()
    store.copy_to(known, sink)
    assert sink.getvalue() == data
    assert (store.stat(STORED).sha256, store.stat(STORED).size) == (digest.sha256, 5)
