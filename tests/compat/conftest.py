"""The OCS ingester itself, in processes of its own, since it reads settings when imported."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from calrecords.compat import ocs_ingester
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.testing import LoopbackS3, ScienceArchive

COMMON = {
    "PROPID": "calib",
    "DATE-OBS": "2015-02-19T13:56:05.261",
    "DAY-OBS": "20150219",
    "INSTRUME": "fa13",
    "SITEID": "cpt",
    "TELID": "1m0a",
    "OBSTYPE": "LAMPFLAT",
    "BLKUID": 4242,
}
METADATA = {
    ".pdf": {**COMMON, "RLEVEL": 92, "L1IDARC": "cptnrs03-fa13-20150219-0002-a92"},
    ".jpg": {**COMMON, "frame_basename": "tfn0m419-sq32-20240426-0097-e91", "size": "small"},
}

NO_METRICS = {"OPENTSDB_PYTHON_METRICS_TEST_MODE": "true"}
SERVER = Path(__file__).with_name("original_server.py")


class Original:
    """The OCS ingester 3.2.0, in other processes."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, SERVER],
            env={**os.environ, **NO_METRICS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, environment, calls):
        """Return an answer for each call, a verb and its arguments, or the name of an error."""
        batch = {"environment": {**os.environ, **NO_METRICS, **environment}, "calls": calls}
        self._process.stdin.write(json.dumps(batch, default=str) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._process.stderr.read()
        return json.loads(line)

    def close(self):
        self._process.communicate()


@pytest.fixture(scope="session")
def original():
    made = Original()
    yield made
    made.close()


@dataclass
class Place:
    """An archive with its store, and the environment by which both ingesters find them."""

    archive: ScienceArchive
    environment: dict[str, str]
    s3: Any = None
    store: Path | None = None

    def use(self, monkeypatch):
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)


@pytest.fixture(params=["local", "s3"])
def make_place(request, tmp_path):
    """Return a function that makes archives, each with a store of its own."""
    opened = []

    def make(name):
        folder = tmp_path / name
        folder.mkdir()
        place = _local(folder) if request.param == "local" else _s3(folder, opened)
        opened.append(place.archive)
        return place

    yield make
    ocs_ingester.close_connections()
    for thing in reversed(opened):
        thing.close()


@pytest.fixture
def make_local_place(tmp_path):
    """Return a function that makes archives, each with a folder for a store."""
    with ExitStack() as opened:
        opened.callback(ocs_ingester.close_connections)

        def make(name):
            folder = tmp_path / name
            folder.mkdir()
            place = _local(folder)
            opened.callback(place.archive.close)
            return place

        yield make


def _environment(folder, archive):
    return {
        "API_ROOT": archive.root,
        "AUTH_TOKEN": archive.token,
        "CALRECORDS_DB_URL": str(folder / "records.sqlite"),
        "CALRECORDS_CACHE_DIR": str(folder / "cache"),
        "CALRECORDS_SPOOL_DIR": str(folder / "spool"),
    }


def _local(folder):
    store = folder / "store"
    archive = ScienceArchive(files=store, md5_filter_works=True)
    more = {"FILESTORE_TYPE": "local", "FILESYSTEM_STORAGE_ROOT_DIR": str(store)}
    return Place(archive, {**_environment(folder, archive), **more}, store=store)


def _s3(folder, opened):
    s3 = LoopbackS3()
    s3.__enter__()
    opened.append(_Closing(s3))
    client = s3.client()
    opened.append(client)

    def url_for(key, version_key):
        named = {"Bucket": s3.bucket, "Key": key, "VersionId": version_key}
        return client.generate_presigned_url("get_object", Params=named)

    archive = ScienceArchive(url_for=url_for, md5_filter_works=True)
    more = {
        "FILESTORE_TYPE": "s3",
        "BUCKET": s3.bucket,
        "S3_ENDPOINT_URL": s3.endpoint_url,
        "S3_ADDRESSING_STYLE": "path",
    }
    return Place(archive, {**_environment(folder, archive), **more}, s3)


class _Closing:
    def __init__(self, s3):
        self._s3 = s3

    def close(self):
        self._s3.__exit__(None, None, None)


@pytest.fixture(scope="session")
def jobs(shared_data):
    """Return every real file, with the metadata that it needs, in an order of names."""
    files = sorted(p for p in (shared_data / "lco").iterdir() if p.is_file())
    return [(path, METADATA.get(path.suffix)) for path in map(Path, files)]


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A released archive, whose list of versions does not filter, and settings that name it."""
    store = tmp_path / "store"
    with ScienceArchive(files=store) as made:
        for name, value in {
            "API_ROOT": made.root,
            "AUTH_TOKEN": made.token,
            "FILESTORE_TYPE": "local",
            "FILESYSTEM_STORAGE_ROOT_DIR": str(store),
            "CALRECORDS_DB_URL": str(tmp_path / "records.sqlite"),
            "CALRECORDS_SPOOL_DIR": str(tmp_path / "spool"),
        }.items():
            monkeypatch.setenv(name, value)
        yield made
        ocs_ingester.close_connections()


@pytest.fixture
def bias(tmp_path):
    return write_synthetic_frame(tmp_path / "frames")
