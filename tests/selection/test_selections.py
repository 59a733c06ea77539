"""A selection says what was chosen for what, and by which rule, in one line."""

import re
from datetime import UTC, datetime, timedelta

from calrecords.selection import make_selection

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_a_selection_has_signed_ages_and_alternatives(rule, target, make_frame):
    made, asked = rule(), target()
    frames = [make_frame("before", -1), make_frame("after", 2)]
    selection = make_selection(frames, made, asked)
    assert (selection.frame, selection.version) == (frames[0], frames[0].version)
    assert (selection.age, selection.caltype) == (timedelta(hours=-1), "BIAS")
    [other] = selection.alternatives
    assert (other.frame, other.age, other.alternatives) == (frames[1], timedelta(hours=2), ())


def test_a_selection_shows_itself_in_one_line(rule, target, make_frame):
    made, frames = rule(version="7"), [make_frame("before", -48), make_frame("after", 2)]
    assert repr(make_selection(frames, made, target(basename="science"))) == (
        "<Selection BIAS for science: before.fits, -2.00 d, rule only (version 7), 1 alternative>"
    )
    undated = make_selection(
        [make_frame("mask", dateobs=None)], made, target(), override="no other"
    )
    assert repr(undated) == (
        "<Selection BIAS for a target of 2026-03-10T12:00:00Z: mask.fits, no dateobs, "
        "rule only (version 7), forced by an override, 0 alternatives>"
    )


def test_a_selection_is_a_table_in_a_notebook(rule, target, make_frame):
    frames = [make_frame("before", -1, frame_id=276), make_frame("<b>", 48)]
    html = make_selection(frames, rule(), target(basename="science"))._repr_html_()
    assert re.sub(" style=[^>]*", "", html) == (
        "<p>BIAS for science: before.fits, -1.00 h, rule only (version 1), 1 alternative</p>"
        "<table><thead><tr><th>filename</th><th>frame_id</th><th>age</th><th>verdict</th></tr>"
        "</thead><tbody><tr><td>before.fits</td><td>276</td><td>-1.00 h</td><td>unknown</td></tr>"
        "<tr><td>&lt;b&gt;.fits</td><td></td><td>+2.00 d</td><td>unknown</td></tr>"
        "</tbody></table>"
    )
