"""A picture is described by metadata, and is no calibration."""

import pytest

from calrecords.datafiles import DataFile, DataFileFactory, HeaderMapping, ThumbnailFile
from calrecords.datafiles.archivable import check_archivable
from calrecords.errors import InvalidFrameError, InvalidKeywordError, MissingKeywordError

METADATA = {
    "frame_basename": "a-e91",
    "size": "small",
    "DATE-OBS": "2026-01-02T03:04:05",
    "DAY-OBS": "20260101",
    "INSTRUME": "sq32",
    "SITEID": "tfn",
    "TELID": "0m4a",
}


@pytest.fixture
def picture(tmp_path):
    """Write a file that begins like a JPEG."""

    def write(name="a-e91-small.jpg", begins=b"\xff\xd8\xff\xe0"):
        path = tmp_path / name
        path.write_bytes(begins)
        return path

    return write


def test_the_archive_record_of_a_picture(picture):
    thumbnail = ThumbnailFile(picture(), metadata=METADATA)
    assert thumbnail.archive_record() == {
        "basename": "a-e91-small",
        "headers": {**METADATA, "L1PUBDAT": "2027-01-02T03:04:05"},
        "area": None,
        "reduction_level": 0,
        "observation_day": "20260101",
        "observation_date": "2026-01-02T03:04:05",
        "proposal_id": "",
        "instrument_id": "sq32",
        "target_name": "",
        "site_id": "tfn",
        "telescope_id": "0m4a",
        "exposure_time": None,
        "primary_optical_element": "",
        "public_date": "2027-01-02T03:04:05",
        "configuration_type": "",
        "observation_id": None,
        "request_id": None,
        "related_frame_filenames": [],
        "frame_basename": "a-e91",
        "size": "small",
    }
    assert thumbnail.store_key == "tfn/sq32/20260101/thumbnails/a-e91-small.jpg"
    assert thumbnail.content_type == "image/jpeg"


def test_no_search_for_a_calibration_finds_it(picture):
    thumbnail = ThumbnailFile(picture(), metadata=METADATA)
    assert (thumbnail.facts.obstype, thumbnail.facts.is_master) == ("THUMBNAIL", False)
    assert "OBSTYPE" not in thumbnail.header


def test_a_type_that_is_said_stays(picture):
    thumbnail = ThumbnailFile(picture(), metadata={**METADATA, "OBSTYPE": "expose"})
    assert thumbnail.facts.obstype == "EXPOSE"
    assert check_archivable(thumbnail, ("EXPOSE",))["configuration_type"] == "EXPOSE"


def test_the_archive_is_not_given_one_without_a_type(picture):
    with pytest.raises(InvalidKeywordError, match="OBSTYPE is '', which is not in the archive's"):
        check_archivable(ThumbnailFile(picture(), metadata=METADATA), ("EXPOSE",))


@pytest.mark.parametrize("keyword", METADATA)
def test_says_what_its_metadata_lack(picture, keyword):
    path = picture()
    metadata = {key: value for key, value in METADATA.items() if key != keyword}
    with pytest.raises(MissingKeywordError, match=f"{path} has no {keyword} in its header"):
        ThumbnailFile(path, metadata=metadata)


def test_what_is_required_is_the_mappings_business(picture):
    mapping = HeaderMapping(
        required_thumbnail_metadata=("SITEID", "frame"), thumbnail_frame_basename="frame"
    )
    metadata = {**METADATA, "frame": "other", "size": None}
    thumbnail = ThumbnailFile(picture("x.JPEG"), mapping=mapping, metadata=metadata)
    record = thumbnail.archive_record()
    assert (record["frame_basename"], record["size"]) == ("other", None)


def test_a_picture_without_a_night_has_no_place(picture):
    metadata = {**METADATA, "DATE-OBS": None, "DAY-OBS": None}
    with pytest.raises(InvalidKeywordError, match="DAY-OBS is None, not a night"):
        _ = ThumbnailFile(picture(), metadata=metadata).store_key


@pytest.mark.parametrize(
    ("name", "begins", "kind"),
    [
        ("x.jpg", b"<html>", "JPEG picture"),
        ("x.JPEG", b"\x89PNG", "JPEG picture"),
        ("x.jpg", b"", "JPEG picture"),
        ("x.jpeg", b"\xff\xd8", "JPEG picture"),
        ("x.pdf", b"%PDF", "PDF document"),
        ("x.PDF", b"\xff\xd8\xff", "PDF document"),
    ],
)
def test_what_only_has_the_name_of_its_kind_is_refused(picture, name, begins, kind):
    path = picture(name, begins)
    with pytest.raises(InvalidFrameError, match=f"{path} is no {kind}: it begins with"):
        DataFileFactory().open(path, metadata=METADATA)


def test_another_kind_of_plain_file_may_begin_as_it_likes(picture):
    path = picture("x.txt", b"")
    needed = {"PROPID": "x", "OBSTYPE": "BIAS", "BLKUID": 1}
    assert DataFile(path, metadata={**METADATA, **needed}).facts.site == "tfn"
