import math
import pickle

import pytest

from calrecords.errors import RuleError
from calrecords.selection.expressions import LONGEST, LookupTable, parse_expression

LINES = LookupTable("lines", (("R4", 4.0), ("R400", 400.0), ("B", 7.0)), True, 1200.0)
VALUES = {
    "elevation": 60.0,
    "types": ["MOS", "LS"],
    "word": "R400+_G5305",
    "text": "12",
    "flag": True,
}


def parsed(text):
    names = {**dict.fromkeys(VALUES), "missing": None}

    def resolve(name):
        if name not in names:
            msg = f"the field {name!r} is not known"
            raise ValueError(msg)
        return name

    constant = {"width": parse_expression("0.5 * target.elevation", resolve=resolve)}
    return parse_expression(text, resolve=resolve, tables={"lines": LINES}, values=constant)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 - 4 / 8", 6.5),
        ("-2 ** 2", -4.0),
        ("15.0 / cos(radians(target.elevation))", 15.0 / math.cos(math.radians(60.0))),
        ("lines(target.word)", 400.0),
        ("lines('X')", 1200.0),
        ("1000 if has(target.types, 'MOS') else 200", 1000),
        ("1000 if has(target.types, 'IFU') else 200", 200),
        ("1 if target.word == 'R400' else 2", 2),
        ("1 if starts_with(target.word, 'R400') and not 1 > 2 else 2", 1),
        ("min(3, 2, max(1, 0))", 1.0),
        ("width", 30.0),
        ("target.text * 2", 24.0),
        ("target.missing * 2", None),
        ("1 if 2 > 1 else target.missing", 1),
    ],
)
def test_an_expression_gives_this(text, value):
    expression = parsed(text)
    assert expression.evaluate(VALUES) == value
    assert pickle.loads(pickle.dumps(expression)) == expression


def test_an_expression_says_which_fields_it_reads():
    assert parsed("width + target.word").fields == ("elevation", "word")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__",
        "target.word.upper",
        "target.__class__",
        "[1 for _ in ()]",
        "lambda: 1",
        "open('/etc/passwd')",
        "exec('1')",
        "f'{1}'",
        "1 < 2 < 3",
        "1 // 2",
        "1 % 2",
        "1 << 2",
        "b'x'",
        "None",
        "x",
        "target",
        "sqrt()",
        "sqrt(1, 2)",
        "min(1)",
        "lines(1, 2)",
        "cos(x=1)",
        "cso(1)",
        "",
        "1 +",
        "(" * 300,
        "target.unknown",
        "1" * (LONGEST + 1),
        "x := 1",
        "\0",
    ],
)
def test_what_is_not_in_the_language_is_refused_when_it_is_read(text):
    with pytest.raises(ValueError, match=r".") as caught:
        parsed(text)
    assert str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "1 / 0",
        "1 / (target.elevation - 60)",
        "sqrt(-1)",
        "10 ** 400",
        "target.word * 2",
        "target.flag + 1",
        "log10(0)",
    ],
)
def test_what_cannot_be_computed_for_a_target_says_so(text):
    with pytest.raises(RuleError, match=r"cannot be computed for"):
        parsed(text).evaluate(VALUES)


def test_a_table_without_default_is_missing_for_what_it_does_not_hold():
    table = LookupTable("exact", (("a", 1.0),))
    assert [table.look_up(word) for word in ("a", "ab", None)] == [1.0, None, None]
