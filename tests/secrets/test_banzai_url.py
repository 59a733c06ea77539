"""The password of the database that records are taken over from is said by nobody."""

import logging
import socket
from urllib.parse import urlsplit

import pytest

import calrecords
from calrecords.cli import main
from calrecords.errors import (
    CalRecordsError,
)
from calrecords.workflows.settings import Settings

PASSWORD = "canary-of-banzai"
TABLES = (
    "CREATE TABLE sites (id VARCHAR(15) PRIMARY KEY)",
    "CREATE TABLE instruments (id INTEGER, site VARCHAR(15), camera VARCHAR(50), name VARCHAR(99))",
    "CREATE TABLE calimages (id INTEGER, type VARCHAR(50), filename VARCHAR(99), dateobs TIMESTAMP,"
    " instrument_id INTEGER, is_master BOOLEAN, is_bad BOOLEAN)",
    "INSERT INTO instruments VALUES (1, 'lsc', 'fa15', 'fa15')",
    "INSERT INTO calimages VALUES (1, 'BIAS', 'a.fits', '2026-01-02', 1, TRUE, TRUE),"
    " (2, 'BIAS', 'b.fits', NULL, 7, TRUE, FALSE)",
    "SELECT 1",
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("CALRECORDS_DB_URL", str(tmp_path / "records.sqlite"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "records.sqlite"


@pytest.fixture
def said(place, capsys, caplog):
    """Return a function that imports in each way, and returns all that is said."""
    level = logging.getLogger("calrecords").level

    def take_over(url):
        caplog.set_level(logging.DEBUG)
        texts = []
        with calrecords.connect() as cal:
            try:
                texts.append(repr(cal.import_records(url)))
            except CalRecordsError as error:
                texts.append(f"{error!r} {error}")
        for words in (["import", url], ["-vv", "import", "--json", url]):
            with pytest.raises(SystemExit):
                main(words)
            texts += capsys.readouterr()
        logging.getLogger("calrecords").setLevel(level)
        return " ".join([*texts, caplog.text])

    return take_over


def test_a_server_that_is_not_there(said):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = said(f"postgresql://reader:{PASSWORD}@127.0.0.1:{port}/banzai?sslpassword={PASSWORD}")
    assert "cannot use the records at postgresql+psycopg://reader:***@127.0.0.1" in text
    assert PASSWORD not in text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader:{0}@{0}@127.0.0.1/banzai",
        "postgresql://reader:{0}@127.0.0.1:{0}/banzai",
        "mysql://reader:{0}@127.0.0.1/banzai",
        "sqlite://reader:{0}@host/banzai?password={0}",
        "postgresql://127.0.0.1:1/banzai?user=reader&password={0}",
        "postgresql://127.0.0.1:1/banzai?no_such_option={0}",
        "://{0}",
    ],
)
def test_a_url_that_cannot_be_used(said, url):
    text = said(url.format(PASSWORD))
    assert "Error" in text
    assert PASSWORD not in text


def test_a_database_that_is_taken_over_and_one_that_is_none(said, place, postgresql_server):
    theirs = postgresql_server.empty()
    url = urlsplit(theirs)
    asked = url._replace(netloc=f"{url.username}:{PASSWORD}@{url.hostname}:{url.port or 5432}")
    if url.password and not url.password.startswith("canary"):
        pytest.skip("this server asks for its own password")
    text = said(asked.geturl())
    assert "is no BANZAI database" in text
    assert PASSWORD not in text
    postgresql_server.sql(theirs, *TABLES)
    text = said(asked.geturl())
    assert "recorded=1" in text
    assert "its instrument, number 7, is in no table" in text
    assert PASSWORD not in text
    assert PASSWORD.encode() not in place.read_bytes()
    assert b"imported from postgresql" in place.read_bytes()
    postgresql_server.drop(theirs)


@pytest.mark.parametrize(
    "written",
    [
        f"postgresql://u:{PASSWORD}@h/d?sslpassword={PASSWORD}",
        f"postgresql:u:{PASSWORD}@h/d",
        f"host=h user=u password={PASSWORD}",
        f"host=h PASSWORD = '{PASSWORD}'",
    ],
)
def test_settings_show_no_password_however_it_was_written(written, tmp_path):
    settings = Settings(environment={"CALRECORDS_DB_URL": written}, folder=tmp_path)
    [value] = [value for value in settings.values() if value.setting.name == "db_url"]
    assert PASSWORD not in f"{settings!r} {value!r} {value.shown()}"
    assert "*" in value.shown()


def test_a_file_is_shown_as_it_is(tmp_path):
    for written in ("/data/a@b/records.sqlite", "C:records.sqlite", "./x:y/records"):
        settings = Settings(environment={"CALRECORDS_DB_URL": written}, folder=tmp_path)
        assert f"db_url={written!r}" in repr(settings)
