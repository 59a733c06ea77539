"""A doctor says what is wrong with what calrecords depends on, and what to do about it."""

import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from calrecords.records import RecordDatabase
from calrecords.records.engine import WAL_IS_SAFE_FROM
from calrecords.records.inspecting import DatabaseSoftware, software_of
from calrecords.testing import LoopbackS3, ScienceArchive
from calrecords.workflows.diagnosis import Health, diagnose
from calrecords.workflows.settings import Settings

IS_SAFE = sqlite3.sqlite_version_info >= WAL_IS_SAFE_FROM


@pytest.fixture
def doctor(tmp_path):
    """Return a function that gives what is found of everything, by subject."""
    usual = {
        "CALRECORDS_DB_URL": str(tmp_path / "records.sqlite"),
        "CALRECORDS_CACHE_DIR": str(tmp_path / "cache"),
        "FILESYSTEM_STORAGE_ROOT_DIR": str(tmp_path / "store"),
        "HOME": str(tmp_path),
    }

    def look(*, mounts=None, **variables):
        settings = Settings(environment={**usual, **variables}, folder=tmp_path)
        named = {"mounts": mounts} if mounts else {}
        found = list(diagnose(settings, **named))
        assert len({one.subject for one in found}) == len(found)
        return {one.subject: one for one in found}

    return look


@pytest.fixture
def archive(tmp_path):
    with ScienceArchive(files=tmp_path / "store") as made:
        yield made


@pytest.fixture
def records(tmp_path):
    with closing(RecordDatabase(tmp_path / "records.sqlite")) as database:
        database.open()
    return tmp_path / "records.sqlite"


def at(archive, token=None):
    return {"API_ROOT": archive.root, "AUTH_TOKEN": token or archive.token}


def test_all_is_well_where_all_is_well(doctor, archive, records):
    found = doctor(**at(archive))
    assert {subject: one.health for subject, one in found.items()} == dict.fromkeys(
        [
            *("settings", "data files", "records", "database", "file systems", "file store"),
            *("archive", "archive's clock", "archive's token", "cache"),
        ],
        Health.OK,
    )


def test_the_version_of_sqlite_and_its_fault_are_said(doctor, records):
    message = doctor()["database"].message
    mode = "wal" if IS_SAFE else "persist"
    assert f"SQLite {sqlite3.sqlite_version}, journal mode {mode}" in message
    assert ("before 3.51.3" in message) is not IS_SAFE


def test_a_file_that_is_not_there_yet_is_not_made(doctor, tmp_path):
    found = doctor()
    assert (found["records"].health, found["database"].health) == (Health.WARNING, Health.OK)
    assert sqlite3.sqlite_version in found["database"].message
    assert not (tmp_path / "records.sqlite").exists()


@pytest.mark.skipif(IS_SAFE, reason="the write-ahead log of this SQLite is safe")
def test_a_log_that_can_corrupt_records_is_warned_of(doctor, records):
    with closing(sqlite3.connect(records)) as other:
        other.execute("PRAGMA journal_mode = wal")
        other.execute("SELECT * FROM sites")
        found = doctor()["database"]
    assert found.health is Health.WARNING
    assert "journal mode wal; the write-ahead log, which can corrupt a database" in found.message


def test_a_server_says_its_version(doctor, postgresql_server):
    place = postgresql_server.migrated()
    found = doctor(CALRECORDS_DB_URL=place)
    with closing(RecordDatabase(place)) as database:
        software = software_of(database)
    postgresql_server.give_back(place)
    assert software == DatabaseSoftware("PostgreSQL", software.version, None, has_safe_log=True)
    assert found["database"].message == f"PostgreSQL {software.version}"
    assert found["file systems"].message.startswith("cache on ")


def test_records_that_can_only_be_read_are_warned_of(doctor, postgresql_server):
    place = postgresql_server.migrated()
    found = doctor(CALRECORDS_DB_URL=f"{place}?options=-cdefault_transaction_read_only%3Don")
    assert found["records"].health is Health.WARNING
    assert "0 frames, which can only be read: " in found["records"].message
    assert doctor(CALRECORDS_DB_URL=place)["records"].health is Health.OK
    assert postgresql_server.sql(place, "SELECT count(*) FROM sites") == [(0,)]
    postgresql_server.give_back(place)


def test_records_that_lack_a_table_are_not_well(doctor, records):
    with closing(sqlite3.connect(records)) as behind:
        behind.execute("DROP TABLE frame_inputs")
    found = doctor()["records"]
    assert found.health is Health.FAILURE
    assert "lacks frame_inputs; put a backup in its place" in found.message


def mounted(tmp_path, kind):
    mounts = tmp_path / "mountinfo"
    place = str(tmp_path).replace(" ", "\\040")
    mounts.write_text(f"21 1 254:0 / / rw - ext4 /dev/vda rw\n22 21 0:4 / {place} rw - {kind} x rw")
    return mounts


