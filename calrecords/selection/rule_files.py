"""Files of rules: those that ship with calrecords, and an observatory's own."""

from __future__ import annotations

import stat
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from calrecords.errors import RuleError
from calrecords.selection.rule_reading import read_rule_set
from calrecords.selection.rule_sets import RuleSet
from calrecords.selection.spelling import near_names

LARGEST_BYTES = 1 << 20
"""How long a file of rules may be, in bytes."""

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
    is_name = path.suffix == "" and path.name == str(rules) and not path.exists()
    if is_name:
        hint = near_names(str(rules), shipped_rules())
        shipped = ", ".join(shipped_rules())
        msg = f"there are no rules {str(rules)!r}{hint}; name {shipped}, or the path of a file"
        raise RuleError(msg)
    return read_rule_set(_document(path), str(rules))


@lru_cache(maxsize=8)
def _shipped(name: str) -> RuleSet:
    path = _SHIPPED / f"{name}.toml"
    return read_rule_set(_document(path), path.name)


def _document(path: Path) -> dict[str, Any]:
    try:
        text = _bytes(path).decode("utf-8")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        msg = f"{path}: it is not UTF-8 text (byte {error.start}); save it as UTF-8"
        raise RuleError(msg) from None
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: it is not TOML: {error}"
        raise RuleError(msg) from None
    except RecursionError:
        msg = f"{path}: its tables are nested too deep"
        raise RuleError(msg) from None


def _bytes(path: Path) -> bytes:
    try:
        found = path.stat()
        is_file = stat.S_ISREG(found.st_mode)
        read = path.read_bytes() if is_file and found.st_size <= LARGEST_BYTES else b""
    except OSError as error:
        msg = f"{path}: it cannot be read: {error.strerror}"
        raise RuleError(msg) from None
    except ValueError:
        msg = f"{str(path)!r} is not the path of a file"
        raise RuleError(msg) from None
    if not is_file:
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
        msg = f"{path}: it is {kind}; name a TOML file of rules"
        raise RuleError(msg)
    if found.st_size > LARGEST_BYTES:
        msg = f"{path}: it has {found.st_size} bytes, and rules have at most {LARGEST_BYTES}"
        raise RuleError(msg)
    return read
