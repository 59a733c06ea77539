"""A path that was returned holds the right bytes, whoever was killed and whatever was damaged.

The figure for ten thousand: python tests/downloads/broken_fetches.py --fetches 10000
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("broken_fetches.py")


@pytest.mark.parametrize(("store", "fetches"), [("file system", 200), ("S3", 80)])
def test_what_is_returned_is_right_and_nothing_is_left(store, fetches):
    command = [sys.executable, str(SCRIPT), "--fetches", str(fetches), "--store", store]
    command += ["--kill-every", "0.2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    figure = json.loads(done.stdout or f'"{done.stderr}"')
    bad = ("wrong", "foreign", "died", "hung", "strays_left", "not_had_at_last")
    assert {name: figure[name] for name in bad} == {name: [] for name in bad}
    assert set(figure["gone"]) <= {"read-only"}
    assert figure["returned"] > fetches / 2
    assert min(figure["kills"], sum(figure["met"].values()), sum(figure["damages"].values())) > 0
    assert done.returncode == 0
