"""How a process that may be killed at any moment connects: with little patience."""

import os
import random
import time

import calrecords
from calrecords import ArchiveClient
from calrecords.archive import default_retrying
from calrecords.errors import FileStoreUnavailableError
from calrecords.filestore import FileSystemStore, S3Store, make_s3_client

HURRY = 0.1
"""How much shorter every wait between two attempts is than for a real archive."""


class FlakyStore(FileSystemStore):
    """A folder on a disk that fails now and then, before or after it has done what it was told.

    Parameters
    ----------
    root : Path
        The folder.
    rate : float
        Which share of the calls fails.
    """

    def __init__(self, root, rate):
        super().__init__(root)
        self.rate = rate
        self.draw = random.Random()

    def _fail(self, when):
        if self.draw.random() < self.rate / 2:
            msg = f"the disk is away {when}"
            raise FileStoreUnavailableError(msg)

    def put(self, key, source, digest, **named):
        self._fail("before it could write")
        stored = super().put(key, source, digest, **named)
        self._fail("after it had written")
        return stored

    def publish(self, stored):
        self._fail("before it could publish")
        super().publish(stored)
        self._fail("after it had published")

    def find(self, key, digest):
        self._fail("and cannot be searched")
        return super().find(key, digest)


def connect(folder, servers, db, flaky, on_step=None):
    """Return a connection to a folder's records and store, and to the servers.

    Parameters
    ----------
    folder : Path
        Where store, cache and spool are.
    servers : Servers
        The archive, and perhaps a bucket.
    db : str
        The records.
    flaky : float
        Which share of a folder's calls fails.
    on_step : callable, optional
        Called with each step that is reached.
    """
    os.environ["CALRECORDS_SPOOL_DIR"] = str(folder / "spool")
    policy = default_retrying().copy(sleep=lambda seconds: time.sleep(seconds * HURRY))
    archive = ArchiveClient(
        servers.root, servers.token, read_timeout_s=1.0, total_timeout_s=3.0, retrying=policy
    )
    store = FlakyStore(folder / "store", flaky)
    if servers.bucket:
        client = make_s3_client(
            endpoint_url=servers.endpoint_url,
            region="us-west-2",
            addressing_style="path",
            access_key="testing",
            secret_key="testing",
            read_timeout_s=1.0,
            max_attempts=3,
        )
        store = S3Store(client, servers.bucket)
    places = {"db": db, "archive": archive, "store": store, "cache": folder / "cache"}
    return calrecords.connect(**places, on_step=on_step)
