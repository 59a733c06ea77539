"""Calibration types that people name: as the rules in use spell them, or refused."""

from __future__ import annotations

from typing import Any

from calrecords.errors import ConfigurationError, RuleError
from calrecords.selection import RuleSet
from calrecords.selection.spelling import near_names


def spelled_caltype(rules: RuleSet, caltype: Any) -> str:
    """Return a type as the rules spell it; one that they do not have stays as it is.

    Raises
    ------
    ConfigurationError
        If it is no text.
    """
    if not isinstance(caltype, str):
        msg = f"caltype={caltype!r}: write text, for example 'BIAS'"
        raise ConfigurationError(msg)
    given = caltype.strip()
    return next((one for one in rules.caltypes if one.casefold() == given.casefold()), given)


def known_caltype(rules: RuleSet, caltype: Any) -> str:
    """Return a type as the rules spell it.

    Raises
    ------
    ConfigurationError
        If it is no text.
    RuleError
        If the rules do not have it, so that nobody who chooses by them asks for it.
    """
    spelled = spelled_caltype(rules, caltype)
    if spelled not in rules.caltypes:
        hint = near_names(spelled, rules.caltypes)
        msg = (
            f"the rules {rules.name} have no calibration type {spelled!r}, so nothing would ever "
            f"ask for it{hint}; known: {', '.join(rules.caltypes)}; if it is of other rules, name "
            "those: rules=, --rules or CALRECORDS_RULES"
        )
        raise RuleError(msg)
    return spelled
