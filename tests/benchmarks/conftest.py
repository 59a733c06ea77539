"""What benchmarks share: frames of any size, and processes that ingest them."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits

from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.testing import ScienceArchive

PREPARE = """
import json, os, resource, sys, time, warnings
warnings.simplefilter("ignore")
job = json.load(sys.stdin)
paths = job["paths"]
"""

REPORT = """
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
json.dump({"seconds": seconds, "peak_bytes": peak}, sys.stdout)
"""


class Bench:
    """One archive on loopback with a folder as its store, and processes that use both."""

    def __init__(self, folder, archive):
        self.folder = folder
        self.archive = archive

    def run(self, code, paths, **job):
        """Return what a process measured of itself: seconds, and peak resident memory."""
        os.sync()  # else who waits for the disk waits for what others left to be written
        done = subprocess.run(
            [sys.executable, "-c", PREPARE + code + REPORT],
            input=json.dumps({"paths": [str(path) for path in paths], **job}),
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout)

    @property
    def environment(self):
        return {
            "API_ROOT": self.archive.root,
            "AUTH_TOKEN": self.archive.token,
            "FILESTORE_TYPE": "local",
            "FILESYSTEM_STORAGE_ROOT_DIR": str(self.folder / "store"),
            "CALRECORDS_DB_URL": str(self.folder / "records.sqlite"),
            "CALRECORDS_CACHE_DIR": str(self.folder / "cache"),
            "OPENTSDB_PYTHON_METRICS_TEST_MODE": "true",
        }


@pytest.fixture
def make_bench(tmp_path):
    """Return a function that makes an archive, a store and records that hold nothing yet."""
    made = []

    def make():
        folder = tmp_path / f"bench-{len(made)}"
        folder.mkdir()
        # the released archive answers the OCS ingester that every file exists
        archive = ScienceArchive(files=folder / "store", md5_filter_works=True)
        made.append(archive)
        return Bench(folder, archive)

    yield make
    for archive in made:
        archive.close()


@pytest.fixture
def make_frames(tmp_path):
    """Return a function that writes individual biases of a size in bytes, all different."""

    def make(count, size):
        side = max(int((size / 2) ** 0.5), 8)
        first = write_synthetic_frame(
            tmp_path / "frames", shape=(side, side), is_master=False, seed=1
        )
        others = (first.with_name(f"{first.stem}-{number}.fits") for number in range(2, count + 1))
        return [first, *(_other(first, path, at) for at, path in enumerate(others, 2))]

    return make


@pytest.fixture
def make_real_frames(tmp_path, shared_data):
    """Return a function that makes more frames like a real master bias: 476 cards, 48 KiB."""

    def make(count):
        (tmp_path / "real").mkdir()
        bias = shared_data / "lco" / "bias_kb70_20151221_bin2x2.fits"
        paths = (tmp_path / "real" / f"{bias.stem}-{number}.fits" for number in range(count))
        return [_other(bias, path, number) for number, path in enumerate(paths)]

    return make


def _other(like, path, number):
    """Write a frame with another pixel; return its path."""
    with fits.open(like, do_not_scale_image_data=True) as hdus:
        hdus[0].data = np.array(hdus[0].data)
        hdus[0].data[0, 0] = number
        hdus.writeto(path, checksum=True)
    return path


@pytest.fixture
def is_enabled(request):
    """Return whether benchmarks are to be measured, not only tried."""
    return request.config.getoption("benchmark_enable")
