"""What a caller may call a target."""

import re

import pytest
from astropy.io import fits

import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.errors import InvalidTargetError


@pytest.mark.parametrize("verb", ["best", "calibrations_for"])
def test_a_file_that_says_no_time_is_named(tmp_path, verb):
    path = write_synthetic_frame(tmp_path, obstype="EXPOSE")
    with fits.open(path, "update") as hdus:
        hdus[0].header["DATE-OBS"] = None
    words = [path, "BIAS"] if verb == "best" else [path]
    with (
        calrecords.connect(db=tmp_path / "records.sqlite") as cal,
        pytest.raises(InvalidTargetError, match=f"^{re.escape(str(path))}: .*dateobs"),
    ):
        getattr(cal, verb)(*words)
