"""Files that the archive has no name for: they can be registered, and never reach it."""

import gzip
import shutil

import pytest

from calrecords import IngestOutcome
from calrecords.errors import CalRecordsError, UnsupportedFileTypeError


@pytest.fixture
def renamed(make_frame):
    """Return a function that gives a made-up frame under another name."""

    def rename(extension):
        path = make_frame(basename="frame")
        other = path.with_name("frame" + extension)
        if extension.lower().endswith(".gz"):
            with path.open("rb") as source, gzip.open(other, "wb") as sink:
                shutil.copyfileobj(source, sink)
            path.unlink()
        else:
            path.rename(other)
        return other

    return rename


@pytest.mark.parametrize("extension", [".fits.gz", ".FITS", ".fit"])
def test_it_is_registered_and_refused_for_the_archive_before_anything_is_stored(
    extension, world, renamed
):
    path = renamed(extension)
    with world.connect() as cal:
        with pytest.raises(UnsupportedFileTypeError, match="`register`"):
            cal.ingest(path, is_master=True)
        assert (world.stored(), world.archived(), cal.resume()) == ({}, [], [])
        assert not [call for call in world.archive.requests if call[0] in {"POST", "GET"}]
        assert len(cal.query()) == 0
        result = cal.register(path, is_master=True)
        assert (result.outcome, result.frame_id) == (IngestOutcome.REGISTERED, None)
        assert result.frame.filename == path.name
        assert (result.frame.obstype, result.frame.site) == ("BIAS", "lsc")
        assert cal.fetch(result).read_bytes() == path.read_bytes()
        with pytest.raises(UnsupportedFileTypeError, match="`register`"):
            cal.ingest(path, is_master=True)
        assert cal.get(basename="frame") == result.frame
    assert world.archived() == []


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_a_name_that_no_class_reads_is_neither_ingested_nor_registered(world, renamed):
    path = renamed(".xyz")
    with world.connect() as cal:
        for take in (cal.ingest, cal.register):
            with pytest.raises(CalRecordsError, match=r"frame\.xyz"):
                take(path)
    assert world.stored() == {}
