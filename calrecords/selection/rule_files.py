"""Files of rules: those that ship with calrecords, and an observatory's own."""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from calrecords.errors import RuleError
from calrecords.selection.places import shown
from calrecords.selection.rule_set_reading import read_rule_set
from calrecords.selection.rule_sets import RuleSet
from calrecords.selection.spelling import near_names
from calrecords.selection.text_files import read_text

LARGEST_BYTES = 1 << 20
"""How long a file of rules may be, in bytes."""

_LINE = re.compile(r"at line (\d+)")
_SHIPPED = Path(__file__).parent / "rules"


def shipped_rules() -> tuple[str, ...]:
    """Return the names of the rules that ship with calrecords."""
    return tuple(sorted(path.stem for path in _SHIPPED.glob("*.toml")))


def load_rules(rules: str | Path | RuleSet = "lco") -> RuleSet:
    """Return the rules of a shipped name or of a file.

    Parameters
    ----------
    rules : str or Path
        A shipped name, ``lco`` or ``gemini``, or the path of a TOML file. Rules that are
        loaded already are returned as they are.

    Raises
    ------
    RuleError
        If there is no such file, or it is not in the language of rules; the message names
        file, rule and term.
    """
    if isinstance(rules, RuleSet):
        return rules
    if isinstance(rules, str) and rules in shipped_rules():
        return _shipped(rules)
    path = Path(rules)
    with suppress(RuntimeError):  # there is no such user
        path = path.expanduser()
    if path.suffix == "" and path.name == str(rules) and not _is_there(path):
        hint = near_names(str(rules), shipped_rules())
        shipped = ", ".join(shipped_rules())
        msg = f"there are no rules {shown(str(rules))}{hint}; name {shipped}, or the path of a file"
        raise RuleError(msg)
    return read_rule_set(_document(path), str(rules))


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


@lru_cache(maxsize=8)
def _shipped(name: str) -> RuleSet:
    path = _SHIPPED / f"{name}.toml"
    return read_rule_set(_document(path), path.name)


def _document(path: Path) -> dict[str, Any]:
    what = f"a TOML file of rules, or those that ship: {', '.join(shipped_rules())}"
    text = read_text(path, what=what, largest=LARGEST_BYTES)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: it is not TOML: {error}{_quoted(text, str(error))}"
        raise RuleError(msg) from None
    except RecursionError:
        msg = f"{path}: its tables are nested too deep"
        raise RuleError(msg) from None
    except ValueError:
        msg = f"{path}: it holds a number of too many digits"
        raise RuleError(msg) from None


def _quoted(text: str, error: str) -> str:
    """Return the line that an error names."""
    number = _LINE.search(error)
    lines = text.split("\n")
    if number is None or int(number[1]) > len(lines):
        return ""
    return f": {shown(lines[int(number[1]) - 1].strip())}"
