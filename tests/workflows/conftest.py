"""A whole world on loopback: archive, file store of each kind, records, and ways to look behind."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.filestore import S3Store
from calrecords.records import RecordDatabase
from calrecords.testing import LoopbackS3, ScienceArchive

NURSERY = """
import json, os, signal, sys, tempfile, traceback
import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.filestore import make_s3_client
from calrecords.testing import ScienceArchive
from calrecords.workflows.results import IngestStep

with tempfile.TemporaryDirectory() as folder, ScienceArchive() as archive:
    places = {name: f"{folder}/{name}" for name in ("db", "store", "cache")}
    with calrecords.connect(**places, archive=archive.root, token=archive.token) as cal:
        cal.ingest(write_synthetic_frame(folder))
make_s3_client(endpoint_url=archive.root, access_key="x", secret_key="x").close()

def ingest_and_die(order):
    os.environ.update(order["environment"])
    last = IngestStep(order["step"])

    def die(step):
        if step is last:
            os.kill(os.getpid(), signal.SIGKILL)

    with calrecords.connect(**order["places"], on_step=die) as cal:
        cal.ingest(order["path"], is_master=True)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            ingest_and_die(json.loads(line))
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Nursery:
    """A warm process that forks others, which costs far less than to start them."""

    def __init__(self):
        self._process = None

    def ingest_and_die(self, **order):
        """Return how a process ended that ingested; it is killed when it reaches a step."""
        if self._process is None:
            pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
            self._process = subprocess.Popen([sys.executable, "-c", NURSERY], text=True, **pipes)
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self):
        if self._process is not None:
            self._process.communicate()


@pytest.fixture(scope="session")
def nursery():
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(scope="session")
def new_records(tmp_path_factory):
    """Return a SQLite file with the schema and nothing in it; a copy costs less than a new one."""
    path = tmp_path_factory.mktemp("records") / "new.sqlite"
    database = RecordDatabase(path)
    database.upgrade()
    database.close()
    return path


@dataclass
class World:
    """Where everything is, and what it holds."""

    folder: Path
    archive: ScienceArchive
    nursery: Any
    s3: Any = None
    db: str | None = None

    @property
    def places(self):
        return {
            "db": self.db or str(self.folder / "records.sqlite"),
            "archive": self.archive.root,
            "store": f"s3://{self.s3.bucket}" if self.s3 else str(self.folder / "store"),
            "cache": str(self.folder / "cache"),
        }

    @property
    def environment(self):
        named = {"AUTH_TOKEN": self.archive.token}
        if self.s3:
            named["S3_ENDPOINT_URL"] = self.s3.endpoint_url
            named["S3_ADDRESSING_STYLE"] = "path"
        return named

    def connect(self, **named):
        return calrecords.connect(**{**self.places, **named})

    def ingest_and_die(self, path, step):
        """Ingest in a process of its own, killed when it reaches a step."""
        environment = {**os.environ, **self.environment}
        ended = self.nursery.ingest_and_die(
            places=self.places, path=str(path), step=step, environment=environment
        )
        assert ended == -9

    def stored(self):
        """Return the md5 of every object version that the store keeps, by key."""
        if self.s3:
            return {
                key: [hashlib.md5(v.data).hexdigest() for v in self.s3.versions(key)]
                for key in self.s3.object_keys()
            }
        kept = {}
        versions = self.folder / "store" / ".calrecords" / "versions"
        for path in sorted(versions.rglob("*")):
            if path.is_file():
                key = path.parent.relative_to(versions).as_posix()
                kept.setdefault(key, []).append(hashlib.md5(path.read_bytes()).hexdigest())
        return kept

    def published(self):
        """Return the md5 of what readers of the store find at each key."""
        if self.s3:
            return {key: versions[0] for key, versions in self.stored().items()}
        store = self.folder / "store"
        return {
            path.relative_to(store).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
            for path in sorted(store.rglob("*"))
            if path.is_file() and ".calrecords" not in path.parts
        }

    def strays(self):
        """Return local files that nobody should have left."""
        return [path for path in self.folder.rglob("*.part*") if path.is_file()]

    def archived(self):
        """Return (frame ID, basename, md5 of each version) of what the archive has."""
        return [
            (frame["id"], frame["basename"], [v["md5"] for v in frame["versions"]])
            for frame in self.archive.frames()
            if frame["versions"]
        ]


@pytest.fixture(params=["file system", "S3"])
def world(request, tmp_path, monkeypatch, nursery, new_records):
    shutil.copyfile(new_records, tmp_path / "records.sqlite")
    if request.param == "file system":
        with ScienceArchive(files=tmp_path / "store") as archive:
            made = World(tmp_path, archive, nursery)
            for name, value in made.environment.items():
                monkeypatch.setenv(name, value)
            yield made
        return
    with LoopbackS3() as s3:
        client = s3.client()

        def url_for(key, version_key):
            named = {"Bucket": s3.bucket, "Key": key, "VersionId": version_key}
            return client.generate_presigned_url("get_object", Params=named)

        with ScienceArchive(url_for=url_for) as archive:
            made = World(tmp_path, archive, nursery, s3)
            for name, value in made.environment.items():
                monkeypatch.setenv(name, value)
            yield made
        client.close()


@pytest.fixture
def make_frame(tmp_path):
    """Return a function that writes a made-up frame; other pixels for another seed."""

    def make(folder="frames", **details):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        return write_synthetic_frame(place, **details)

    return make


@pytest.fixture
def s3_store():
    with LoopbackS3() as s3:
        yield S3Store(s3.client(), s3.bucket)
