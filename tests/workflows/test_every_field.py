"""A rule may test any field that is recorded, however the frame came, and every verb agrees."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.errors import NoCalibrationError
from calrecords.frames import CalibrationFrame
from calrecords.selection.fields import OUR_FIELDS

NIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
TARGET = {"site": "lsc", "camera": "fa01", "dateobs": NIGHT}
IN_HEADER = {
    "telescope": ("TELID", "1m0a", "1m0b"),
    "ccd_measured_temperature": ("CCDATEMP", -99.5, -98.25),
    "public_date": ("L1PUBDAT", "2027-01-01T00:00:00", "2028-01-01T00:00:00"),
    "object": ("OBJECT", "Twilight", "HD 1234"),
    "proposal": ("PROPID", "calibrate", "LCOEPO2014B-010"),
    "pipeline_name": ("PIPENAME", "BANZAI", "other"),
    "pipeline_version": ("PIPEVER", "1.36.1", "0.9"),
}
RULES = """
name = "mine"
version = "1"

[[rule]]
name = "alike"
caltype = "ALIKE"
where = {{ obstype = "BIAS" }}
equal = ["site", "camera", "{field}"]

[[rule]]
name = "unlike"
caltype = "UNLIKE"
where = {{ obstype = "BIAS" }}
equal = ["site", "camera"]
terms = [{{ field = "{field}", not_equal = {unwanted!r} }}]

[[rule]]
name = "preferred"
caltype = "PREFERRED"
where = {{ obstype = "BIAS" }}
equal = ["site", "camera"]
prefer = [{{ field = "{field}", equal = {wanted!r} }}]
"""


def test_every_field_is_a_fact_of_a_frame():
    assert set(OUR_FIELDS) - {"extension"} <= {one.name for one in fields(CalibrationFrame)}


@pytest.fixture(params=["sqlite", "postgresql"])
def connect(request, tmp_path):
    """Return a function that opens records of each kind, empty, with rules of a text."""
    server = request.getfixturevalue("postgresql_server") if request.param != "sqlite" else None
    place = tmp_path / "records.sqlite" if server is None else server.migrated()
    opened = []

    def open_with(rules):
        path = tmp_path / "mine.toml"
        path.write_text(rules)
        places = {"store": tmp_path / "store", "cache": tmp_path / "cache"}
        opened.append(calrecords.connect(db=place, rules=path, **places))
        return opened[-1]

    yield open_with
    for cal in opened:
        cal.close()
    if server is not None:
        server.give_back(place)


def register(cal, folder, name, away, **header):
    path = write_synthetic_frame(
        folder, obstype="BIAS", dateobs=NIGHT - away, basename=name, extra=header
    )
    cal.register(path, is_master=True)


def bring_in(cal, name, away, **facts):
    row = {**TARGET, "obstype": "BIAS", "is_master": True, "dateobs": NIGHT - away}
    report = cal.import_records([row | {"filename": f"{name}.fits", **facts}])
    assert report.recorded == 1, report


@pytest.mark.parametrize("field", IN_HEADER)
@pytest.mark.parametrize("came", ["registered", "imported"])
def test_all_verbs_find_the_same_frame_by_it(connect, tmp_path, field, came):
    keyword, wanted, unwanted = IN_HEADER[field]
    cal = connect(RULES.format(field=field, wanted=wanted, unwanted=unwanted))
    for name, days, value in (("near", 1, unwanted), ("far", 3, wanted)):
        if came == "registered":
            register(cal, tmp_path, name, timedelta(days=days), **{keyword: value})
        else:
            bring_in(cal, name, timedelta(days=days), **{field: value})
    if came == "imported":
        bring_in(cal, "none", timedelta(days=2))
    target = {**TARGET, field: wanted}
    for caltype in ("ALIKE", "UNLIKE", "PREFERRED"):
        chosen = cal.best(target, caltype)
        assert chosen.frame.basename == "far", caltype
        [row] = cal.best_many([target], caltype)
        assert row["filename"] == "far.fits"
        later = cal.best(target, caltype, as_of=datetime.now(UTC))
        assert later.frame == chosen.frame == cal.get(basename="far")
        explained = cal.explain(chosen)
        assert explained.passed == (len(cal.query()) if caltype == "PREFERRED" else 1)
        assert explained.chosen == "far.fits"
        assert all(
            miss.frame == cal.get(basename=miss.frame.basename) for miss in explained.nearest
        )
    if field not in {"public_date", "ccd_measured_temperature"}:
        assert list(cal.query(**{field: wanted})["filename"]) == ["far.fits"]
    shown = {row["filename"]: row[field] for row in cal.query()}
    assert shown["far.fits"] == (wanted + "Z" if field == "public_date" else wanted)
    assert (
        ("none.fits" in shown) == (shown.get("none.fits") is np.ma.masked) == (came == "imported")
    )


@pytest.mark.parametrize("field", IN_HEADER)
def test_what_was_corrected_is_chosen_by_as_it_was_then_and_as_it_is_now(connect, field):
    _, wanted, unwanted = IN_HEADER[field]
    cal = connect(RULES.format(field=field, wanted=wanted, unwanted=unwanted))
    bring_in(cal, "one", timedelta(days=1), **{field: wanted})
    before = datetime.now(UTC)
    cal.correct("one", reason="a test", **{field: unwanted})
    target = {**TARGET, field: wanted}
    for caltype in ("ALIKE", "UNLIKE"):
        then = cal.best(target, caltype, as_of=before)
        assert then.frame == replace(cal.get(basename="one"), **{field: getattr(then.frame, field)})
        assert getattr(then.frame, field) != getattr(cal.get(basename="one"), field)
        assert (cal.explain(then).chosen, cal.explain(then).passed) == ("one.fits", 1)
        [row] = cal.best_many([target], caltype, as_of=before)
        assert row["filename"] == "one.fits"
        with pytest.raises(NoCalibrationError) as missed:
            cal.best(target, caltype)
        assert cal.explain(missed.value).passed == 0
        [row] = cal.best_many([target], caltype)
        assert row["filename"] is np.ma.masked
