"""What the Science Archive is told of a file, from its header and its facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calrecords.datafiles.cards import HeaderValue
from calrecords.datafiles.facts import related_basenames
from calrecords.datafiles.mapping import HeaderMapping
from calrecords.datafiles.repairs import compact_day, is_null, read_time
from calrecords.frames import FrameFacts


def make_archive_record(
    header: Mapping[str, HeaderValue],
    facts: FrameFacts,
    mapping: HeaderMapping,
    *,
    basename: str,
    name: str,
    area: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what is sent to the archive's ``/frames/``, less ``version_set``.

    Parameters
    ----------
    header : mapping
        As `DataFile.header` has it.
    facts : FrameFacts
        What that header says.
    mapping : HeaderMapping
        Which keyword gives which fact.
    basename : str
        Of the file.
    name : str
        File name, for messages.
    area : mapping, optional
        GeoJSON polygon of where on the sky the frame lies.

    Raises
    ------
    InvalidKeywordError
        If a time cannot be read.
    """

    def text(keyword: str) -> str:
        value = header.get(keyword)
        return "" if value is None else str(value)

    def number(keyword: str) -> HeaderValue:
        value = header.get(keyword)
        return None if is_null(value) else value

    return {
        "basename": basename,
        "headers": dict(header),
        "area": area,
        "reduction_level": facts.reduction_level or 0,
        "observation_day": compact_day(facts.dayobs) if facts.dayobs else None,
        "observation_date": _time(header, mapping.observation_date, name),
        "proposal_id": text(mapping.proposal_id),
        "instrument_id": facts.camera,
        "target_name": text(mapping.target_name),
        "site_id": facts.site,
        "telescope_id": text(mapping.telescope_id),
        "exposure_time": facts.exposure_time,
        "primary_optical_element": text(mapping.primary_optical_element),
        "public_date": _time(header, mapping.public_date, name),
        "configuration_type": facts.obstype,
        "observation_id": number(mapping.observation_id),
        "request_id": number(mapping.request_id),
        "related_frame_filenames": [name for _, name in related_basenames(header, mapping)],
    }


def _time(header: Mapping[str, HeaderValue], keyword: str, name: str) -> str | None:
    """Return a time as the header has it, or anew where the archive could not read that."""
    value = header.get(keyword)
    text = "" if value is None else str(value).strip()
    if text[11:13] != "24":
        return text or None
    time = read_time(header, keyword, name)
    return time.isoformat() if time else None
