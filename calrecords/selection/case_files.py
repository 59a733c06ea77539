"""Cases with known answers, so that an observatory can keep a regression set for its rules.

Two forms are read. One has, by the name of a rule, candidates and targets in the words of
the rule file, with the ranked answers at some counts; the other has targets with candidates
of their own, what must be equal, and the answers that are accepted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from calrecords.errors import RuleError
from calrecords.selection.accepted_cases import run_accepted
from calrecords.selection.case_results import CaseResult
from calrecords.selection.places import Place
from calrecords.selection.ranked_cases import run_ranked
from calrecords.selection.rule_sets import RuleSet
from calrecords.selection.text_files import read_text

LARGEST_BYTES = 1 << 28
"""How long a file of cases may be, in bytes."""


def run_cases(rules: RuleSet, path: Path) -> Iterator[CaseResult]:
    """Yield how each case of a file ends by these rules.

    Raises
    ------
    RuleError
        If the file cannot be read, a case is not as it must be, or none is for these rules;
        the message names the file, the case and what in it.
    """
    document = _document(path)
    place = Place(str(path))
    results = list(run_ranked(rules, document.get("rules", {}), place))
    results += run_accepted(rules, document.get("cases", []), place)
    if not results:
        msg = f"it has no case for the rules {rules.name}"
        raise place.error(msg)
    yield from results


def _document(path: Path) -> dict[str, Any]:
    text = read_text(path, what="a JSON file of cases", largest=LARGEST_BYTES)
    try:
        document = json.loads(text)
    except RecursionError:
        msg = f"{path}: its lists are nested too deep"
        raise RuleError(msg) from None
    except json.JSONDecodeError as error:
        msg = f"{path}: it is not JSON: {error}"
        raise RuleError(msg) from None
    except ValueError:
        msg = f"{path}: it holds a number of too many digits"
        raise RuleError(msg) from None
    if not isinstance(document, dict) or not {"rules", "cases"} & document.keys():
        msg = f"{path}: it has neither 'rules' nor 'cases', so it holds no cases"
        raise RuleError(msg)
    return document
