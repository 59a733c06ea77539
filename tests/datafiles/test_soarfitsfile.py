"""The names of SOAR's frames say how far they are reduced."""

import pytest

from calrecords.datafiles import SoarFitsFile


@pytest.mark.parametrize(
    ("name", "said", "level"),
    [
        ("cfzst_0001", 0, 62),
        ("ecfzst_0001", None, 63),
        ("wecfzst_0001", 91, 64),
        ("0001_cfzst", 17, 17),
        ("0001", None, 0),
        ("0001", "N/A", 0),
    ],
)
@pytest.mark.parametrize("extension", [".fits", ".fits.fz"])
def test_takes_the_reduction_level_from_the_name(write_frame, name, said, level, extension):
    frame = SoarFitsFile(write_frame(name + extension, RLEVEL=said))
    assert frame.header["RLEVEL"] == frame.facts.reduction_level == level
