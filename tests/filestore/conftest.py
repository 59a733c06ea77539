"""Stores of each kind with a way to look behind their backs, and an S3 server that lies."""

import hashlib
import io
import os
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from calrecords.filestore import FileSystemStore, S3Store, make_s3_client
from calrecords.frames import ContentDigest, digest_stream
from calrecords.testing.s3_server import LoopbackS3


def digest_of(data):
    return digest_stream(io.BytesIO(data))


@pytest.fixture
def put():
    """Return a function that puts bytes into a store, with their true digest."""

    def put_bytes(store, key, data, **named):
        return store.put(key, io.BytesIO(data), digest_of(data), **named)

    put_bytes.digest_of = digest_of
    return put_bytes


class PatternSource(io.RawIOBase):
    """Bytes without end to speak of, made as they are read."""

    BLOCK = hashlib.sha512(b"calrecords").digest() * 16384

    def __init__(self, blocks):
        super().__init__()
        self._size = blocks * len(self.BLOCK)
        self._position = 0

    def digest(self):
        md5, sha256 = hashlib.md5(), hashlib.sha256()
        for _ in range(self._size // len(self.BLOCK)):
            md5.update(self.BLOCK)
            sha256.update(self.BLOCK)
        return ContentDigest(md5.hexdigest(), sha256.hexdigest(), self._size)

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self._position

    def seek(self, offset, whence=os.SEEK_SET):
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer):
        at = self._position % len(self.BLOCK)
        chunk = self.BLOCK[at : at + len(buffer)][: max(0, self._size - self._position)]
        buffer[: len(chunk)] = chunk
        self._position += len(chunk)
        return len(chunk)


@pytest.fixture
def pattern_source():
    return PatternSource


class FolderBackend:
    name = "file system"

    def __init__(self, store):
        self.store = store

    def another(self):
        return FileSystemStore(self.store.root)

    def held(self, key):
        folder = self.store.root / ".calrecords" / "versions" / key
        return sorted(path.read_bytes() for path in folder.iterdir()) if folder.is_dir() else []

    def seen_by_readers(self, key):
        path = self.store.root / key
        return path.read_bytes() if path.exists() else None

    def damage(self, stored):
        path = self.store.root / ".calrecords" / "versions" / stored.key / stored.sha256
        path.chmod(0o644)
        path.write_bytes(b"x" * stored.size)

    def everything(self):
        return sorted(str(path) for path in self.store.root.rglob("*") if not path.is_dir())


class BucketBackend:
    name = "S3"

    def __init__(self, store, s3, **settings):
        self.store = store
        self._s3 = s3
        self._settings = settings

    def another(self):
        return S3Store(self._s3.client(), self._s3.bucket, **self._settings)

    def held(self, key):
        return sorted(version.data for version in self._s3.versions(key))

    def seen_by_readers(self, key):
        versions = self._s3.versions(key)
        return versions[0].data if versions else None

    def damage(self, stored):
        """Put other bytes in the place of a version; moto has no such request, disks do."""
        from moto.s3.models import s3_backends

        for account in s3_backends.values():
            for backend in account.values():
                if self._s3.bucket in backend.buckets:
                    for version in backend.buckets[self._s3.bucket].keys.getlist(stored.key):
                        if version.version_id == stored.version_key:
                            version.value = b"x" * stored.size

    def everything(self):
        uploads = self._s3.client().list_multipart_uploads(Bucket=self._s3.bucket)
        return [
            (key, version) for key in self._s3.object_keys() for version in self._s3.versions(key)
        ] + [upload["Key"] for upload in uploads.get("Uploads", [])]


@pytest.fixture
def s3():
    with LoopbackS3() as server:
        yield server


@pytest.fixture
def s3_store(s3):
    return S3Store(s3.client(), s3.bucket)


@pytest.fixture
def folder_store(tmp_path):
    return FileSystemStore(tmp_path / "store")


@pytest.fixture
def small_parts(monkeypatch):
    """Let moto take parts of any length, and return how a store is told to send such."""
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    return {"single_put_bytes": 1000, "part_bytes": 60_000}


@pytest.fixture(params=["file system", "S3", "S3 in parts"])
def backend(request):
    if request.param == "file system":
        return FolderBackend(request.getfixturevalue("folder_store"))
    s3 = request.getfixturevalue("s3")
    parts = request.getfixturevalue("small_parts") if "parts" in request.param else {}
    return BucketBackend(S3Store(s3.client(), s3.bucket, **parts), s3, **parts)


@pytest.fixture
def store(backend):
    return backend.store


