"""Cards mean what the FITS Standard, and astropy, say they mean."""

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from calrecords.datafiles.cards import UnreadableValue, read_cards, read_value

VALUES = [
    ("                   T / yes", True),
    ("                   F", False),
    ("                  42 / answer", 42),
    ("-7", -7),
    ("+007", 7),
    ("                1.50", 1.5),
    ("1.", 1.0),
    (".5", 0.5),
    ("1.5E3", 1500.0),
    ("1.5D3", 1500.0),
    ("1d-2", 0.01),
    ("'text    '", "text"),
    ("'  leading'", "  leading"),
    ("''", ""),
    ("'It''s'", "It's"),
    ("'a/b' / comment", "a/b"),
    ("'quote '' / no comment' / 'comment'", "quote ' / no comment"),
    ("", None),
    ("     / undefined", None),
    ("NaN", None),
    ("-Infinity / nan", None),
    ("1E999", None),
    ("(1.0, 2.0) / complex", "(1.0, 2.0)"),
    ("abc", UnreadableValue("abc")),
    ("'unclosed", UnreadableValue("'unclosed")),
    ("1_000", UnreadableValue("1_000")),
    ("1.5.2", UnreadableValue("1.5.2")),
    ("0x10", UnreadableValue("0x10")),
    ("t", UnreadableValue("t")),
]


@pytest.mark.parametrize(("field", "value"), VALUES, ids=[repr(field) for field, _ in VALUES])
def test_reads_each_form_of_value(field, value):
    found = read_value(field)
    assert (found, type(found)) == (value, type(value))


def text_of(*cards):
    return "".join(card.ljust(80) for card in cards)


def test_the_first_card_of_a_keyword_wins():
    assert read_cards(text_of("A       = 1", "A       = 2")) == {"A": 1}


def test_leaves_out_cards_without_a_value():
    cards = ("COMMENT = not a value", "HISTORY it was made", "", "        blank", "A       = 1")
    assert read_cards(text_of(*cards)) == {"A": 1}


def test_joins_a_continued_text():
    cards = (
        "LONG    = 'one &'",
        "CONTINUE  'two &'",
        "CONTINUE  'three' / comment",
        "CONTINUE  'stray'",
        "B       = 'ends in &'",
        "C       = 3",
    )
    assert read_cards(text_of(*cards)) == {"LONG": "one two three", "B": "ends in &", "C": 3}


def test_reads_long_keywords():
    assert read_cards(text_of("HIERARCH ESO det chip = 'x' / y")) == {"ESO DET CHIP": "x"}


texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=150)
numbers = st.one_of(st.booleans(), st.integers(-(10**17), 10**17))
floats = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.one_of(texts, numbers, floats), max_size=20))
def test_reads_what_astropy_writes(values):
    header = fits.Header()
    for number, value in enumerate(values):
        header[f"KEY{number}"] = value
    text = header.tostring(endcard=False, padding=False)
    with fits.conf.set_temp("enable_record_valued_keyword_cards", False):
        assert read_cards(text) == dict(fits.Header.fromstring(text))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=800))
def test_reads_anything_without_failing(text):
    read_cards(text)


@pytest.mark.parametrize(
    "card",
    [
        "COMMENT = 'no value'",
        "HISTORY = 5",
        "CONTINUE= 'no value'",
        "ABCDE= '= x'",
        "AB    = 'x'",
        "NUMBER  = 12 / a / b",
        "NUMBER  = 12x",
        "NUMBER  =12",
        "NUMBER  = -12/",
        "NUMBER  = 1.",
        "FLAG    =                    T / true",
        "FLAG    = TF",
        "TEXT    = 'it''s' / quoted",
        "TEXT    = 'a' 'b'",
        "TEXT    = '  a  ' /",
        "TEXT    = ''",
        "TEXT    = 'open",
        "lower   = 'x'",
        "BIG     = 99999999999999999999",
    ],
)
def test_a_card_is_read_alike_by_the_short_way_and_the_long_way(card):
    padded = card.ljust(80)
    commented = read_cards(padded)
    keyword = padded[:8].rstrip().upper()
    if keyword in {"COMMENT", "HISTORY", "CONTINUE"}:
        assert commented == {}
    elif padded[8:10] == "= ":
        assert commented == {keyword: read_value(padded[10:])}
    else:
        assert list(commented) == [keyword]


def test_a_text_of_very_many_cards_is_joined_whole():
    more = "".join(f"CONTINUE  '{number:05d}&'".ljust(80) for number in range(17_000))
    found = read_cards(text_of("LONG    = '&'") + more + text_of("CONTINUE  'end'", "B       = 1"))
    expected = "".join(f"{number:05d}" for number in range(17_000)) + "end"
    assert found == {"LONG": expected, "B": 1}
