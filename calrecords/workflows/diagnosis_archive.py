"""Whether an archive answers, what it lets us do, and whether its clock is ours."""

from __future__ import annotations

from collections.abc import Iterator

from calrecords.archive import ArchiveClient
from calrecords.errors import ArchiveRefusedError
from calrecords.workflows.findings import Finding, Health, WorthKnowing, look

CLOCKS_MAY_DIFFER_S = 60.0
"""Seconds by which clocks may differ without a word."""

CLOCKS_MUST_NOT_DIFFER_S = 900.0
"""Seconds beyond which S3 refuses what is signed [1]_.

References
----------
.. [1] Amazon S3 API reference, "Error responses": RequestTimeTooSkewed.
"""

_NOBODYS_MD5 = "0" * 32
_FORBIDDEN = frozenset({401, 403})


def archive_findings(archive: ArchiveClient | None) -> Iterator[Finding]:
    """Yield what is found of an archive, which is closed."""
    if archive is None:
        message = "none is named; set API_ROOT and AUTH_TOKEN to ingest"
        yield Finding("archive", Health.WARNING, message)
        return
    with archive:
        first = look("archive", lambda: _is_well(archive))
        yield first
        if first.health is Health.FAILURE:
            return  # to ask on would only take as long again
        yield look("archive's clock", lambda: _clock(archive))
        yield look("archive's token", lambda: _rights(archive))


def _is_well(archive: ArchiveClient) -> str:
    archive.health()
    return f"{archive.root} is well"


def _clock(archive: ArchiveClient) -> str:
    ahead = archive.clock_skew_s()
    if ahead is None:
        msg = "it does not say what time it is, so that clocks cannot be compared"
        raise WorthKnowing(msg)
    said = f"ours is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
    if abs(ahead) > CLOCKS_MUST_NOT_DIFFER_S:
        msg = f"{said}: addresses that are signed fail; set this machine's clock, or the archive's"
        raise WorthKnowing(msg, Health.FAILURE)
    if abs(ahead) > CLOCKS_MAY_DIFFER_S:
        msg = f"{said}: set this machine's clock, or the archive's, before more is amiss"
        raise WorthKnowing(msg)
    return said


def _rights(archive: ArchiveClient) -> str:
    types = ", ".join(sorted(archive.observation_types()))
    try:
        archive.has_version(_NOBODYS_MD5)
    except ArchiveRefusedError as error:
        if error.status not in _FORBIDDEN:
            raise
        msg = (
            f"it may register {types}; it lacks the staff right to list versions, without which "
            "`repair` cannot tell what nobody refers to"
        )
        raise WorthKnowing(msg) from None
    return f"it may list versions, and register {types}"
