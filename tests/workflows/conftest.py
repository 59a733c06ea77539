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

NURSERY = Path(__file__).parent / "nursery.py"


class Nursery:
    """A warm process that forks others, which costs far less than to start them."""

    def __init__(self):
        self._process = None

    def at_once(self, work, each, **order):
        """Return how each of some processes ended that did a work at once, and what it said.

        Parameters
        ----------
        work : str
            Name of a function of `nursery.py`.
        each : list of dict
            Its arguments, in each of the processes.
        **order
            The places to connect to, the environment, and the step at which to be killed.
        """
        if self._process is None:
            pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
            self._process = subprocess.Popen([sys.executable, str(NURSERY)], text=True, **pipes)
        self._process.stdin.write(json.dumps({"work": work, "each": each, **order}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

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

    def at_once(self, work, each):
        """Let a process for each of some arguments work at once; return what each says."""
        ends = self._begun(work, each)
        assert [code for code, _ in ends] == [0] * len(each)
        return [answer for _, answer in ends]

    def ingest_and_die(self, path, step):
        """Ingest in a process of its own, killed when it reaches a step."""
        assert self._begun("ingest_all", [{"paths": [str(path)]}], dies_at=step) == [[-9, None]]

    def _begun(self, work, each, **order):
        environment = {**os.environ, **self.environment}
        return self.nursery.at_once(
            work, each, places=self.places, environment=environment, **order
        )

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
