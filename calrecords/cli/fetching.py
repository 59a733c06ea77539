"""`calrecords fetch`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.options import as_json, connected, connection_options
from calrecords.cli.output import plain, print_json, progress, say
from calrecords.cli.querying import named
from calrecords.errors import CalRecordsError, ChecksumMismatchError, ConfigurationError
from calrecords.frames import digest_stream


@click.command(epilog=exit_codes.EPILOG)
@click.argument("frames", nargs=-1, required=True)
@click.option("--md5", help="Which version, by its checksum; only with one frame.")
@click.option(
    "--from",
    "source",
    type=click.Choice(["store", "archive"]),
    help="Take the bytes from there; by default the cache, else the store, else the archive.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to copy the files to; by default they stay in the cache.",
)
@click.option(
    "--alternatives",
    is_flag=True,
    help="Where a version is nowhere any more, take a newer one of the frame, and say so.",
)
@as_json
@connection_options
def fetch(
    frames: Sequence[str],
    md5: str | None,
    source: str | None,
    alternatives: bool,
    output: Path | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Download FRAMES, frame IDs or basenames, and print where they are.

    A path that is printed holds the recorded bytes: its checksum was verified.
    """
    if md5 is not None and len(frames) > 1:
        msg = "--md5 names a version of one frame; fetch one at a time"
        raise click.UsageError(msg)
    found: list[dict[str, Any]] = []
    codes = set()
    with connected(options) as cal, progress("fetching", len(frames)) as advance:
        for frame in frames:
            try:
                recorded = cal.recorded(named(frame), md5=md5)
                path = cal.fetch(recorded, source=source, alternatives=alternatives)
                found.append({"frame": frame, "path": str(_copied(path, output)), "error": None})
            except CalRecordsError as error:
                found.append({"frame": frame, "path": None, "error": plain(error)})
                codes.add(exit_codes.of_error(error))
            advance()
    _report(found, as_json=as_json)
    return exit_codes.OK if not codes else codes.pop() if len(codes) == 1 else exit_codes.FAILED


def _copied(path: Path, folder: Path | None) -> Path:
    """Return a verified copy in a folder: whole, or not at all."""
    if folder is None:
        return path
    target = folder / path.name
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as source, part.open("wb") as copy:
            digest = digest_stream(source, sink=copy.write)
        with part.open("rb") as copy:
            if digest_stream(copy) != digest:
                msg = f"{target}: the copy differs from {path}; is the disk in order?"
                raise ChecksumMismatchError(msg)
        part.replace(target)
    except CalRecordsError:
        raise
    except OSError as error:
        msg = f"cannot write {target} (--output): {error.strerror}"
        raise ConfigurationError(msg) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return target


def _report(found: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for one in found:
        if one["error"] is None:
            say(one["path"])
        else:
            say(f"Error: {one['frame']}: {one['error']['message']}", err=True)
