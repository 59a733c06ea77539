"""What callers hand to the OCS functions, refused in words where it cannot be used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, BinaryIO

from calrecords.errors import ConfigurationError, DataFileNotFoundError
from calrecords.frames import digest_stream

_VERSION = ("key", "md5", "extension")


def md5_of(fileobj: BinaryIO) -> str:
    """Return the MD5 of a file object, read from its start to its end.

    Raises
    ------
    DataFileNotFoundError
        If it is closed, is open as text, cannot go back to its start, or fails.
    """
    try:
        fileobj.seek(0)
        return digest_stream(fileobj).md5
    except (AttributeError, OSError, TypeError, ValueError) as error:
        msg = f"the file object cannot be read as bytes from its start: {error}; open it with 'rb'"
        raise DataFileNotFoundError(msg) from error


def keywords(given: Collection[str], argument: str) -> tuple[str, ...]:
    """Return a list of keywords.

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    found = tuple(given) if isinstance(given, Iterable) else ()
    if not isinstance(given, Iterable) or not all(isinstance(word, str) for word in found):
        msg = f"{argument} is {given!r}; give a list of keywords, or leave it out"
        raise ConfigurationError(msg)
    return found


def checked_metadata(given: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return header values by keyword.

    Raises
    ------
    ConfigurationError
        If they are no dictionary.
    """
    if given is not None and not isinstance(given, Mapping):
        msg = f"file_metadata is of type {type(given).__name__}; give a dictionary, by keyword"
        raise ConfigurationError(msg)
    return given


def demand_version_and_record(version: object, record: object) -> None:
    """Refuse what `upload_file_to_file_store` and the validation do not return.

    Raises
    ------
    ConfigurationError
        If it is no dictionary, or the version lacks something.
    """
    if not isinstance(version, Mapping) or not all(
        isinstance(version.get(name), str) for name in _VERSION
    ):
        msg = "the version is not what upload_file_to_file_store returns: a dictionary with texts"
        raise ConfigurationError(f"{msg} for {', '.join(_VERSION)}")
    if not isinstance(record, dict):
        msg = (
            "the record is not the dictionary that validate_fits_and_create_archive_record returns"
        )
        raise ConfigurationError(msg)
