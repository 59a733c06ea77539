"""Made-up frames are real to every reader, and the same each time."""

import pytest
from astropy.io import fits

from calrecords.datafiles import DataFileFactory, check_archivable
from calrecords.datafiles.synthetic import write_synthetic_frame

KINDS = [
    {},
    {"is_master": False, "reduction_level": 0, "seed": 7},
    {"obstype": "DARK", "exposure_time": 900.0},
    {"obstype": "SKYFLAT", "filter": "rp", "binning": "1x1"},
    {"obstype": "BPM"},
    {"obstype": "ARC", "site": "ogg", "camera": "en06"},
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("compress", [False, True])
def test_every_reader_takes_it(tmp_path, kind, compress):
    path = write_synthetic_frame(tmp_path, compress=compress, **kind)
    data_file = DataFileFactory().open(path)
    check_archivable(data_file)
    data_file.verify()
    assert data_file.facts.is_master is kind.get("is_master", True)
    with fits.open(path, checksum=True) as hdus:
        assert hdus[-1].data.shape == (64, 64)


@pytest.mark.parametrize("compress", [False, True])
def test_the_same_arguments_give_the_same_bytes(tmp_path, compress):
    first, second, other = (
        write_synthetic_frame(tmp_path / str(n), compress=compress, seed=seed).read_bytes()
        for n, seed in enumerate((1, 1, 2))
    )
    assert first == second != other


def test_pixels_behave_as_a_detectors_do(tmp_path):
    def mean_and_spread(**kind):
        path = write_synthetic_frame(tmp_path, shape=(200, 200), **kind)
        data = fits.getdata(path).astype(float)
        return data.mean(), data.std()

    raw = mean_and_spread(is_master=False)
    master = mean_and_spread()
    flat = mean_and_spread(obstype="SKYFLAT")
    assert raw == pytest.approx((1000.0, 4.5), rel=0.05)
    assert master == pytest.approx((1000.0, 0.9), rel=0.05)
    assert flat[0] == pytest.approx(16_800, rel=0.01)


@pytest.mark.parametrize(
    ("site", "dateobs", "night"),
    [
        ("lsc", "2026-01-02T03:00:00", "20260101"),
        ("lsc", "2026-01-01T23:59:00", "20260101"),
        ("coj", "2026-01-01T10:00:00", "20260101"),
        ("coj", "2026-01-01T18:00:00", "20260101"),
        ("ogg", "2026-01-02T10:00:00", "20260101"),
        ("cpt", "2026-01-02T00:30:00", "20260101"),
    ],
)
def test_the_night_is_that_of_the_site(tmp_path, site, dateobs, night):
    path = write_synthetic_frame(tmp_path, site=site, dateobs=dateobs)
    assert fits.getheader(path)["DAY-OBS"] == night


def test_keywords_are_added_and_left_out(tmp_path):
    extra = {"IMCOM001": "a.fits", "ISMASTER": None, "RDNOISE": 3.0}
    header = fits.getheader(write_synthetic_frame(tmp_path, extra=extra))
    assert header["IMCOM001"] == "a.fits"
    assert "ISMASTER" not in header
    assert header["RDNOISE"] == 3.0


def test_names_are_as_lco_gives_them(tmp_path):
    def name(**kind):
        return write_synthetic_frame(tmp_path, **kind).name

    assert name() == "lsc1m009-fa01-20260101-bias-bin2x2.fits"
    assert name(obstype="SKYFLAT", filter="rp") == "lsc1m009-fa01-20260101-skyflat-bin2x2-rp.fits"
    assert name(is_master=False, seed=12) == "lsc1m009-fa01-20260101-0012-b00.fits"
    assert name(basename="x", compress=True) == "x.fits.fz"


@pytest.mark.parametrize("bad", [{"dateobs": "yesterday"}, {"binning": "two"}])
def test_refuses_arguments_that_mean_nothing(tmp_path, bad):
    with pytest.raises(ValueError, match="cannot read"):
        write_synthetic_frame(tmp_path, **bad)
