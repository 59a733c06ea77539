"""The entry point: finds the verb, and turns errors into messages and exit codes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from typing import Any, NoReturn

import click

from calrecords import __version__
from calrecords.cli import exit_codes
from calrecords.cli.output import harmless, print_json, say
from calrecords.errors import CalRecordsError

_VERBS = {
    "ingest": ("ingesting", "Store calibration frames, register and record them."),
    "register": ("ingesting", "Store and record frames without the archive."),
    "adopt": ("adopting", "Record frames that the archive has already."),
    "import": ("importing", "Take over records from a file, or from BANZAI."),
    "resume": ("ingesting", "Finish ingestions that were interrupted."),
    "query": ("querying", "List recorded frames."),
    "show": ("querying", "Show all that is recorded of one frame."),
    "best": ("choosing", "Choose the best calibration for a frame."),
    "calibrations": ("calibration_sets", "Show every calibration that a frame needs."),
    "fetch": ("fetching", "Download recorded frames, verified."),
    "rules": ("ruling", "Check, show and test the rules of selection."),
    "mark": ("judging", "Call a frame good or bad."),
    "validity": ("judging", "Say for which times a frame may be used."),
    "correct": ("judging", "Mend wrong facts of a frame."),
    "override": ("overriding", "Force a calibration, for a target or a camera."),
    "history": ("tracing", "Show all that happened to the records of a frame."),
    "record-use": ("tracing", "Record what a target was reduced with."),
    "uses": ("tracing", "Show what was made directly with a frame."),
    "affected": ("tracing", "Show all that was made with a frame, down to the targets."),
    "impact": ("impact", "Show which uses an edit of rules or a verdict would change."),
    "audit": ("auditing", "Compare records, archive, store and cache, and list faults."),
    "repair": ("auditing", "Show how faults that an audit found are mended, or mend them."),
    "cache": ("caching", "Look after the local copies of downloaded frames."),
    "db": ("database", "Look after the records database."),
    "config": ("configuration", "Show settings and where they come from."),
    "doctor": ("diagnosis", "Check settings, database, store, archive and cache."),
    "demo": ("demonstration", "Run the main job on this machine with made-up frames."),
}


class _Verbs(click.Group):
    """A group whose verbs are imported only when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module, _ = _VERBS[cmd_name]
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"calrecords.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, meaning) for verb, (_, meaning) in _VERBS.items()])


class _HarmlessFormatter(logging.Formatter):
    """Writes what is logged so that it steers no terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return harmless(super().format(record))


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=exit_codes.EPILOG,
)
@click.version_option(__version__, prog_name="calrecords")
@click.option("-v", "--verbose", count=True, help="Say more; twice for all.")
def calrecords(verbose: int) -> None:
    """Calibration records for observatory pipelines.

    Settings come from options, the environment or calrecords.toml; `calrecords config show`
    lists them all.
    """
    levels = [logging.WARNING, logging.INFO, logging.DEBUG]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_HarmlessFormatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("calrecords").setLevel(levels[min(verbose, 2)])


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, and exit with one of the documented codes."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code: Any = calrecords.main(words, prog_name="calrecords", standalone_mode=False)
    except click.exceptions.Abort:
        say("interrupted", err=True)
        sys.exit(exit_codes.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except CalRecordsError as error:
        if "--json" in words:
            print_json(error)
        say(f"Error: {error}", err=True)
        sys.exit(exit_codes.of_error(error))
    except OSError as error:
        say(f"Error: {error}", err=True)
        sys.exit(exit_codes.FAILED)
    sys.exit(code if isinstance(code, int) else exit_codes.OK)
