"""An S3 server on loopback with one versioned bucket, for tests and demos; needs moto."""

from __future__ import annotations

import logging
import re
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, wraps
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs

from calrecords.errors import ConfigurationError
from calrecords.filestore.s3_client import make_s3_client
from calrecords.testing._s3_faults import HANDLER, S3_KINDS, close_as_told, with_faults
from calrecords.testing.faults import Faults

logger = logging.getLogger(__name__)

REGION = "us-west-2"
ACCESS_KEY = "testing"
SECRET_KEY = "testing"  # noqa: S105, RUF100 - a loopback server's, which asks for none

_QUERY = re.compile(r"\?\S*")
"""What a presigned URL has its signature in."""

_MOTO_INITIATED = b"2010-11-10T20:48:33.000Z"

_lock = threading.Lock()
_running: list[LoopbackS3] = []
_unpatch: list[Any] = []


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object, as the bucket has it.

    Attributes
    ----------
    version_key : str
        S3's VersionId.
    data : bytes
        The whole object.
    metadata : dict of str to str
        What was stored with it by name.
    content_type, content_disposition, storage_class : str or None
        Its headers.
    """

    version_key: str
    data: bytes
    metadata: dict[str, str]
    content_type: str | None
    content_disposition: str | None
    storage_class: str | None


class LoopbackS3:
    """A context manager that runs an S3 server on 127.0.0.1 while it is open.

    Several may be open at a time in one process; moto keeps their buckets together, so
    each has a bucket of its own name, and all are forgotten when the last one closes.

    Parameters
    ----------
    bucket : str, optional
        Name of the bucket; by default one that no other has.
    versioned : bool, optional
        Whether it keeps versions.
    stock_version_ids : bool, optional
        Keep moto's version IDs of 36 characters, as MinIO's are and as the Science Archive
        refuses them, instead of 32, as Amazon's are.

    Attributes
    ----------
    bucket : str
        Name of the bucket.
    endpoint_url : str
        Root of the server; empty while it is closed.
    faults : Faults
        What shall break on the way; paths are ``/BUCKET/KEY``.
    """

    def __init__(
        self,
        *,
        bucket: str | None = None,
        versioned: bool = True,
        stock_version_ids: bool = False,
    ) -> None:
        self.bucket = bucket or f"calrecords-{secrets.token_hex(6)}"
        self.endpoint_url = ""
        self.stock_version_ids = stock_version_ids
        self.faults = Faults(S3_KINDS)
        self._versioned = versioned
        self._stopping = threading.Event()
        self._clients: list[Any] = []
        self._server: Any = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"LoopbackS3(bucket={self.bucket!r}, endpoint_url={self.endpoint_url!r})"

    def __enter__(self) -> LoopbackS3:
        self._stopping.clear()
        self._server = _make_server(self.faults, self._stopping)
        host, port = self._server.server_address[:2]
        self.endpoint_url = f"http://{host}:{port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.daemon = True
        self._thread.start()
        with _lock:
            if not _running:
                _unpatch.extend([_shorten_version_ids(), _list_without_copies()])
            _running.append(self)
        try:
            self._make_bucket()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()
        self._stopping.set()
        self._server.shutdown()  # werkzeug closes the socket then
        if self._thread is not None:
            self._thread.join()
        self.endpoint_url = ""
        with _lock:
            _running.remove(self)
            if not _running:
                while _unpatch:
                    _unpatch.pop()()
                _forget_buckets()

    def client(self, **settings: Any) -> Any:
        """Return a new client of this server, closed with it.

        Parameters
        ----------
        **settings
            Those of `make_s3_client` that shall differ.
        """
        client = make_s3_client(
            **{
                "endpoint_url": self.endpoint_url,
                "region": REGION,
                "addressing_style": "path",
                "access_key": ACCESS_KEY,
                "secret_key": SECRET_KEY,
                "connect_timeout_s": 5.0,
                "read_timeout_s": 20.0,
                "max_attempts": 2,
                **settings,
            }
        )
        self._clients.append(client)
        return client

    def versions(self, key: str) -> list[ObjectVersion]:
        """Return every version of one object, newest first, behind any store's back."""
        client = self._clients[0]
        pages = client.get_paginator("list_object_versions")
        listed = [
            version["VersionId"]
            for page in pages.paginate(Bucket=self.bucket, Prefix=key)
            for version in page.get("Versions", [])
            if version["Key"] == key
        ]
        return [self._version(key, version_id) for version_id in listed]

    def object_keys(self) -> list[str]:
        """Return the keys of all objects that have a version, each once, sorted."""
        pages = self._clients[0].get_paginator("list_object_versions")
        return sorted(
            {
                version["Key"]
                for page in pages.paginate(Bucket=self.bucket)
                for version in page.get("Versions", [])
            }
        )

    def _make_bucket(self) -> None:
        client = self.client()
        client.create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        if self._versioned:
            client.put_bucket_versioning(
                Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"}
            )

    def _version(self, key: str, version_id: str) -> ObjectVersion:
        answer = self._clients[0].get_object(Bucket=self.bucket, Key=key, VersionId=version_id)
        with answer["Body"] as body:
            data = body.read()
        return ObjectVersion(
            version_key=version_id,
            data=data,
            metadata=answer["Metadata"],
            content_type=answer.get("ContentType"),
            content_disposition=answer.get("ContentDisposition"),
            storage_class=answer.get("StorageClass"),
        )


