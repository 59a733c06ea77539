"""The word that somebody probably meant."""

import pytest

from calrecords.selection.spelling import near_names

TERM = ["equal", "not_equal", "one_of", "contains", "above", "at_least", "within", "nulls"]
UNITS = ["us", "ms", "s", "min", "h", "d", "arcsec", "arcmin", "deg", "um"]


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("equals", TERM, "equal"),
        ("Equal", TERM, "equal"),
        ("greater_than", TERM, "above"),
        ("minimum", TERM, "at_least"),
        ("minimum", ["min", "max"], "min"),
        ("tolerance", TERM, "within"),
        ("sec", UNITS, "s"),
        ("minutes", UNITS, "min"),
        ("months", UNITS, "d"),
        ("micron", UNITS, "um"),
        ("CCDSUM", ["binning", "camera"], "binning"),
        ("DATE-OBS", ["dateobs"], "dateobs"),
        ("binnning", ["binning", "camera"], "binning"),
    ],
)
def test_another_word_for_ours_and_a_misspelling_are_known(name, known, meant):
    assert near_names(name, known) == f"; did you mean {meant!r}?"


@pytest.mark.parametrize("name", ["parsec per fortnight", "", "xyz", "conditional"])
def test_nothing_is_guessed_where_nothing_is_near(name):
    assert near_names(name, [*TERM, "direction"]) == ""
