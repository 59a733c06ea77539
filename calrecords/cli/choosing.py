"""`calrecords best`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.explaining import print_explanation
from calrecords.cli.options import as_json, connected, connection_options, rules_option
from calrecords.cli.output import describe_frame, plain, print_json, say
from calrecords.errors import NoCalibrationError

if TYPE_CHECKING:
    from calrecords.selection import Selection
    from calrecords.workflows.facade import CalibrationRecords


@click.command(epilog=exit_codes.EPILOG)
@click.argument("science")
@click.argument("caltype")
@click.option("--as-of", help="Choose by what was known at this time, UTC.")
@click.option("--created-before", help="Only calibrations made strictly before, UTC.")
@click.option("--max-results", type=int, help="How many are ranked; by default as the rule says.")
@click.option("--explain", is_flag=True, help="Print why: what each term of the rule removed.")
@click.option("--include-bad", is_flag=True, help="Take calibrations that were called bad too.")
@rules_option
@as_json
@connection_options
def best(science: str, caltype: str, explain: bool, as_json: bool, **options: Any) -> int:
    """Choose the best calibration of type CALTYPE for the frame SCIENCE.

    SCIENCE is a path, or the basename of a recorded frame; CALTYPE is for example BIAS. The
    best comes first; of equal distance in time the earlier one.
    """
    asked = ("as_of", "created_before", "max_results", "include_bad")
    how = {name: options.pop(name) for name in asked}
    with connected(options) as cal:
        if explain:
            return _explained(cal, science, caltype, how, as_json)
        chosen = cal.best(science, caltype, **how)
    if as_json:
        print_json(describe_selection(chosen))
        return exit_codes.OK
    for one in (chosen, *chosen.alternatives):
        say(_line(one))
    if chosen.override is not None:
        say(f"forced by an override: {chosen.override}")
    return exit_codes.OK


def _explained(
    cal: CalibrationRecords, science: str, caltype: str, how: dict[str, Any], as_json: bool
) -> int:
    """Print the reasons, whether there is a calibration or not."""
    chosen: Selection | NoCalibrationError
    try:
        chosen, code = cal.best(science, caltype, **how), exit_codes.OK
    except NoCalibrationError as error:
        chosen, code = error, exit_codes.of_error(error)
    print_explanation(cal.explain(chosen), as_json)
    return code


def describe_selection(chosen: Selection) -> dict[str, Any]:
    """Return a selection as plain values, its age in seconds."""
    return {
        "frame": describe_frame(chosen.frame),
        "age_s": None if chosen.age is None else chosen.age.total_seconds(),
        "caltype": chosen.caltype,
        "rule": chosen.rule.name,
        "rule_version": chosen.rule.version,
        "as_of": plain(chosen.as_of),
        "override": chosen.override,
        "alternatives": [
            {"frame": describe_frame(one.frame), "age_s": one.age and one.age.total_seconds()}
            for one in chosen.alternatives
        ],
    }


def _line(one: Selection) -> str:
    frame_id = "" if one.frame.frame_id is None else f", frame ID {one.frame.frame_id}"
    if one.age is None:
        return f"{one.frame.filename}{frame_id}"
    days = one.age.total_seconds() / 86400
    side = "before" if days < 0 else "after"
    return f"{one.frame.filename}{frame_id}, {abs(days):.2f} days {side}"
