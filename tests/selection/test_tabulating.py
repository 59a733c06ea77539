"""Rows are as wide as they need, and no value breaks out of a page."""

from datetime import UTC, datetime, timedelta

import pytest

from calrecords.selection.tabulating import (
    age_text,
    cell_text,
    html_lines,
    html_table,
    text_table,
    time_text,
)

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_columns_are_as_wide_as_their_widest_cell():
    assert text_table(["a", "long"], [["wide", 1], [None, True]]) == [
        "a     long",
        "----  ----",
        "wide  1",
        "      True",
    ]
    assert text_table(["a"], []) == ["a", "-"]


def test_html_is_escaped():
    assert html_table(["<a>"], [["<script>"], [None]]) == (
        "<table><thead><tr><th>&lt;a&gt;</th></tr></thead>"
        "<tbody><tr><td>&lt;script&gt;</td></tr><tr><td></td></tr></tbody></table>"
    )
    assert html_lines(["a & b", "<i>"]) == "<p>a &amp; b</p><p>&lt;i&gt;</p>"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(days=-3, hours=12), "-2.50 d"),
        (timedelta(days=1), "+1.00 d"),
        (timedelta(hours=23, minutes=30), "+23.50 h"),
        (timedelta(0), "+0.00 h"),
        (NOON, "2026-03-10T12:00:00Z"),
        (12, "12"),
        (False, "False"),
        (0.5, "0.5"),
        (None, ""),
    ],
)
def test_a_cell_is_for_people(value, text):
    assert cell_text(value) == text


def test_ages_have_their_sign_and_times_may_lack():
    assert age_text(timedelta(minutes=-6)) == "-0.10 h"
    assert (time_text(None), time_text(NOON)) == (None, "2026-03-10T12:00:00Z")
