"""Harmed files of every kind end in our errors, soon, and leave nothing behind.

The figure for twenty thousand: python tests/hostile/mutated_files.py --count 20000
"""

import pytest
from mutants import KINDS, Mutator
from mutated_files import measure

COUNT = 250


@pytest.fixture(scope="module")
def sources(shared_data):
    return shared_data / "lco"


def test_a_mutant_is_made_again_by_its_number(sources):
    assert Mutator(sources, 3).make(7) == Mutator(sources, 3).make(7)
    assert Mutator(sources, 3).make(7).data != Mutator(sources, 4).make(7).data


def test_mutated_files_end_in_our_errors_soon_and_leave_nothing(sources, tmp_path):
    figure = measure(tmp_path, sources, range(COUNT), seed=1)
    assert figure.faults == []
    assert figure.left_behind == []
    assert figure.files == COUNT
    assert set(figure.kinds) == set(KINDS)
    assert figure.registered > COUNT / 10
    assert figure.refused > COUNT / 2
