"""Which header keyword gives which fact, and the rules by which headers are read.

Nothing here is global and nothing reads the environment: a `HeaderMapping` is handed to whatever
opens a file. The settings of the Observatory Control System's archive library have a field each;
`OCS_SETTINGS` says which, and `HeaderMapping.from_ocs_settings` reads their texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calrecords.errors import ConfigurationError

_RELATED_FRAMES = (
    *("L1IDBIAS", "L1IDDARK", "L1IDFLAT", "L1IDSHUT", "L1IDMASK", "L1IDFRNG", "L1IDCAT"),
    *("L1IDARC", "L1ID1D", "L1ID2D", "L1IDSUM", "TARFILE", "ORIGNAME", "ARCFILE", "FLATFILE"),
    "GUIDETAR",
)
_REQUIRED = ("PROPID", "DATE-OBS", "DAY-OBS", "INSTRUME", "SITEID", "TELID", "OBSTYPE", "BLKUID")
_REQUIRED_OF_THUMBNAILS = (
    *("frame_basename", "size", "DATE-OBS", "DAY-OBS", "INSTRUME", "SITEID", "TELID"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class HeaderMapping:
    """Keywords by fact, and rules; the defaults are those of Las Cumbres Observatory.

    A keyword that is empty means that headers do not hold this fact.

    Attributes
    ----------
    observation_date, observation_day, observation_end_time : str
        Keywords of the start of the exposure, the night, the end of the exposure.
    reduction_level, exposure_time, instrument_id, site_id, telescope_id : str
        Keywords of the reduction level, the exposure time in seconds, camera, site, telescope.
    observation_id, configuration_id, request_id, requestgroup_id : str
        Keywords of the numbers that the observation portal gave.
    primary_optical_element, target_name, configuration_type, proposal_id : str
        Keywords of the filter, the sky object, the observation type, the proposal.
    catalog_target_frame : str
        Keyword by which an image names its catalogue, and a catalogue its image.
    public_date : str
        Keyword of the time at which the frame becomes public.
    related_frames : tuple of str
        Keywords that name other frames.
    radius, ra, dec : str
        Keywords of the field of view: its radius in arcsec, its centre in hours and degrees.
    thumbnail_frame_basename, thumbnail_size : str
        Keywords of a picture's metadata that name its frame, and say how big the picture is.
    binning, configuration_mode, ccd_temperature, ccd_measured_temperature : str
        Keywords of the binning, the readout mode, and the temperatures in deg C.
    is_master, created, pipeline_name, pipeline_version, instrument_name, time_scale : str
        Keywords of what OCS has no setting for.
    input_frame_prefix : str
        Beginning of the numbered keywords by which a master names what it was made from.
    fiber_contents : str
        Keyword that says what each fibre of a spectrograph saw, as ``thar&thar&none``, which
        gives the attributes ``fiber0_lit`` to ``fiber2_lit``.
    attributes : tuple of str
        Keywords of further facts that a rule may match.
    required : tuple of str
        Keywords without which a file is refused.
    required_thumbnail_metadata : tuple of str
        The same for a picture of a frame, which has no header.
    blacklist : tuple of str
        Keywords that are dropped.
    null_values : tuple of str
        Texts that mean that there is no value.
    calibration_types, public_proposals : tuple of str
        Observation types, and parts of proposal names, whose frames are public at once.
    private_proposals, private_file_types : tuple of str
        Parts of proposal names and of basenames whose frames stay private.
    private_proposal_tags, public_proposal_tags : tuple of str
        Tags of a proposal, in the observation portal, whose frames stay private, or are public
        at once; private goes first.
    days_until_public : int
        Days after the exposure at which any other frame becomes public.
    """

    observation_date: str = "DATE-OBS"
    observation_day: str = "DAY-OBS"
    observation_end_time: str = "UTSTOP"
    reduction_level: str = "RLEVEL"
    exposure_time: str = "EXPTIME"
    instrument_id: str = "INSTRUME"
    site_id: str = "SITEID"
    telescope_id: str = "TELID"
    observation_id: str = "BLKUID"
    configuration_id: str = "MOLUID"
    primary_optical_element: str = "FILTER"
    target_name: str = "OBJECT"
    request_id: str = "REQNUM"
    requestgroup_id: str = "TRACKNUM"
    configuration_type: str = "OBSTYPE"
    proposal_id: str = "PROPID"
    catalog_target_frame: str = "L1IDCAT"
    public_date: str = "L1PUBDAT"
    related_frames: tuple[str, ...] = _RELATED_FRAMES
    radius: str = "RADIUS"
    ra: str = "RA"
    dec: str = "DEC"
    thumbnail_frame_basename: str = "frame_basename"
    thumbnail_size: str = "size"

    binning: str = "CCDSUM"
    configuration_mode: str = "CONFMODE"
    ccd_temperature: str = "CCDSTEMP"
    ccd_measured_temperature: str = "CCDATEMP"
    is_master: str = "ISMASTER"
    created: str = "DATE"
    pipeline_name: str = "PIPENAME"
    pipeline_version: str = "PIPEVER"
    instrument_name: str = ""
    time_scale: str = "TIMESYS"
    input_frame_prefix: str = "IMCOM"
    fiber_contents: str = "OBJECTS"
    attributes: tuple[str, ...] = ("APERWID", "APERLEN", "GRATING", "OBJECTS", "RDSPEED", "GAIN")

    required: tuple[str, ...] = _REQUIRED
    required_thumbnail_metadata: tuple[str, ...] = _REQUIRED_OF_THUMBNAILS
    blacklist: tuple[str, ...] = ("HISTORY", "COMMENT")
    null_values: tuple[str, ...] = ("N/A", "UNSPECIFIED", "UNKNOWN")
    calibration_types: tuple[str, ...] = ("BIAS", "DARK", "SKYFLAT", "EXPERIMENTAL")
    public_proposals: tuple[str, ...] = ("EPO", "calib", "standard", "pointing")
    private_proposals: tuple[str, ...] = ("LCOEngineering",)
    private_file_types: tuple[str, ...] = ("-t00", "-x00")
    private_proposal_tags: tuple[str, ...] = ("private", "internal")
    public_proposal_tags: tuple[str, ...] = ("public",)
    days_until_public: int = 365

    @classmethod
    def from_ocs_settings(cls, settings: Mapping[str, str]) -> HeaderMapping:
        """Return the mapping that OCS settings describe; other names are passed over.

        Parameters
        ----------
        settings : mapping
            Texts by the names of `OCS_SETTINGS`. A list is separated by commas, and blanks in
            it are dropped.

        Raises
        ------
        ConfigurationError
            If a number of days is no whole number.

        Examples
        --------
        >>> HeaderMapping.from_ocs_settings({"SITE_ID_KEY": "SITE"}).site_id
        'SITE'
        """
        values: dict[str, Any] = {}
        for setting, name in OCS_SETTINGS.items():
            if setting in settings:
                values[name] = _parsed(setting, name, settings[setting])
        return cls(**values)


_KEYWORDS = (
    *("observation_date", "observation_day", "observation_end_time", "reduction_level"),
    *("exposure_time", "instrument_id", "site_id", "telescope_id", "observation_id"),
    *("configuration_id", "primary_optical_element", "target_name", "request_id"),
    *("requestgroup_id", "configuration_type", "proposal_id", "catalog_target_frame"),
    *("public_date", "radius", "ra", "dec", "thumbnail_frame_basename", "thumbnail_size"),
)

OCS_SETTINGS: Mapping[str, str] = {f"{name.upper()}_KEY": name for name in _KEYWORDS} | {
    "RELATED_FRAME_KEYS": "related_frames",
    "REQUIRED_HEADERS": "required",
    "REQUIRED_THUMBNAIL_METADATA": "required_thumbnail_metadata",
    "HEADER_BLACKLIST": "blacklist",
    "NULL_HEADER_VALUES": "null_values",
    "CALIBRATION_TYPES": "calibration_types",
    "PUBLIC_PROPOSALS": "public_proposals",
    "PRIVATE_PROPOSALS": "private_proposals",
    "PRIVATE_FILE_TYPES": "private_file_types",
    "PRIVATE_PROPOSAL_TAGS": "private_proposal_tags",
    "PUBLIC_PROPOSAL_TAGS": "public_proposal_tags",
    "DAYS_UNTIL_PUBLIC": "days_until_public",
}
"""Name of the `HeaderMapping` field by the name of the OCS setting that fills it."""

LCO_MAPPING = HeaderMapping()
"""The default mapping: headers as Las Cumbres Observatory writes them."""


def _parsed(setting: str, name: str, text: str) -> object:
    default = getattr(LCO_MAPPING, name)
    if isinstance(default, tuple):
        return tuple(part for part in text.replace(" ", "").split(",") if part)
    if isinstance(default, str):
        return text.strip()
    try:
        return int(text)
    except ValueError as error:
        msg = f"{setting} is {text!r}, not a whole number; write days, for example 365"
        raise ConfigurationError(msg) from error
