"""Each rule says what a choice by it costs."""

from calrecords.selection import load_rules
from calrecords.selection.costs import Cost, costs
from calrecords.selection.rule_set_reading import read_rule_set


def test_each_rule_says_what_it_costs():
    assert {one.is_two_probes for one in costs(load_rules("lco"))} == {True}
    one = {"name": "one", "caltype": "BIAS"}
    tables = [
        one,
        {
            **one,
            "name": "two",
            "equal": ["word"],
            "prefer": ["wave"],
            "order": [{"lowest": "wave"}],
        },
    ]
    document = {"name": "m", "attributes": {"wave": "um", "word": "text"}, "rule": tables}
    assert costs(read_rule_set(document, "m.toml")) == [
        Cost("one", True, ""),
        Cost("two", False, "prefers some before time counts; orders by lowest wave"),
    ]
