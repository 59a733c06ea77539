"""A scripted server on loopback that can misbehave in every way a network can."""

import contextlib
import json
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field

import pytest

from calrecords.archive import ArchiveClient, default_retrying

TOKEN = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Seen:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Reply:
    """An answer in bytes, and the manners with which it is sent."""

    data: bytes = b""
    drip_s: float = 0.0
    drip_bytes: int = 1
    at_once: int = 0
    then: str = "keep"
    hold: threading.Event = field(default_factory=threading.Event)


class Replies:
    """Makes answers, good and bad."""

    @staticmethod
    def json(status, data, **headers):
        return Replies.raw(
            status, json.dumps(data).encode(), content_type="application/json", **headers
        )

    @staticmethod
    def html(status=200):
        page = b"\n<!doctype html>\n<html><body><h1>Log in</h1></body></html>\n"
        return Replies.raw(status, page, content_type="text/html")

    @staticmethod
    def raw(
        status,
        body=b"",
        *,
        length=True,
        then="keep",
        drip_s=0.0,
        drip_bytes=1,
        drip_head=False,
        **headers,
    ):
        lines = [f"HTTP/1.1 {status} Said"]
        if length is not False:
            headers["content_length"] = len(body) if length is True else length
        else:
            then = "close"
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode()
        at_once = 0 if drip_head else len(head)
        return Reply(head + body, drip_s, drip_bytes, at_once, then)

    @staticmethod
    def bytes(data, **manners):
        return Reply(data, **manners)

    @staticmethod
    def recorded(folder, name):
        answer = json.loads((folder / "contract" / f"{name}.json").read_text())["response"]
        headers = {
            k.replace("-", "_"): v
            for k, v in answer["headers"].items()
            if k not in {"Content-Length", "Connection"}
        }
        body = (
            (answer["text"] or "").encode()
            if answer["json"] is None
            else json.dumps(answer["json"]).encode()
        )
        return Replies.raw(answer["status"], body, **headers)

    reset = staticmethod(lambda: Reply(then="reset"))
    hang_up = staticmethod(lambda: Reply(then="close"))
    silence = staticmethod(lambda: Reply(then="hold"))


class ScriptedServer:
    """Answers each request with the next reply; the last one is repeated."""

    def __init__(self, context=None):
        self.seen = []
        self._context = context
        self._replies = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self._listener.settimeout(0.02)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def root(self):
        scheme = "https" if self._context else "http"
        return f"{scheme}://127.0.0.1:{self._port}/"

    @property
    def calls(self):
        return [f"{s.method} {s.path}" for s in self.seen]

    def will(self, *replies):
        self._replies = list(replies)
        return self

    def close(self):
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self):
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.suppress(OSError))
            stack.enter_context(connection)
            if self._context:
                connection.settimeout(1)
                connection = stack.enter_context(
                    self._context.wrap_socket(connection, server_side=True)
                )
            connection.settimeout(0.02)
            while (seen := self._read(connection)) is not None:
                with self._lock:
                    self.seen.append(seen)
                    reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
                reply = reply(seen) if callable(reply) else reply
                self._send(connection, reply)
                if reply.then == "hold":
                    self._over.wait()
                if reply.then == "reset":
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                if reply.then != "keep":
                    return

    def _send(self, connection, reply):
        if not reply.drip_s:
            connection.settimeout(None)
            connection.sendall(reply.data)
            connection.settimeout(0.02)
            return
        connection.sendall(reply.data[: reply.at_once])
        for start in range(reply.at_once, len(reply.data), reply.drip_bytes):
            connection.sendall(reply.data[start : start + reply.drip_bytes])
            if self._over.wait(reply.drip_s):
                return

    def _read(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            part = self._receive(connection)
            if not part:
                return None
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v for k, v in (r.split(": ", 1) for r in rest)}
        while len(body) < int(headers.get("content-length", 0)):
            body += self._receive(connection)
        method, path, _ = line.split(" ")
        return Seen(method, path, headers, body)

    def _receive(self, connection):
        while not self._over.is_set():
            try:
                return connection.recv(1 << 16)
            except TimeoutError:
                continue
        return b""


@pytest.fixture
def replies():
    return Replies


@pytest.fixture
def make_server():
    servers = []

    def make(*script):
        servers.append(ScriptedServer().will(*script))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def server(make_server):
    return make_server()


@pytest.fixture
def at_once():
    """A policy of three attempts without a wait."""
    from tenacity import stop_after_attempt

    return default_retrying().copy(sleep=lambda seconds: None, stop=stop_after_attempt(3))


@pytest.fixture
def make_client(at_once):
    with contextlib.ExitStack() as stack:

        def make(root, token=TOKEN, **options):
            options.setdefault("retrying", at_once)
            return stack.enter_context(ArchiveClient(root, token, **options))

        yield make


@pytest.fixture
def client(make_client, server):
    return make_client(server.root)


@pytest.fixture
def token():
    return TOKEN


@pytest.fixture
def pair(shared_data):
    """Return a recorded pair of a request and the archive's answer."""

    def read(name):
        return json.loads((shared_data / "contract" / f"{name}.json").read_text())

    return read


@pytest.fixture
def frame_row():
    """Make a frame as the archive writes it, with these versions, newest first."""

    def make(frame_id=276, basename="bias-a", versions=(), **fields):
        return {
            "id": frame_id,
            "basename": basename,
            "configuration_type": "BIAS",
            "observation_date": "2026-01-01T02:03:04.567000Z",
            "version_set": list(versions),
            **fields,
        }

    return make


@pytest.fixture
def version_row():
    """Make a version as the archive writes it."""

    def make(md5, key="key-1", url=None, number=1, extension=".fits"):
        return {
            "id": number,
            "key": key,
            "md5": md5,
            "extension": extension,
            "created": f"2026-01-01T00:00:{number:02d}Z",
            "url": url,
        }

    return make


@pytest.fixture
def page():
    """Make a page of rows, with a count and a next page that are not true."""

    def make(*rows):
        return {
            "count": -1,
            "next": None,
            "previous": None,
            "results": list(rows),
            "count_estimated": True,
        }

    return make


@pytest.fixture
def record():
    """Return what is sent of a frame, without its version."""
    return {
        "basename": "bias-a",
        "headers": {"OBSTYPE": "BIAS"},
        "area": None,
        "observation_day": "20260101",
        "observation_date": "2026-01-01T02:03:04.567",
        "configuration_type": "BIAS",
        "related_frame_filenames": [],
    }


@pytest.fixture
def tls_server(make_certificate):
    """A scripted https server, and the path of the certificate that it should be trusted by."""
    certificate, key = make_certificate()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ScriptedServer(context)
    yield server, certificate
    server.close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Let no proxy of this machine's settings stand before loopback."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def slow_reader():
    """Return the root of a server that reads what it is sent very slowly."""
    over = threading.Event()

    def read(listener):
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            while not over.wait(0.1) and connection.recv(1 << 16):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=read, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        over.set()
        thread.join()
