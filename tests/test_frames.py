"""Values that pass between parts are what they say, and cannot be changed."""

import dataclasses
import datetime as dt
import hashlib
import io
import pickle
import tracemalloc

import pytest

from calrecords.frames import (
    CHUNK_BYTES,
    CalibrationFrame,
    ContentDigest,
    FrameFacts,
    FrameVersion,
    Ingestion,
    StoredFile,
    digest_stream,
    fact_table,
)
from calrecords.vocabulary import Binning, IngestionState, Verdict

DIGEST = ContentDigest("0" * 32, "0" * 64, 5)
FACTS = FrameFacts(
    obstype="BIAS",
    site="lsc",
    camera="fa01",
    dateobs=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    binning=Binning(2, 2),
    attributes={"GAIN": 1.9},
)
VERSION = FrameVersion("v1", "0" * 32, "0" * 64, 5, ".fits.fz", "lsc/fa01/bias.fits.fz")
FRAME = CalibrationFrame(
    frame_id=7,
    basename="bias",
    obstype="BIAS",
    is_master=True,
    reduction_level=91,
    site="lsc",
    camera="fa01",
    instrument="fa01",
    filter=None,
    binning=Binning(2, 2),
    configuration_mode="default",
    exposure_time=0.0,
    ccd_temperature=-100.0,
    dateobs=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    dayobs=dt.date(2026, 1, 1),
    created=None,
    verdict=Verdict.UNKNOWN,
    good_after=None,
    good_until=None,
    attributes={},
    version=VERSION,
)
INGESTION = Ingestion(
    1, IngestionState.INTENDED, "/x/bias.fits", "bias", ".fits", DIGEST, FACTS, None, "x/bias.fits"
)
VALUES = [DIGEST, FACTS, VERSION, FRAME, INGESTION, StoredFile("x/bias.fits", "v1")]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_is_frozen_and_pickles(value):
    assert pickle.loads(pickle.dumps(value)) == value
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, None)


def test_the_file_name_of_a_frame_is_that_of_its_version():
    assert FRAME.filename == "bias.fits.fz"


def test_every_fact_has_a_meaning_and_times_and_temperatures_a_unit():
    table = fact_table()
    assert [name for name, _, _ in table] == [f.name for f in dataclasses.fields(FrameFacts)]
    assert all(meaning for _, meaning, _ in table)
    assert {name: unit for name, _, unit in table if unit} == {
        "dateobs": "UTC",
        "binning": "pixel",
        "exposure_time": "s",
        "ccd_temperature": "deg C",
        "ccd_measured_temperature": "deg C",
        "created": "UTC",
        "public_date": "UTC",
    }


def test_facts_share_no_attributes():
    assert FrameFacts().attributes is not FrameFacts().attributes
    assert FrameFacts().configuration_mode == "default"


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, 3 * CHUNK_BYTES, 9 * CHUNK_BYTES + 1])
def test_a_digest_is_of_every_byte(size):
    data = bytes(number % 251 for number in range(1000)) * (size // 1000 + 1)
    data = data[:size]
    passed = io.BytesIO()
    digest = digest_stream(io.BytesIO(data), sink=passed.write)
    assert digest == ContentDigest(
        hashlib.md5(data).hexdigest(), hashlib.sha256(data).hexdigest(), size
    )
    assert passed.getvalue() == data


def test_a_digest_is_of_what_is_left():
    stream = io.BytesIO(b"header and data")
    stream.seek(11)
    assert digest_stream(stream).md5 == hashlib.md5(b"data").hexdigest()


class Endless(io.RawIOBase):
    """Zero bytes up to a size, made when they are read."""

    def __init__(self, size):
        self.left = size

    def read(self, size=-1):
        assert size > 0, "the whole stream was asked for at once"
        size = min(size, self.left)
        self.left -= size
        return bytes(size)


def test_a_digest_takes_flat_memory():
    tracemalloc.start()
    digest = digest_stream(Endless(64 * CHUNK_BYTES))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert digest.size == 64 * CHUNK_BYTES
    assert peak < 4 * CHUNK_BYTES


def test_what_a_sink_raises_ends_a_digest_of_a_large_stream():
    def full(_chunk):
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        digest_stream(io.BytesIO(bytes(10 * CHUNK_BYTES)), sink=full)
