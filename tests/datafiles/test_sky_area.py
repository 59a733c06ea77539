"""The area on the sky is computed apart, and whatever happens there the frame goes on."""

import json
import logging
import sys
import time

import pytest

from calrecords.datafiles import HeaderMapping
from calrecords.datafiles.sky_area import find_sky_area

MAPPING = HeaderMapping()
CIRCLE = {"RADIUS": 36.0, "RA": "01:00:00", "DEC": "-10:30:00"}
WCS = {
    **{"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 20.0},
    **{"CRPIX1": 1.0, "CRPIX2": 1.0, "CD1_1": -0.001, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.001},
    **{"NAXIS": 2, "NAXIS1": 11, "NAXIS2": 21},
}


def script(code):
    return [sys.executable, "-c", code]


def telling(what):
    """Return a command that fails the question and prints this."""
    return script(f"import sys; sys.stdin.readline(); print({what!r})")


SQUARE = [[1.0, 2.0], [3.0, 2.0], [3.0, 4.0], [1.0, 4.0]]


def test_an_image_has_the_corners_of_its_wcs(caplog):
    corners = find_sky_area({**WCS, "CPDIS1": "LOOKUP", "OBJECT": "x"}, MAPPING)["coordinates"][0]
    assert corners[0] == corners[4] == pytest.approx([10.0, 20.0])
    assert corners[1] == pytest.approx([10.0, 20.02])
    assert caplog.text == ""


@pytest.mark.parametrize(
    "header",
    [
        {},
        {**CIRCLE, "RADIUS": None},
        {**CIRCLE, "RA": ""},
        {**WCS, "CD1_1": None},
        {**WCS, "NAXIS3": 2},
        {key: value for key, value in WCS.items() if key != "NAXIS2"},
    ],
    ids=str,
)
def test_a_header_that_does_not_say_starts_nothing(header, caplog):
    absent = ["/no/such/program"]
    assert find_sky_area(header, MAPPING, command=absent) is None
    assert caplog.text == ""
    assert find_sky_area(CIRCLE, MAPPING, command=absent) is None
    assert "gets no area on the sky" in caplog.text


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (script("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), "ended with -11"),
        (script("raise SystemExit(3)"), "ended with 3"),
        (telling(""), ""),
        (telling("nonsense"), ""),
        (telling("null"), "no list of corners"),
        (telling("{}"), "no list of corners"),
        (telling(json.dumps({"error": "bad WCS"})), "bad WCS"),
        (telling(json.dumps({"corners": SQUARE[:3]})), "no list of corners"),
        (telling(json.dumps({"corners": [*SQUARE[:3], [1.0]]})), "no place on the sky"),
        (telling(json.dumps({"corners": [*SQUARE[:3], ["1", "2"]]})), "no place on the sky"),
        (telling(json.dumps({"corners": [*SQUARE[:3], [1.0, float("nan")]]})), "no place"),
        (telling(json.dumps({"corners": [*SQUARE[:3], [1.0, float("inf")]]})), "no place"),
        (telling("[" * 60_000), ""),
        (telling(json.dumps({"corners": SQUARE}) + " " * 70_000 + "x"), None),
    ],
)
def test_a_crash_or_nonsense_gives_no_area_and_a_warning(command, says, caplog):
    with caplog.at_level(logging.WARNING, logger="calrecords"):
        area = find_sky_area(CIRCLE, MAPPING, name="x.fits", command=command)
    if says is None:  # what comes after the most that is read is not seen
        assert area == {"type": "Polygon", "coordinates": [[*SQUARE, SQUARE[0]]]}
        return
    assert area is None
    assert "x.fits gets no area on the sky: " in caplog.text
    assert says in caplog.text


def test_a_hang_is_given_up_on(caplog):
    started = time.perf_counter()
    hanging = script("import time; time.sleep(60)")
    assert find_sky_area(CIRCLE, MAPPING, command=hanging, timeout_s=0.3) is None
    assert time.perf_counter() - started < 5
    assert "timed out" in caplog.text


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({**WCS, "CTYPE1": "RA---XXX"}, "Error"),
        ({**WCS, "A_ORDER": 100_000, "B_ORDER": 100_000, "CTYPE1": "RA---TAN-SIP"}, "Error"),
    ],
)
def test_what_cannot_be_computed_gives_a_warning(header, says, caplog):
    assert find_sky_area(header, MAPPING) is None
    assert says in caplog.text


def test_the_process_is_given_no_secret_and_no_other_keyword(monkeypatch, tmp_path):
    monkeypatch.setenv("AUTH_TOKEN", "secret")
    seen = tmp_path / "seen"
    code = (
        "import json, os, sys; asked = json.loads(sys.stdin.readline());"
        f"json.dump([asked, dict(os.environ)], open({str(seen)!r}, 'w'));"
        f"print({json.dumps({'corners': SQUARE})!r})"
    )
    header = {**WCS, "OBJECT": "x", "CRVAL2": "x" * 69, "CNAME1": "\n", "PV1_1": 2.0, "EQUINOX": ""}
    assert find_sky_area(header, MAPPING, command=script(code)) is not None
    question, environment = json.loads(seen.read_text())
    wanted = {key: value for key, value in WCS.items() if key != "CRVAL2"}
    assert question == {"wcs": {**wanted, "PV1_1": 2.0}}
    assert not {"AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY"} & environment.keys()
