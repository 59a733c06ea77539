"""An area is written as the archive reads it, or refused before it fails there."""

import math

import pytest

from calrecords.archive.areas import written_area

RING = [[0, 0], [1, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ((10.5, 10.3), "POINT(10.5 10.3)"),
        ([350, -90], "POINT(350.0 -90.0)"),
        ("POINT(10.5 10.3)", "POINT(10.5 10.3)"),
        (" point ( 1e1  -.5 ) ", "POINT(10.0 -0.5)"),
        ("POLYGON((0 0, 1 0,1 1, 0 0))", "POLYGON((0.0 0.0, 1.0 0.0, 1.0 1.0, 0.0 0.0))"),
        (
            "POLYGON((0 0, 9 0, 9 9, 0 0), (1 1, 2 1, 2 2, 1 1))",
            "POLYGON((0.0 0.0, 9.0 0.0, 9.0 9.0, 0.0 0.0), (1.0 1.0, 2.0 1.0, 2.0 2.0, 1.0 1.0))",
        ),
        ({"type": "Point", "coordinates": [1, 2]}, "POINT(1.0 2.0)"),
        (
            {"type": "Polygon", "coordinates": [RING]},
            "POLYGON((0.0 0.0, 1.0 0.0, 1.0 1.0, 0.0 0.0))",
        ),
    ],
)
def test_writes_what_the_archive_reads(given, written):
    assert written_area(given) == written


@pytest.mark.parametrize(
    "given",
    [
        "junk",
        "POINT(1)",
        "POINT(1 2 3)",
        "POINT(1 2) x",
        "SRID=4326;POINT(1 2)",
        "POINT(nan 2)",
        "POINT(1, 2)",
        "POLYGON()",
        "POLYGON(0 0, 1 0, 1 1, 0 0)",
        "POLYGON((0 0, 1 0, 1 1))",
        "POLYGON((0 0, 1 0, 1 1, 2 2))",
        "POLYGON((0 0, 1 0, 1 1, 0 0) x)",
        "POLYGON((0 0, 1 0, 1 1, 0 0),)",
        "LINESTRING(0 0, 1 1)",
        (1, 91),
        (361, 0),
        (math.nan, 0),
        (0, math.inf),
        (True, 0),
        ("1", "2"),
        (1, 2, 3),
        {},
        {"type": "Point"},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [5]},
        {"type": "Polygon", "coordinates": ["0011"]},
        {"type": "LineString", "coordinates": RING},
        5,
        object(),
    ],
)
def test_refuses_what_is_no_area(given):
    with pytest.raises(ValueError, match=r"area|degrees|position|ring|sky"):
        written_area(given)


def test_is_not_held_up_by_a_text_made_for_that():
    with pytest.raises(ValueError, match="cannot read"):
        written_area("POLYGON(" + "(" * 50_000 + "1 1," * 50_000)
