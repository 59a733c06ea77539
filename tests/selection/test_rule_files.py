"""Files of rules: what ships, and what is no such file."""

import os
import pickle
import re
from pathlib import Path

import pytest

from calrecords.errors import RuleError
from calrecords.matching import MatchSet
from calrecords.selection import load_rules, rule_set_reading, shipped_rules
from calrecords.selection.branch_reading import IN_BRANCHES
from calrecords.selection.checking import find_mistakes
from calrecords.selection.ordering import OrderKind
from calrecords.selection.rule_files import LARGEST_BYTES
from calrecords.selection.rule_reading import IN_DEFAULTS, IN_RULES
from calrecords.selection.terms import Ends, Nulls, Operator
from calrecords.selection.windows import Direction

RULES = 'name = "mine"\n[[rule]]\nname = "bias"\ncaltype = "BIAS"\nequal = ["site"]\n'
NOT_TOML = {
    'name = "mine"\nrule = \n': "it is not TOML: Invalid value (at line 2, column 8): 'rule ='",
    'name = "mine"\nname = "yours"\n': (
        "it is not TOML: Cannot overwrite a value (at line 2, column 15): 'name = \"yours\"'"
    ),
    '{"name": "mine"}': (
        'it is not TOML: Invalid statement (at line 1, column 1): \'{"name": "mine"}\''
    ),
    "name: mine\n": (
        "it is not TOML: Expected '=' after a key in a key/value pair "
        "(at line 1, column 5): 'name: mine'"
    ),
    'name = "mine\n': "it is not TOML: Illegal character '\\n' (at line 1, column 13): ",
    RULES.replace("\n", "\r"): "it is not TOML: Expected newline or end of document",
    RULES + "effective = { from = 2026-02-30 }": (
        "it is not TOML: Invalid date or datetime (at line 6, column 22): "
    ),
    "x = " + "[" * 5000: "its tables are nested too deep",
    "x = " + "{ a = " * 400 + "1" + " }" * 400: "its tables are nested too deep",
    "x = " + "9" * 5000: "it holds a number of too many digits",
}
NOT_UTF_8 = {
    "UTF-16": (RULES.encode("utf-16"), 0),
    "Latin-1": ('name = "Observat\u00f3rio"'.encode("latin-1"), 16),
    "no text at all": (bytes(range(256)), 128),
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write_rules(content):
        path = tmp_path / "rules.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return "rules.toml"

    return write_rules


@pytest.mark.parametrize(("text", "message"), NOT_TOML.items(), ids=range(len(NOT_TOML)))
def test_what_is_not_toml_is_refused_with_its_line(text, message, write):
    with pytest.raises(RuleError) as caught:
        load_rules(write(text))
    assert str(caught.value).startswith(f"rules.toml: {message}")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("content", "byte"), NOT_UTF_8.values(), ids=NOT_UTF_8)
def test_a_file_that_is_not_utf_8_is_refused(content, byte, write):
    with pytest.raises(RuleError) as caught:
        load_rules(write(content))
    message = f"rules.toml: it is not UTF-8 text (byte {byte}); save it as UTF-8"
    assert str(caught.value) == message


@pytest.mark.parametrize("content", [RULES.replace("\n", "\r\n"), "\ufeff" + RULES])
def test_a_file_as_windows_writes_it_is_read(content, write):
    assert load_rules(write(content)).rules == load_rules(write(RULES)).rules


def test_a_huge_file_is_refused_unread(write, tmp_path):
    name = write("")
    os.truncate(tmp_path / name, LARGEST_BYTES + 1)
    with pytest.raises(RuleError, match=r"it has 1048577 bytes, of at most 1048576; name a TOML"):
        load_rules(name)


