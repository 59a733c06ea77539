"""Numbers that a rule computes from the target, in a small language that is never executed.

An expression is read with Python's grammar, of which only what is listed here is allowed:
numbers and texts, ``+ - * / **``, comparisons, ``and or not``, ``A if B else C``, the
functions of `FUNCTIONS`, the rule file's tables, the rule's own values, and ``target.NAME``.
Where a field of the target that it needs is missing, the whole is missing.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any

from calrecords.errors import RuleError
from calrecords.matching import canonical_text
from calrecords.selection.places import shown
from calrecords.selection.spelling import near_names

LONGEST = 500
"""Characters that an expression may have."""

DEEPEST, LARGEST = 50, 1000
"""Operations that may stand inside of each other, and in all, the named values worked out."""


@dataclass(frozen=True, slots=True)
class LookupTable:
    """Numbers by name, for example the lines per millimetre of gratings.

    Attributes
    ----------
    name : str
        How expressions call it.
    values : tuple of (str, float)
        The numbers.
    is_prefix : bool
        Whether a text is looked up by how it starts, the longest name first.
    default : float or None
        For what is not in the table; None makes the expression missing.
    """

    name: str
    values: tuple[tuple[str, float], ...]
    is_prefix: bool = False
    default: float | None = None

    def look_up(self, text: Any) -> float | None:
        """Return the number of a text."""
        word = canonical_text(text) or ""
        names = [name for name, _ in self.values if word == name]
        if self.is_prefix and not names:
            names = [name for name, _ in self.values if word.startswith(name)]
        return dict(self.values)[max(names, key=len)] if names else self.default


@dataclass(frozen=True, slots=True)
class Expression:
    """A number that is computed from the target.

    Attributes
    ----------
    text : str
        As it stands in the rule.
    fields : tuple of str
        The target's fields that it reads.
    """

    text: str
    fields: tuple[str, ...]
    tree: tuple[Any, ...] = field(repr=False)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return what it gives for a target's values; None where one that it needs is missing.

        Raises
        ------
        RuleError
            If it cannot be computed for these values.
        """
        try:
            result = _evaluate(self.tree, values)
        except _MissingError:
            return None
        except (ArithmeticError, ValueError, TypeError) as error:
            said = ", ".join(f"{name} = {values.get(name)!r}" for name in self.fields)
            msg = f"{shown(self.text)} cannot be computed for {said or 'any target'}: {error}"
            raise RuleError(msg) from None
        return result


class _MissingError(Exception):
    """A field that an expression needs has no value."""


def _has(values: Any, word: Any) -> bool:
    parts = values if isinstance(values, list | tuple) else [values]
    return canonical_text(word) in [canonical_text(part) for part in parts]


def _starts_with(text: Any, start: Any) -> bool:
    return (canonical_text(text) or "").startswith(canonical_text(start) or "")


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int | None]] = {
    "sqrt": (math.sqrt, 1),
    "sin": (math.sin, 1),
    "cos": (math.cos, 1),
    "tan": (math.tan, 1),
    "radians": (math.radians, 1),
    "degrees": (math.degrees, 1),
    "log10": (math.log10, 1),
    "abs": (abs, 1),
    "min": (min, None),
    "max": (max, None),
    "has": (_has, 2),
    "starts_with": (_starts_with, 2),
}
"""The functions that expressions may call, with how many values they take."""

