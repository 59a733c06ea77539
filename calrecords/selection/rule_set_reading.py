"""From a rule file to the rules of an observatory.

A file of rules is TOML, and has these words. Of the file:

``name``, ``version``, ``description``
    What the rules are called, and which state of them this is; only the name is needed.
``[fields]``
    An observatory's names for our fields: ``ut_datetime = "dateobs"``. An attribute with the
    name of one of our fields is ``camera = "attributes.camera"``.
``[attributes]``
    What frames and targets have beside our fields, each with its kind, ``text``, ``number``,
    ``flag``, ``time`` or ``list``, or as a number with its unit, ``um``.
``[tables.NAME]``
    ``values`` are numbers by name that expressions look up as ``NAME(target.FIELD)``;
    ``match`` is ``exact`` or ``starts_with``, ``default`` is for what is not in it.
``[[conditional]]``
    A conditional with a ``name``, which rules name in ``uses``.
``[defaults]``
    What holds for every rule; the lists and tables ``equal``, ``terms``, ``uses``,
    ``prefer``, ``where`` and ``values`` are joined with the rule's own, all else is
    overridden by it.
``[[rule]]``
    The rules.

Whom a rule is for:

``name``, ``caltype``, ``version``, ``description``
    The first two are needed; ``caltype`` is what the rule finds.
``sites``, ``cameras``, ``instruments``, ``when``
    Its targets: lists of names, and conditions. Of several rules for a type the one for the
    target's camera is taken, then for its instrument, its site, and with conditions.
``effective``
    ``{ from = 2026-01-01, until = 2027-01-01 }``: half-open, by the target's time, UTC.
``required_when``, ``permitted_when``
    Conditions of the targets that cannot, or can, do without; without either it is required.

What a calibration must be:

``where``
    Constants, of a list one: ``{ obstype = "ARC", site = ["lsc", "cpt"] }``.
``equal``
    Fields that are the target's: ``["site", { field = "label", target = "mask" }]``.
``terms``
    Tables with a ``field`` and one comparison: ``equal``, ``not_equal``, ``one_of``,
    ``not_one_of``, ``contains``, ``starts_with``, ``ends_with``, ``has`` (of a list),
    ``above``, ``at_least``, ``below``, ``at_most``, ``present``, ``within``,
    ``within_percent``. A value is a constant, ``{ target = "FIELD" }`` or
    ``{ expr = "15 / cos(radians(target.elevation))" }``. Beside it may stand ``nulls``;
    ``case = "ignore"``; and of a tolerance ``ends``, and ``around``, by default the target's.
``nulls``
    ``match`` (missing equals missing), ``skip`` (a term that lacks something has no say) or
    ``never`` (what is missing satisfies nothing).
``ends``
    ``open`` or ``closed``: whether the ends of windows and tolerances belong to them.
``values``
    Expressions by name, for other expressions of the rule.
``direction``, ``window``
    ``either``, ``before``, ``before_or_equal``, ``after``, ``after_or_equal`` or ``bracket``;
    ``"90 d"``, or ``{ before = "30 d", after = "1 d", ends = "closed" }``.
``created_before``
    The target's field with the time before which it must have been made.
``verdicts``, ``valid``
    By default ``["good", "unknown"]``, and true: valid at the target's time.

Which comes first, and how many:

``prefer``
    Fields, or terms: what satisfies them comes before all else.
``order``
    ``"closest_in_time"``, or parts of which the next decides where one finds no difference:
    ``{ closest_in_time = "1 s" }``, ``{ closest = "FIELD" }``, ``{ highest = "FIELD" }``,
    ``{ lowest = "FIELD" }``, ``{ weighted = [{ field = "FIELD", scale = "365 d" }] }``.
``count``
    How many, or ``{ min = 2, max = 5 }``.
``stale_after``
    The distance in time beyond which it is used, but called stale.
``exclusive``
    Whether no two masters of one configuration may be valid at one time.

What depends on the target:

``[[rule.conditional]]``
    Branches, ``[[rule.conditional.branch]]``, of which the first counts whose ``when`` holds.
    A branch adds ``where``, ``equal``, ``terms`` and ``prefer``, replaces ``direction``,
    ``window``, ``count`` and ``order``, or says ``no_result = true``.

Conditions, in ``when`` and its like, are lists of terms on the target that must all hold;
``{ any = [...] }`` and ``{ all = [...] }`` join some.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from calrecords.errors import RuleError
from calrecords.selection.branch_reading import KEY_HINTS, named_conditionals
from calrecords.selection.field_reading import read_field_names
from calrecords.selection.places import Place
from calrecords.selection.rule_reading import (
    IN_DEFAULTS,
    IN_RULES,
    RuleReader,
    line_of_text,
    version_text,
)
from calrecords.selection.rule_sets import RuleSet
from calrecords.selection.rules import Rule
from calrecords.selection.table_reading import read_tables

_IN_FILES = (
    *("name", "version", "description", "fields", "attributes", "tables"),
    *("defaults", "conditional", "rule"),
)
_JOINED: Mapping[str, type] = {
    **dict.fromkeys(("equal", "terms", "uses", "prefer"), list),
    **dict.fromkeys(("where", "values"), dict),
}
"""The keys of which a rule's own value is joined with the one that holds for all."""


