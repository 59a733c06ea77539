"""`calrecords ingest`, `calrecords register` and `calrecords resume`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.options import as_json, connected, connection_options
from calrecords.cli.output import describe_result, print_json, progress, say
from calrecords.errors import CalRecordsError, TransientError
from calrecords.workflows.results import IngestOutcome, IngestResult


def _frames_to_take(function: Callable[..., int]) -> Callable[..., int]:
    for option in (
        connection_options,
        as_json,
        click.option(
            "--metadata",
            multiple=True,
            metavar="KEYWORD=VALUE",
            help="A header keyword to add or overrule; may be repeated.",
        ),
        click.option(
            "--master/--individual",
            "is_master",
            default=None,
            help="Whether the frames are masters; by default as their headers say (ISMASTER).",
        ),
        click.argument(
            "paths",
            nargs=-1,
            required=True,
            type=click.Path(path_type=Path, readable=False),
        ),
    ):
        function = option(function)
    return function


@click.command(epilog=exit_codes.EPILOG)
@_frames_to_take
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many files are worked on at once; outcomes then come as they are there.",
)
def ingest(workers: int, **options: Any) -> int:
    """Store calibration frames, register them with the archive, and record their frame IDs.

    Each file ends in a stated outcome: ingested, new version, already there, or failed.
    """
    paths, as_json, said = _taken_out(options)
    with connected(options) as cal, progress("ingesting", len(set(paths))) as advance:

        def tell(result: IngestResult) -> None:
            say_outcome(result, as_json=as_json)
            advance()

        results = cal.ingest_many(paths, workers=workers, progress=tell, **said)
    return end(list(results.values()), as_json=as_json)


@click.command(epilog=exit_codes.EPILOG)
@_frames_to_take
def register(**options: Any) -> int:
    """Store and record frames without the archive, for example a local bad-pixel mask.

    They get no frame ID; ingesting the same files later gives them one.
    """
    paths, as_json, said = _taken_out(options)
    results: list[IngestResult] = []
    with connected(options) as cal, progress("registering", len(paths)) as advance:
        for path in paths:
            try:
                result = cal.register(path, **said)
            except CalRecordsError as error:
                result = IngestResult(str(path), IngestOutcome.FAILED, error=error)
            results.append(result)
            say_outcome(result, as_json=as_json)
            advance()
    return end(results, as_json=as_json)


def _taken_out(options: dict[str, Any]) -> tuple[list[Path], bool, dict[str, Any]]:
    """Take out of the options the paths, how to print, and what is said of the frames."""
    metadata = dict(keyword(word) for word in options.pop("metadata")) or None
    said = {"is_master": options.pop("is_master"), "metadata": metadata}
    return options.pop("paths"), options.pop("as_json"), said


@click.command(epilog=exit_codes.EPILOG)
@click.option("--failed", is_flag=True, help="Only list the ingestions that ended in a failure.")
@as_json
@connection_options
def resume(failed: bool, as_json: bool, **options: Any) -> int:
    """Finish every ingestion that was interrupted.

    Files that were refused are not tried again: mend them, and ingest them anew.
    """
    with connected(options) as cal:
        if failed:
            results = cal.failed_ingestions()
            for result in results:
                say_outcome(result, as_json=as_json)
        else:
            results = cal.resume(progress=lambda result: say_outcome(result, as_json=as_json))
        ended = 0 if failed else len(cal.failed_ingestions())
    if not results and not as_json:
        say("nothing failed" if failed else "nothing to resume")
    if ended:
        say(f"{ended} ended in a failure; `calrecords resume --failed` lists them", err=True)
    return end(results, as_json=as_json)


def keyword(word: str) -> tuple[str, str]:
    """Return what ``--metadata KEYWORD=VALUE`` says."""
    name, equals, value = word.partition("=")
    if not equals or not name:
        msg = f"--metadata {word!r}: write KEYWORD=VALUE"
        raise click.UsageError(msg)
    return name, value


def say_outcome(result: IngestResult, *, as_json: bool) -> None:
    """Print an outcome as soon as it is there; a failure where errors go."""
    if as_json:
        return
    line = f"{result.path}: {result.outcome}"
    if result.frame_id is not None:
        line += f", frame ID {result.frame_id}"
    if result.error is not None:
        line += f": {result.error}"
    say(line, err=result.error is not None)


def end(results: Sequence[IngestResult], *, as_json: bool) -> int:
    """Print what a program wants of all outcomes, and return the exit code."""
    if as_json:
        print_json([describe_result(result) for result in results])
    return _exit_code(results)


def _exit_code(results: Sequence[IngestResult]) -> int:
    codes = {exit_codes.of_error(r.error) for r in results if r.error is not None}
    if any(r.outcome is IngestOutcome.IN_PROGRESS for r in results):
        codes.add(exit_codes.TRY_LATER)
    if len(codes) == 1:
        return codes.pop()
    permanent = [r for r in results if r.error and not isinstance(r.error, TransientError)]
    return exit_codes.FAILED if permanent else exit_codes.OK
