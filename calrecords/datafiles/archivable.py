"""What the Science Archive would refuse, found before anything is stored.

Limits are those that science-archive 2.7.2 was seen to have. Some refusals come only after the
file is in the store, and some harm the archive: an extension that it has no class for is
committed, and every later listing that holds the frame fails.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from calrecords.datafiles.datafile import DataFile
from calrecords.datafiles.shown import shown
from calrecords.errors import InvalidKeywordError, UnsupportedFileTypeError

ARCHIVE_EXTENSIONS = (".fits", ".fits.fz", ".tar.gz", ".pdf", ".jpg", ".jpeg")
"""Extensions that the archive has a class for, by default; lower case only."""
MAX_BASENAME = 1000
"""Letters of a basename."""

_TEXT_LIMITS = {
    "site_id": 3,
    "telescope_id": 4,
    "instrument_id": 64,
    "primary_optical_element": 100,
    "proposal_id": 200,
    "target_name": 200,
}
_MOST_NUMBER = 2_147_483_647
_MOST_LEVEL = 32_767


def check_archivable(
    data_file: DataFile, observation_types: Collection[str] | None = None
) -> dict[str, Any]:
    """Return the archive record of a data file, or raise for what the archive would refuse.

    Parameters
    ----------
    data_file : DataFile
        An open data file.
    observation_types : collection of str, optional
        The archive's list of observation types; None where it could not be learnt, and then
        the type is not checked.

    Raises
    ------
    UnsupportedFileTypeError
        If the archive has no class for the extension.
    InvalidKeywordError
        If a value is too long, out of range, missing, or not in the archive's list.
    """
    _check_extension(data_file)
    record = data_file.archive_record()
    _check_observation_type(data_file, record["configuration_type"], observation_types)
    _check_names(data_file, record)
    for field, most in _TEXT_LIMITS.items():
        if len(record[field]) > most:
            raise _refused(data_file, field, f"more than {most} letters", record[field])
    for field in ("observation_id", "request_id"):
        if not _is_number(record[field]):
            raise _refused(
                data_file, field, f"what is no number from 0 to {_MOST_NUMBER}", record[field]
            )
    level = record["reduction_level"]
    if not -_MOST_LEVEL - 1 <= level <= _MOST_LEVEL:
        raise _refused(data_file, "reduction_level", "a number beyond 16 bits", level)
    for field in ("observation_date", "observation_day"):
        if record[field] is None:
            raise _refused(data_file, field, "a frame without it, or hides it for good", None)
    return record


def _check_extension(data_file: DataFile) -> None:
    if data_file.extension not in ARCHIVE_EXTENSIONS:
        msg = (
            f"{data_file.filename}: the archive cannot hold {data_file.extension!r} files, only"
            f" {', '.join(ARCHIVE_EXTENSIONS)}; rename it, or use `register` to record the file"
            " without the archive"
        )
        raise UnsupportedFileTypeError(msg)


def _check_observation_type(
    data_file: DataFile, obstype: str, observation_types: Collection[str] | None
) -> None:
    if observation_types is not None and obstype not in observation_types:
        msg = (
            f"{data_file.filename}: {data_file.mapping.configuration_type} is {shown(obstype)},"
            " which is not in the archive's list of observation types"
            f" ({', '.join(sorted(observation_types))}); use `register` to record the file without"
            " the archive, or have it added to the archive's setting CONFIGURATION_TYPES (or to"
            " the configuration database that its CONFIGDB_URL names)"
        )
        raise InvalidKeywordError(msg)


def _check_names(data_file: DataFile, record: dict[str, Any]) -> None:
    for basename in (record["basename"], *record["related_frame_filenames"]):
        if len(basename) > MAX_BASENAME:
            raise _refused(data_file, "basename", f"over {MAX_BASENAME} letters", basename)


def _is_number(value: object) -> bool:
    """Return whether the archive takes a value as an ID; it reads digits in a text, too."""
    if value is None:
        return True
    if isinstance(value, str):
        text = value.strip()
        return text.isascii() and text.isdigit() and len(text) < 1000 and int(text) <= _MOST_NUMBER
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_NUMBER


def _refused(data_file: DataFile, field: str, what: str, value: object) -> InvalidKeywordError:
    keyword = getattr(data_file.mapping, field, field)
    return InvalidKeywordError(
        f"{data_file.filename}: {keyword} is {shown(value)}, and the archive refuses {what};"
        " correct the header, give the right value as metadata, or use `register` to record it"
        " without the archive"
    )
