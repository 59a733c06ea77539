"""Processes that are killed at random, and before each call, lose and double nothing.

The figures of the README: python tests/chaos/run.py, and python tests/chaos/each_call.py
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def figures(script, *arguments):
    """Run a script of this folder and return what it prints, once nothing is wrong."""
    command = [sys.executable, "-W", "error", str(FOLDER / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    figure = json.loads(done.stdout)
    wrong = {name: some for name, some in figure["wrong"].items() if some}
    assert wrong == {}, figure.get("histories")
    assert done.returncode == 0
    return figure


@pytest.mark.parametrize(
    ("store", "database", "ingestions"),
    [("file system", "SQLite", 100), ("S3", "SQLite", 30), ("file system", "PostgreSQL", 50)],
)
def test_random_kills_lose_and_double_nothing(store, database, ingestions, request):
    asked = ["--ingestions", ingestions, "--kills", ingestions * 2 // 5, "--store", store]
    if database == "PostgreSQL":
        server = request.getfixturevalue("postgresql_server")
        place = server.empty()
        request.addfinalizer(lambda: server.drop(place))
        asked += ["--db", place]
    figure = figures("run.py", *asked, "--json")
    assert figure["kills"] > ingestions // 4
    assert figure["faults"] > 0
    assert figure["recorded"] == figure["contents"] >= figure["frames"]
    assert figure["database"] == database


@pytest.mark.parametrize(("store", "stride"), [("file system", 8), ("S3", 19)])
def test_kills_before_each_call_lose_and_double_nothing(store, stride):
    figure = figures("each_call.py", "--store", store, "--stride", stride)
    assert len(figure["kills"]) == 6
    assert all(kills > 30 // stride for kills in figure["kills"].values())
    assert figure["recorded"] == figure["contents"]
