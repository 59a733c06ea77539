"""The default mapping is LCO's, and OCS settings fill it mechanically."""

from dataclasses import FrozenInstanceError, fields, replace

import pytest

from calrecords.datafiles import OCS_SETTINGS, HeaderMapping
from calrecords.errors import ConfigurationError

DEFAULTS = {
    "OBSERVATION_DATE_KEY": "DATE-OBS",
    "OBSERVATION_DAY_KEY": "DAY-OBS",
    "OBSERVATION_END_TIME_KEY": "UTSTOP",
    "REDUCTION_LEVEL_KEY": "RLEVEL",
    "EXPOSURE_TIME_KEY": "EXPTIME",
    "INSTRUMENT_ID_KEY": "INSTRUME",
    "SITE_ID_KEY": "SITEID",
    "TELESCOPE_ID_KEY": "TELID",
    "OBSERVATION_ID_KEY": "BLKUID",
    "CONFIGURATION_ID_KEY": "MOLUID",
    "PRIMARY_OPTICAL_ELEMENT_KEY": "FILTER",
    "TARGET_NAME_KEY": "OBJECT",
    "REQUEST_ID_KEY": "REQNUM",
    "REQUESTGROUP_ID_KEY": "TRACKNUM",
    "CONFIGURATION_TYPE_KEY": "OBSTYPE",
    "PROPOSAL_ID_KEY": "PROPID",
    "CATALOG_TARGET_FRAME_KEY": "L1IDCAT",
    "PUBLIC_DATE_KEY": "L1PUBDAT",
    "RADIUS_KEY": "RADIUS",
    "RA_KEY": "RA",
    "DEC_KEY": "DEC",
    "THUMBNAIL_FRAME_BASENAME_KEY": "frame_basename",
    "THUMBNAIL_SIZE_KEY": "size",
    "REQUIRED_THUMBNAIL_METADATA": "frame_basename,size,DATE-OBS,DAY-OBS,INSTRUME,SITEID,TELID",
    "PRIVATE_PROPOSAL_TAGS": "private,internal",
    "PUBLIC_PROPOSAL_TAGS": "public",
    "RELATED_FRAME_KEYS": "L1IDBIAS,L1IDDARK,L1IDFLAT,L1IDSHUT,L1IDMASK,L1IDFRNG,L1IDCAT,L1IDARC,"
    "L1ID1D,L1ID2D,L1IDSUM,TARFILE,ORIGNAME,ARCFILE,FLATFILE,GUIDETAR",
    "REQUIRED_HEADERS": "PROPID,DATE-OBS,DAY-OBS,INSTRUME,SITEID,TELID,OBSTYPE,BLKUID",
    "HEADER_BLACKLIST": "HISTORY,COMMENT",
    "NULL_HEADER_VALUES": "N/A,UNSPECIFIED,UNKNOWN",
    "CALIBRATION_TYPES": "BIAS,DARK,SKYFLAT,EXPERIMENTAL",
    "PUBLIC_PROPOSALS": "EPO,calib,standard,pointing",
    "PRIVATE_PROPOSALS": "LCOEngineering",
    "PRIVATE_FILE_TYPES": "-t00,-x00",
    "DAYS_UNTIL_PUBLIC": "365",
}


def test_the_default_is_what_ocs_has_by_default():
    assert OCS_SETTINGS.keys() == DEFAULTS.keys()
    assert HeaderMapping.from_ocs_settings(DEFAULTS) == HeaderMapping()
    assert HeaderMapping.from_ocs_settings({}) == HeaderMapping()


def test_each_setting_fills_the_field_of_its_name():
    known = {field.name for field in fields(HeaderMapping)}
    assert set(OCS_SETTINGS.values()) <= known
    for setting, name in OCS_SETTINGS.items():
        if setting.endswith("_KEY"):
            assert name == setting.removesuffix("_KEY").lower()
            changed = replace(HeaderMapping(), **{name: "OTHER"})
            assert HeaderMapping.from_ocs_settings({setting: "OTHER"}) == changed


def test_blanks_in_a_list_are_dropped():
    read = HeaderMapping.from_ocs_settings({"REQUIRED_HEADERS": " A, B ,,C ", "OTHER": "x"})
    assert read == HeaderMapping(required=("A", "B", "C"))


def test_a_number_of_days_must_be_a_number():
    with pytest.raises(ConfigurationError, match="DAYS_UNTIL_PUBLIC is 'a year'"):
        HeaderMapping.from_ocs_settings({"DAYS_UNTIL_PUBLIC": "a year"})


def test_a_mapping_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        HeaderMapping().site_id = "SITE"
