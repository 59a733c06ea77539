"""Whatever a server withholds, an operation on S3 ends in time, in an error worth a retry."""

import io
import select
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest

from calrecords.errors import FileStoreUnavailableError
from calrecords.filestore import S3Store, make_s3_client
from calrecords.filestore.listing import Leftover, LeftoverKind, ListedFile
from calrecords.frames import StoredFile, digest_stream

STORED = StoredFile("a/b.fits", "v" * 32)
LISTED = ListedFile(key="a/b.fits", size=5, modified=None, version_key="v" * 32)
UPLOAD = Leftover(kind=LeftoverKind.UPLOAD, key="a/b.fits", name="upload", began=None)
HEADERS = b"HTTP/1.1 200 OK\r\nx-amz-drip: " + b"x" * 2000
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"
LARGE = b"x" * (8 << 20)
PATIENCE = {
    "connect_timeout_s": 0.8,
    "read_timeout_s": 0.8,
    "answer_timeout_s": 1.0,
    "join_timeout_s": 1.0,
}
SLACK_S = 12


def drip(first, *, after=b""):
    def answer(handler):
        with suppress(OSError):  # the client broke off
            handler.wfile.write(after)
            for byte in first:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                time.sleep(0.02)
        handler.close_connection = True

    return answer


def half_open(said=b""):
    """Say this much, and then nothing more, without hanging up."""

    def answer(handler):
        with suppress(OSError):
            handler.wfile.write(said)
            handler.wfile.flush()
            handler.rfile.read()  # until the client hangs up
        handler.close_connection = True

    return answer


MANNERS = {
    "never answers": half_open(),
    "half open in its headers": half_open(HEADERS[:40]),
    "half open in its body": half_open(PAGE + b"<"),
    "drips headers": drip(HEADERS),
    "drips its body": drip(b"<" * 2000, after=PAGE),
}


def put(data):
    return lambda store: store.put("a/b.fits", io.BytesIO(data), digest_stream(io.BytesIO(data)))


OPERATIONS = {
    "HEAD bucket": lambda store: store.check(),
    "versioning": lambda store: store.check(),
    "versions": lambda store: list(store.listed()),
    "uploads": lambda store: list(store.leftovers()),
    "HEAD": lambda store: store.stat(STORED),
    "GET": lambda store: store.copy_to(STORED, io.BytesIO()),
    "DELETE": lambda store: store.delete(STORED),
    "PUT": put(b"bytes"),
    "create": put(LARGE),
    "part": put(LARGE),
    "complete": put(LARGE),
    "abort": lambda store: store.discard(UPLOAD),
}
NO_BODY = {"HEAD bucket", "HEAD"}


def impatient_store(liar, transfer_timeout_s=20):
    """Return a store that waits for little, on a server that does as it is told."""
    liar.answers["part"] = (200, {"ETag": '"etag"'}, b"")
    return S3Store(
        liar.client(**PATIENCE),
        "bucket",
        transfer_timeout_s=transfer_timeout_s,
        single_put_bytes=4 << 20,
        part_bytes=6 << 20,
    )


@pytest.fixture
def impatient(liar):
    return impatient_store(liar)


def ends_in_time(operation, answer, liar):
    store = impatient_store(liar, transfer_timeout_s=1 if operation == "GET" else 20)
    liar.answers[operation] = answer
    began = time.monotonic()
    with pytest.raises(FileStoreUnavailableError):
        OPERATIONS[operation](store)
    assert time.monotonic() - began < SLACK_S
    assert operation in liar.requests


@pytest.mark.parametrize("manner", MANNERS)
def test_an_answer_that_does_not_come_is_given_up_in_time(make_liar, manner):
    asked = [name for name in OPERATIONS if not (name in NO_BODY and "body" in manner)]
    with ThreadPoolExecutor(len(asked)) as pool:
        ends = {
            name: pool.submit(ends_in_time, name, MANNERS[manner], make_liar()) for name in asked
        }
    for name, end in ends.items():
        assert (name, end.exception()) == (name, None)


