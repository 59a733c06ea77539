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
WORD = 'style="text-align: left; white-space: nowrap"'
SIZE = 'style="text-align: right; white-space: nowrap"'


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
        f"<table><thead><tr><th {WORD}>&lt;a&gt;</th></tr></thead>"
        f"<tbody><tr><td {WORD}>&lt;script&gt;</td></tr><tr><td {WORD}></td></tr></tbody></table>"
    )
    assert html_lines(["a & b", "<i>"]) == "<p>a &amp; b</p><p>&lt;i&gt;</p>"


def test_words_are_on_the_left_and_sizes_on_the_right_in_one_line():
    rows = [["two words", 3, timedelta(hours=-1)], [None, None, None]]
    html = html_table(["said", "left", "age"], rows)
    assert html == (
        f"<table><thead><tr><th {WORD}>said</th><th {SIZE}>left</th><th {SIZE}>age</th></tr>"
        f'</thead><tbody><tr><td style="text-align: left">two words</td><td {SIZE}>3</td>'
        f"<td {SIZE}>-1.00 h</td></tr>"
        f"<tr><td {WORD}></td><td {SIZE}></td><td {SIZE}></td></tr></tbody></table>"
    )


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
