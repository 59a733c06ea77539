"""An archive, and a bucket if one is wanted, in a process of their own that fails at random."""

import hashlib
import multiprocessing
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

from fetching import Ground

from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.testing import Fault, LoopbackS3, ScienceArchive

FRAMES = 24
FILE_RATE, FRAME_RATE = 0.4, 0.1
"""Which share of the requests for a file, and for the description of a frame, is answered badly."""
FILE_FAULTS = (
    *(Fault("500"), Fault("503"), Fault("429"), Fault("403"), Fault("reset")),
    *(Fault("lost-answer"), Fault("delay", seconds=0.05), Fault("drip", seconds=0.002)),
    *(Fault("login-page"), Fault("not-json"), Fault("truncated"), Fault("unannounced-end")),
    *(Fault("no-length"), Fault("short-length"), Fault("corrupted"), Fault("truncated")),
)
FRAME_FAULTS = (
    *(Fault("500"), Fault("503"), Fault("reset"), Fault("login-page"), Fault("not-json")),
    *(Fault("truncated"), Fault("corrupted"), Fault("stale", seconds=3600.0)),
)
S3_FAULTS = (
    *(Fault("500"), Fault("503"), Fault("429"), Fault("403"), Fault("reset")),
    *(Fault("lost-answer"), Fault("delay", seconds=0.05), Fault("drip", seconds=0.002)),
    *(Fault("login-page"), Fault("truncated"), Fault("truncated")),
)


@contextmanager
def served(folder, *, with_s3):
    """Give what may be asked of an archive in a process of its own; this one has no threads."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(folder, with_s3, theirs, ours))
    process.start()
    theirs.close()
    try:
        yield Servers(ours)
    finally:
        ours.close()
        process.join(30)


class Servers:
    """What can be asked of them.

    Attributes
    ----------
    root, token : str
        Of the archive.
    endpoint_url, bucket : str or None
        Of the object store.
    """

    def __init__(self, pipe):
        self._pipe = pipe
        self.root, self.token, self.endpoint_url, self.bucket = pipe.recv()

    def break_things(self, seed):
        """Let a share of the requests meet faults from now on."""
        self._pipe.send(seed)
        self._pipe.recv()

    def mend(self):
        """Answer as it should be; return how many requests each kind of fault has hit."""
        self._pipe.send(None)
        return self._pipe.recv()


def _serve(folder, with_s3, pipe, theirs):
    theirs.close()
    with ExitStack() as opened:
        s3 = opened.enter_context(LoopbackS3()) if with_s3 else None
        place = {"url_for": _signer(s3)} if s3 else {"files": folder / "store"}
        archive = opened.enter_context(ScienceArchive(database=folder / "archive.db", **place))
        bucket = (s3.endpoint_url, s3.bucket) if s3 else (None, None)
        pipe.send((archive.root, archive.token, *bucket))
        with suppress(EOFError):
            while True:
                seed = pipe.recv()
                pipe.send(_met(archive) + (_met(s3) if s3 else Counter()))
                if seed is not None:
                    _break(archive, s3, seed)


def _signer(s3):
    client = s3.client()

    def url_for(key, version_key):
        named = {"Bucket": s3.bucket, "Key": key, "VersionId": version_key}
        return client.generate_presigned_url("get_object", Params=named)

    return url_for


def _met(server):
    met = Counter(server.faults.met())
    server.faults.clear()
    return met


def _break(archive, s3, seed):
    elsewhere = Fault("redirect", location=f"{archive.root}frames/1/")
    frames = [replace(fault, path="/frames/*") for fault in FRAME_FAULTS]
    files = [replace(fault, path="/files/*") for fault in (*FILE_FAULTS, elsewhere)]
    archive.faults.scatter(
        [replace(fault, method="GET") for fault in frames], rate=FRAME_RATE, seed=seed
    )
    archive.faults.scatter(
        [replace(fault, method="GET") for fault in files], rate=FILE_RATE, seed=seed
    )
    if s3:
        s3.faults.scatter(
            [replace(fault, method="GET") for fault in S3_FAULTS], rate=FILE_RATE, seed=seed
        )


def make_ground(folder, servers):
    """Fill an archive with frames that one site has in its store, and another knows of."""
    for name in ("tmp", "frames", "no-store"):
        (folder / name).mkdir()
    bucket = (servers.endpoint_url, servers.bucket)
    ground = Ground(folder, servers.root, servers.token, *bucket)
    with (
        ground.client() as client,
        ground.connect("home", client) as home,
        ground.connect("away", client) as away,
    ):
        for number in range(FRAMES):
            side = (30, 100, 300)[number % 3]
            path = write_synthetic_frame(
                folder / "frames", basename=f"frame-{number}", seed=number, shape=(side, side)
            )
            frame = home.ingest(path, is_master=True).frame
            away.adopt(frame.frame_id)
            ground.md5s[frame.basename] = hashlib.md5(path.read_bytes()).hexdigest()
            ground.sizes.append(path.stat().st_size)
    return ground
