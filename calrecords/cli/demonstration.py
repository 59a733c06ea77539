"""`calrecords demo`: the main job, with nothing else installed."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.options import as_json
from calrecords.cli.output import print_json, print_table, say
from calrecords.frames import digest_stream

if TYPE_CHECKING:
    from calrecords.testing.science_archive import ScienceArchive
    from calrecords.workflows.facade import CalibrationRecords

_NIGHT = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
_FRAMES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("BIAS", {}),
    ("DARK", {"exposure_time": 300.0}),
    ("SKYFLAT", {"filter": "rp", "exposure_time": 9.3}),
    ("SKYFLAT", {"filter": "ip", "exposure_time": 7.1, "compress": True}),
)


@click.command(epilog=exit_codes.EPILOG)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="New folder in which to leave records, store and frames; by default all is removed.",
)
@as_json
def demo(keep: Path | None, as_json: bool) -> int:
    """Run the main job on this machine with made-up frames.

    Starts a Science Archive on loopback, makes frames, ingests them, asks the records, looks
    each up by its frame ID, and downloads it; nothing outside a folder of its own is touched.
    """
    if keep is not None:
        try:
            keep.mkdir(parents=True)
        except OSError as error:
            msg = f"--keep names a new folder, and {keep} cannot be made: {error.strerror}"
            raise click.UsageError(msg) from None
        return _run(keep.absolute(), as_json=as_json)
    with tempfile.TemporaryDirectory(prefix="calrecords-demo-") as folder:
        return _run(Path(folder), as_json=as_json)


def _run(folder: Path, *, as_json: bool) -> int:
    from calrecords.testing.science_archive import ScienceArchive
    from calrecords.workflows.connection import connect

    with (
        ScienceArchive(files=folder / "store") as archive,
        connect(
            db=folder / "records.sqlite",
            archive=archive.root,
            token=archive.token,
            store=folder / "store",
            cache=folder / "cache",
        ) as cal,
    ):
        say = _Narrator(silent=as_json)
        say(f"A Science Archive answers at {archive.root}; its store is {folder / 'store'}.")
        rows = [_follow(cal, archive, path, say) for path in _make_frames(folder, say)]
        say("\nThe records answer without asking the archive:")
        archive.clear_requests()
        table = cal.query(is_master=True)
        asked = len(archive.requests)
        if as_json:
            print_json(rows)
        else:
            names = ("frame_id", "filename", "obstype", "camera", "filter", "binning", "dateobs")
            print_table(names, [[row[name] for name in names] for row in table])
            say(f"({len(table)} rows, {asked} requests)")
    good = all(row["checksum_equal"] for row in rows) and len(table) == len(rows)
    say("\nAll frames came back with the checksums they went in with." if good else "\nFAILED")
    return exit_codes.OK if good else exit_codes.FAILED


class _Narrator:
    """Tells what happens, unless the output is for a program."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent

    def __call__(self, line: str) -> None:
        if not self._silent:
            say(line)


def _make_frames(folder: Path, say: _Narrator) -> list[Path]:
    from calrecords.datafiles.synthetic import write_synthetic_frame

    frames = folder / "frames"
    frames.mkdir(exist_ok=True)
    paths = [
        write_synthetic_frame(
            frames, obstype=obstype, dateobs=_NIGHT + timedelta(minutes=minute), **details
        )
        for minute, (obstype, details) in enumerate(_FRAMES)
    ]
    say(f"Made {len(paths)} master calibrations in {frames}.")
    return paths


def _follow(
    cal: CalibrationRecords, archive: ScienceArchive, path: Path, say: _Narrator
) -> dict[str, Any]:
    """Take one frame through its whole life: ingest, look up by ID, download, compare."""
    result = cal.ingest(path, is_master=True)
    again = cal.ingest(path, is_master=True)
    archive.clear_requests()
    found = cal.lookup(result.frame_id or 0)
    lookup_requests = archive.requests
    local = cal.fetch(result, source="archive")
    with path.open("rb") as original, local.open("rb") as copy:
        equal = digest_stream(original) == digest_stream(copy)
    say(
        f"\n{path.name}\n"
        f"  ingested: frame ID {result.frame_id} ({result.outcome}; again: {again.outcome})\n"
        f"  looked up by ID: {lookup_requests[0][0]} {lookup_requests[0][1]} -> {found.basename}\n"
        f"  downloaded: {local.stat().st_size} bytes, "
        f"checksums {'equal' if equal else 'DIFFERENT'}"
    )
    return {
        "filename": path.name,
        "frame_id": result.frame_id,
        "outcome": str(result.outcome),
        "again": str(again.outcome),
        "looked_up": found.basename,
        "md5": None if result.frame is None else result.frame.version.md5,
        "checksum_equal": equal,
    }
