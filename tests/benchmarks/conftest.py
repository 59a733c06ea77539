"""What benchmarks share: frames of any size, processes that ingest them, masters by the million."""

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import calrecords
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


def loaded(path):
    """Return a file of Python as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def generator(shared_data):
    """Return the shared generator of synthetic records."""
    return loaded(shared_data.parent / "tools" / "gen_records.py")


OPEN_BEFORE, OPEN_AFTER = datetime(1001, 1, 1), datetime(2999, 1, 1)  # noqa: DTZ001 - naive there
OURS = ("configuration_mode", "binning", "filter", "ccd_temperature")


def utc(moment):
    return moment.replace(tzinfo=UTC)


def in_our_words(row):
    """Return a row of the generator as an import takes it."""
    facts = dict(row["attributes"])
    return {
        "filename": row["filename"],
        "obstype": row["type"],
        "frame_id": row["frameid"],
        "is_master": row["is_master"],
        "verdict": "bad" if row["is_bad"] else "unknown",
        "dateobs": utc(row["dateobs"]),
        "created": utc(row["datecreated"]),
        "good_after": None if row["good_after"] < OPEN_BEFORE else utc(row["good_after"]),
        "good_until": None if row["good_until"] > OPEN_AFTER else utc(row["good_until"]),
        **{name: row[name] for name in ("site", "camera", "instrument")},
        **{name: facts.pop(name) for name in OURS if name in facts},
        "attributes": facts,
    }


class Masters:
    """Masters of 60 cameras in a database, and the same in a table that is probed by hand."""

    def __init__(self, place, folder, rows):
        self.cal = calrecords.connect(db=place, store=folder / "store", cache=folder / "cache")
        self.cal.import_records(map(in_our_words, rows))
        hand = loaded(Path(__file__).with_name("by_hand.py"))
        on_server = "://" in str(place)
        self.hand = (
            hand.on_postgresql(place) if on_server else hand.on_sqlite(place, folder / "flat")
        )

    def close(self):
        self.hand.close()
        self.cal.close()


@contextmanager
def made_once(make_place, rows_of, make_folder):
    """Give a function that makes so many masters in a new database, once for all that ask."""
    made = {}

    def make(count):
        if count not in made:
            folder = make_folder(f"masters-{count}")
            made[count] = Masters(make_place(folder), folder, rows_of(count)), folder
        return made[count][0]

    yield make
    for one, folder in made.values():
        one.close()
        shutil.rmtree(folder)  # what pytest would keep is gigabytes


@pytest.fixture(scope="session")
def sqlite_masters(generator, tmp_path_factory):
    def place(folder):
        return folder / "records.sqlite"

    with made_once(place, generator.generate, tmp_path_factory.mktemp) as make:
        yield make


@pytest.fixture(scope="session")
def postgresql_masters(generator, tmp_path_factory, postgresql_server):
    places = []

    def place(_):
        places.append(postgresql_server.migrated())
        return places[-1]

    with made_once(place, generator.generate, tmp_path_factory.mktemp) as make:
        yield make
    for made in places:
        postgresql_server.drop(made)


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request):
    """Return each kind of database in turn."""
    return request.param


@pytest.fixture
def masters(kind, request):
    """Return a function that makes so many masters in that kind of database."""
    return request.getfixturevalue(f"{kind}_masters")


@pytest.fixture(scope="session")
def asked(generator, request):
    """Return targets that a bias, a dark or a flat is to be chosen for, each with its type."""
    count = 3000 if request.config.getoption("benchmark_enable") else 30
    kinds = ("BIAS", "DARK", "SKYFLAT")
    return [(target, kinds[number % 3]) for number, target in enumerate(targets(generator, count))]


@pytest.fixture(scope="session")
def many_targets(generator, request):
    """Return twenty thousand targets."""
    return list(targets(generator, 20_000 if request.config.getoption("benchmark_enable") else 50))


def targets(generator, count):
    for row in generator.science_frames(count):
        facts = {name: row[name] for name in (*OURS, "site", "camera", "instrument")}
        yield {**facts, "dateobs": utc(row["dateobs"])}


@pytest.fixture(scope="session")
def medians_us():
    """Return a function that measures calls, in turn so that what disturbs one disturbs all."""

    def measure(works, rounds=2):
        took = {name: [] for name in works}
        for is_warm in [False] + [True] * rounds:
            for at in range(0, max(len(items) for _, items in works.values()), 100):
                for name, (work, items) in works.items():
                    for item in items[at : at + 100]:
                        began = time.perf_counter()
                        work(*item)
                        if is_warm:
                            took[name].append(time.perf_counter() - began)
        return {name: statistics.median(times) * 1e6 for name, times in took.items()}

    return measure


TABLES = pytest.StashKey()


@pytest.fixture
def tell(request):
    """Return a function that puts a row of figures into a table, printed when all is measured."""
    tables = request.config.stash.setdefault(TABLES, {})

    def add(title, **figures):
        tables.setdefault(title, []).append(figures)

    return add


def pytest_terminal_summary(terminalreporter, config):
    """Print the tables as the README has them."""
    for title, rows in config.stash.get(TABLES, {}).items():
        names = [name.replace("_", " ") for name in rows[0]]
        lines = [names, ["---"] * len(names), *([str(one) for one in row.values()] for row in rows)]
        terminalreporter.section(title)
        for cells in lines:
            terminalreporter.write_line(f"| {' | '.join(cells)} |".replace("| --- ", "|---"))
