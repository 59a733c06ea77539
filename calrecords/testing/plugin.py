"""Fixtures for the tests of pipelines that use calrecords; pytest finds them by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from calrecords.testing.science_archive import ScienceArchive
    from calrecords.workflows.facade import CalibrationRecords


@pytest.fixture
def science_archive(tmp_path: Path) -> Iterator[ScienceArchive]:
    """Return a Science Archive on loopback with a file store in the test's own folder.

    It answers as science-archive 2.7.2 does, faults included. ``.root`` and ``.token`` are
    what a client needs; ``.requests`` is what it was asked; ``.faults`` breaks things.
    """
    from calrecords.testing.science_archive import ScienceArchive

    with ScienceArchive(files=tmp_path / "store") as archive:
        yield archive


@pytest.fixture
def calibration_records(
    science_archive: ScienceArchive, tmp_path: Path
) -> Iterator[CalibrationRecords]:
    """Return records of the test's own, connected to the loopback archive and its store.

    Other settings, for example of header keywords, are those of the test's environment.
    """
    from calrecords.workflows.connection import connect

    with connect(
        db=tmp_path / "records.sqlite",
        archive=science_archive.root,
        token=science_archive.token,
        store=tmp_path / "store",
        cache=tmp_path / "cache",
    ) as records:
        yield records
