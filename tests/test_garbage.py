"""The search for garbage is put off for a block, and is afterwards as it was."""

import gc

import pytest

from calrecords.garbage import no_garbage_search


@pytest.fixture(autouse=True)
def as_it_was():
    was_on = gc.isenabled()
    yield
    (gc.enable if was_on else gc.disable)()


def test_it_goes_on_after_the_block_also_after_an_error():
    gc.enable()
    with no_garbage_search():
        assert not gc.isenabled()
        with no_garbage_search():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), no_garbage_search():
        1 / 0  # noqa: B018
    assert gc.isenabled()


def test_it_stays_off_for_who_has_turned_it_off():
    gc.disable()
    with no_garbage_search():
        assert not gc.isenabled()
    assert not gc.isenabled()