SERVE = """
import sys
from calrecords.testing.s3_server import LoopbackS3
with LoopbackS3() as s3:
    print(s3.endpoint_url, s3.bucket, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["file system", "S3", "S3 in parts"])
def distant_store(request):
    """Return a store whose server, if it has one, does not share our memory."""
    if request.param == "file system":
        yield request.getfixturevalue("folder_store")
        return
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        url, bucket = server.stdout.readline().split()
        client = make_s3_client(endpoint_url=url, region="us-west-2", addressing_style="path")
        parts = {"single_put_bytes": 1, "part_bytes": 6 << 20} if "parts" in request.param else {}
        yield S3Store(client, bucket, **parts)
        client.close()
        server.stdin.close()


@dataclass
class LyingS3:
    """An S3 server that answers as it is told: each operation's answer can be replaced.

    An answer is (status, headers, body), or a function of the handler; so is what it says to
    who asks for leave to send a long body.
    """

    url: str = ""
    answers: dict = field(default_factory=dict)
    leave: object = None
    requests: list = field(default_factory=list)
    headers: dict = field(default_factory=dict)
    bodies: dict = field(default_factory=dict)
    queries: list = field(default_factory=list)
    posted: bytes = b""
    paths: list = field(default_factory=list)

    def store(self, **settings):
        return S3Store(self.client(**settings), "bucket")

    def store_in_parts(self, part_bytes, **settings):
        return S3Store(
            self.client(**settings), "bucket", single_put_bytes=part_bytes, part_bytes=part_bytes
        )

    def client(self, **settings):
        settings = {"connect_timeout_s": 2, "read_timeout_s": 2, "max_attempts": 1, **settings}
        client = make_s3_client(
            endpoint_url=self.url,
            region="us-west-2",
            addressing_style="path",
            access_key="AKIDEXAMPLE",
            secret_key="not-to-be-said",
            **settings,
        )
        self.clients.append(client)
        return client

    clients: list = field(default_factory=list)


VERSIONING = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
NO_VERSIONS = b"<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>"
TRUTH = {
    "HEAD bucket": (200, {}, b""),
    "versioning": (200, {}, VERSIONING),
    "versions": (200, {}, NO_VERSIONS),
    "HEAD key": (404, {}, b""),
    "DELETE": (204, {}, b""),
    "uploads": (200, {}, b"<ListMultipartUploadsResult/>"),
    "create": (200, {}, b"<R><UploadId>upload</UploadId></R>"),
    "abort": (204, {}, b""),
}
IN_PARTS = {"POST": "complete", "PUT": "part", "DELETE": "abort"}


def operation_of(method, url):
    query = parse_qs(url.query, keep_blank_values=True)
    if "uploads" in query:
        return "create" if method == "POST" else "uploads"
    if "uploadId" in query:
        return IN_PARTS[method]
    for name in ("versioning", "versions"):
        if name in query:
            return name
    if method == "HEAD" and "versionId" not in query:
        return "HEAD bucket" if url.path == "/bucket" else "HEAD key"
    return method


@contextmanager
def served(liar):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            url = urlsplit(self.path)
            operation = operation_of(self.command, url)
            liar.requests.append(operation)
            liar.headers[operation] = {k.lower(): v for k, v in self.headers.items()}
            left = int(self.headers.get("Content-Length", 0))
            digest, body = hashlib.sha256(), b""
            while left:
                chunk = self.rfile.read(min(left, 1 << 16))
                if not chunk:  # the client broke off
                    liar.requests.append(f"{operation} broken off")
                    self.close_connection = True
                    return
                digest.update(chunk)
                body += chunk if self.command == "POST" else b""
                left -= len(chunk)
            liar.bodies[operation] = digest.hexdigest()
            liar.posted = body or liar.posted
            liar.queries.append(url.query)
            answer = liar.answers.get(operation, TRUTH.get(operation, (500, {}, b"")))
            answer = answer(self) if callable(answer) else answer
            if answer is None:  # it answered itself
                return
            status, headers, body = answer
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            if len(body) != int(headers.get("Content-Length", len(body))):
                self.close_connection = True

        def handle_expect_100(self):
            if liar.leave is None:
                return super().handle_expect_100()
            liar.requests.append("leave")
            liar.leave(self)
            return False

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - http.server names them

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    liar.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield liar
    finally:
        for client in liar.clients:
            client.close()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def liar():
    with served(LyingS3()) as server:
        yield server


@pytest.fixture
def make_liar():
    """Return a function that runs another such server."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(served(LyingS3()))


@pytest.fixture
def files_below():
    """Return a function that lists the files in a folder, as relative paths."""

    def listed(folder):
        folder = Path(folder)
        return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())

    return listed


@pytest.fixture
def dying_put():
    """Return a function that starts a process which puts half a file and then waits."""
    script = """
import sys, time
from pathlib import Path
from calrecords.filestore import FileSystemStore
from calrecords.frames import ContentDigest
class Slow:
    calls = 0
    def read(self, size=-1):
        self.calls += 1
        if self.calls == 1:
            return b"half"
        print("waiting", flush=True)
        time.sleep(60)
root, key, md5, sha256, size = sys.argv[1:]
FileSystemStore(Path(root)).put(key, Slow(), ContentDigest(md5, sha256, int(size)))
"""
    processes = []

    def start(root, key, data):
        digest = digest_of(data)
        arguments = [str(root), key, digest.md5, digest.sha256, str(digest.size)]
        process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout.readline() == "waiting\n"
        return SimpleNamespace(kill=process.kill, wait=process.wait)

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()
