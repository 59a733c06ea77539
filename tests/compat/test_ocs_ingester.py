"""The OCS functions by themselves: their signatures, their steps, their four exceptions."""

import inspect
import io
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

import calrecords
from calrecords.compat import ocs_ingester
from calrecords.compat.ocs_ingester import exceptions, ingester
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.testing import ScienceArchive

FUNCTIONS = (
    "frame_exists",
    "ingest_archive_record",
    "upload_file_and_ingest_to_archive",
    "upload_file_to_file_store",
    "validate_fits_and_create_archive_record",
)
EXCEPTIONS = ("BackoffRetryError", "DoNotRetryError", "NonFatalDoNotRetryError", "RetryError")


def ingest(path, **named):
    with path.open("rb") as fileobj:
        return ocs_ingester.upload_file_and_ingest_to_archive(fileobj, **named)


def recorded(frame_id):
    with calrecords.connect() as cal:
        return cal.get(frame_id=frame_id)


def test_takes_the_arguments_of_the_original(original):
    [theirs] = original.run({}, [("parameters", {})])
    assert sorted(theirs) == list(FUNCTIONS)
    for name in FUNCTIONS:
        ours = inspect.signature(getattr(ingester, name)).parameters
        assert list(ours) == theirs[name]
        assert all(p.kind is p.POSITIONAL_OR_KEYWORD for p in ours.values())


def test_the_exceptions_are_those_that_every_error_of_ours_inherits():
    for name in EXCEPTIONS:
        assert getattr(exceptions, name) is getattr(calrecords.errors, name)
        assert getattr(ocs_ingester, name) is getattr(exceptions, name)


def test_one_call_stores_registers_and_records(archive, bias):
    answer = ingest(bias)
    [frame] = archive.frames()
    assert answer["frameid"] == frame["id"]
    assert answer["filename"] == bias.name
    assert answer["url"].startswith(archive.root)
    [version] = frame["versions"]
    assert answer["version_set"] == [
        {"key": version["key"], "md5": version["md5"], "extension": ".fits"}
    ]
    assert recorded(frame["id"]).version.md5 == version["md5"]


def test_a_frame_that_is_there_is_said_to_be_with_its_id(archive, bias):
    frame_id = ingest(bias)["frameid"]
    with pytest.raises(ocs_ingester.NonFatalDoNotRetryError, match=f"frame {frame_id}$"):
        ingest(bias)
    assert len(archive.versions()) == 1


def test_step_by_step_is_the_same_as_one_call(archive, bias):
    with bias.open("rb") as fileobj:
        assert not ocs_ingester.frame_exists(fileobj)
        record = ocs_ingester.validate_fits_and_create_archive_record(fileobj)
        assert not archive.frames()
        version = ocs_ingester.upload_file_to_file_store(fileobj)
        assert not archive.frames()
        answer = ocs_ingester.ingest_archive_record(version, record)
        assert ocs_ingester.frame_exists(fileobj)
    assert answer is record
    [frame] = archive.frames()
    assert answer["frameid"] == frame["id"]
    assert answer["version_set"] == [version]
    kept = recorded(frame["id"])
    assert kept.version.version_key == version["key"]
    with calrecords.connect() as cal:
        assert cal.resume() == []
        for source in ("store", "archive"):
            assert cal.fetch(kept, source=source).read_bytes() == bias.read_bytes()


def test_an_edited_record_is_the_one_that_the_archive_gets(archive, bias):
    with bias.open("rb") as fileobj:
        record = ocs_ingester.validate_fits_and_create_archive_record(fileobj)
        version = ocs_ingester.upload_file_to_file_store(fileobj)
    record["target_name"] = "by hand"
    ocs_ingester.ingest_archive_record(version, record)
    assert archive.frames()[0]["target_name"] == "by hand"


def test_an_upload_that_is_never_registered_can_be_resumed(archive, bias):
    with bias.open("rb") as fileobj:
        ocs_ingester.upload_file_to_file_store(fileobj)
    with calrecords.connect() as cal:
        [result] = cal.resume()
        assert result.frame_id == archive.frames()[0]["id"]


def test_a_version_uploaded_by_another_tool_is_registered_and_recorded(archive, bias):
    with bias.open("rb") as fileobj:
        record = ocs_ingester.validate_fits_and_create_archive_record(fileobj)
    md5 = calrecords.DataFile(bias, metadata=record["headers"]).digest().md5
    version = {"key": md5, "md5": md5, "extension": ".fits"}
    answer = ocs_ingester.ingest_archive_record(version, record)
    assert recorded(answer["frameid"]).version.md5 == md5


def test_an_upload_without_an_archive_is_only_stored(archive, bias, tmp_path, monkeypatch):
    monkeypatch.delenv("API_ROOT")
    with bias.open("rb") as fileobj:
        version = ocs_ingester.upload_file_to_file_store(fileobj)
        assert version["extension"] == ".fits"
        [stored] = (tmp_path / "store" / "lsc").rglob(bias.name)
        assert stored.read_bytes() == bias.read_bytes()
        with pytest.raises(ocs_ingester.DoNotRetryError, match="API_ROOT"):
            ocs_ingester.frame_exists(fileobj)


