from urllib.parse import urlencode

import pytest


@pytest.fixture
def ask(client, record):
    frames = {
        "bias": {},
        "dark": {"configuration_type": "DARK", "exposure_time": 300.0, "proposal_id": "other"},
        "flat": {
            "configuration_type": "SKYFLAT",
            "primary_optical_element": "rp",
            "instrument_id": "kb71",
            "site_id": "coj",
            "telescope_id": "2m0a",
            "observation_id": 99,
            "request_id": 7,
            "observation_day": "20260102",
            "observation_date": "2026-01-02T00:00:00",
            "reduction_level": 0,
            "target_name": "Twilight",
            "public_date": "3014-01-01",
        },
    }
    for basename, changes in frames.items():
        client("POST", "/frames/", record(basename, **changes))
    client("POST", "/frames/", record("undated", observation_date=None))
    client("POST", "/frames/", record("fileless", version_set=[]))

    def ask(query):
        answer = client("GET", f"/frames/?{query}")
        assert answer.status == 200, answer.body
        return {row["basename"] for row in answer.json["results"]}

    return ask


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "bias dark flat"),
        ("OBSTYPE=DARK", "dark"),
        ("configuration_type=DARK", "dark"),
        ("obstype=DARK", "bias dark flat"),
        ("OBSTYPE=", "bias dark flat"),
        ("OBSTYPE=BIAS&OBSTYPE=DARK", "dark"),
        ("INSTRUME=kb71", "flat"),
        ("instrument_id=kb70&SITEID=cpt&TELID=1m0a", "bias dark"),
        ("FILTER=rp", "flat"),
        ("primary_optical_element=rp", "flat"),
        ("FILTER=", "bias dark flat"),
        ("PROPID=other", "dark"),
        ("RLEVEL=0", "flat"),
        ("reduction_level=91", "bias dark"),
        ("BLKUID=99", "flat"),
        ("request_id=7", "flat"),
        ("EXPTIME=300", "dark"),
        ("exposure_time=299.5", "dark"),
        ("basename=A", "bias dark flat"),
        ("basename=%25", ""),
        ("basename_exact=bias", "bias"),
        ("basename_exact=BIAS", ""),
        ("basename_exact=bias.fits.fz", ""),
        ("OBJECT=light", "flat"),
        ("target_name_exact=Twilight", "flat"),
        ("empty_target_name=true", "bias dark"),
        ("DAY_OBS=2026-01-02", "flat"),
        ("dayobs=2026-01-01", "bias dark"),
        ("start=2026-01-02T00:00:00", "flat"),
        ("end=2026-01-02T00:00:00", "bias dark flat"),
        ("end=2026-01-01T23:59:59.999999", "bias dark"),
        ("start=2026-01-02T01:00:00%2B01:00", "flat"),
        ("DATE_OBS=2026-01-02", "flat"),
        ("L1PUBDAT=3014-01-01", "flat"),
        ("public=true", "bias dark"),
        ("public=false", "flat"),
        ("include_configuration_type=BIAS&include_configuration_type=DARK", "bias dark"),
        ("exclude_OBSTYPE=BIAS", "dark flat"),
        ("exclude_configuration_type=BIAS&exclude_configuration_type=DARK", "flat"),
        ("exclude_calibrations=true", ""),
        ("md5=00&id=1&binning=2&created=x", "bias dark flat"),
    ],
)
def test_lists_what_is_asked_for(ask, query, found):
    assert ask(query) == set(found.split())


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("start=x&end=y", {name: ["Enter a valid date/time."] for name in ("start", "end")}),
        ("dayobs=20260101", {"dayobs": ["Enter a valid date."]}),
        ("RLEVEL=x&EXPTIME=x", {n: ["Enter a number."] for n in ("RLEVEL", "EXPTIME")}),
        ("BLKUID=1.5", {"BLKUID": ["Enter a number."]}),
    ],
)
def test_refuses_what_it_cannot_read(client, query, refusal):
    answer = client("GET", f"/frames/?{query}")
    assert (answer.status, answer.json) == (400, refusal)


@pytest.mark.parametrize(
    ("query", "counts"),
    [
        ("basename_exact=bias", True),
        ("observation_id=99", True),
        ("BLKUID=99", False),
        ("request_id=7", True),
        ("start=2026-01-01&end=2026-01-08", True),
        ("start=2026-01-01&end=2026-01-09", False),
        ("start=2026-01-01&end=2026-03-05&proposal_id=a", True),
        ("start=2026-01-01&end=2026-03-06&target_name_exact=a", False),
        ("start=2026-01-01", False),
    ],
)
def test_counts_only_what_is_small(client, query, counts):
    assert client("GET", f"/frames/?{query}").json["count_estimated"] is not counts


SQUARE = {"type": "Polygon", "coordinates": [[[10, 10], [11, 10], [11, 11], [10, 11], [10, 10]]]}
BOX = "POLYGON(({0} {1}, {2} {1}, {2} {3}, {0} {3}, {0} {1}))"


@pytest.mark.parametrize(
    ("shape", "covered", "touched"),
    [
        ("POINT(10.5 10.3)", True, True),
        ("point (10 10.5)", True, True),
        ("POINT(9.9 10.3)", False, False),
        (BOX.format(10.2, 10.2, 10.8, 10.8), True, True),
        (BOX.format(10.5, 10.5, 12, 12), False, True),
        (BOX.format(9, 9, 12, 12), False, True),
        (BOX.format(9, 10.4, 12, 10.6), False, True),
        (BOX.format(12, 12, 13, 13), False, False),
    ],
)
def test_searches_by_sky_area(client, record, shape, covered, touched):
    client("POST", "/frames/", record("here", area=SQUARE))
    client("POST", "/frames/", record("nowhere", area=None))
    for name, is_found in (("covers", covered), ("intersects", touched)):
        answer = client("GET", f"/frames/?{urlencode({name: shape})}")
        assert [row["basename"] for row in answer.json["results"]] == ["here"] * is_found


@pytest.mark.parametrize(
    "shape", ["junk", "POINT(1)", "POINT(a b)", "POLYGON()", "LINE(1 2)", "POINT(1 2, 3 4)"]
)
def test_fails_on_what_is_no_area(client, shape):
    assert client("GET", f"/frames/?{urlencode({'covers': shape})}").status == 500
