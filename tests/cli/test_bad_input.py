"""Bad input, once: from the API and from the command line, with nothing half-written."""

import socket
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from astropy.io import fits

import calrecords
from calrecords import errors
from calrecords.cli import exit_codes
from calrecords.records import RecordDatabase
from calrecords.testing import LoopbackS3


@dataclass
class Trouble:
    """What is tried, and with which settings."""

    path: Path
    settings: dict = field(default_factory=dict)


def missing_file(at):
    return Trouble(at.folder / "nowhere.fits")


def empty_file(at):
    (at.folder / "empty.fits").touch()
    return Trouble(at.folder / "empty.fits")


def truncated(at):
    path = at.frame()
    path.write_bytes(path.read_bytes()[:-2880])
    return Trouble(path)


def cut_in_the_header(at):
    path = at.frame()
    path.write_bytes(path.read_bytes()[:1000])
    return Trouble(path)


def not_fits(at):
    path = at.folder / "page.fits"
    path.write_text("<html>please log in</html>" * 200)
    return Trouble(path)


def damaged_pixels(at):
    path = at.frame()
    data = bytearray(path.read_bytes())
    data[-2880] ^= 0xFF
    path.write_bytes(data)
    return Trouble(path)


def wrong_extension(at):
    return Trouble(at.frame().rename(at.folder / "frame.xyz"))


def without_a_required_keyword(at):
    path = at.frame()
    with fits.open(path, mode="update", checksum=True) as hdus:
        del hdus[0].header["SITEID"]
    return Trouble(path)


def hostile_site(at):
    return Trouble(at.frame(extra={"SITEID": "../../x"}))


def absolute_site(at):
    return Trouble(at.frame(extra={"SITEID": "/etc"}))


def type_that_the_archive_refuses(at):
    return Trouble(at.frame(obstype="BPM"))


def read_only_store(at):
    (at.folder / "file").touch()
    return Trouble(at.frame(), {"FILESYSTEM_STORAGE_ROOT_DIR": str(at.folder / "file" / "store")})


def wrong_token(at):
    return Trouble(at.frame(), {"AUTH_TOKEN": "0" * 40})


def powerless_token(at):
    return Trouble(
        at.frame(), {"AUTH_TOKEN": at.archive.add_user(is_staff=True, is_superuser=False)}
    )


def no_archive_named(at):
    return Trouble(at.frame(), {"API_ROOT": ""})


def archive_down(at):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return Trouble(at.frame(), {"API_ROOT": f"http://127.0.0.1:{port}/"})


def bucket_missing(at):
    settings = {
        "FILESTORE_TYPE": "s3",
        "BUCKET": "no-such-bucket",
        "S3_ENDPOINT_URL": at.s3.endpoint_url,
        "S3_ADDRESSING_STYLE": "path",
    }
    return Trouble(at.frame(), settings)


def database_too_old(at):
    database = RecordDatabase(at.database)
    database.upgrade()
    database.downgrade("base")
    database.close()
    return Trouble(at.frame())