_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_COMPARISONS = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_NUMERIC: Mapping[str, Callable[[float, float], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": math.pow,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def parse_expression(
    text: str,
    *,
    resolve: Callable[[str], str],
    tables: Mapping[str, LookupTable] | None = None,
    values: Mapping[str, Expression] | None = None,
) -> Expression:
    """Return an expression.

    Parameters
    ----------
    text : str
        For example ``15.0 / cos(radians(target.elevation))``.
    resolve : callable
        Returns our field of a name; raises ValueError where there is none.
    tables : mapping, optional
        Tables that it may look up in.
    values : mapping, optional
        Expressions that it may use by name.

    Raises
    ------
    ValueError
        If it is not in the language.
    """
    if len(text) > LONGEST:
        msg = f"an expression has at most {LONGEST} characters, this one {len(text)}"
        raise ValueError(msg)
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else _DEEP
        msg = f"cannot read the expression {shown(text)}: {reason}"
        raise ValueError(msg) from None
    reader = _Reader(text, resolve, tables or {}, values or {})
    try:
        read = reader.read(tree.body)
    except RecursionError:
        raise ValueError(f"{shown(text)}: {_DEEP}") from None
    _demand_small(read, text)
    return Expression(text, tuple(dict.fromkeys(reader.fields)), read)


def demand_name(name: str, taken: Iterable[str]) -> None:
    """Check that a name can stand in an expression, and means nothing else there.

    Raises
    ------
    ValueError
        If it cannot, or does.
    """
    if not name.isidentifier() or iskeyword(name):
        msg = f"{shown(name)} is no name that an expression can use; use letters, digits and _"
        raise ValueError(msg)
    if name == "target" or name in taken:
        msg = f"{name} has a meaning in expressions already; give it another name"
        raise ValueError(msg)


_DEEP = f"its operations are nested more than {DEEPEST} deep, its values worked out; simplify it"


def _demand_small(tree: tuple[Any, ...], text: str) -> None:
    size, level = 0, [tree]
    for _ in range(DEEPEST):
        size += len(level)
        if size > LARGEST:
            msg = f"{shown(text)} has more than {LARGEST} operations, its values worked out"
            raise ValueError(msg)
        level = [part for one in level for part in one if isinstance(part, tuple)]
        if not level:
            return
    msg = f"{shown(text)}: {_DEEP}"
    raise ValueError(msg)


class _Reader:
    """Turns Python's tree into ours, refusing what is not in the language."""

    def __init__(
        self,
        text: str,
        resolve: Callable[[str], str],
        tables: Mapping[str, LookupTable],
        values: Mapping[str, Expression],
    ) -> None:
        self._text = text
        self._resolve = resolve
        self._tables = tables
        self._values = values
        self.fields: list[str] = []

    def read(self, node: ast.expr) -> tuple[Any, ...]:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return ("value", value)
            case ast.Attribute(value=ast.Name(id="target"), attr=name):
                self.fields.append(self._resolve(name))
                return ("field", self.fields[-1])
            case ast.Name(id=name):
                return self._named(name)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(name, arguments)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return ("if", self.read(test), self.read(body), self.read(orelse))
            case ast.BoolOp(op=op, values=parts):
                word = "and" if isinstance(op, ast.And) else "or"
                return (word, *(self.read(part) for part in parts))
            case _:
                return self._operation(node)

    def _operation(self, node: ast.expr) -> tuple[Any, ...]:
        match node:
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return ("-", ("value", 0), self.read(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ("not", self.read(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return (_BINARY[type(op)], self.read(left), self.read(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                return (_COMPARISONS[type(op)], self.read(left), self.read(right))
        part = ast.get_source_segment(self._text.strip(), node) or self._text
        msg = (
            f"{shown(part)} is not allowed in an expression; use numbers, target.FIELD, "
            f"+ - * / **, comparisons, A if B else C, and {', '.join(FUNCTIONS)}"
        )
        raise ValueError(msg)

    def _named(self, name: str) -> tuple[Any, ...]:
        if name not in self._values:
            hint = near_names(name, [*self._values, *FUNCTIONS, *self._tables])
            msg = f"{name!r} has no meaning here{hint}; a field of the target is target.FIELD"
            raise ValueError(msg)
        self.fields.extend(self._values[name].fields)
        return self._values[name].tree

    def _call(self, name: str, arguments: list[ast.expr]) -> tuple[Any, ...]:
        read = tuple(self.read(argument) for argument in arguments)
        if name in self._tables:
            count: int | None = 1
        elif name in FUNCTIONS:
            count = FUNCTIONS[name][1]
        else:
            known = [*FUNCTIONS, *self._tables]
            hint = near_names(name, known)
            msg = f"there is no function or table {name!r}{hint}; known: {', '.join(known)}"
            raise ValueError(msg)
        if len(read) != count and (count is not None or len(read) < 2):
            msg = f"{name} takes {count or 'two or more'} values, not {len(read)}"
            raise ValueError(msg)
        if name in self._tables:
            return ("table", self._tables[name], *read)
        return ("call", name, *read)


def _evaluate(tree: tuple[Any, ...], values: Mapping[str, Any]) -> Any:
    word, *parts = tree
    if word == "value":
        return parts[0]
    if word == "field":
        return _present(values.get(parts[0]))
    if word == "if":
        return _evaluate(parts[1 if _evaluate(parts[0], values) else 2], values)
    if word == "and":
        return all(_evaluate(part, values) for part in parts)
    if word == "or":
        return any(_evaluate(part, values) for part in parts)
    if word == "table":
        return _present(parts[0].look_up(_evaluate(parts[1], values)))
    if word == "call":
        function, _ = FUNCTIONS[parts[0]]
        given = [_evaluate(part, values) for part in parts[1:]]
        return function(*(given if parts[0] in {"has", "starts_with"} else map(_number, given)))
    given = [_evaluate(part, values) for part in parts]
    if word == "not":
        return not given[0]
    if word in {"==", "!="}:
        return (canonical_text(given[0]) == canonical_text(given[1])) == (word == "==")
    return _NUMERIC[word](*map(_number, given))


def _present(value: Any) -> Any:
    if value is None:
        raise _MissingError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool):
        msg = "true and false are no numbers"
        raise TypeError(msg)
    return float(value)