def read_rule_set(document: Mapping[str, Any], file: str) -> RuleSet:
    """Return the rules of a file.

    Raises
    ------
    RuleError
        If they are not in the language; it names the file, the rule and the term.
    """
    place = Place(file)
    if not document:
        msg = (
            "it is empty; rules begin with name = '...', and each rule is a [[rule]] with a "
            "name and a caltype"
        )
        raise place.error(msg)
    place.table(document, _IN_FILES, ["name", "rule"])
    read = RuleReader(
        names=read_field_names(document, place),
        tables=dict(read_tables(document, place)),
        named=dict(named_conditionals(document, place)),
        place=place,
        version=version_text(document.get("version", "1"), place),
    )
    defaults = place.at("[defaults]").table(document.get("defaults", {}), IN_DEFAULTS)
    rules: list[Rule] = []
    for number, table in enumerate(place.tables(document["rule"], "[[rule]]"), 1):
        rule = _read_rule(read, table, defaults, place, number)
        if rule.name in {other.name for other in rules}:
            msg = "there is another rule of this name; give each its own"
            raise place.at(f"rule {rule.name}").error(msg)
        rules.append(rule)
    if not rules:
        msg = "it has no rule; add [[rule]] with a name and a caltype"
        raise place.error(msg)
    _demand_used(read, rules, place)
    return RuleSet(
        name=line_of_text(document["name"], place.at("name")),
        version=read.version,
        rules=tuple(rules),
        description=place.at("description").demand(
            document.get("description", ""), str, "a text in quotes"
        ),
        fields=dict(read.names.aliases),
        source=file,
    )


def _read_rule(
    read: RuleReader, table: Any, defaults: Mapping[str, Any], place: Place, number: int
) -> Rule:
    name = table.get("name") if isinstance(table, dict) else None
    is_name = isinstance(name, str) and name.strip() and name.isprintable()
    at = place.at(f"rule {name if is_name else number}")
    said = "a table, [[rule]] with a name and a caltype"
    at.table(table, IN_RULES, ["name", "caltype"], said=said, hints=KEY_HINTS)
    try:
        return replace(read, place=at).read(_with_defaults(table, defaults))
    except RuleError as error:
        _demand_sound(defaults, read, place, str(error).removeprefix(str(at.error(""))))
        raise


def _with_defaults(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule's table with what holds for all: some is joined, the rest overridden."""
    merged = {**defaults, **table}
    for key in defaults.keys() & table.keys() & _JOINED.keys():
        merged[key] = _joined(defaults[key], table[key], _JOINED[key])
    return merged


def _joined(first: Any, second: Any, kind: type) -> Any:
    """Return both; where one is of another kind that one, which its reader will refuse."""
    for one in (second, first):
        if type(one) is not kind:
            return one
    return [*first, *second] if kind is list else {**first, **second}


def _demand_sound(
    defaults: Mapping[str, Any], read: RuleReader, place: Place, message: str
) -> None:
    """Raise the error of a rule as one of what holds for all, if that alone has it too."""
    at = place.at("[defaults]")
    try:
        replace(read, place=at).read({"name": "defaults", "caltype": "ALL", **defaults})
    except RuleError as error:
        if str(error) == str(at.error(message)):
            raise


def _demand_used(read: RuleReader, rules: list[Rule], place: Place) -> None:
    used = {conditional.name for rule in rules for conditional in rule.conditionals}
    for unused in read.named.keys() - used:
        msg = "no rule uses it; name it in the `uses` of a rule, or remove it"
        raise place.at(f"conditional {unused}").error(msg)
