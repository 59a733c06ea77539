import os
import signal
import subprocess
import sys
import tempfile

import pytest

from calrecords.workflows.private_folders import PrivateFolder, remove_abandoned

MAKE_AND_WAIT = """
import sys, time
from calrecords.workflows.private_folders import PrivateFolder
made = PrivateFolder()
(made.path / "file").write_bytes(b"x")
print(made.path, flush=True)
time.sleep(600)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def other_process(temporary):
    environment = {**os.environ, "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", MAKE_AND_WAIT]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_it_is_there_until_it_is_removed(temporary):
    made = PrivateFolder()
    assert made.path.parent == temporary
    assert made.path.stat().st_mode & 0o777 == 0o700
    (made.path / "file").touch()
    remove_abandoned()
    assert (made.path / "file").exists()
    for _ in range(2):
        made.remove()
        assert names(temporary) == []


def test_that_of_a_process_at_work_stays(temporary, other_process):
    before = names(temporary)
    remove_abandoned()
    assert names(temporary) == before
    assert "file" in before


def test_that_of_a_killed_process_goes_with_the_next(temporary, other_process):
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    made = PrivateFolder()
    assert names(temporary) == [made.path.name, f"{made.path.name}.lock"]
    made.remove()


def test_a_forked_process_leaves_it_to_its_parent(temporary):
    made = PrivateFolder()
    child = os.fork()
    if child == 0:
        made.remove()
        os._exit(0)
    os.waitpid(child, 0)
    assert made.path.is_dir()
    remove_abandoned()
    assert made.path.is_dir()
    made.remove()


def test_a_link_in_its_place_leads_nowhere(temporary):
    (temporary / "precious").mkdir()
    (temporary / "precious" / "file").touch()
    (temporary / "calrecords-cache-1").symlink_to(temporary / "precious")
    (temporary / "calrecords-cache-1.lock").touch()
    (temporary / "calrecords-cache-2.lock").symlink_to(temporary / "made")
    remove_abandoned()
    assert (temporary / "precious" / "file").exists()
    assert not (temporary / "made").exists()
