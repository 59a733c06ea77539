"""The rules of an observatory, and which of them is for a target."""

from datetime import UTC, datetime

import pytest

from calrecords.errors import RuleError
from calrecords.selection import Requirement, load_rules
from calrecords.selection.rule_set_reading import read_rule_set

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def rules():
    def make(*tables, **keys):
        document = {"name": "mine", "version": 3, "attributes": {"word": "text"}, **keys}
        return read_rule_set({**document, "rule": list(tables)}, "mine.toml")

    return make


def named(name, **keys):
    return {"name": name, "caltype": "BIAS", **keys}


def test_the_narrowest_rule_is_taken(rules, target):
    made = rules(
        named("general"),
        named("when", when=[{"field": "word", "equal": "x"}]),
        named("site", sites=["lsc"]),
        named("instrument", instruments=["nres01"]),
        named("camera", cameras=["fa01"]),
    )
    chosen = {
        "camera": target(word="x", instrument="nres01"),
        "instrument": target(camera="fa02", instrument="nres01"),
        "site": target(camera="fa02", word="x"),
        "when": target(camera="fa02", site="cpt", word="x"),
        "general": target(camera="fa02", site="cpt"),
    }
    assert {made.rule_for("bias", one).name: name for name, one in chosen.items()} == {
        name: name for name in chosen
    }


def test_a_rule_applies_in_its_time_half_open(rules, target):
    made = rules(
        named("old", effective={"until": NOON}),
        named("new", effective={"from": NOON, "until": "2026-03-11"}),
    )
    moments = ["2026-03-10T11:59:59.999999", "2026-03-10T12:00:00", "2026-03-10T23:59:59"]
    assert [made.rule_for("BIAS", target(dateobs=at)).name for at in moments] == [
        "old",
        "new",
        "new",
    ]
    with pytest.raises(RuleError) as caught:
        made.rule_for("BIAS", target(dateobs="2026-03-11"))
    assert str(caught.value) == (
        "no rule of mine for BIAS is for site lsc, camera fa01, instrument fa01 at "
        "2026-03-11T00:00:00; its rules: old, new"
    )


def test_an_unknown_type_is_refused_with_the_known_ones(target):
    with pytest.raises(RuleError) as caught:
        load_rules("lco").rule_for("BAIS", target())
    assert str(caught.value) == (
        "the rules lco have no calibration type 'BAIS'; did you mean 'BIAS'?; "
        "known: BIAS, DARK, SKYFLAT, BPM, READNOISE, ARC, LAMPFLAT"
    )
    with pytest.raises(RuleError, match=r"the rules lco have no rule 'bais'; did you mean 'bias'"):
        load_rules("lco").rule("bais")


@pytest.mark.parametrize(
    ("given", "required", "permitted"),
    [
        ({"filter": "rp"}, "BIAS DARK SKYFLAT BPM", "READNOISE"),
        ({"obstype": "EXPOSE", "filter": "rp"}, "BIAS DARK SKYFLAT BPM", "READNOISE"),
        ({"obstype": "EXPOSE"}, "BIAS DARK BPM", "READNOISE"),
        ({"obstype": "SKYFLAT", "filter": "rp"}, "BIAS DARK BPM", "READNOISE"),
        ({"obstype": "DARK"}, "BIAS BPM", "READNOISE"),
        ({"obstype": "BIAS"}, "BPM", "READNOISE"),
        ({"obstype": "BPM"}, "", ""),
        ({"obstype": "TARGET", "fiber0_lit": 1}, "BIAS DARK BPM ARC LAMPFLAT", "READNOISE"),
        ({"obstype": "ARC", "fiber0_lit": 1}, "BIAS DARK BPM LAMPFLAT", "READNOISE"),
    ],
)
def test_what_a_target_needs_at_lco(given, required, permitted, target):
    wanted = load_rules("lco").caltypes_for(target(**given))
    assert [[n for n, r in wanted.items() if r is kind] for kind in Requirement] == [
        required.split(),
        permitted.split(),
    ]


def test_an_observatory_has_names_of_its_own(rules, target, make_frame):
    made = rules(
        named("dark", equal=["ut_datetime_name", "camera", "instrument"]),
        fields={"ut_datetime_name": "attributes.word", "camera": "attributes.camera"},
    )
    assert made.match_sets()[0].fields == ("attributes.camera", "instrument", "word")
    assert made.in_our_words({"camera": "Short", "site": "x"}) == {
        "attributes.camera": "Short",
        "site": "x",
    }
