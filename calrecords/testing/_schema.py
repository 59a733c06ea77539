"""What OPTIONS says of the frames: fields, limits and the closed list of choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calrecords.testing import _validation as validation

_RENDERS = ["application/json", "text/html"]
_PARSES = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]
_HELP = {
    "basename": "File basename without extension",
    "area": "GeoJSON area that this frame covers",
    "version_set": "Set of versions associated with this file",
    "filename": "Full filename",
    "url": "File download URL associated with most recent version",
    "reduction_level": "Reduction level of the frame",
    "observation_day": "Observation day in %Y%m%d format",
    "observation_date": "Time of observation in UTC",
    "proposal_id": "Textual proposal id",
    "instrument_id": "Instrument used",
    "target_name": "Target object name",
    "site_id": "Originating site code. Usually the 3 character airport code of the nearest airport",
    "telescope_id": "Originating telescope 4 character code. Ex. 1m0a or 0m4b",
    "exposure_time": "Exposure time, in seconds",
    "primary_optical_element": "Primary Optical Element used. FITS header: FILTER",
    "public_date": "The date the frame becomes public",
    "observation_id": "Unique id associated with the observation",
    "request_id": "Unique id associated with the request this observation is a part of",
    "related_frame_filenames": "Set of related frames for this file",
}


def describe(name: str) -> dict[str, Any]:
    """Return what OPTIONS says to those who may not write."""
    return {"name": name, "description": "", "renders": _RENDERS, "parses": _PARSES}


def describe_posting(observation_types: Sequence[str]) -> dict[str, Any]:
    """Return what a superuser may post: each field with its type, limits and choices."""
    choices = [{"value": name, "display_name": name} for name in observation_types]
    return {
        "id": _field("integer", "ID", read_only=True),
        "basename": _of("basename", "string"),
        "area": _of("area", "field"),
        "related_frames": _field("field", "Related frames"),
        "version_set": {**_of("version_set", "field"), "child": _version()},
        "headers": _of("headers", "field"),
        "filename": _of("filename", "string", read_only=True),
        "url": _of("url", "string", read_only=True),
        "reduction_level": _integer("reduction_level", *validation.REDUCTION_LEVELS),
        "observation_day": _of("observation_day", "date"),
        "observation_date": _of("observation_date", "datetime"),
        **{name: _text(name) for name in ("proposal_id", "instrument_id", "target_name")},
        **{name: _text(name) for name in ("site_id", "telescope_id")},
        "exposure_time": _of("exposure_time", "float"),
        "primary_optical_element": _text("primary_optical_element"),
        "public_date": _of("public_date", "datetime"),
        "configuration_type": _of("configuration_type", "choice", choices=choices),
        "observation_id": _integer("observation_id", 0, validation.LARGEST_ID),
        "request_id": _integer("request_id", 0, validation.LARGEST_ID),
        "related_frame_filenames": _of(
            "related_frame_filenames",
            "list",
            child={"type": "string", "required": True, "read_only": False},
        ),
    }


def _field(
    kind: str, label: str, *, required: bool = False, read_only: bool = False, **more: Any
) -> dict[str, Any]:
    return {"type": kind, "required": required, "read_only": read_only, "label": label, **more}


def _of(name: str, kind: str, *, read_only: bool = False, **more: Any) -> dict[str, Any]:
    required = name in validation.REQUIRED
    said = {"help_text": _HELP[name]} if name in _HELP else {}
    label = name.replace("_", " ").capitalize()
    return _field(kind, label, required=required, read_only=read_only, **said, **more)


def _text(name: str) -> dict[str, Any]:
    return _of(name, "string", max_length=validation.TEXT_LENGTHS[name])


def _integer(name: str, least: int, most: int) -> dict[str, Any]:
    return _of(name, "integer", min_value=least, max_value=most)


def _version() -> dict[str, Any]:
    texts = {
        name: _field("string", name.capitalize(), required=True, max_length=longest)
        for name, longest in validation.VERSION_LENGTHS.items()
    }
    children = {
        "id": _field("integer", "ID", read_only=True),
        "created": _field("datetime", "Created", read_only=True),
        **texts,
        "url": _field("string", "Url", read_only=True, help_text="Download URL for given version"),
    }
    return {
        "type": "nested object",
        "required": True,
        "read_only": False,
        "help_text": _HELP["version_set"],
        "children": children,
    }