@pytest.mark.parametrize("operation", ["HEAD", "DELETE", "PUT", "GET"])
def test_headers_that_are_cut_off_are_no_answer(liar, impatient, operation):
    def cut_off(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")
        handler.close_connection = True

    liar.answers[operation] = cut_off
    with pytest.raises(FileStoreUnavailableError):
        OPERATIONS[operation](impatient)


def endless_chunk(length):
    """Call the bytes that come without an end a chunk of some length."""

    def answer(handler):
        with suppress(OSError):  # the client broke off
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            handler.wfile.write(length + b"\r\n")
            for _ in range(64):
                handler.wfile.write(bytes(1 << 20))
        handler.close_connection = True

    return answer


@pytest.mark.parametrize("length", [b"-1", b"-5", b"-0x1"])
@pytest.mark.parametrize("operation", ["GET", "versions"])
def test_a_chunk_below_zero_is_not_read_to_the_end(liar, impatient, operation, length):
    liar.answers[operation] = endless_chunk(length)
    tracemalloc.start()
    try:
        with pytest.raises(FileStoreUnavailableError):
            OPERATIONS[operation](impatient)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


def test_what_is_cut_off_when_time_is_up_is_no_answer(liar):
    liar.answers["DELETE"] = half_open(ENDLESS)
    store = S3Store(liar.client(answer_timeout_s=0.2, read_timeout_s=5), "bucket")
    with pytest.raises(FileStoreUnavailableError):
        store.delete(STORED)


def test_a_connection_that_was_kept_and_went_quiet_is_given_up(liar, impatient):
    impatient.check()
    liar.answers["HEAD"] = half_open()
    began = time.monotonic()
    with pytest.raises(FileStoreUnavailableError):
        impatient.stat(STORED)
    assert time.monotonic() - began < SLACK_S


def deaf(said=b""):
    """Say this much, and read nothing more, without hanging up."""

    def answer(handler):
        handler.wfile.write(said)
        gone = select.poll()
        gone.register(handler.connection, select.POLLRDHUP)
        gone.poll(10_000)
        handler.close_connection = True

    return answer


def hang_up(said):
    def answer(handler):
        handler.wfile.write(said)
        handler.close_connection = True

    return answer


LEAVE = b"HTTP/1.1 100 Continue\r\n"
BEFORE_A_BODY = {
    "drips its leave": drip(b"x: " + b"x" * 2000, after=LEAVE),
    "half open in its leave": half_open(LEAVE + b"x: "),
    "hangs up in its leave": hang_up(LEAVE),
    "drips a refusal": drip(b"HTTP/1.1 403 Forbidden\r\nx: " + b"x" * 2000),
    "reads nothing": deaf(),
    "reads nothing of what it wanted": deaf(LEAVE + b"\r\n"),
}


@pytest.mark.parametrize("manner", BEFORE_A_BODY)
@pytest.mark.parametrize("size", [3 << 20, 8 << 20], ids=["at once", "in parts"])
def test_an_upload_is_not_held_up_before_its_body_is_taken(liar, impatient, size, manner):
    liar.leave = BEFORE_A_BODY[manner]
    began = time.monotonic()
    with pytest.raises(FileStoreUnavailableError):
        put(b"x" * size)(impatient)
    assert time.monotonic() - began < SLACK_S
    assert "leave" in liar.requests


def slowly(said):
    def serve(connection):
        connection.recv(1 << 16)
        for byte in said:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    return serve


def client_of(url, **settings):
    return make_s3_client(
        endpoint_url=url,
        region="us-west-2",
        addressing_style="path",
        access_key="AKIDEXAMPLE",
        secret_key="not-to-be-said",
        **{"max_attempts": 1, **PATIENCE, **settings},
    )


HANDSHAKE = b"\x16\x03\x03\x04\x00\x02" + b"\x00" * 2000


@pytest.mark.parametrize(
    ("scheme", "serve"),
    [("http", None), ("https", lambda connection: None), ("https", slowly(HANDSHAKE))],
    ids=["a black hole", "no TLS handshake", "a TLS handshake that drips"],
)
def test_a_connection_that_is_never_made_is_given_up(scheme, serve, listening, black_hole):
    began = time.monotonic()
    port = listening(serve) if serve else black_hole()
    with closing(client_of(f"{scheme}://127.0.0.1:{port}")) as client:
        store = S3Store(client, "bucket")
        with pytest.raises(FileStoreUnavailableError):
            store.check()
    assert time.monotonic() - began < SLACK_S


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nx: " + b"x" * 2000])
def test_a_proxy_that_never_lets_through_is_given_up(said, listening, monkeypatch):
    began = time.monotonic()
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listening(slowly(said))}")
    with closing(
        client_of("https://s3.example", answer_timeout_s=0.6, connect_timeout_s=0.4)
    ) as client:
        store = S3Store(client, "bucket")
        with pytest.raises(FileStoreUnavailableError):
            store.check()
    assert time.monotonic() - began < SLACK_S


def test_a_signed_address_asks_nobody(black_hole):
    with closing(client_of(f"http://127.0.0.1:{black_hole()}")) as client:
        assert "X-Amz-Signature" in S3Store(client, "bucket").url(STORED)


def test_a_download_may_take_longer_than_an_answer(liar):
    data = b"x" * 20
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    liar.answers["GET"] = drip(data, after=head)
    store = S3Store(liar.client(answer_timeout_s=0.1), "bucket")
    sink = io.BytesIO()
    store.copy_to(STORED, sink)
    assert sink.getvalue() == data


def timers():
    return {thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)}


def test_an_answer_in_time_leaves_no_thread(liar):
    liar.answers["HEAD"] = (200, {"ETag": '"x"'}, b"")
    liar.answers["GET"] = (200, {}, b"bytes")
    store = liar.store()
    before = timers()
    store.stat(STORED)
    store.copy_to(STORED, io.BytesIO())
    time.sleep(0.05)
    assert timers() <= before
