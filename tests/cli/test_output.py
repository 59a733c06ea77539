"""What is printed steers no terminal, and is JSON where that was asked for."""

import json
import os
import subprocess
import sys

import pytest

from calrecords.cli.output import harmless

ODD = os.fsdecode(b"no\x1b]0;mine\x07such\xff\xe2\x80\xae.fits")


def test_what_steers_a_terminal_is_escaped_and_all_else_is_not():
    plain = "a line\n\tof é and 星"
    assert harmless(plain) == plain
    assert harmless("\x1b[2J\r\x9b\u202e\udcff\0") == r"\x1b[2J\r\x9b\u202e\udcff\x00"


@pytest.fixture
def said(tmp_path):
    """Return a function that runs a verb where only UTF-8 can be printed."""

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-m", "calrecords", *words],
            cwd=tmp_path,
            env={
                **os.environ,
                "CALRECORDS_DB_URL": str(tmp_path / "records.sqlite"),
                "FILESYSTEM_STORAGE_ROOT_DIR": str(tmp_path / "store"),
                "PYTHONIOENCODING": "utf-8:strict",
            },
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr.decode("utf-8")

    return run


@pytest.mark.parametrize("verb", ["register", "best"])
def test_a_file_with_an_odd_name_is_spoken_of_all_the_same(said, verb):
    words = [verb, ODD] if verb == "register" else [verb, ODD, "BIAS"]
    code, out, err = said(*words)
    assert (code != 0, out) == (True, b"")
    assert r"no\x1b]0;mine\x07such\udcff\u202e.fits" in err
    assert not set(err) & set("\x1b\x07\u202e")


def test_json_gives_an_odd_name_back_as_it_is(said):
    code, out, err = said("register", "--json", ODD)
    document = json.loads(out)
    assert document[0]["path"] == ODD
    assert set(err) <= {c for c in err if c.isprintable() or c == "\n"}
    assert code == 3
