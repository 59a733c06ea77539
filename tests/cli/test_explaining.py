"""Reasons are printed for people, or all of them as JSON."""

import json
from datetime import UTC, datetime

import pytest

from calrecords.cli.explaining import print_explanation
from calrecords.selection import make_target
from calrecords.selection.reasons import Elimination
from calrecords.workflows.explanations import Explanation


@pytest.fixture
def explanation():
    return Explanation(
        caltype="BIAS",
        target=make_target({"basename": "science", "dateobs": datetime(2026, 3, 10, tzinfo=UTC)}),
        rule="bias",
        rule_version="1",
        rows=(Elimination("site", "site", "é", 2, 2, ("coj", "lsc")),),
        nearest=(),
        total=2,
        passed=0,
    )


def test_text_is_what_it_says_of_itself(explanation, capsys):
    print_explanation(explanation, as_json=False)
    assert capsys.readouterr().out == f"{explanation}\n"


def test_json_has_all_of_it(explanation, capsys):
    print_explanation(explanation, as_json=True)
    printed = capsys.readouterr().out
    assert json.loads(printed) == explanation.to_dict()
    assert "é" in printed
