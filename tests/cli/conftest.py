"""The command line as a user runs it: in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.testing import ScienceArchive


@dataclass
class Done:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def environment(tmp_path):
    """Return settings that keep everything inside the test's own folder."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "AWS_"))}
    return {
        **kept,
        "HOME": str(home),
        "CALRECORDS_DB_URL": str(tmp_path / "records.sqlite"),
        "CALRECORDS_CACHE_DIR": str(tmp_path / "cache"),
        "FILESYSTEM_STORAGE_ROOT_DIR": str(tmp_path / "store"),
    }


@pytest.fixture
def run(environment, tmp_path):
    def run_calrecords(*words, **more):
        done = subprocess.run(
            [sys.executable, "-m", "calrecords", *map(str, words)],
            cwd=tmp_path,
            env={**environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    return run_calrecords


@pytest.fixture
def archive(tmp_path, environment):
    with ScienceArchive(files=tmp_path / "store") as science_archive:
        environment["API_ROOT"] = science_archive.root
        environment["AUTH_TOKEN"] = science_archive.token
        yield science_archive


@pytest.fixture
def make_frame(tmp_path):
    def make(folder="frames", **details) -> Path:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        return write_synthetic_frame(place, **details)

    return make