def test_records_and_a_cache_on_a_network_file_system_are_warned_of(doctor, records, tmp_path):
    found = doctor(mounts=mounted(tmp_path, "nfs4"))["file systems"]
    assert found.health is Health.WARNING
    assert f"records ({records}): nfs4 is a network file system; SQLite" in found.message
    assert f"cache ({tmp_path / 'cache'}): nfs4 is a network file system" in found.message
    assert "use PostgreSQL" in found.message
    assert doctor(mounts=mounted(tmp_path, "xfs"))["file systems"].message == (
        "records on xfs, cache on xfs"
    )
    unknown = doctor(mounts=tmp_path / "no such file")["file systems"]
    assert (unknown.health, "cannot be told" in unknown.message) == (Health.OK, True)


class Ahead(BaseHTTPRequestHandler):
    """An archive that is well, and whose clock is ahead of ours."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'"ok"')

    def do_OPTIONS(self):
        self.send_response(403)
        self.end_headers()

    def send_response(self, code, message=None):
        self.send_response_only(code, message)
        if self.server.ahead_s is not None:
            self.send_header("Date", self.date_time_string(time.time() + self.server.ahead_s))

    def log_message(self, *_):
        pass


@contextmanager
def running(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.root = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


class Portal(Ahead):
    """A portal that knows no proposal."""

    def do_GET(self):
        body = b'{"detail": "Not found."}'
        self.send_response_only(404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def portal():
    """Return the root of a portal."""
    with running(Portal) as server:
        yield server.root


@pytest.fixture
def clock():
    """Return a function that gives the root of an archive whose clock is so much ahead."""
    with running(Ahead) as server:

        def root(ahead_s):
            server.ahead_s = ahead_s
            return server.root

        yield root


@pytest.mark.parametrize(
    ("ahead_s", "health", "said"),
    [
        (0, Health.OK, "ours is "),
        (30, Health.OK, " s behind"),
        (3600, Health.FAILURE, "ours is 3600 s behind: addresses that are signed fail"),
        (300, Health.WARNING, "s behind: set this machine's clock"),
        (-300, Health.WARNING, "s ahead: set this machine's clock"),
        (None, Health.WARNING, "does not say what time it is"),
    ],
)
def test_a_clock_that_is_not_the_archives_is_said(doctor, clock, ahead_s, health, said):
    found = doctor(API_ROOT=clock(ahead_s))["archive's clock"]
    message = found.message.replace("3599", "3600")
    assert (found.health, said in message) == (health, True), message


@pytest.mark.parametrize(
    ("rights", "health", "said"),
    [
        ((True, True), Health.OK, "it may list versions, and register BIAS"),
        ((False, True), Health.WARNING, "lacks the staff right"),
        ((True, False), Health.FAILURE, "superuser"),
        ((False, False), Health.FAILURE, "superuser"),
    ],
)
def test_what_a_token_may_do_is_said(doctor, archive, rights, health, said):
    token = archive.add_user(is_staff=rights[0], is_superuser=rights[1])
    found = doctor(**at(archive, token))["archive's token"]
    assert (found.health, said in found.message) == (health, True), found.message
    assert token not in found.message
    assert archive.frames() == []


def test_a_token_that_the_archive_does_not_know_is_said(doctor, archive):
    found = doctor(**at(archive, "0" * 40))["archive"]
    assert (found.health, "AUTH_TOKEN" in found.message) == (Health.FAILURE, True)
    assert "0" * 40 not in found.message


def test_an_archive_that_is_not_well_is_not_asked_on(doctor, archive, tmp_path):
    found = doctor(API_ROOT=archive.root + "elsewhere/")
    assert found["archive"].health is Health.FAILURE
    assert [subject for subject in found if "archive" in subject] == ["archive"]


def test_a_portal_that_is_named_is_looked_at(doctor, portal):
    def found(root, **more):
        one = doctor(OBSERVATION_PORTAL_BASE_URL=root, **more)["observation portal"]
        return one.health, one.message

    assert found(portal) == (Health.OK, f"{portal} answers, and takes the token")
    offline = found(portal, CALRECORDS_OFFLINE="true")
    assert offline == (Health.OK, "not asked, since CALRECORDS_OFFLINE is set")
    health, message = found("ftp://portal/")
    assert (health, "OBSERVATION_PORTAL_BASE_URL" in message) == (Health.FAILURE, True)


def test_settings_that_cannot_be_used_are_findings_like_others(doctor):
    found = doctor(CALRECORDS_DB_URL="mysql://u:topsecret@h/d", API_ROOT="ftp://x/")
    assert (found["records"].health, found["archive"].health) == (Health.FAILURE, Health.FAILURE)
    assert found["cache"].health is Health.OK
    assert "topsecret" not in str(found)


def test_a_store_is_tried_with_a_file_that_is_removed_again(doctor, tmp_path):
    with LoopbackS3() as s3:
        found = doctor(
            FILESTORE_TYPE="s3",
            BUCKET=s3.bucket,
            S3_ENDPOINT_URL=s3.endpoint_url,
            S3_ADDRESSING_STYLE="path",
        )
        assert found["file store"].health is Health.OK
        assert s3.object_keys() == []
    unversioned = LoopbackS3(versioned=False)
    with unversioned as s3:
        found = doctor(
            FILESTORE_TYPE="s3",
            BUCKET=s3.bucket,
            S3_ENDPOINT_URL=s3.endpoint_url,
            S3_ADDRESSING_STYLE="path",
        )
    assert (found["file store"].health, "versions" in found["file store"].message) == (
        Health.FAILURE,
        True,
    )
