"""Rows of the store as the documents that the archive sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from calrecords.testing._answers import CrashError
from calrecords.testing._frames import StoredFrame

KNOWN_EXTENSIONS = (".fits.fz", ".fits", ".tar.gz", ".pdf", ".jpg", ".jpeg")
"""Extensions that the archive has a class for; with another it fails, though it has stored."""

TWINS = {
    "DATE_OBS": "observation_date",
    "DAY_OBS": "observation_day",
    "PROPID": "proposal_id",
    "INSTRUME": "instrument_id",
    "OBJECT": "target_name",
    "RLEVEL": "reduction_level",
    "SITEID": "site_id",
    "TELID": "telescope_id",
    "EXPTIME": "exposure_time",
    "FILTER": "primary_optical_element",
    "L1PUBDAT": "public_date",
    "OBSTYPE": "configuration_type",
    "BLKUID": "observation_id",
    "REQNUM": "request_id",
}
"""The older name of each field, which an answer to GET repeats in upper case."""

_WRITTEN_ORDER = (
    "reduction_level",
    "observation_day",
    "observation_date",
    "proposal_id",
    "instrument_id",
    "target_name",
    "site_id",
    "telescope_id",
    "exposure_time",
    "primary_optical_element",
    "public_date",
    "configuration_type",
    "observation_id",
    "request_id",
)
_READ_ORDER = (
    "observation_date",
    "observation_day",
    "proposal_id",
    "instrument_id",
    "target_name",
    "reduction_level",
    "site_id",
    "telescope_id",
    "exposure_time",
    "primary_optical_element",
    "public_date",
    "configuration_type",
    "observation_id",
    "request_id",
)
_DATES = ("observation_date", "public_date", "created")


def store_path(fields: Mapping[str, Any], extension: str) -> str:
    """Return the path at which the archive expects a frame's file.

    It follows from the frame's current fields and its newest extension, whichever
    version is meant.

    Raises
    ------
    CrashError
        If the archive has no class for the extension.
    """
    if extension not in KNOWN_EXTENSIONS:
        raise CrashError
    place = f"{fields['site_id']}/{fields['instrument_id']}"
    name = fields["basename"] + extension
    day = (fields["observation_day"] or "").replace("-", "")
    if extension in (".jpg", ".jpeg"):
        return f"{place}/{day}/thumbnails/{name}"
    if extension == ".fits.fz" and _is_bad_pixel_mask(fields):
        return f"{place}/bpm/{name}"
    kind = "raw" if fields["reduction_level"] == 0 else "processed"
    return f"{place}/{day}/{kind}/{name}"


def _is_bad_pixel_mask(fields: Mapping[str, Any]) -> bool:
    dashed = f"-{fields['basename'].replace('_', '-')}-"
    return fields["configuration_type"] == "BPM" or "-bpm-" in dashed


def header_document(frame: StoredFrame) -> dict[str, Any]:
    """Return the header values in the order in which PostgreSQL keeps the keys of JSON."""
    headers = frame.fields["headers"]
    if not isinstance(headers, dict):
        return {"data": headers}
    ordered = sorted(headers, key=lambda key: (len(key.encode()), key.encode()))
    return {"data": {key: headers[key] for key in ordered}}


def _value(fields: Mapping[str, Any], name: str) -> Any:
    value = fields[name]
    if name in _DATES and value is not None:
        return value.replace(".000000Z", "Z")
    return value


class Serializer:
    """Frames and versions as documents.

    Parameters
    ----------
    url_for : callable
        Given a store path and a version's key, returns the URL of the file.
    """

    def __init__(self, url_for: Callable[[str, str], str]) -> None:
        self._url_for = url_for

    def _url(self, frame: StoredFrame, version: Mapping[str, Any]) -> str | None:
        path = store_path(frame.fields, frame.versions[0]["extension"])
        if frame.fields["observation_date"] is None:
            return None
        return self._url_for(path, version["key"])

    def version(self, frame: StoredFrame, version: Mapping[str, Any]) -> dict[str, Any]:
        """Return a version, which names no frame; without observation date it has no URL."""
        document = {name: _value(version, name) for name in ("id", "created")}
        document |= {name: version[name] for name in ("key", "md5", "extension")}
        url = self._url(frame, version)
        return document if url is None else {**document, "url": url}

    def written(self, frame: StoredFrame) -> dict[str, Any]:
        """Return a frame as the answer to POST and PATCH has it.

        Raises
        ------
        CrashError
            If the archive has no class for the newest extension.
        """
        fields = frame.fields
        versions = [self.version(frame, version) for version in frame.versions]
        document = {name: fields[name] for name in ("id", "basename", "area")}
        document |= {"related_frames": list(frame.related), "version_set": versions}
        if versions:
            document["filename"] = fields["basename"] + versions[0]["extension"]
            if "url" in versions[0]:
                document["url"] = versions[0]["url"]
        return document | {name: _value(fields, name) for name in _WRITTEN_ORDER}

    def read(
        self, frame: StoredFrame, *, with_related: bool = True, with_thumbnails: bool = False
    ) -> dict[str, Any]:
        """Return a frame as the answer to GET has it.

        Raises
        ------
        CrashError
            If the archive has no class for the newest extension.
        """
        fields = frame.fields
        versions = [self.version(frame, version) for version in frame.versions]
        document = {name: fields[name] for name in ("id", "basename")}
        document |= {name: _value(fields, name) for name in _READ_ORDER}
        document["version_set"] = versions
        document["url"] = versions[0].get("url") if versions else None
        document["filename"] = fields["basename"] + versions[0]["extension"] if versions else None
        if with_thumbnails:
            document["thumbnails"] = []
        document |= {twin: document[name] for twin, name in TWINS.items()}
        if fields["area"] is not None:
            document["area"] = fields["area"]
        if with_related:
            document["related_frames"] = list(frame.related)
        return document
