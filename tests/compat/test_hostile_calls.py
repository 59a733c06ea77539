"""Calls of the OCS functions as they are not meant to be made, or at a bad moment."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import calrecords
from calrecords.archive import ArchiveClient
from calrecords.compat import ocs_ingester
from calrecords.compat.ocs_ingester import ingester
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.testing import ScienceArchive

FORK = """
import os, sys
from calrecords.compat import ocs_ingester

def ingest(path):
    with open(path, "rb") as file:
        return ocs_ingester.upload_file_and_ingest_to_archive(file)["frameid"]

try:
    ingest(sys.argv[1])
except ocs_ingester.NonFatalDoNotRetryError:
    if os.fork() == 0:
        print(ingest(sys.argv[2]), flush=True)
        os._exit(0)
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def ingest(path, name=None, **named):
    with path.open("rb") as fileobj:
        return ocs_ingester.upload_file_and_ingest_to_archive(fileobj, name, **named)


def recorded(frame_id):
    with calrecords.connect() as cal:
        return cal.get(frame_id=frame_id)


def test_a_file_that_was_written_and_not_flushed_is_whole(archive, bias, tmp_path):
    with (tmp_path / "written.fits").open("w+b") as fileobj:
        fileobj.write(bias.read_bytes())
        record = ocs_ingester.validate_fits_and_create_archive_record(fileobj)
    assert record["basename"] == "written"


@pytest.mark.parametrize("name", ["/data/other.fits", Path("/data/other.fits")])
def test_the_name_that_is_given_goes_before_that_of_the_file(archive, bias, name):
    assert ingest(bias, name)["filename"] == "other.fits"


def test_what_cannot_be_read_as_bytes_is_not_to_be_retried(archive, bias):
    closed = bias.open("rb")
    closed.close()
    with bias.open(encoding="latin-1") as text:
        for fileobj in (closed, text, None):
            for function in (ocs_ingester.frame_exists, ingester.upload_file_to_file_store):
                with pytest.raises(ocs_ingester.DoNotRetryError, match=r"'rb'|no name"):
                    function(fileobj)


VERSION = {"key": "k", "md5": "0" * 32, "extension": ".fits"}


@pytest.mark.parametrize(
    ("version", "record"),
    [({}, {}), (None, {}), ({**VERSION, "md5": None}, {}), (VERSION, None), (VERSION, [])],
)
def test_versions_and_records_of_another_make_are_refused(archive, version, record):
    with pytest.raises(ocs_ingester.DoNotRetryError, match="returns"):
        ocs_ingester.ingest_archive_record(version, record)


@pytest.mark.parametrize(
    "named", [{"file_metadata": [1]}, {"required_headers": 5}, {"blacklist_headers": [5]}]
)
def test_arguments_of_another_kind_are_refused(archive, bias, named):
    with pytest.raises(ocs_ingester.DoNotRetryError, match=next(iter(named))):
        ingest(bias, **named)
    assert archive.frames() == []


def test_a_frame_registered_by_a_call_that_died_is_recorded_once_it_is_asked_for(archive, bias):
    with bias.open("rb") as fileobj:
        record = ocs_ingester.validate_fits_and_create_archive_record(fileobj)
        version = ocs_ingester.upload_file_to_file_store(fileobj)
        frame_id = post(archive, version, record)
        assert ocs_ingester.frame_exists(fileobj)
    assert recorded(frame_id).version.md5 == version["md5"]
    with calrecords.connect() as cal:
        assert cal.resume() == []


def post(archive, version, record):
    with ArchiveClient(archive.root, archive.token) as client:
        return client.create_frame(
            record,
            version_key=version["key"],
            md5=version["md5"],
            extension=version["extension"],
        ).frame_id


@pytest.mark.parametrize("elsewhere", [True, False])
def test_an_upload_that_is_registered_otherwise_is_not_registered_again(
    archive, bias, tmp_path, monkeypatch, elsewhere
):
    monkeypatch.delenv("CALRECORDS_DB_URL")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with bias.open("rb") as fileobj, ScienceArchive(files=tmp_path / "store") as other:
        record = ocs_ingester.validate_fits_and_create_archive_record(fileobj)
        version = ocs_ingester.upload_file_to_file_store(fileobj)
        if elsewhere:
            ocs_ingester.ingest_archive_record(version, record, other.root, other.token)
        else:
            ocs_ingester.ingest_archive_record(version, {**record, "basename": "another"})
        with calrecords.connect() as cal:
            assert cal.resume() == []
        assert [frame["basename"] for frame in archive.frames()] == ["another"] * (not elsewhere)
        assert len(other.frames()) == elsewhere
    [stored] = (tmp_path / "store" / "lsc").rglob(bias.name)
    assert stored.read_bytes() == bias.read_bytes()


def test_other_bytes_of_a_name_register_first_what_was_left_unregistered(archive, tmp_path):
    paths = [write_synthetic_frame(tmp_path / str(n), seed=n) for n in (1, 2)]
    versions = []
    for path in paths:
        with path.open("rb") as fileobj:
            versions.append(ocs_ingester.upload_file_to_file_store(fileobj)["md5"])
    assert [version["md5"] for version in archive.versions()] == versions[:1]


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("FILESTORE_TYPE", "nfs", "write local, s3 or dummy"),
        ("FILESTORE_TYPE", "s3", "set BUCKET"),
        ("FILESYSTEM_STORAGE_ROOT_DIR", "/dev/null/store", "file store"),
        ("API_ROOT", "nonsense", "API_ROOT"),
        ("CALRECORDS_DB_URL", "nonsense://u:secret@h/x", "CALRECORDS_DB_URL"),
        ("CALRECORDS_CONFIG", "/nonexistent", "CALRECORDS_CONFIG"),
    ],
)
def test_a_wrong_setting_is_not_to_be_retried(archive, bias, monkeypatch, setting, value, says):
    monkeypatch.setenv(setting, value)
    with pytest.raises(ocs_ingester.DoNotRetryError, match=says) as raised:
        ingest(bias)
    assert "secret" not in str(raised.value)


def test_threads_may_call_at_once(archive, tmp_path):
    paths = [write_synthetic_frame(tmp_path / "f", is_master=False, seed=n) for n in range(1, 9)]
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda path: ingest(path)["frameid"], paths))
    assert sorted(ids) == sorted(frame["id"] for frame in archive.frames())
    assert [recorded(frame_id).filename for frame_id in ids] == [path.name for path in paths]


def test_a_forked_process_may_call_after_its_parent_has(archive, tmp_path):
    first, second = (
        write_synthetic_frame(tmp_path / str(n), is_master=False, seed=n) for n in (1, 2)
    )
    parent = ingest(first)["frameid"]
    child = subprocess.run(
        [sys.executable, "-c", FORK, first, second], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    assert sorted(frame["id"] for frame in archive.frames()) == [parent, int(child.stdout)]