def _make_server(faults: Faults, stopping: threading.Event) -> Any:
    try:
        from moto.moto_server.werkzeug_app import MotoRequestHandler
        from werkzeug.serving import make_server
    except ImportError as error:
        msg = "the loopback S3 server needs moto; install calrecords[dev] or moto[s3,server]"
        raise ConfigurationError(msg) from error

    class QuietHandler(MotoRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, RUF100
            logger.debug("%s", _QUERY.sub("?...", message % args))

        def make_environ(self) -> dict[str, Any]:
            return {**super().make_environ(), HANDLER: self}

    # moto's own ThreadedMotoServer lets werkzeug set up logging, and waits for ever where
    # the port cannot be had.
    server = make_server(
        "127.0.0.1",
        0,
        with_faults(_like_amazon(_application()), faults, stopping),
        threaded=True,
        request_handler=QuietHandler,
    )
    close_as_told(server)
    return server


@cache
def _application() -> Any:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)


def _like_amazon(application: Any) -> Any:
    """Return an application that says of objects what Amazon's S3 says, and moto leaves out.

    The checksum that an upload carries is named in the answer to it, whether or not the
    request also names the algorithm; and an unfinished upload is as old as this server at
    most, not of 2010.
    """
    began = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "HTTP_X_AMZ_CHECKSUM_SHA256" in environ:
            environ["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = "SHA256"
        chunks: Iterable[bytes] = application(environ, start_response)
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        if environ["REQUEST_METHOD"] == "GET" and "uploads" in query:
            return [chunk.replace(_MOTO_INITIATED, began) for chunk in chunks]
        return chunks

    return answer


def _shorten_version_ids() -> Any:
    """Give objects IDs of 32 characters, and return what undoes it.

    moto makes a UUID with dashes for each version and has no setting for it; the Science
    Archive takes at most 32 characters. The object is the one place that all ways of
    writing pass through.
    """
    fake_key: Any = import_module("moto.s3.models").FakeKey
    original = fake_key.__init__

    @wraps(original)
    def shortened(self: Any, *arguments: Any, **named: Any) -> None:
        stock = {server.bucket for server in _running if server.stock_version_ids}
        if named.get("version_id") and named.get("bucket_name") not in stock:
            named["version_id"] = named["version_id"].replace("-", "")
        original(self, *arguments, **named)

    def undo() -> None:
        fake_key.__init__ = original

    fake_key.__init__ = shortened
    return undo


def _list_without_copies() -> Any:
    """Let a list of versions copy no bytes, and return what undoes it.

    For each list moto copies every version in the bucket with its bytes, which takes hours and
    gigabytes where there are thousands of both.
    """
    fake_key: Any = import_module("moto.s3.models").FakeKey

    class Listed(fake_key):  # type: ignore[misc]
        """A version as a list shows it; its bytes are those of the version itself."""

        def __del__(self) -> None:
            """Leave the bytes alone."""

    def listed(self: Any, _memo: Any) -> Any:
        copied = object.__new__(Listed)
        copied.__dict__.update(self.__dict__)
        return copied

    def undo() -> None:
        del fake_key.__deepcopy__

    fake_key.__deepcopy__ = listed
    return undo


def _forget_buckets() -> None:
    from moto.s3.models import s3_backends

    for account in list(s3_backends.values()):
        for backend in list(account.values()):
            backend.reset()
