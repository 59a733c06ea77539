"""A rule says of itself what it does."""

from calrecords.selection.describing import describe_rule


def test_the_age_limit_is_told_where_there_is_one(rule):
    assert "stale" not in describe_rule(rule())
    assert describe_rule(rule(stale_after="90 d"))["stale"] == "more than 90 d away"
    assert describe_rule(rule(stale_after="6 h"))["stale"] == "more than 21600 s away"


def test_a_branch_tells_what_it_changes_and_when(rule):
    word = {"field": "word", "equal": "x"}
    branches = [
        {"when": [word], "window": {"before": "2 d", "ends": "open"}, "direction": "before"},
        {"when": [{"any": [word, {"field": "number", "above": 3}]}], "no_result": True},
        {"equal": ["filter"], "prefer": ["word"], "count": {"min": 2, "max": 3}},
        {"order": [{"highest": "created"}], "terms": [{**word, "case": "ignore"}]},
        {},
    ]
    described = describe_rule(rule(conditional=[{"name": "side", "branch": branches}]))
    assert described["branches"] == [
        "side, branch 1: when word equal x (nulls: never): direction before; "
        "window before 2 d, ends open",
        "side, branch 2: when word equal x (nulls: never) or number above 3 (nulls: never): "
        "no result",
        "side, branch 3: when always: filter equal to the target's (nulls: match); "
        "prefers word equal to the target's (nulls: match); count 2 to 3",
        "side, branch 4: when always: word equal x, in any case of letters (nulls: never); "
        "order highest created",
        "side, branch 5: when always: nothing more",
    ]
