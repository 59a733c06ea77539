"""No process that calrecords starts is given a secret, in its arguments or its environment."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.testing import ScienceArchive

PROC = Path("/proc")
WCS = {"RADIUS": 36.0, "RA": "01:00:00", "DEC": "-10:30:00"}

pytestmark = pytest.mark.skipif(not PROC.is_dir(), reason="processes are looked at in /proc")


def processes():
    """Yield the folder of each process, and its words and its environment, as far as known."""
    for folder in PROC.glob("[0-9]*"):
        try:
            yield folder, (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue


class Watch:
    """Looks at the arguments of every process, again and again."""

    def __init__(self, secrets):
        self.seen = set()
        self.looks = 0
        self._secrets = [secret.encode() for secret in secrets]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self):
        while not self._over.wait(0.005):
            for _, words, _ in processes():
                self.seen |= {words for secret in self._secrets if secret in words}
            self.looks += 1

    def go_on(self, looks):
        """Wait until so many looks were taken from now on."""
        last = self.looks + looks
        while self.looks < last:
            self._over.wait(0.01)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


@pytest.fixture
def secrets(postgresql_server, tmp_path, monkeypatch):
    """Return what no other process may know; all of it is in the environment."""
    place = postgresql_server.migrated()
    with ScienceArchive(files=tmp_path / "store") as archive:
        for name, value in {
            "API_ROOT": archive.root,
            "AUTH_TOKEN": archive.token,
            "CALRECORDS_DB_URL": place,
            "CALRECORDS_CACHE_DIR": str(tmp_path / "cache"),
            "CALRECORDS_SKY_AREA": "true",
            "FILESYSTEM_STORAGE_ROOT_DIR": str(tmp_path / "store"),
            "AWS_SECRET_ACCESS_KEY": "canary-secret-key",
        }.items():
            monkeypatch.setenv(name, value)
        password = urlsplit(place).password or "the server asks for none"
        yield archive.token, password, "canary-secret-key"
    postgresql_server.drop(place)


def test_what_computes_the_area_on_the_sky_knows_no_secret(secrets, tmp_path, monkeypatch):
    path = write_synthetic_frame(tmp_path, extra=WCS, compress=True)
    with Watch(secrets) as watch, calrecords.connect() as cal:
        frame = cal.ingest(path, is_master=True)
        cal.fetch(frame.frame, source="archive")
        watch.go_on(2)
    assert watch.seen == set()
    mine = [
        (words, environment)
        for folder, words, environment in processes()
        if b"sky_area_process" in words and f"\nPPid:\t{os.getpid()}\n" in status(folder)
    ]
    assert len(mine) == 1
    assert [secret for secret in secrets if secret.encode() in b"".join(mine[0])] == []


def status(folder):
    try:
        return (folder / "status").read_text()
    except OSError:
        return ""


def test_no_command_puts_a_secret_into_the_arguments_of_a_process(secrets, tmp_path):
    path = write_synthetic_frame(tmp_path, extra=WCS)
    with Watch(secrets) as watch:
        for words in (["ingest", "--master", path], ["audit"], ["doctor"], ["fetch", path.name]):
            subprocess.run(
                [sys.executable, "-m", "calrecords", *map(str, words)],
                cwd=tmp_path,
                capture_output=True,
                check=False,
            )
    assert watch.looks > 3
    assert watch.seen == set()


def test_a_secret_in_arguments_would_be_seen():
    command = [sys.executable, "-c", "input()", "canary-in-arguments"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        with Watch(["canary-in-arguments"]) as watch:
            watch.go_on(2)
        process.communicate(b"\n")
    assert len(watch.seen) == 1
