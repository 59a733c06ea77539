"""The OCS ingester itself, in a process of its own, since it reads settings when imported."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from calrecords.compat import ocs_ingester
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

ORIGINAL = """
import json, sys, warnings
warnings.simplefilter("ignore")
from ocs_ingester import ingester

verb, jobs = sys.argv[1], json.load(sys.stdin)
answers = {}
for path, metadata in jobs:
    with open(path, "rb") as fileobj:
        try:
            if verb == "ingest":
                answer = ingester.upload_file_and_ingest_to_archive(
                    fileobj, file_metadata=metadata)
            elif verb == "record":
                answer = ingester.validate_fits_and_create_archive_record(
                    fileobj, file_metadata=metadata)
            else:
                answer = ingester.frame_exists(fileobj)
        except Exception as error:
            answer = type(error).__name__
    answers[path] = answer
json.dump(answers, sys.stdout)
"""


@dataclass
class Place:
    """An archive with its store, and the environment by which both ingesters find them."""

    archive: ScienceArchive
    environment: dict[str, str]
    s3: Any = None

    def run_original(self, verb, jobs):
        """Return what the OCS ingester 3.2.0 answers for each path."""
        done = subprocess.run(
            [sys.executable, "-c", ORIGINAL, verb],
            input=json.dumps([(str(path), metadata) for path, metadata in jobs]),
            env={**os.environ, **self.environment, "OPENTSDB_PYTHON_METRICS_TEST_MODE": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

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
    return Place(archive, {**_environment(folder, archive), **more})


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
