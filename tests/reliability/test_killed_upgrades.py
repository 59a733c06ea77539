"""A killed upgrade leaves the old schema or the new one, no row is lost, and the next finishes.

The figures of the README: python tests/reliability/killed_upgrades.py
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from calrecords.records.migrate import known_revisions

SCRIPT = Path(__file__).parent / "killed_upgrades.py"
FEW = {"sqlite": ["--moments", "4", "--random", "1"], "postgresql": ["--moments", "1"]}


@pytest.mark.parametrize("database", FEW)
def test_killed_upgrades_lose_no_row_and_are_finished_by_the_next(database, request):
    command = [sys.executable, "-W", "error", str(SCRIPT), "--json", "--rows", "20"]
    command += ["--random", "0", *FEW[database]]
    if database == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        place = server.empty()
        request.addfinalizer(lambda: server.drop(place))
        command += ["--db", place]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    figure = json.loads(done.stdout)
    assert (figure["wrong"], figure["lost_rows"], done.returncode) == ([], 0, 0)
    assert set(figure["kills"]) == {"no schema", *known_revisions()[:-1]}
    assert figure["left_old"] + figure["left_new"] == sum(figure["kills"].values()) >= 3
