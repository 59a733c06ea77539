"""How reasons are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calrecords.cli.output import print_json, say

if TYPE_CHECKING:
    from calrecords.workflows.explanations import Explanation


def print_explanation(explanation: Explanation, as_json: bool) -> None:
    """Print why a calibration was chosen, or none: as JSON, or as text for people."""
    if as_json:
        print_json(explanation.to_dict())
    else:
        say(str(explanation))