def database_too_new(at):
    database = RecordDatabase(at.database)
    database.upgrade()
    database.close()
    with sqlite3.connect(at.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    return Trouble(at.frame())


def another_softwares_database(at):
    with sqlite3.connect(at.database) as connection:
        connection.execute("CREATE TABLE calimages (id INTEGER)")
    connection.close()
    return Trouble(at.frame())


def no_database(at):
    at.database.write_bytes(b"not a database, and longer than a header " * 100)
    return Trouble(at.frame())


def another_archives_database(at):
    database = RecordDatabase(at.database)
    database.open()
    database.belongs_to("https://archive.example.org/")
    database.close()
    return Trouble(at.frame())


CASES = [
    (missing_file, errors.DataFileNotFoundError, exit_codes.NOT_FOUND, "nowhere.fits"),
    (empty_file, errors.InvalidFrameError, exit_codes.FAILED, "empty.fits"),
    (truncated, errors.InvalidFrameError, exit_codes.FAILED, "cut short"),
    (cut_in_the_header, errors.InvalidFrameError, exit_codes.FAILED, ".fits"),
    (not_fits, errors.InvalidFrameError, exit_codes.FAILED, "page.fits"),
    (damaged_pixels, errors.InvalidFrameError, exit_codes.FAILED, "DATASUM"),
    (wrong_extension, errors.UnsupportedFileTypeError, exit_codes.FAILED, ".xyz"),
    (without_a_required_keyword, errors.MissingKeywordError, exit_codes.FAILED, "SITEID"),
    (hostile_site, errors.InvalidKeywordError, exit_codes.FAILED, "SITEID"),
    (absolute_site, errors.InvalidKeywordError, exit_codes.FAILED, "SITEID"),
    (type_that_the_archive_refuses, errors.InvalidKeywordError, exit_codes.FAILED, "BPM"),
    (read_only_store, errors.FileStoreError, exit_codes.CONFIGURATION, "store"),
    (wrong_token, errors.ArchiveRefusedError, exit_codes.CONFIGURATION, "AUTH_TOKEN"),
    (powerless_token, errors.ArchiveRefusedError, exit_codes.CONFIGURATION, "superuser"),
    (no_archive_named, errors.ConfigurationError, exit_codes.CONFIGURATION, "API_ROOT"),
    (archive_down, errors.ArchiveUnavailableError, exit_codes.TRY_LATER, "127.0.0.1"),
    (bucket_missing, errors.ConfigurationError, exit_codes.CONFIGURATION, "no-such-bucket"),
    (database_too_old, errors.SchemaError, exit_codes.CONFIGURATION, "calrecords db upgrade"),
    (database_too_new, errors.SchemaError, exit_codes.CONFIGURATION, "9999"),
    (another_softwares_database, errors.SchemaError, exit_codes.CONFIGURATION, "another database"),
    (no_database, errors.SchemaError, exit_codes.CONFIGURATION, "database"),
    (another_archives_database, errors.SchemaError, exit_codes.CONFIGURATION, "API_ROOT"),
]


@dataclass
class Place:
    """Where a case may prepare its trouble."""

    folder: Path
    database: Path
    archive: object
    s3: object
    make: object

    def frame(self, **details):
        return self.make(**details)


@pytest.fixture
def place(tmp_path, archive, make_frame):
    folder = tmp_path / "frames"
    folder.mkdir()
    with LoopbackS3() as s3:
        yield Place(folder, tmp_path / "records.sqlite", archive, s3, make_frame)


def ingest(path, settings):
    store = settings["FILESYSTEM_STORAGE_ROOT_DIR"]
    with calrecords.connect(
        db=settings["CALRECORDS_DB_URL"],
        archive=settings["API_ROOT"] or None,
        token=settings["AUTH_TOKEN"],
        store=None if "BUCKET" in settings else store,
        cache=settings["CALRECORDS_CACHE_DIR"],
    ) as cal:
        return cal.ingest(path, is_master=True)


@pytest.mark.parametrize(
    ("trouble", "error", "code", "said"), CASES, ids=[case[0].__name__ for case in CASES]
)
def test_bad_input_is_a_clear_error_with_nothing_half_written(
    trouble, error, code, said, place, environment, run, monkeypatch
):
    case = trouble(place)
    settings = {**environment, **case.settings}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(error, match=said) as raised:
        ingest(case.path, settings)
    assert isinstance(raised.value, errors.CalRecordsError)
    assert isinstance(raised.value, errors.TransientError | errors.PermanentError)

    done = run("ingest", "--master", case.path, **case.settings)
    assert (done.code, said in done.out + done.err) == (code, True)
    assert settings["AUTH_TOKEN"] not in f"{raised.value!r} {done.out} {done.err}"

    assert place.archive.frames() == []
    assert place.s3.object_keys() == []
    store = Path(settings["FILESYSTEM_STORAGE_ROOT_DIR"])
    left = [path for path in store.rglob("*") if path.is_file()] if store.is_dir() else []
    assert left == []


def test_every_case_is_of_one_of_our_classes():
    assert {issubclass(case[1], errors.CalRecordsError) for case in CASES} == {True}
