"""The library against a small model of archive, store and records, in random order.

A short run is part of the suite. A long one, in other orders each time, and one with the
records in PostgreSQL::

    CALRECORDS_MODEL_EXAMPLES=2000 pytest tests/model
    CALRECORDS_MODEL_EXAMPLES=200 CALRECORDS_MODEL_DATABASE=postgresql pytest tests/model
"""

import itertools
import logging
import os

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from killed_children import Children
from machine import RecordsMachine
from real import Databases, World
from samples import Pool

EXAMPLES = int(os.environ.get("CALRECORDS_MODEL_EXAMPLES", "0"))
STEPS = int(os.environ.get("CALRECORDS_MODEL_STEPS", "30"))
IN_THE_SUITE = 20


@pytest.fixture
def children():
    made = Children()
    yield made
    made.close()


@pytest.fixture
def databases(tmp_path, request):
    server = None
    if os.environ.get("CALRECORDS_MODEL_DATABASE") == "postgresql":
        server = request.getfixturevalue("postgresql_server")
    return Databases(tmp_path, server)


@pytest.fixture
def make_machine(tmp_path, children, databases, monkeypatch):
    """Return a function that makes a new machine with a world of its own."""
    monkeypatch.setenv("CALRECORDS_SPOOL_DIR", "")  # each world sets its own, for itself alone
    if EXAMPLES:  # what is logged is kept until a test ends
        monkeypatch.setattr(logging.root.manager, "disable", logging.WARNING)
    numbers, pool = itertools.count(), Pool(tmp_path / "samples")

    def make():
        folder = tmp_path / f"world-{next(numbers)}"
        return RecordsMachine(lambda: World(folder, pool, databases, children))

    return make


@pytest.mark.parametrize("number", range(1 if EXAMPLES else 4))
def test_whatever_happens_all_is_as_the_model_says(make_machine, number):
    run_state_machine_as_test(
        make_machine if EXAMPLES else seed(number)(make_machine),
        settings=settings(
            max_examples=EXAMPLES or IN_THE_SUITE,
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
