"""A Science Archive on loopback, and what else a pipeline's own tests need.

A pipeline that ingests calibration frames talks to a Science Archive. Its tests should
not need one, and should still meet what a real one does: limits, refusals, answers that
lie, connections that break. `ScienceArchive` is such an archive on this machine. It
speaks real HTTP, keeps its frames in SQLite, and answers as recorded answers of
science-archive 2.7.2 do. It shares no code with the client, so that it can check it.

Nothing here needs pytest; the fixtures are in ``calrecords.testing.plugin``.

Examples
--------
>>> from calrecords.testing import ScienceArchive
>>> with ScienceArchive() as archive:
...     archive.frames()
[]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from calrecords.testing.faults import Fault, Faults
from calrecords.testing.science_archive import DEFAULT_OBSERVATION_TYPES, ScienceArchive

if TYPE_CHECKING:
    from calrecords.testing.s3_server import LoopbackS3

__all__ = ["DEFAULT_OBSERVATION_TYPES", "Fault", "Faults", "LoopbackS3", "ScienceArchive"]


def __getattr__(name: str) -> Any:
    """Import the S3 server when it is first asked for; it needs libraries the archive does not."""
    if name == "LoopbackS3":
        from calrecords.testing.s3_server import LoopbackS3

        return LoopbackS3
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
