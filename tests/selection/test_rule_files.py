"""Each kind of mistake in a file of rules gives a message that a newcomer can act on."""

import os
import pickle

import pytest

from calrecords.errors import RuleError
from calrecords.matching import MatchSet
from calrecords.selection import load_rules, shipped_rules
from calrecords.selection.rule_files import LARGEST_BYTES

HEAD = 'name = "mine"\n[attributes]\nwave = "um"\nword = "text"\nflag = "flag"\nmoment = "time"\n'
RULE = HEAD + '[[rule]]\nname = "bias"\ncaltype = "BIAS"\n'
IN_RULE = "rules.toml: rule bias: "
CASES = {
    "a rule without a type": (
        'name = "mine"\n[[rule]]\nname = "bias"\n',
        "rules.toml: rule bias: 'caltype' is missing; add it",
    ),
    "rules without a name": ('[[rule]]\nname = "bias"\n', "rules.toml: 'name' is missing; add it"),
    "no rule at all": ('name = "mine"\n', "rules.toml: 'rule' is missing; add it"),
    "an unknown key of a file": (
        'name = "mine"\nrules = 3\n',
        "rules.toml: there is no 'rules' here; did you mean 'rule'?; known: name, version, ",
    ),
    "an unknown key of a rule": (
        RULE + 'directoin = "before"\n',
        IN_RULE + "there is no 'directoin' here; did you mean 'direction'?; known: ",
    ),
    "an unknown field": (
        RULE + 'equal = ["binnning"]\n',
        IN_RULE + "equal: binnning: the field 'binnning' is not known; did you mean 'binning'?; "
        "if it is an attribute of frames or targets, declare it: [attributes] binnning = 'text'",
    ),
    "an unknown field of the target": (
        RULE + 'terms = [{ field = "word", equal = { target = "wrod" } }]\n',
        IN_RULE + "terms: word: equal: the field 'wrod' is not known; did you mean 'word'?",
    ),
    "an unknown operator": (
        RULE + 'terms = [{ field = "word", equals = "x" }]\n',
        IN_RULE + "terms: there is no 'equals' here; did you mean 'equal'?",
    ),
    "a term without a comparison": (
        RULE + 'terms = [{ field = "word" }]\n',
        IN_RULE + "terms: word: a term compares in one way, this one in none; known: equal, ",
    ),
    "a term with two comparisons": (
        RULE + 'terms = [{ field = "word", equal = "x", contains = "y" }]\n',
        IN_RULE + "terms: word: a term compares in one way, this one in equal and contains",
    ),
    "a term without a field": (
        RULE + 'terms = [{ equal = "x" }]\n',
        IN_RULE + "terms: 'field' is missing; add it",
    ),
    "a list that is a text": (
        RULE + 'equal = "site"\n',
        IN_RULE + "equal: write a list of fields, ['site', 'camera'], not 'site'",
    ),
    "a number that is a text": (
        RULE + 'terms = [{ field = "wave", above = "far" }]\n',
        IN_RULE + "terms: wave: above: cannot read 'far' as a number with a unit",
    ),
    "a text that is a number": (
        RULE + "where = { word = 3 }\n",
        IN_RULE + "where: word: equal: write a text in quotes, not 3",
    ),
    "a flag that is a text": (
        RULE + 'where = { flag = "yes" }\n',
        IN_RULE + "where: flag: equal: write true or false, not 'yes'",
    ),
    "a binning that is none": (
        RULE + 'where = { binning = "two" }\n',
        IN_RULE + "where: binning: equal: cannot read 'two' as a binning",
    ),
    "a list where one value is wanted": (
        RULE + 'terms = [{ field = "word", equal = ["x"] }]\n',
        IN_RULE + "terms: word: equal: write one value, or use one_of for several",
    ),
    "an empty list": (
        RULE + 'terms = [{ field = "word", one_of = [] }]\n',
        IN_RULE + "terms: word: one_of: the list is empty, so nothing can satisfy it",
    ),
    "a tolerance that does not say its ends": (
        RULE + "terms = [{ field = 'wave', within = 0.1 }]\n",
        IN_RULE + "terms: wave: say whether its ends belong to the tolerance: ends = 'open'",
    ),
    "a window that does not say its ends": (
        RULE + 'window = "90 d"\n',
        IN_RULE + "window: say whether its ends belong to the window: ends = 'open' or 'closed'",
    ),
    "a window without a unit": (
        RULE + 'window = "90"\nends = "open"\n',
        IN_RULE + "window: within: '90' has no unit; write it as '90 d'",
    ),
    "an age limit that is a number": (
        RULE + "stale_after = 90\n",
        IN_RULE + "stale_after: write a time with its unit, for example '90 d', not 90",
    ),
    "a window that is a number": (
        RULE + 'window = 90\nends = "open"\n',
        IN_RULE + "window: within: write a time with its unit, for example '90 d', not 90",
    ),
    "a window in a wrong unit": (
        RULE + 'window = "90 um"\nends = "open"\n',
        IN_RULE + "window: within: um is a unit of length, but the field is in s",
    ),
    "a window longer than time": (
        RULE + 'window = "1e30 d"\nends = "open"\n',
        IN_RULE + "window: within: '1e30 d' is longer than any archive",
    ),
    "an unknown unit": (
        RULE + "terms = [{ field = 'wave', within = '1 micron', ends = 'open' }]\n",
        IN_RULE + "terms: wave: within: the unit 'micron' is not known",
    ),
    "a unit of something else": (
        RULE + "terms = [{ field = 'wave', within = '1 deg', ends = 'open' }]\n",
        IN_RULE + "terms: wave: within: deg is a unit of angle, but the field is in um",
    ),
    "a tolerance below 0": (
        RULE + "terms = [{ field = 'wave', within = -1, ends = 'open' }]\n",
        IN_RULE + "terms: wave: within: a tolerance is 0 or more, not -1",
    ),
    "a tolerance that is not a number": (
        RULE + "terms = [{ field = 'wave', within = nan, ends = 'open' }]\n",
        IN_RULE + "terms: wave: within: write a finite number, not nan",
    ),
    "a tolerance on a text": (
        RULE + "terms = [{ field = 'word', within = 1, ends = 'open' }]\n",
        IN_RULE + "terms: word: within cannot compare a field of kind text",
    ),
    "ends of what has none": (
        RULE + "terms = [{ field = 'word', equal = 'x', ends = 'open' }]\n",
        IN_RULE + "terms: word: only a tolerance has ends",
    ),
    "a middle of what has none": (
        RULE + "terms = [{ field = 'word', equal = 'x', around = 'y' }]\n",
        IN_RULE + "terms: word: around is the middle of a tolerance: it goes with within",
    ),
    "a unit beside a number": (
        RULE + "terms = [{ field = 'wave', within = 1, unit = 'nm', ends = 'open' }]\n",
        IN_RULE + "terms: wave: unit says in what an expression is",
    ),
    "a case of letters of a number": (
        RULE + "terms = [{ field = 'wave', equal = 1, case = 'ignore' }]\n",
        IN_RULE + "terms: wave: only texts have a case of letters",
    ),
    "an unknown case of letters": (
        RULE + "terms = [{ field = 'word', equal = 'x', case = 'lower' }]\n",
        IN_RULE + "terms: word: case is 'exact' or 'ignore', not 'lower'",
    ),
    "an unknown null policy": (
        RULE + "terms = [{ field = 'word', equal = 'x', nulls = 'skipp' }]\n",
        IN_RULE + "terms: word: nulls: 'skipp' is none of match, skip, never; did you mean 'skip'?",
    ),
    "a text that is searched in a number": (
        RULE + "terms = [{ field = 'wave', contains = '1' }]\n",
        IN_RULE + "terms: wave: contains cannot compare a field of kind number",
    ),
    "a computed value in two ways": (
        RULE
        + "terms = [{ field = 'wave', within = { target = 'wave', expr = '1' }, ends = 'open' }]",
        IN_RULE + "terms: wave: within: write { target = 'FIELD' } or { expr = '...' }",
    ),
    "an expression that is none": (
        RULE + "terms = [{ field = 'wave', within = { expr = '1 +' }, ends = 'open' }]\n",
        IN_RULE + "terms: wave: within: cannot read the expression '1 +': invalid syntax",
    ),
    "an expression that would do something": (
        RULE + "values = { x = '__import__(\"os\")' }\n",
        IN_RULE + "values: x: there is no function or table '__import__'",
    ),
    "an expression with an unknown name": (
        RULE + "values = { x = 'wave * 2' }\n",
        IN_RULE + "values: x: 'wave' has no meaning here; a field of the target is target.wave",
    ),
    "a condition that is a text": (
        RULE + 'when = ["word"]\n',
        IN_RULE + "when: write a condition, { field = ... }, not 'word'",
    ),
    "a tolerance of a condition without a middle": (
        RULE + "when = [{ field = 'wave', within = 1, ends = 'open' }]\n",
        IN_RULE + "when: wave: a condition looks at the target, so its tolerance needs around",
    ),
    "an unknown direction": (
        RULE + 'direction = "befor"\n',
        IN_RULE + "direction: 'befor' is none of either, before, before_or_equal, after, "
        "after_or_equal, bracket; did you mean 'before'?",
    ),
    "a count that is none": (
        RULE + "count = 0\n",
        IN_RULE + "count: write numbers of which 1 <= min <= max, not 1 and 0",
    ),
    "a count that is a text": (
        RULE + "count = { max = 'many' }\n",
        IN_RULE + "count: max: write a whole number, not 'many'",
    ),
    "an unknown order": (
        RULE + 'order = "closest_in_tim"\n',
        IN_RULE + "order: there is no 'closest_in_tim' here; did you mean 'closest_in_time'?",
    ),
    "a weight that divides by 0": (
        RULE + 'order = [{ weighted = [{ field = "dateobs", scale = "0 d" }] }]\n',
        IN_RULE + "order: weighted: dateobs: the scale is 0, by which nothing can be divided",
    ),
    "an unknown verdict": (
        RULE + 'verdicts = ["godd"]\n',
        IN_RULE + "verdicts: 'godd' is none of good, bad, unknown; did you mean 'good'?",
    ),
    "no verdict": (
        RULE + "verdicts = []\n",
        IN_RULE + "verdicts: the list is empty, so nothing can be chosen",
    ),
    "a date that is none": (
        RULE + 'effective = { from = "10.3.2026" }\n',
        IN_RULE + "effective: from: cannot read '10.3.2026' as a time",
    ),
    "a date that is a number": (
        RULE + "effective = { from = 2026 }\n",
        IN_RULE + "effective: from: write a time as '2026-03-10T04:00:00', not 2026",
    ),
    "a range that ends before it starts": (
        RULE + "effective = { from = 2026-01-02, until = 2026-01-01 }\n",
        IN_RULE + "effective: it ends before it starts, so the rule never applies",
    ),
    "a range without a moment": (
        RULE + "effective = { from = 2026-01-01, until = 2026-01-01 }\n",
        IN_RULE + "effective: it ends before it starts, so the rule never applies",
    ),
    "a scope for nothing": (
        RULE + "cameras = []\n",
        IN_RULE + "cameras: the list is empty, so the rule is for nothing; leave it out",
    ),
    "two rules of one name": (
        RULE + '[[rule]]\nname = "bias"\ncaltype = "DARK"\n',
        IN_RULE + "there is another rule of this name; give each its own",
    ),
    "a field that must be two things": (
        RULE + 'where = { word = "a" }\nterms = [{ field = "word", equal = "b" }]\n',
        IN_RULE + "word: it must be equal to two things at once; remove one",
    ),
    "an unknown conditional": (
        RULE + 'uses = ["roi"]\n',
        IN_RULE + "uses: there is no conditional 'roi'; known: ",
    ),
    "a conditional that no rule uses": (
        RULE + '[[conditional]]\nname = "roi"\nbranch = [{}]\n',
        "rules.toml: no rule uses it; name it in the `uses` of a rule, or remove it "
        "(conditional roi)",
    ),
    "a conditional without branches": (
        RULE + "conditional = [{ branch = [] }]\n",
        IN_RULE + "conditional 1: it has no branch",
    ),
    "an unknown consequence": (
        RULE + "conditional = [{ branch = [{ no_results = true }] }]\n",
        IN_RULE
        + "conditional 1: branch 1: there is no 'no_results' here; did you mean 'no_result'",
    ),
    "an attribute with a name of ours": (
        'name = "mine"\nrule = []\n[attributes]\ncamera = "text"\n',
        "rules.toml: [attributes]: 'camera' is one of our fields; to mean an attribute of this "
        "name, write [fields] camera = 'attributes.camera'",
    ),
    "an attribute of an unknown kind": (
        'name = "mine"\nrule = []\n[attributes]\nx = "txt"\n',
        "rules.toml: [attributes]: x: 'txt' is neither text, number, flag, time, list; did you "
        "mean 'text'? nor a unit",
    ),
    "a field that aliases nothing of ours": (
        'name = "mine"\nrule = []\n[fields]\nDATE = "dateob"\n',
        "rules.toml: [fields]: DATE: 'dateob' is not one of our fields; did you mean 'dateobs'?; "
        "an attribute is 'attributes.dateob'",
    ),
    "a table of texts": (
        'name = "mine"\nrule = []\n[tables.lines]\nvalues = { R400 = "x" }\n',
        "rules.toml: [tables]: lines: R400: cannot read 'x' as a number with a unit",
    ),
    "a rule that is a number": (
        'name = "mine"\nrule = [3]\n',
        "rules.toml: rule 1: write a table, not 3",
    ),
    "not TOML": (
        'name = "mine"\nrule = \n',
        "rules.toml: it is not TOML: Invalid value (at line 2, column 8)",
    ),
    "a name twice": (
        'name = "mine"\nname = "yours"\n',
        "rules.toml: it is not TOML: Cannot overwrite a value (at line 2, column 15)",
    ),
    "nested too deep": ("x = " + "[" * 5000, "rules.toml: "),
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write_rules(content):
        path = tmp_path / "rules.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return "rules.toml"

    return write_rules


@pytest.mark.parametrize(("text", "message"), CASES.values(), ids=CASES)
def test_a_mistake_is_named_with_its_file_its_rule_and_its_term(text, message, write):
    with pytest.raises(RuleError) as caught:
        load_rules(write(text))
    assert str(caught.value).startswith(message)


def test_a_file_that_is_not_utf_8_is_refused(write):
    with pytest.raises(RuleError, match=r"rules.toml: it is not UTF-8 text \(byte 8\); save it"):
        load_rules(write(b'name = "\xff\xfe"'))


def test_a_huge_file_is_refused_unread(write, tmp_path):
    name = write("")
    os.truncate(tmp_path / name, LARGEST_BYTES + 1)
    with pytest.raises(RuleError, match=r"it has 1048577 bytes, and rules have at most 1048576"):
        load_rules(name)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(RuleError, match=r"it is a folder; name a TOML file of rules"):
        load_rules(tmp_path)
    with pytest.raises(RuleError, match=r"nowhere.toml: it cannot be read: No such file"):
        load_rules(tmp_path / "nowhere.toml")
    with pytest.raises(RuleError, match=r"is not the path of a file"):
        load_rules("a\0b.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(RuleError, match=r"it is no regular file"):
        load_rules(tmp_path / "pipe.toml")


def test_a_name_that_is_not_shipped_is_refused_with_those_that_are():
    with pytest.raises(RuleError) as caught:
        load_rules("gemin")
    assert str(caught.value) == (
        "there are no rules 'gemin'; did you mean 'gemini'?; "
        "name gemini, lco, or the path of a file"
    )


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
