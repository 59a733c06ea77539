"""One condition of a rule: what a field must be, and what that means for one target.

A term is data. Bound to a target it is a predicate on a candidate's value, or it has no say,
or nothing can satisfy it. The same terms, on the target's own values, are the conditions of
a rule's branches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from calrecords.errors import RuleError
from calrecords.matching import canonical_text
from calrecords.selection.expressions import Expression
from calrecords.selection.fields import number_of


class Operator(StrEnum):
    """How a candidate's value is compared."""

    EQUAL = "equal"
    NOT_EQUAL = "not_equal"
    ONE_OF = "one_of"
    NOT_ONE_OF = "not_one_of"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    HAS = "has"
    ABOVE = "above"
    AT_LEAST = "at_least"
    BELOW = "below"
    AT_MOST = "at_most"
    PRESENT = "present"
    WITHIN = "within"
    WITHIN_PERCENT = "within_percent"


TEXT_OPERATORS = frozenset({Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH})
NUMBER_OPERATORS = frozenset({Operator.ABOVE, Operator.AT_LEAST, Operator.BELOW, Operator.AT_MOST})
TOLERANCES = frozenset({Operator.WITHIN, Operator.WITHIN_PERCENT})
_NEGATIVE = frozenset({Operator.NOT_EQUAL, Operator.NOT_ONE_OF})


class Nulls(StrEnum):
    """What a missing value means.

    ``match``: missing is a value that equals only itself. ``skip``: the term has no say where
    what it asks of the target is missing; where it asks nothing of the target, where the
    candidate's own value is missing. ``never``: nothing that is missing, on either side,
    satisfies the term.
    """

    MATCH = "match"
    SKIP = "skip"
    NEVER = "never"


class Ends(StrEnum):
    """Whether the ends of a range belong to it."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class OfTarget:
    """A value that is the target's.

    Attributes
    ----------
    field : str
        Which of its fields.
    """

    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """What a field must be.

    Attributes
    ----------
    field : str
        Of the candidate; in a condition, of the target.
    operator : Operator
        How it is compared.
    value : Any
        With what: a constant, a tuple of constants, `OfTarget` or an `Expression`.
    around : OfTarget, Expression, float or None
        The middle of a tolerance.
    nulls : Nulls
        What a missing value means.
    ignores_case : bool
        Whether texts are compared whatever the case of their letters.
    ends : Ends
        Whether the ends of a tolerance belong to it.
    unit : str
        Of the numbers, for messages.
    label : str
        The field as the rule file calls it.
    """

    field: str
    operator: Operator
    value: Any
    around: Any = None
    nulls: Nulls = Nulls.NEVER
    ignores_case: bool = False
    ends: Ends = Ends.CLOSED
    unit: str = ""
    label: str = ""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.label or self.field

    @property
    def target_fields(self) -> tuple[str, ...]:
        """The target's fields that it reads."""
        found: list[str] = []
        for part in (self.value, self.around):
            if isinstance(part, OfTarget):
                found.append(part.field)
            elif isinstance(part, Expression):
                found.extend(part.fields)
        return tuple(found)

    @property
    def is_equality(self) -> bool:
        """Whether a key can hold it: it always has a say, and only one value satisfies it."""
        return (
            self.operator is Operator.EQUAL
            and not self.ignores_case
            and self.nulls is not Nulls.SKIP
            and not isinstance(self.value, Expression)
        )

    def bind(self, values: Mapping[str, Any]) -> Bound | None:
        """Return what it means for a target; None where it has no say.

        Raises
        ------
        RuleError
            If an expression cannot be computed for this target.
        """
        try:
            asked = [_asked(part, values) for part in (self.value, self.around)]
        except RuleError as error:
            msg = f"{self.name}: {error}"
            raise RuleError(msg) from None
        missing = [
            " and ".join(_fields_of(part, values))
            for part, value in zip((self.value, self.around), asked, strict=True)
            if value is None and isinstance(part, OfTarget | Expression)
        ]
        if not missing:
            return Bound(_predicate(self, *asked), allowed_text(self, *asked))
        if self.nulls is Nulls.SKIP:
            return None
        if self.nulls is Nulls.NEVER:
            reason = f"the target has no {missing[0]}, which the term {self.name} asks for"
            return Bound(_nothing, "nothing", reason)
        negative = self.operator in _NEGATIVE
        return Bound(
            _is_present if negative else _is_missing, "a value" if negative else "no value"
        )

    def holds_for(self, values: Mapping[str, Any]) -> bool:
        """Return whether the target itself satisfies it: it is a condition of a branch."""
        bound = self.bind(values)
        return bound is None or bound.holds(values.get(self.field))


@dataclass(frozen=True, slots=True)
class Bound:
    """A term for one target.

    Attributes
    ----------
    holds : callable
        Whether a candidate's value satisfies it.
    allowed : str
        What would, for people.
    impossible : str or None
        Why nothing can.
    """

    holds: Callable[[Any], bool]
    allowed: str
    impossible: str | None = None


