"""Values that are equal are spelled alike, and a key belongs to one set and its values."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from calrecords.matching import MATCH_KEY_BYTES, MatchSet, canonical_text
from calrecords.vocabulary import Binning, Verdict


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("rp", "rp"),
        ("", ""),
        (True, "true"),
        (2, "2"),
        (2.0, "2"),
        (-110.0, "-110"),
        (0.1, "0.1"),
        (1e300, str(int(1e300))),
        (Binning(2, 2), "2x2"),
        (Verdict.GOOD, "good"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00.000000+00:00"),
        (
            datetime(2026, 1, 2, 5, tzinfo=timezone(timedelta(hours=2))),
            "2026-01-02T03:00:00.000000+00:00",
        ),
        ((2, 2.0), '["2", "2"]'),
        ([2, "2"], '["2", "2"]'),
        ({"b": 1, "a": None}, '{"a": null, "b": "1"}'),
    ],
)
def test_a_value_has_one_spelling(value, text):
    assert canonical_text(value) == text


def test_a_key_is_of_its_type_its_fields_and_their_values():
    sets = [MatchSet(("a", "b"), "BIAS"), MatchSet(("a", "b"), "BPM"), MatchSet(("a", "c"), "BIAS")]
    values = {"a": "1", "b": "2", "c": "2", "d": "9"}
    keys = {one.key(values) for one in sets} | {sets[0].key({"a": "2", "b": "1"})}
    keys |= {sets[0].key({"a": "1"}), sets[0].key({"a": '1", "2', "b": ""})}
    assert len(keys) == 6
    assert {len(key) for key in keys} == {MATCH_KEY_BYTES}
    assert sets[0].key({"a": 1, "b": 2.0, "d": 0}) == sets[0].key(values)
