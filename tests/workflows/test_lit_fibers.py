"""Arcs and lamp flats are chosen by the fibres that headers say were lit."""

from datetime import UTC, datetime, timedelta

import pytest
from astropy.io import fits

import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.errors import NoCalibrationError

NIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
BOTH_ENDS = {"110": "{0}&{0}&none", "011": "none&{0}&{0}"}
REAL = ("lsc1m005-kb78-20151109-0179-e90.fits.fz", "coj1m011-kb05-20150219-0125-e90.fits")


@pytest.fixture
def cal(tmp_path):
    place = {"db": tmp_path / "r.sqlite", "store": tmp_path / "s", "cache": tmp_path / "c"}
    with calrecords.connect(**place) as opened:
        yield opened


@pytest.fixture
def frame(tmp_path):
    """Return a function that writes a frame of NRES with what its fibres saw."""

    def write(name, obstype, objects, *, hours=0, **details):
        return write_synthetic_frame(
            tmp_path,
            basename=name,
            obstype=obstype,
            camera="fa09",
            dateobs=NIGHT - timedelta(hours=hours),
            binning="1x1",
            extra={"OBJECTS": objects, "TELID": "igla"},
            **details,
        )

    return write


@pytest.fixture
def masters(cal, frame):
    """Register an arc and a lamp flat for each end; those for fibres 1 and 2 are nearer."""
    for hours, (lit, objects) in enumerate(reversed(BOTH_ENDS.items()), 1):
        for obstype, lamp in (("ARC", "thar"), ("LAMPFLAT", "tung")):
            name = f"{obstype.lower()}-{lit}"
            cal.register(frame(name, obstype, objects.format(lamp), hours=hours), is_master=True)


@pytest.mark.usefixtures("masters")
@pytest.mark.parametrize(
    ("objects", "lit"),
    [("HD 12345&ThAr&none", "110"), ("none&thar&WASP-43", "011"), ("None&thar&none", None)],
)
def test_a_header_and_a_file_are_given_what_was_lit_alike(cal, frame, objects, lit):
    path = frame("science", "TARGET", objects, is_master=False, reduction_level=0)
    for target in (path, fits.getheader(path), cal.register(path, is_master=False).frame):
        needs = {row.caltype: row for row in cal.calibrations_for(target)}
        for caltype in ("ARC", "LAMPFLAT"):
            if lit is None:
                with pytest.raises(NoCalibrationError):
                    cal.best(target, caltype)
                assert "none of the 1 frame left has 0" in needs[caltype].reason
            else:
                chosen = cal.best(target, caltype).frame
                assert chosen.basename == f"{caltype.lower()}-{lit}"
                assert needs[caltype].selection.frame == chosen
            assert needs[caltype].requirement.value == "required"


@pytest.mark.parametrize("name", REAL)
def test_a_real_header_with_fibres_is_given_an_arc_and_without_needs_none(cal, shared_data, name):
    with fits.open(shared_data / "lco" / name) as hdus:
        header = next(hdu.header for hdu in hdus if "OBSTYPE" in hdu.header)
    assert "ARC" not in {row.caltype for row in cal.calibrations_for(header)}
    place = {"site": header["SITEID"], "camera": header["INSTRUME"]}
    arc = {**place, "filename": "arc.fits", "obstype": "ARC", "is_master": True}
    arc |= {"binning": header["CCDSUM"], "dateobs": header["DATE-OBS"]}
    as_banzai_has_it = {"fiber0_lit": "1", "fiber1_lit": "1", "fiber2_lit": "0"}
    cal.import_records([{**arc, "attributes": as_banzai_has_it}])
    header["OBJECTS"] = f"{header['OBJECT']}&thar&none"
    assert cal.best(header, "ARC").frame.basename == "arc"
    header["OBJECTS"] = f"none&thar&{header['OBJECT']}"
    with pytest.raises(NoCalibrationError):
        cal.best(header, "ARC")
