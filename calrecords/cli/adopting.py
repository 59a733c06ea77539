"""`calrecords adopt`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.ingesting import end, keyword, say_outcome
from calrecords.cli.options import as_json, connected, connection_options
from calrecords.cli.output import progress
from calrecords.errors import CalRecordsError
from calrecords.workflows.results import IngestOutcome, IngestResult


@click.command(epilog=exit_codes.EPILOG)
@click.argument("frame_ids", nargs=-1, required=True, type=click.IntRange(min=0))
@click.option(
    "--master/--individual",
    "is_master",
    default=None,
    help="Whether the frames are masters; by default as their headers say (ISMASTER).",
)
@click.option(
    "--metadata",
    multiple=True,
    metavar="KEYWORD=VALUE",
    help="A header keyword to add or overrule; may be repeated.",
)
@as_json
@connection_options
def adopt(
    frame_ids: Sequence[int],
    is_master: bool | None,
    metadata: Sequence[str],
    as_json: bool,
    **options: Any,
) -> int:
    """Record what the archive has already under FRAME_IDS, without downloading it.

    Each frame ends in a stated outcome: adopted, already there, or failed.
    """
    given = dict(keyword(word) for word in metadata) or None
    results: list[IngestResult] = []
    with connected(options) as cal, progress("adopting", len(frame_ids)) as advance:
        for frame_id in frame_ids:
            try:
                result = cal.adopt(frame_id, is_master=is_master, metadata=given)
            except CalRecordsError as error:
                result = IngestResult(f"frame {frame_id}", IngestOutcome.FAILED, error=error)
            results.append(result)
            say_outcome(result, as_json=as_json)
            advance()
    return end(results, as_json=as_json)