def _asked(part: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(part, OfTarget):
        return values.get(part.field)
    return part.evaluate(values) if isinstance(part, Expression) else part


def _fields_of(part: Any, values: Mapping[str, Any]) -> list[str]:
    names = part.fields if isinstance(part, Expression) else (part.field,)
    return [name for name in names if values.get(name) is None] or [f"value of {part.text}"]


def _nothing(_: Any) -> bool:
    return False


def _is_missing(value: Any) -> bool:
    return value is None


def _is_present(value: Any) -> bool:
    return value is not None


def _predicate(term: Term, wanted: Any, around: Any) -> Callable[[Any], bool]:
    """Return what a candidate's value must be, when all that is asked of the target is there."""
    if term.operator is Operator.PRESENT:
        return _is_present if wanted else _is_missing
    holds = _PREDICATES[term.operator](term, wanted, around)
    if term.nulls is Nulls.SKIP and not term.target_fields:
        missing_passes = True
    else:
        missing_passes = term.nulls is Nulls.MATCH and term.operator in _NEGATIVE
    return lambda value: missing_passes if value is None else holds(value)


def _spelled(term: Term, value: Any) -> str:
    text = canonical_text(value) or ""
    return text.casefold() if term.ignores_case else text


def _equal(term: Term, wanted: Any, _: Any) -> Callable[[Any], bool]:
    text = _spelled(term, wanted)
    if term.operator is Operator.EQUAL:
        return lambda value: _spelled(term, value) == text
    return lambda value: _spelled(term, value) != text


def _one_of(term: Term, wanted: Any, _: Any) -> Callable[[Any], bool]:
    texts = {_spelled(term, part) for part in _parts(wanted)}
    if term.operator is Operator.ONE_OF:
        return lambda value: _spelled(term, value) in texts
    return lambda value: _spelled(term, value) not in texts


def _parts(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _text(term: Term, wanted: Any, _: Any) -> Callable[[Any], bool]:
    text = _spelled(term, wanted)
    if term.operator is Operator.CONTAINS:
        return lambda value: text in _spelled(term, value)
    if term.operator is Operator.STARTS_WITH:
        return lambda value: _spelled(term, value).startswith(text)
    return lambda value: _spelled(term, value).endswith(text)


def _has(term: Term, wanted: Any, _: Any) -> Callable[[Any], bool]:
    text = _spelled(term, wanted)
    return lambda value: text in [_spelled(term, part) for part in _parts(value)]


def _compared(term: Term, wanted: Any, _: Any) -> Callable[[Any], bool]:
    limit = _demand_number(term, wanted)
    compare: Callable[[float], bool] = {
        Operator.ABOVE: limit.__lt__,
        Operator.AT_LEAST: limit.__le__,
        Operator.BELOW: limit.__gt__,
        Operator.AT_MOST: limit.__ge__,
    }[term.operator]
    return lambda value: (number := number_of(value)) is not None and compare(number)


def limits(term: Term, tolerance: Any, around: Any) -> tuple[float, float]:
    """Return the lowest and the highest value that a tolerance allows."""
    middle = _demand_number(term, around)
    width = _demand_number(term, tolerance)
    if term.operator is Operator.WITHIN_PERCENT:
        width = abs(middle) * width / 100
    return middle - width, middle + width


def _within(term: Term, tolerance: Any, around: Any) -> Callable[[Any], bool]:
    lowest, highest = limits(term, tolerance, around)
    if term.ends is Ends.CLOSED:
        return lambda value: (
            (number := number_of(value)) is not None and lowest <= number <= highest
        )
    return lambda value: (number := number_of(value)) is not None and lowest < number < highest


def _demand_number(term: Term, value: Any) -> float:
    number = number_of(value)
    if number is None:
        msg = f"{term.name}: it needs a number, and {value!r} is none"
        raise RuleError(msg)
    return number


_PREDICATES: Mapping[Operator, Callable[[Term, Any, Any], Callable[[Any], bool]]] = {
    Operator.EQUAL: _equal,
    Operator.NOT_EQUAL: _equal,
    Operator.ONE_OF: _one_of,
    Operator.NOT_ONE_OF: _one_of,
    Operator.HAS: _has,
    **dict.fromkeys(TEXT_OPERATORS, _text),
    **dict.fromkeys(NUMBER_OPERATORS, _compared),
    **dict.fromkeys(TOLERANCES, _within),
}


def allowed_text(term: Term, wanted: Any, around: Any) -> str:
    """Return what satisfies a term, for people."""
    unit = f" {term.unit}" if term.unit else ""
    if term.operator is Operator.PRESENT:
        return "a value" if wanted else "no value"
    if term.operator in TOLERANCES:
        lowest, highest = limits(term, wanted, around)
        return f"{lowest:.12g} to {highest:.12g}{unit}, ends {term.ends.value}"
    if term.operator in NUMBER_OPERATORS:
        return f"{term.operator.value.replace('_', ' ')} {canonical_text(wanted)}{unit}"
    texts = " or ".join(canonical_text(part) or "" for part in _parts(wanted))
    if term.operator in {Operator.EQUAL, Operator.ONE_OF}:
        said = texts if term.operator is Operator.ONE_OF else canonical_text(wanted) or ""
    elif term.operator in _NEGATIVE:
        said = f"anything but {texts}"
    else:
        said = f"{term.operator.value.replace('_', ' ')} {canonical_text(wanted)}"
    return f"{said}, in any case of letters" if term.ignores_case else said
