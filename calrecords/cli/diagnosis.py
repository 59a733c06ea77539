"""`calrecords doctor`."""

from __future__ import annotations

from typing import Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.options import as_json, connection_options
from calrecords.cli.output import print_json, say


@click.command(epilog=exit_codes.EPILOG)
@as_json
@connection_options
def doctor(as_json: bool, **options: Any) -> int:
    """Check settings, database, store, archive and cache; exit 1 if anything fails.

    The store is tried with a small file, which is removed again. Version and journal of SQLite,
    file systems that other machines share, and the archive's clock and rights are looked at, too.
    """
    from calrecords.workflows.diagnosis import Health, diagnose
    from calrecords.workflows.parts import given_settings
    from calrecords.workflows.settings import Settings

    findings = []
    for finding in diagnose(Settings(given_settings(**options))):
        findings.append(finding)
        if not as_json:
            say(f"{finding.health:8} {finding.subject}: {finding.message}")
    if as_json:
        print_json(findings)
    failed = any(finding.health is Health.FAILURE for finding in findings)
    return exit_codes.FAILED if failed else exit_codes.OK
