"""`calrecords cache`: the local copies of downloaded frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.options import as_json, connected, connection_options
from calrecords.cli.output import plain, print_json, print_table, say
from calrecords.cli.querying import named
from calrecords.workflows.cache import FileCache
from calrecords.workflows.cache_files import CachedFile
from calrecords.workflows.parts import given_settings, make_cache
from calrecords.workflows.setting_values import parse_size
from calrecords.workflows.settings import Settings

_cache = click.option("--cache", help="Folder of downloaded frames.")
_config = click.option("--config", type=click.Path(dir_okay=False), help="A TOML settings file.")


@click.group(epilog=exit_codes.EPILOG)
def cache() -> None:
    """Look after the local copies of downloaded frames."""


def _made(options: dict[str, Any]) -> FileCache:
    return make_cache(Settings(given_settings(**options)))


@cache.command(epilog=exit_codes.EPILOG)
@click.argument("frames", nargs=-1)
@as_json
@connection_options
def where(frames: Sequence[str], as_json: bool, **options: Any) -> int:
    """Print the folder; or where the copies of FRAMES, frame IDs or basenames, are.

    A frame that the cache does not have is told where errors go.
    """
    if frames:
        return _where_frames(frames, options, as_json=as_json)
    folder = str(_made({name: options[name] for name in ("cache", "config")}).folder)
    if as_json:
        print_json({"folder": folder})
    else:
        say(folder)
    return exit_codes.OK


def _where_frames(frames: Sequence[str], options: dict[str, Any], *, as_json: bool) -> int:
    with connected(options) as cal:
        copies = {frame: cal.cache.path_of(cal.recorded(named(frame))) for frame in frames}
    found = {frame: path if path.exists() else None for frame, path in copies.items()}
    if as_json:
        print_json([{"frame": frame, "path": path} for frame, path in found.items()])
    else:
        for frame, path in found.items():
            say(path or f"{frame}: not in the cache", err=path is None)
    return exit_codes.NOT_FOUND if None in found.values() else exit_codes.OK


@cache.command("list", epilog=exit_codes.EPILOG)
@as_json
@_cache
@_config
def list_files(as_json: bool, **options: Any) -> int:
    """List the files, the one that was used longest ago first."""
    files = _made(options).files()
    if as_json:
        print_json(files)
        return exit_codes.OK
    rows = [[f.used.strftime("%Y-%m-%dT%H:%M:%SZ"), f.size, f.md5, f.filename] for f in files]
    print_table(["used", "size", "md5", "filename"], rows)
    say(f"{len(files)} files, {sum(file.size for file in files)} bytes")
    return exit_codes.OK


@cache.command(epilog=exit_codes.EPILOG)
@as_json
@_cache
@_config
def verify(as_json: bool, **options: Any) -> int:
    """Read every file; remove those that are damaged, and fail if there are any.

    Half-written files, locks and temporary folders that killed processes left are cleared away,
    too. In a cache that is read-only nothing is removed.
    """
    kept = _made(options)
    found = kept.files()
    damaged = kept.verify()
    if as_json:
        print_json({"files": len(found), "damaged": damaged})
    else:
        for file in damaged:
            state = "damaged, and still there" if file.path.exists() else "damaged, and removed"
            say(f"{file.path}: {state}", err=True)
        say(f"{len(found)} files, {len(damaged)} damaged")
    return exit_codes.FAILED if damaged else exit_codes.OK


@cache.command(epilog=exit_codes.EPILOG)
@click.argument("frames", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Remove every file.")
@click.option("--to", "size", help="Remove what was used longest ago, down to a size: 50GB.")
@as_json
@connection_options
def evict(
    frames: Sequence[str], everything: bool, size: str | None, as_json: bool, **options: Any
) -> int:
    """Remove the copies of FRAMES, frame IDs or basenames; or all; or down to a size.

    The records, the file store and the archive keep theirs.
    """
    if sum((bool(frames), everything, size is not None)) != 1:
        msg = "say what to remove: FRAMES, or --all, or --to SIZE"
        raise click.UsageError(msg)
    left = 0
    if frames:
        gone = _evicted(frames, options)
    else:
        made, most = _made({n: options[n] for n in ("cache", "config")}), _bytes(size or "0")
        gone = made.shrink(most)
        left = max(0, sum(file.size for file in made.files()) - most)
    if as_json:
        print_json(plain(gone))
    else:
        say(f"{len(gone)} files removed, {sum(file.size for file in gone)} bytes")
    if left:
        say(f"{left} bytes too many stay, in use or not to be removed; try again later", err=True)
    return exit_codes.TRY_LATER if left else exit_codes.OK


def _evicted(frames: Sequence[str], options: dict[str, Any]) -> list[CachedFile]:
    with connected(options) as cal:
        versions = [version for frame in frames for version in cal.versions(named(frame))]
        return [file for version in versions for file in cal.cache.evict(version)]


def _bytes(size: str) -> int:
    try:
        return parse_size(size)
    except ValueError as error:
        msg = f"--to {size!r}: {error}"
        raise click.UsageError(msg) from None
