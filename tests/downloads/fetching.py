"""A process that fetches frame after frame, and says of each what came of it.

It may be killed at any moment. Damage is done to the cache from here too, while nobody reads.
"""

import hashlib
import json
import os
import random
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from pathlib import Path

import calrecords
from calrecords.archive import ArchiveClient, default_retrying
from calrecords.errors import CalRecordsError
from calrecords.filestore import FileSystemStore, S3Store, make_s3_client

WAYS = {"away": 55, "home": 15, "anew": 20, "read-only": 6, "offline": 4}
"""How many fetches in a hundred go which way."""
DAMAGE_RATE = 0.04
"""How many times for each fetch something is done to the cache behind its back."""


@dataclass(frozen=True)
class Ground:
    """Where everything is.

    Attributes
    ----------
    folder : Path
        Holds the cache, the records of two sites, the store of one of them, temporary files.
    archive, token : str
        The archive.
    endpoint_url, bucket : str or None
        Where one site has its store; by default in the folder.
    md5s : dict
        Checksum by basename.
    sizes : list of int
        Lengths of the frames, in bytes; the cache is kept to two thirds of all.
    """

    folder: Path
    archive: str
    token: str
    endpoint_url: str | None
    bucket: str | None
    md5s: dict = field(default_factory=dict)
    sizes: list = field(default_factory=list)

    @property
    def cache(self):
        return self.folder / "cache"

    @property
    def temporary(self):
        return self.folder / "tmp"

    def connect(self, way, client):
        """Return the records of a site, as somebody who goes this way has them."""
        site = "home" if way in {"home", "offline"} else "away"
        os.environ["CALRECORDS_CACHE_READ_ONLY"] = str(way == "read-only").lower()
        os.environ["CALRECORDS_CACHE_LOCK_TIMEOUT_S"] = "20"
        os.environ["CALRECORDS_CACHE_MAX_BYTES"] = str(sum(self.sizes) * 2 // 3)
        return calrecords.connect(
            db=self.folder / f"{site}.sqlite",
            store=self.store() if site == "home" else self.folder / "no-store",
            cache=self.cache,
            archive=self.archive if way == "offline" else client,
            offline=way == "offline",
        )

    def store(self):
        """Return the store of the site that has one, which gives up soon, too."""
        if self.bucket is None:
            return FileSystemStore(self.folder / "store")
        client = make_s3_client(
            endpoint_url=self.endpoint_url,
            region="us-west-2",
            addressing_style="path",
            connect_timeout_s=2.0,
            read_timeout_s=1.0,
            max_attempts=2,
            access_key="testing",
            secret_key="testing",
        )
        return S3Store(client, self.bucket, transfer_timeout_s=2.0)

    def client(self):
        """Return a client that gives up soon, so that every kind of end is seen."""
        return ArchiveClient(
            self.archive,
            self.token,
            connect_timeout_s=2.0,
            read_timeout_s=1.0,
            total_timeout_s=2.0,
            retrying=default_retrying(attempts=3).copy(sleep=lambda _seconds: None),
        )


@contextmanager
def gate(folder, how):
    """Hold the gate: shared while a path is fetched and read, alone while damage is done."""
    with (folder / "turnstile").open("a") as turnstile, (folder / "gate").open("a") as held:
        flock(turnstile, LOCK_EX)
        flock(held, how)
        flock(turnstile, LOCK_UN)
        yield


def work(ground, seed, answers, stop):
    """Fetch frames until told to stop.

    Parameters
    ----------
    ground : Ground
        Where everything is.
    seed : int
        Which frames, and which way.
    answers : int
        Descriptor that a line is written to before and after each fetch.
    stop : callable
        Returns whether to stop.
    """
    rng = random.Random(seed)
    with ExitStack() as opened:
        client = opened.enter_context(ground.client())
        sites = {}
        while not stop():
            if rng.random() < DAMAGE_RATE:
                with gate(ground.folder, LOCK_EX):
                    tell(answers, damage=damage(rng, ground.cache))
            (way,) = rng.choices(list(WAYS), WAYS.values())
            if way not in sites:
                sites[way] = opened.enter_context(ground.connect(way, client))
            basename = rng.choice(list(ground.md5s))
            with gate(ground.folder, LOCK_SH):
                tell(answers, begin=basename)
                tell(answers, **fetched(sites[way], way, basename, ground.md5s[basename]))


def fetched(cal, way, basename, md5):
    """Return what came of one fetch."""
    began = time.monotonic()
    try:
        path = cal.fetch(basename, source="archive" if way == "anew" else None)
    except CalRecordsError as error:
        name, took_s = type(error).__name__, time.monotonic() - began
        return {"way": way, "error": name, "message": f"{error!s:.300}", "took_s": took_s}
    except Exception as error:
        return {"way": way, "foreign": f"{error!r:.300}", "took_s": time.monotonic() - began}
    took_s = time.monotonic() - began
    try:
        found = hashlib.md5(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        found = "gone"
    return {"way": way, "is_right": found == md5, "found": found, "took_s": took_s}


def tell(answers, **said):
    os.write(answers, json.dumps(said).encode() + b"\n")  # so short a line is written whole


def damage(rng, cache):
    """Do something to a file of the cache that nobody should do; return what."""
    files = [path for path in cache.glob("*/*/*") if path.suffix in {".fits", ".fz"}]
    if not files:
        return "nothing"
    path, kind = rng.choice(files), rng.choice(("flipped", "cut", "page", "removed", "emptied"))
    if kind == "removed":
        path.unlink()
    elif kind in {"page", "emptied"}:
        path.write_bytes(b"<html>log in</html>" if kind == "page" else b"")
    else:
        data = bytearray(path.read_bytes())
        if kind == "flipped" and data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data if kind == "flipped" else data[: len(data) // 2])
    return kind