def test_bytes_without_a_file_are_named_by_path(archive, bias):
    fileobj = io.BytesIO(bias.read_bytes())
    with pytest.raises(ocs_ingester.DoNotRetryError, match="no name"):
        ocs_ingester.upload_file_and_ingest_to_archive(fileobj)
    answer = ocs_ingester.upload_file_and_ingest_to_archive(fileobj, f"/data/{bias.name}")
    assert answer["filename"] == bias.name


def test_a_document_is_described_by_its_metadata(archive, tmp_path):
    path = tmp_path / "summary.pdf"
    path.write_bytes(b"%PDF-1.4\n%%EOF\n")
    with pytest.raises(ocs_ingester.DoNotRetryError, match="PROPID"):
        ingest(path)
    metadata = {
        "PROPID": "calib",
        "DATE-OBS": "2026-01-01T00:00:00",
        "DAY-OBS": "20260101",
        "INSTRUME": "kb70",
        "SITEID": "cpt",
        "TELID": "1m0a",
        "OBSTYPE": "BIAS",
        "BLKUID": 1,
        "L1IDBIAS": "a.fits.fz",
    }
    answer = ingest(path, file_metadata=metadata)
    assert answer["headers"]["PROPID"] == "calib"
    assert answer["related_frame_filenames"] == ["a"]


def test_required_and_dropped_keywords_are_those_of_the_call(archive, bias):
    with pytest.raises(ocs_ingester.DoNotRetryError, match="NOTHERE"):
        ingest(bias, required_headers=("NOTHERE",))
    assert "GAIN" not in ingest(bias, blacklist_headers=("GAIN",))["headers"]


@pytest.mark.parametrize(
    ("named", "what"), [({}, "thumbnail_size"), ({"thumbnail_size": "small"}, "is_thumbnail")]
)
def test_thumbnails_are_refused_clearly(archive, bias, named, what):
    with pytest.raises(ocs_ingester.DoNotRetryError, match=what):
        ingest(bias, is_thumbnail=True, **named)


def test_a_wrong_token_is_not_to_be_retried_and_is_not_told(archive, bias):
    with pytest.raises(ocs_ingester.DoNotRetryError, match="AUTH_TOKEN") as raised:
        ingest(bias, auth_token="f" * 40)
    assert "f" * 40 not in str(raised.value)


def test_settings_are_read_at_each_call(archive, bias, tmp_path, monkeypatch):
    ingest(bias)
    with ScienceArchive(files=tmp_path / "other") as other:
        monkeypatch.setenv("API_ROOT", other.root)
        monkeypatch.setenv("AUTH_TOKEN", other.token)
        monkeypatch.setenv("FILESYSTEM_STORAGE_ROOT_DIR", str(tmp_path / "other"))
        monkeypatch.setenv("CALRECORDS_DB_URL", str(tmp_path / "other.sqlite"))
        assert ingest(bias)["frameid"] == other.frames()[0]["id"]


def test_an_archive_that_only_a_call_names_has_its_own_records(
    archive, bias, tmp_path, monkeypatch
):
    monkeypatch.delenv("CALRECORDS_DB_URL")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    ingest(bias)
    with ScienceArchive(files=tmp_path / "store") as other:
        answer = ingest(bias, api_root=other.root, auth_token=other.token)
        assert answer["url"].startswith(other.root)
    assert len(list((tmp_path / "data").rglob("*.sqlite"))) == 2


def test_connections_are_kept_between_calls(archive, tmp_path):
    for number in range(1, 4):
        ingest(write_synthetic_frame(tmp_path / "frames", is_master=False, seed=number))
    assert archive.connections == 1


class PrivateProposals(BaseHTTPRequestHandler):
    """An observation portal in which every proposal is private."""

    def do_GET(self):
        body = json.dumps({"id": self.path.strip("/").split("/")[-1], "tags": ["private"]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_the_portals_tags_say_when_a_frame_becomes_public(archive, tmp_path, monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), PrivateProposals) as portal:
        thread = Thread(target=portal.serve_forever)
        thread.start()
        root = f"http://127.0.0.1:{portal.server_port}"
        monkeypatch.setenv("OBSERVATION_PORTAL_BASE_URL", root)
        monkeypatch.setenv("OBSERVATION_PORTAL_API_TOKEN", "0" * 40)
        bias = write_synthetic_frame(
            tmp_path / "frames", dateobs="2026-01-01T00:00:00", extra={"L1PUBDAT": None}
        )
        assert ingest(bias)["public_date"].startswith("3024")
        ocs_ingester.close_connections()
        portal.shutdown()
        thread.join()
