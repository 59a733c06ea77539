"""A rule says of itself what it does."""

from calrecords.selection.describing import describe_rule


def test_the_age_limit_is_told_where_there_is_one(rule):
    assert "stale" not in describe_rule(rule())
    assert describe_rule(rule(stale_after="90 d"))["stale"] == "more than 90 d away"
    assert describe_rule(rule(stale_after="6 h"))["stale"] == "more than 21600 s away"
