"""Where a records database is: every spelling a user may try, and no secret shown."""

from pathlib import Path
from urllib.parse import quote

import pytest

from calrecords.errors import ConfigurationError
from calrecords.records.urls import database_url, shown

HOME = Path.home()
HERE = Path.cwd()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (Path("/data/records.sqlite"), "sqlite:////data/records.sqlite"),
        ("/data/records.sqlite", "sqlite:////data/records.sqlite"),
        ("records.sqlite", f"sqlite:///{HERE}/records.sqlite"),
        ("~/records.sqlite", f"sqlite:///{HOME}/records.sqlite"),
        (Path("~/records.sqlite"), f"sqlite:///{HOME}/records.sqlite"),
        ("night 1/records.sqlite", f"sqlite:///{HERE}/night 1/records.sqlite"),
        ("night=1/records.sqlite", f"sqlite:///{HERE}/night%3D1/records.sqlite"),
        ("night=1.sqlite", f"sqlite:///{HERE}/night%3D1.sqlite"),
        ("./night=1", f"sqlite:///{HERE}/night%3D1"),
        ("sqlite:////data/records.sqlite", "sqlite:////data/records.sqlite"),
        ("sqlite:///records.sqlite", f"sqlite:///{HERE}/records.sqlite"),
        ("sqlite+pysqlite:////data/records.sqlite", "sqlite:////data/records.sqlite"),
        ("sqlite+aiosqlite:////data/records.sqlite", "sqlite:////data/records.sqlite"),
        ("postgresql://db.example/records", "postgresql+psycopg://db.example/records"),
        ("postgres://u@db.example:5433/records", "postgresql+psycopg://u@db.example:5433/records"),
        ("postgresql+asyncpg://u@h/n", "postgresql+psycopg://u@h/n"),
        ("postgresql+psycopg2://u@[::1]:5432/n", "postgresql+psycopg://u@[::1]:5432/n"),
        ("postgresql://h/n?sslmode=require", "postgresql+psycopg://h/n?sslmode=require"),
        ("postgresql://u:a?b/c@h/n", "postgresql+psycopg://u:a%3Fb%2Fc@h/n"),
        ("postgresql:///n?host=/run/pg", "postgresql+psycopg:///n?host=%2Frun%2Fpg"),
    ],
)
def test_reads_what_a_user_writes(written, read):
    assert database_url(written).render_as_string(hide_password=False) == read


@pytest.mark.parametrize("password", ["secret", "s@cret", "se/cret", "se:cret", "s%cret", "s[1]?#"])
def test_a_password_is_kept_and_never_shown(password):
    url = database_url(f"postgresql://operator:{quote(password, safe='')}@db.example/records")
    assert url.password == password
    assert shown(url) == "postgresql+psycopg://operator:***@db.example/records"


def test_options_are_never_shown_since_they_may_hold_a_password():
    url = database_url("postgresql://operator@db.example/records?password=secret&sslkey=secret")
    assert shown(url) == "postgresql+psycopg://operator@db.example/records"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("mysql://operator:secret@db/records", "not in mysql; change CALRECORDS_DB_URL"),
        ("oracle://operator:secret@db/records", "not in oracle"),
        ("://secret", "cannot be read; write sqlite:///FILE or postgresql://USER@HOST/NAME"),
        ("postgresql://operator:secret@db:port/records", "cannot be read"),
        ("postgresql://operator:secret@db:99x/records", "cannot be read"),
        ("postgresql:secret@db", "cannot be read"),
        ("sqlite:records.sqlite", "cannot be read"),
        ("SQLITE:/records.sqlite", "cannot be read"),
        ("", "would be lost; name a file: sqlite:///FILE"),
        (":memory:", "would be lost"),
        ("sqlite://", "would be lost"),
        ("sqlite:///", "would be lost"),
        ("sqlite:///:memory:", "would be lost"),
        ("sqlite:///file:records?mode=memory&uri=true", "no host and no options"),
        ("sqlite:///records.sqlite?timeout=1", "no host and no options"),
        ("sqlite://host/records.sqlite", "no host and no options"),
        ("~nobody-of-this-name/records.sqlite", "no home folder"),
        ("rec\0ords.sqlite", "NUL"),
    ],
)
def test_refuses_what_is_no_database_for_records(written, says):
    with pytest.raises(ConfigurationError) as refused:
        database_url(written)
    assert says in str(refused.value)
    assert "secret" not in f"{refused.value} {hidden(refused.value)}"
    assert refused.value.__cause__ is None


def hidden(error):
    """Return what an error came up in, which a debugger shows though a traceback does not."""
    return "" if error.__context__ is None else repr(error.__context__)


@pytest.mark.parametrize(
    "database",
    [
        "postgresql://me:p@ss@host/records",
        "postgresql://me:p@ss/word@host/records",
        "postgresql://me:5@ss?hunter2@host/records",
        "host=db.example.org password=hunter2 dbname=records",
        "sslmode=require password=hunter2 dbname=records",
        "passfile=/etc/pass password = 'hunter2'",
        "PGPASSWORD=hunter2",
        "PGPASSWORD=hunter2/a.b",
        "export PGPASSWORD=hunter2",
        "CALRECORDS_DB_URL=//me:hunter2@host/records",
        "CALRECORDS_DB_URL=postgresql://me:hunter2@host/records",
        "pw=hunter2",
        "postgresql://me:hunter2\udcff@host/records",
        "postgresql://me@host/records?password=hunter2\udcff",
        "postgresql://me:hunter2\udcff@host:port/records",
        "me:hunter2@host/records",
        "//me:hunter2@host/records",
        "postgresql//me:hunter2@host/records",
    ],
)
def test_a_password_that_is_not_encoded_is_refused_without_a_word_of_it(database):
    with pytest.raises(ConfigurationError, match="CALRECORDS_DB_URL") as caught:
        database_url(database)
    said = f"{caught.value} {hidden(caught.value)}"
    assert [part for part in ("p@ss", "ss@host", "hunter2") if part in said] == []


def test_a_file_whose_name_is_no_utf_8_is_shown_with_what_it_is_made_of():
    url = database_url("/data/nuit-\udce9t\udce9.sqlite")
    assert url.database == "/data/nuit-\udce9t\udce9.sqlite"
    assert shown(url) == "sqlite:////data/nuit-%5Cudce9t%5Cudce9.sqlite"
