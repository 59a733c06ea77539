"""A header that names what each fibre saw says which fibres were lit; no other does."""

import pytest

from calrecords.datafiles import HeaderMapping, LcoFitsFile, read_facts
from calrecords.datafiles.fibers import lit_fibers

HEADER = {"OBSTYPE": "TARGET", "SITEID": "lsc", "INSTRUME": "fa09"}


def lit(digits):
    return {f"fiber{number}_lit": digit for number, digit in enumerate(digits)}


@pytest.mark.parametrize(
    ("contents", "digits"),
    [
        ("thar&thar&none", "110"),
        ("none&thar&thar", "011"),
        ("HD 12345&ThAr&none", "110"),
        ("None&ThAr&WASP-43 ", "011"),
        ("tung & tung & NONE", "110"),
        ("none&thar&none", "010"),
        ("none&none&none", "000"),
        ("star&thar&nonesuch", "111"),
        ("thar&thar", ""),
        ("M 44 & M 67&thar&none", ""),
        ("thar&&none", ""),
        ("", ""),
        ("auto_focus", ""),
        (None, ""),
        (True, ""),
        (7, ""),
    ],
)
def test_a_fibre_is_lit_unless_it_saw_nothing(contents, digits):
    assert lit_fibers(contents) == lit(digits)


def test_the_facts_of_a_header_have_them_beside_the_keyword():
    written = {**HEADER, "OBJECTS": "HD 12345&thar&none"}
    assert read_facts(written).attributes == {"OBJECTS": "HD 12345&thar&none", **lit("110")}
    assert read_facts({**HEADER, "OBJECTS": None}).attributes == {}


def test_another_keyword_may_say_it_or_none():
    written = {**HEADER, "OBJECTS": "a&b&none", "FIBERS": "none&b&c"}
    assert (
        lit("011").items()
        <= read_facts(written, HeaderMapping(fiber_contents="FIBERS")).attributes.items()
    )
    assert read_facts(written, HeaderMapping(fiber_contents="", attributes=())).attributes == {}


def test_no_real_frame_of_an_imager_says_it(shared_data):
    paths = sorted((shared_data / "lco").glob("*.fits*"))
    assert len(paths) > 10
    for path in paths:
        facts = LcoFitsFile(path).facts
        assert not [name for name in facts.attributes if name.startswith("fiber")], path
