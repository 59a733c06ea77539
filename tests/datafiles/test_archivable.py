"""What the Science Archive would refuse is refused before anything is stored."""

import gzip

import pytest

from calrecords.datafiles import DataFile, FitsFile, check_archivable
from calrecords.errors import InvalidKeywordError, UnsupportedFileTypeError

TYPES = ("BIAS", "DARK", "EXPOSE")


def test_returns_the_record_of_what_the_archive_takes(write_frame):
    data_file = FitsFile(write_frame())
    assert check_archivable(data_file, TYPES) == data_file.archive_record()
    assert check_archivable(FitsFile(write_frame(OBSTYPE="BPM")))["configuration_type"] == "BPM"


def test_every_real_frame_is_taken(shared_data):
    from calrecords.datafiles import DataFileFactory

    types = (*TYPES, "SKYFLAT", "CATALOG")
    for path in (shared_data / "lco").glob("*.fits*"):
        check_archivable(DataFileFactory().open(path), types)


def test_a_type_that_is_not_in_the_archives_list_names_the_ways_out(write_frame):
    with pytest.raises(InvalidKeywordError) as caught:
        check_archivable(FitsFile(write_frame(OBSTYPE="BPM")), TYPES)
    message = str(caught.value)
    for part in (
        "OBSTYPE is 'BPM'",
        "list of observation types (BIAS, DARK, EXPOSE)",
        "`register`",
    ):
        assert part in message


@pytest.mark.parametrize("name", ["a.FITS", "a.xyz", "a.fit", "a"])
def test_an_extension_that_would_harm_the_archive_is_refused(write_frame, name):
    class AnyFits(FitsFile):
        extensions = ()

    with pytest.raises(UnsupportedFileTypeError, match="the archive cannot hold"):
        check_archivable(AnyFits(write_frame(name)), TYPES)


def test_a_frame_in_gzip_is_refused(write_frame, tmp_path):
    path = tmp_path / "a.fits.gz"
    path.write_bytes(gzip.compress(write_frame().read_bytes()))
    with pytest.raises(UnsupportedFileTypeError, match="the archive cannot hold"):
        check_archivable(FitsFile(path), TYPES)


ACCEPTED = [
    {"SITEID": "abc", "TELID": "abcd", "INSTRUME": "x" * 64},
    {"OBJECT": "x" * 68, "FILTER": ""},
    {"BLKUID": 2147483647, "REQNUM": "0000296263"},
    {"BLKUID": "UNSPECIFIED", "REQNUM": ""},
    {"RLEVEL": -32768},
]
REFUSED = [
    ({"SITEID": "abcd"}, ["SITEID", "more than 3 letters"]),
    ({"TELID": "abcde"}, ["TELID", "more than 4 letters"]),
    ({"INSTRUME": "x" * 65}, ["INSTRUME", "more than 64 letters"]),
    ({"BLKUID": 2147483648}, ["BLKUID", "no number from 0 to"]),
    ({"BLKUID": -1}, ["BLKUID", "no number from 0 to"]),
    ({"BLKUID": 1.5}, ["BLKUID", "no number from 0 to"]),
    ({"BLKUID": True}, ["BLKUID", "no number from 0 to"]),
    ({"REQNUM": "2147483648"}, ["REQNUM", "no number from 0 to"]),
    ({"REQNUM": "n/a"}, ["REQNUM", "no number from 0 to"]),
    ({"REQNUM": "\u00b2"}, ["REQNUM", "no number from 0 to"]),
    ({"RLEVEL": 32768}, ["RLEVEL", "beyond 16 bits"]),
    ({"PROPID": "x" * 201}, ["PROPID", "more than 200 letters"]),
    ({"OBJECT": "x" * 201}, ["OBJECT", "more than 200 letters"]),
    ({"FILTER": "x" * 101}, ["FILTER", "more than 100 letters"]),
    ({"L1IDBIAS": "x" * 1001}, ["basename", "over 1000 letters"]),
    ({"DATE-OBS": ""}, ["DATE-OBS", "a frame without it"]),
]


@pytest.mark.parametrize("keywords", ACCEPTED)
def test_takes_values_at_the_limits(write_frame, keywords):
    check_archivable(FitsFile(write_frame(), metadata=keywords), TYPES)


@pytest.mark.parametrize(("keywords", "says"), REFUSED)
def test_refuses_values_beyond_the_limits(write_frame, keywords, says):
    with pytest.raises(InvalidKeywordError, match="the archive refuses") as caught:
        check_archivable(FitsFile(write_frame(), metadata=keywords), TYPES)
    assert [words for words in says if words not in str(caught.value)] == []
    assert len(str(caught.value)) < 500


def test_a_file_without_a_night_is_refused(tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-")
    metadata = {"SITEID": "lsc", "INSTRUME": "fa01", "OBSTYPE": "BIAS"}
    needed = dict.fromkeys(("PROPID", "DATE-OBS", "DAY-OBS", "TELID", "BLKUID"))
    with pytest.raises(InvalidKeywordError, match=r"DATE-OBS is None.*a frame without it"):
        check_archivable(DataFile(path, metadata={**needed, **metadata}))
