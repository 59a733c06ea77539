"""A Science Archive on loopback from the shell: ``python -m calrecords.testing``.

It prints one line of JSON with ``root`` and ``token`` and answers until its input ends,
it is interrupted, or it is terminated.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from calrecords.errors import ConfigurationError
from calrecords.testing.science_archive import DEFAULT_OBSERVATION_TYPES, ScienceArchive


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m calrecords.testing",
        description="Run a Science Archive on loopback until interrupted.",
    )
    parser.add_argument("--files", type=Path, help="serve the file-system store in this folder")
    parser.add_argument("--database", type=Path, help="keep the frames in this SQLite file")
    parser.add_argument("--port", type=int, default=0, help="port to answer on (default: any)")
    parser.add_argument("--token", help="token of the superuser (default: a fresh one)")
    parser.add_argument(
        "--observation-types",
        default=",".join(DEFAULT_OBSERVATION_TYPES),
        help="the closed list, separated by commas",
    )
    parser.add_argument(
        "--md5-filter-works",
        action="store_true",
        help="let /versions/?md5= filter, which the released archive does not",
    )
    parser.add_argument(
        "--until-stdin-ends",
        action="store_true",
        help="stop when standard input ends, so that no archive outlives its test",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run an archive as the arguments say, and return the exit status."""
    given = _parser().parse_args(arguments)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    try:
        archive = ScienceArchive(
            files=given.files,
            token=given.token,
            observation_types=[name for name in given.observation_types.split(",") if name],
            md5_filter_works=given.md5_filter_works,
            database=given.database,
            port=given.port,
        )
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with archive:
        sys.stdout.write(json.dumps({"root": archive.root, "token": archive.token}) + "\n")
        sys.stdout.flush()
        if given.until_stdin_ends:
            sys.stdin.read()
        else:
            over.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
