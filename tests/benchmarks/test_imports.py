"""What starting costs, as a difference to a bare Python in the same run.

Run with: python -m pytest tests/benchmarks/test_imports.py --benchmark-enable
"""

import subprocess
import sys
import time

import pytest

ROUNDS = 7
HEAVY = {"astropy", "numpy", "boto3", "botocore", "sqlalchemy", "alembic", "requests", "rich"}


def seconds(*words):
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    return time.perf_counter() - began


def fastest(*words):
    return min(seconds(*words) for _ in range(ROUNDS))


@pytest.mark.parametrize(
    ("what", "allowed_s"),
    [
        (["-c", "import calrecords"], 0.5),
        (["-m", "calrecords", "--help"], 0.3),
    ],
    ids=["import calrecords", "calrecords --help"],
)
def test_starting_is_cheap(what, allowed_s, benchmark):
    seconds(*what)
    bare = fastest("-c", "pass")
    benchmark.pedantic(seconds, args=what, rounds=ROUNDS)
    costs = fastest(*what) - bare
    benchmark.extra_info.update(bare_s=bare, more_than_bare_s=costs)
    assert costs < allowed_s


@pytest.mark.parametrize(
    "code",
    [
        "import calrecords",
        "import calrecords.testing.plugin",
        "from calrecords.cli.app import calrecords; calrecords(['--help'], standalone_mode=False)",
    ],
)
def test_nothing_heavy_is_imported_until_it_is_used(code):
    tell = f"{code}; import sys; print(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", tell], check=True, capture_output=True, text=True)
    assert HEAVY & {name.partition(".")[0] for name in done.stderr.split()} == set()
