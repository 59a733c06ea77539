"""Each kind of mistake in a file of rules gives a message that a newcomer can act on.

In the files of `mistakes` a line of `=>` follows what is wrong, and gives the message after
the name of the file; `...` at its end leaves out the rest. Of `files`, `fields` and `tables`
the whole file is written there, of the others what stands in a rule.
"""

from pathlib import Path

import pytest

from calrecords.errors import RuleError
from calrecords.selection import load_rules

MISTAKES = Path(__file__).parent / "mistakes"
WHOLE = {"files", "fields", "tables"}
RULE = """name = "mine"
[attributes]
wave = "um"
word = "text"
flag = "flag"
moment = "time"
many = "list"
[[rule]]
name = "bias"
caltype = "BIAS"
"""
LONG = {
    "conditions nested too deep": (
        "when = [" + "{ any = [" * 60 + "{ field = 'word', equal = 'x' }" + "] }" * 60 + "]",
        "when: conditions are nested more than 20 deep; simplify them",
    ),
    "parentheses nested too deep": (
        f"values = {{ x = '{'(' * 240}1{')' * 240}' }}",
        f"values: x: cannot read the expression '{'(' * 56}...: too many nested parentheses",
    ),
    "operations nested too deep": (
        f"values = {{ x = '{'-' * 490}1' }}",
        f"values: x: '{'-' * 56}...: its operations are nested more than 50 deep",
    ),
    "a long expression": (
        f"values = {{ x = '{'1+' * 5000}1' }}",
        "values: x: an expression has at most 500 characters, this one 10001",
    ),
    "values that grow beyond all measure": (
        "[rule.values]\nx0 = '1'\n"
        + "".join(f"x{n} = '{' + '.join([f'x{n - 1}'] * 40)}'\n" for n in range(1, 9)),
        f"values: x2: '{'x1 + ' * 11}x... has more than 1000 operations",
    ),
    "a number of too many digits for a tolerance": (
        f"terms = [{{ field = 'wave', within = {{ expr = '{'9' * 490}' }}, ends = 'open' }}]",
        f"terms: wave: within: '{'9' * 56}... must give a finite number",
    ),
}


def mistakes():
    for path in sorted(MISTAKES.glob("*.txt")):
        head = "" if path.stem in WHOLE else RULE
        for block in path.read_text().strip().split("\n\n"):
            said, _, message = block.rpartition("\n=> ")
            yield pytest.param(head + said, message, id=f"{path.stem}: {said}")


@pytest.fixture
def refusal(tmp_path, monkeypatch):
    """Return what is said of a broken file of rules, after its name."""
    monkeypatch.chdir(tmp_path)

    def of(text):
        (tmp_path / "rules.toml").write_text(text)
        with pytest.raises(RuleError) as caught:
            load_rules("rules.toml")
        name, _, message = str(caught.value).partition(": ")
        assert name == "rules.toml"
        return message

    return of


@pytest.mark.parametrize(("text", "message"), list(mistakes()))
def test_a_mistake_is_named_with_its_file_its_rule_and_its_term(text, message, refusal):
    said = refusal(text)
    if message.endswith("..."):
        assert said.startswith(message.removesuffix("..."))
    else:
        assert said == message


@pytest.mark.parametrize(("said", "message"), LONG.values(), ids=LONG)
def test_what_grows_too_large_is_refused_in_a_short_message(said, message, refusal):
    found = refusal(RULE + said)
    assert found.startswith(f"rule bias: {message}")
    assert len(found) < 300


def test_an_empty_file_is_told_how_rules_begin(refusal):
    assert refusal("").startswith("it is empty; rules begin with name = '...'")
