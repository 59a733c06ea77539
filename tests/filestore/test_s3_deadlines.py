"""A server that drips its answer byte by byte is given up, whatever it drips."""

import io
import threading
import time
from contextlib import suppress

import pytest

from calrecords.errors import FileStoreUnavailableError
from calrecords.filestore import S3Store
from calrecords.frames import StoredFile

STORED = StoredFile("a/b.fits", "v" * 32)
HEADERS = b"HTTP/1.1 200 OK\r\nx-amz-drip: " + b"x" * 60
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"


def drip(first, *, after=b""):
    def answer(handler):
        with suppress(OSError):  # the client broke off
            handler.wfile.write(after)
            for byte in first:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                time.sleep(0.05)
        handler.close_connection = True

    return answer


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        ("HEAD", drip(HEADERS)),
        ("GET", drip(HEADERS)),
        ("DELETE", drip(HEADERS)),
        ("PUT", drip(HEADERS)),
        ("versioning", drip(b"<" * 60, after=PAGE)),
    ],
)
def test_an_answer_that_drips_is_given_up_in_time(liar, put, operation, answer):
    liar.answers[operation] = answer
    store = S3Store(liar.client(answer_timeout_s=0.4), "bucket")
    act = {
        "HEAD": lambda: store.stat(STORED),
        "GET": lambda: store.copy_to(STORED, io.BytesIO()),
        "DELETE": lambda: store.delete(STORED),
        "PUT": lambda: put(store, "a/b.fits", b"bytes"),
        "versioning": store.check,
    }[operation]
    began = time.monotonic()
    with pytest.raises(FileStoreUnavailableError):
        act()
    assert time.monotonic() - began < 2


def test_a_download_may_take_longer_than_an_answer(liar):
    data = b"x" * 20
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    liar.answers["GET"] = drip(data, after=head)
    store = S3Store(liar.client(answer_timeout_s=0.3), "bucket")
    sink = io.BytesIO()
    store.copy_to(STORED, sink)
    assert sink.getvalue() == data


def test_an_answer_in_time_leaves_no_thread(liar):
    liar.answers["HEAD"] = (200, {"ETag": '"x"'}, b"")
    store = liar.store()
    before = {thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)}
    store.stat(STORED)
    time.sleep(0.05)
    after = {thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)}
    assert after <= before
