"""The README's commands for backups are run as they stand, while others write."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.testing import ScienceArchive

TEXT = (Path(__file__).parents[1] / "README.md").read_text()
RECIPE = TEXT.partition("**Back up and restore the records.**")[2].partition("\n**")[0]
SQLITE, POSTGRESQL = re.findall(r"^```sh\n(.*?)^```", RECIPE, re.M | re.S)


def shell(commands, folder, **environment):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env={**os.environ, **environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def steps(block):
    """Return how to back up, and how to restore."""
    backup, mark, restore = block.partition("# restore")
    assert mark
    return backup, mark + restore


class Writer:
    """Records one frame after the other, as fast as it can."""

    def __init__(self, place):
        self.recorded = 0
        self._over = threading.Event()
        self._place = place
        self._thread = threading.Thread(target=self._write)

    def _write(self):
        with calrecords.connect(db=self._place, archive=None) as cal:
            while not self._over.is_set():
                row = {"filename": f"written-{self.recorded}.fits", "obstype": "BIAS"}
                cal.import_records([{**row, "site": "lsc", "camera": "fa01"}])
                self.recorded += 1

    def __enter__(self):
        self._thread.start()
        while self.recorded < 3:
            self._over.wait(0.01)
        return self

    def __exit__(self, *exception):
        self._over.set()
        self._thread.join()


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Return an archive, its settings in the environment, with the folder to work in."""
    monkeypatch.chdir(tmp_path)
    with ScienceArchive(files=tmp_path / "store") as archive:
        for name, value in {
            "API_ROOT": archive.root,
            "AUTH_TOKEN": archive.token,
            "FILESYSTEM_STORAGE_ROOT_DIR": str(tmp_path / "store"),
            "CALRECORDS_CACHE_DIR": str(tmp_path / "cache"),
            "HOME": str(tmp_path),
        }.items():
            monkeypatch.setenv(name, value)
        yield archive


def back_up_and_restore(block, place, restored, folder, *, lose):
    """Return the frame IDs from before and after the backup, and those of the restored."""
    backup, restore = steps(block)
    paths = [write_synthetic_frame(folder, basename=f"frame-{n}", seed=n) for n in range(2)]
    with calrecords.connect(db=place) as cal:
        before = cal.ingest(paths[0]).frame_id
        with Writer(place) as writer:
            at_least = writer.recorded
            shell(backup, folder)
            at_most = writer.recorded + 1
        after = cal.ingest(paths[1]).frame_id
    lose()
    shell(restore, folder)
    with calrecords.connect(db=restored) as cal:
        assert cal.get(frame_id=before).filename == paths[0].name
        written = len(cal.query(obstype="BIAS", row_limit=-1)) - 1
        assert at_least <= written <= at_most
        with pytest.raises(calrecords.errors.RecordNotFoundError):
            cal.get(frame_id=after)
        again = cal.ingest(paths[1])
        assert (again.frame_id, str(again.outcome)) == (after, "already there")


def test_a_sqlite_file_is_backed_up_and_restored(world, tmp_path, monkeypatch):
    file = tmp_path / "records.sqlite"
    monkeypatch.setenv("CALRECORDS_DB_URL", str(file))

    def lose():
        """Lose the file to a process that was killed in the middle of a transaction."""
        with closing(sqlite3.connect(file, isolation_level=None)) as killed:
            killed.execute("PRAGMA cache_size = 1")
            killed.execute("BEGIN IMMEDIATE")
            killed.execute("UPDATE calibration_frames SET obstype = 'GONE'")
            killed.execute("CREATE TABLE lost AS SELECT * FROM frame_versions")
            for beside in ("-journal", "-wal"):
                if Path(f"{file}{beside}").exists():
                    shutil.copy(f"{file}{beside}", f"{tmp_path}/left{beside}")
        file.write_bytes(b"lost")
        for left in tmp_path.glob("left-*"):
            left.rename(tmp_path / left.name.replace("left", "records.sqlite"))
            assert (tmp_path / left.name.replace("left", "records.sqlite")).stat().st_size > 512

    back_up_and_restore(SQLITE, str(file), str(file), tmp_path, lose=lose)
    with closing(sqlite3.connect(file)) as restored:
        assert restored.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.fixture
def postgresql_programs(postgresql_server, monkeypatch):
    """Let the programs of PostgreSQL find the server; return a database, and an unused name."""
    lacking = [name for name in ("pg_dump", "pg_restore", "createdb") if not shutil.which(name)]
    if lacking:
        reason = f"no {', '.join(lacking)} here; apt-get install postgresql-client"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    import psycopg

    place = postgresql_server.migrated()
    url = urlsplit(place)
    found = {"PGHOST": url.hostname, "PGPORT": url.port, "PGUSER": url.username}
    for name, value in (found | {"PGPASSWORD": url.password}).items():
        if value is not None:
            monkeypatch.setenv(name, str(value))
    unused = f"{url.path.strip('/')}_restored"
    yield place, unused
    with closing(psycopg.connect(place, autocommit=True)) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {unused} WITH (FORCE)")
    postgresql_server.drop(place)


def test_a_postgresql_database_is_backed_up_and_restored(
    world, tmp_path, monkeypatch, postgresql_programs
):
    place, unused = postgresql_programs
    monkeypatch.setenv("CALRECORDS_DB_URL", place)
    at, _, name = place.rpartition("/")
    restored = f"{at}/{unused}"
    block = POSTGRESQL.replace("backup.dump calrecords ", f"backup.dump {name} ")
    block = block.replace("createdb restored", f"createdb --template=template0 {unused}")
    block = block.replace("--dbname=restored", f"--dbname={unused}")
    block = block.replace("postgresql:///restored", restored)
    assert block.count(unused) == 3
    back_up_and_restore(block, place, restored, tmp_path, lose=lambda: None)
