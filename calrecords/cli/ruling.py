"""`calrecords rules`: check, show and test the rules that calibrations are chosen by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.options import as_json
from calrecords.cli.output import plain, print_json, say
from calrecords.selection.case_files import run_cases
from calrecords.selection.case_results import CaseResult
from calrecords.selection.checking import find_mistakes
from calrecords.selection.costs import costs
from calrecords.selection.describing import describe_rule
from calrecords.selection.rule_files import load_rules
from calrecords.selection.spelling import near_names
from calrecords.selection.windows import window_text

_RULES = "A shipped name (lco, gemini), or a TOML file."


@click.group(epilog=exit_codes.EPILOG)
def rules() -> None:
    """Check, show and test the rules that calibrations are chosen by.

    RULES is a shipped name, lco or gemini, or the path of a TOML file, whose words
    `python -m pydoc calrecords.selection.rule_set_reading` lists.
    """


@rules.command(epilog=exit_codes.EPILOG)
@click.argument("rules", default="lco")
@as_json
def check(rules: str, as_json: bool) -> int:
    """Find mistakes in RULES, and say what each rule costs.

    Found are fields, terms and units that are not known, tolerances that cannot reject,
    branches that are never reached, and rules of which two are for the same targets. A rule
    costs two index probes, or as many rows as lie in its time window. Exit code 1 if there
    are mistakes.
    """
    loaded = load_rules(rules)
    mistakes = find_mistakes(loaded)
    prices = costs(loaded)
    code = exit_codes.FAILED if mistakes else exit_codes.OK
    if as_json:
        windows = {rule.name: window_text(rule.window) for rule in loaded.rules}
        print_json(
            {
                "rules": loaded.name,
                "version": loaded.version,
                "mistakes": mistakes,
                "costs": [{**plain(one), "window": windows[one.rule]} for one in prices],
            }
        )
        return code
    for mistake in mistakes:
        say(f"{loaded.source}: rule {mistake.rule}: {mistake.term}: {mistake.message}")
    for one in prices:
        if one.is_two_probes:
            say(f"{one.rule}: two index probes")
        else:
            window = window_text(loaded.rule(one.rule).window)
            say(f"{one.rule}: what lies in its time window ({window}): {one.reason}")
    say(f"{len(loaded.rules)} rules, {len(mistakes)} mistakes")
    return code


@rules.command(epilog=exit_codes.EPILOG)
@click.argument("rules", default="lco")
@click.option("--caltype", help="Only the rules for this calibration type.")
@as_json
def show(rules: str, caltype: str | None, as_json: bool) -> int:
    """Show what RULES say, in words."""
    loaded = load_rules(rules)
    wanted = [
        rule
        for rule in loaded.rules
        if caltype is None or rule.caltype.casefold() == caltype.casefold()
    ]
    described = [describe_rule(rule) for rule in wanted]
    code = exit_codes.OK if wanted else exit_codes.NOT_FOUND
    if as_json:
        print_json({"rules": loaded.name, "version": loaded.version, "rule": described})
        return code
    if not wanted:
        hint = near_names(caltype or "", loaded.caltypes)
        known = ", ".join(loaded.caltypes)
        say(f"{loaded.name} has no rule for {caltype}{hint}; known: {known}", err=True)
        return code
    say(f"rules {loaded.name}, version {loaded.version}: {loaded.description}".rstrip(": "))
    for one in described:
        say()
        for heading, value in one.items():
            _print_heading(heading, value)
    return code


def _print_heading(heading: str, value: Any) -> None:
    lines = value if isinstance(value, list) else [value]
    for number, line in enumerate(lines):
        say(f"{heading if number == 0 else '':16} {line}")


@rules.command(epilog=exit_codes.EPILOG)
@click.option("--rules", default="lco", show_default=True, help=_RULES)
@click.argument("cases", type=click.Path(dir_okay=False, path_type=Path))
@as_json
def test(rules: str, cases: Path, as_json: bool) -> int:
    """Run CASES, a JSON file of targets, candidates and known answers, against rules.

    Prints a line for each answer that is not the known one, then how many passed and failed.
    A case's own `criteria` are what must be equal, beside site, camera and type. Exit code 1
    if any failed.
    """
    results = list(run_cases(load_rules(rules), cases))
    failed = [result for result in results if not result.passed]
    passed = len(results) - len(failed)
    code = exit_codes.FAILED if failed else exit_codes.OK
    if as_json:
        print_json({"passed": passed, "failed": len(failed), "mismatches": failed})
        return code
    for result in failed:
        say(_mismatch(result))
    say(f"{passed} passed, {len(failed)} failed")
    return code


def _mismatch(result: CaseResult) -> str:
    why = f" ({result.reason})" if result.reason else ""
    return f"{result.name}: expected {result.expected}, found {result.found}{why}"