def test_what_is_no_file_is_refused(tmp_path):
    loop = tmp_path / "loop.toml"
    loop.symlink_to(loop)
    with pytest.raises(RuleError, match=r"it is a folder; name a TOML file of rules"):
        load_rules(tmp_path)
    with pytest.raises(RuleError, match=r"nowhere.toml: there is no such file; name a TOML file"):
        load_rules(tmp_path / "nowhere.toml")
    with pytest.raises(RuleError, match=r"is not the path of a file"):
        load_rules("a\0b.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(RuleError, match=r"it is no regular file"):
        load_rules(tmp_path / "pipe.toml")
    with pytest.raises(RuleError, match=r"it cannot be read: File name too long"):
        load_rules("a" * 300 + ".toml")
    with pytest.raises(RuleError, match=r"it cannot be read: Too many levels of symbolic links"):
        load_rules(loop)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("gemin", "; did you mean 'gemini'?"),
        ("LCO", "; did you mean 'lco'?"),
        ("keck", ""),
        ("a" * 300, ""),
    ],
)
def test_a_name_that_is_not_shipped_is_refused_with_those_that_are(name, hint):
    with pytest.raises(RuleError) as caught:
        load_rules(name)
    message = str(caught.value)
    assert message.endswith(f"{hint}; name gemini, lco, or the path of a file")
    assert message.startswith(f"there are no rules '{name[:50]}")
    assert len(message) < 150


def test_a_file_whose_name_is_mistyped_is_told_the_one_beside_it(write, tmp_path):
    write(RULES)
    with pytest.raises(RuleError, match=r"rule.toml: there is no such file; did you mean 'rules"):
        load_rules(tmp_path / "rule.toml")
    with pytest.raises(RuleError, match=r"lco.toml: there is no such file; name a TOML file"):
        load_rules(tmp_path / "lco.toml")


def test_a_home_folder_may_be_meant(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(RULES)
    assert load_rules("~/rules.toml").name == "mine"
    with pytest.raises(RuleError, match=r"there is no such file"):
        load_rules("~nobody-of-this-name/rules.toml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads what nobody may read")
def test_a_file_that_may_not_be_read_is_refused(write, tmp_path):
    (tmp_path / write(RULES)).chmod(0)
    with pytest.raises(RuleError, match=r"rules.toml: it cannot be read: Permission denied"):
        load_rules("rules.toml")


def test_these_rules_ship():
    assert shipped_rules() == ("gemini", "lco")
    assert [len(load_rules(name).rules) for name in shipped_rules()] == [14, 7]


def test_rules_that_are_loaded_are_returned_as_they_are():
    rules = load_rules("lco")
    assert load_rules(rules) is rules


@pytest.mark.parametrize("name", shipped_rules())
def test_rules_pickle(name):
    rules = load_rules(name)
    assert pickle.loads(pickle.dumps(rules)) == rules


def test_the_match_sets_of_lco_are_one_for_each_type():
    common = ("binning", "camera", "configuration_mode", "is_master", "site")
    fibres = ("binning", "camera", "fiber0_lit", "fiber1_lit", "fiber2_lit", "is_master", "site")
    assert set(load_rules("lco").match_sets()) == {
        MatchSet(common, "BIAS"),
        MatchSet(common, "BPM"),
        MatchSet(common, "READNOISE"),
        MatchSet(tuple(sorted([*common, "ccd_temperature"])), "DARK"),
        MatchSet(tuple(sorted([*common, "filter"])), "SKYFLAT"),
        MatchSet(fibres, "ARC"),
        MatchSet(fibres, "LAMPFLAT"),
    }


def test_the_rules_of_the_documentation_are_sound(write):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    [example] = [
        block
        for block in re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
        if "[[rule]]" in block
    ]
    rules = load_rules(write(example))
    assert find_mistakes(rules) == []
    assert [rule.caltype for rule in rules.rules] == ["ARC", "ARC"]


def test_every_word_of_the_language_is_documented():
    said = set(re.findall(r"[a-z_]+", rule_set_reading.__doc__))
    words = {*IN_RULES, *IN_DEFAULTS, *IN_BRANCHES, "no_result", "any", "all", "around", "case"}
    for kinds in (Operator, Nulls, Ends, Direction, OrderKind):
        words |= {word.value for word in kinds}
    assert words - said == set()
