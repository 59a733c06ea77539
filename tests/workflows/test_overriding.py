"""A forced calibration is chosen, says so, and was chosen as of when it held."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import calrecords
from calrecords.errors import (
    ConfigurationError,
    InvalidRecordError,
    NoCalibrationError,
    RecordNotFoundError,
    RuleError,
)

NIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
TARGET = {"basename": "science", "site": "lsc", "camera": "fa01", "dateobs": NIGHT}
TARGET |= {"binning": "1x1"}


@pytest.fixture
def cal(tmp_path):
    with calrecords.connect(db=tmp_path / "records.sqlite", store=tmp_path / "store") as connected:
        connected.import_records(
            {
                "filename": f"{name}.fits.fz",
                **{name: TARGET[name] for name in ("site", "camera", "binning")},
                "obstype": "BIAS",
                "is_master": True,
                "dateobs": NIGHT + timedelta(hours=hours),
            }
            for name, hours in (("near", 1), ("far", -5))
        )
        yield connected


def chosen(cal, **asked):
    selection = cal.best(TARGET, "BIAS", **asked)
    return selection.frame.basename, selection.override


def test_what_is_forced_is_chosen_until_it_is_withdrawn(cal):
    before = cal.best(TARGET, "BIAS")
    made = cal.set_override(
        "bias", "far", reason="near is odd", site="lsc", camera="fa01", applies_until="2026-03-11"
    )
    assert chosen(cal) == ("far", "near is odd")
    own = cal.set_override("BIAS", before, reason="but here", target=Path("/data/science.fits.fz"))
    assert (own.target, chosen(cal)) == ("science", ("near", "but here"))
    during = cal.best(TARGET, "BIAS").as_of
    assert cal.withdraw_override(own).withdrawn_reason == ""
    assert cal.withdraw_override(made.id, reason="it is fine").withdrawn_reason == "it is fine"
    assert chosen(cal) == ("near", None)
    assert chosen(cal, as_of=during) == ("near", "but here")
    assert chosen(cal, as_of=before.as_of) == ("near", None)
    assert len(cal.overrides()) == 0
    assert cal.overrides().colnames[:4] == ["id", "caltype", "filename", "target"]
    every = cal.overrides(withdrawn=True)
    assert list(every["id", "caltype", "filename", "withdrawn_reason"].as_array().tolist()) == [
        (1, "BIAS", "far.fits.fz", "it is fine"),
        (2, "BIAS", "near.fits.fz", ""),
    ]


def test_the_target_is_whatever_has_a_basename(cal):
    for target in ("science", "science.fits", TARGET, cal.best(TARGET, "BIAS").target):
        assert cal.set_override("BIAS", "far", reason="x", target=target).id == 1


RULES = """
name = "odd"

[[rule]]
name = "bias"
caltype = "BIAS"
where = { obstype = "BIAS" }
equal = ["binning"]
nulls = "never"
ends = "closed"
terms = [{ field = "exposure_time", within = { expr = "1 / target.exposure_time" } }]
"""


@pytest.mark.parametrize(
    ("facts", "error"),
    [({"binning": None}, NoCalibrationError), ({"exposure_time": 0.0}, RuleError)],
    ids=["nothing to match", "nothing to compute"],
)
def test_what_is_forced_needs_no_answer_of_the_rule(cal, tmp_path, facts, error):
    (tmp_path / "odd.toml").write_text(RULES)
    target = {**TARGET, "exposure_time": 1.0, **facts}
    places = {"db": tmp_path / "records.sqlite", "store": tmp_path / "store"}
    with calrecords.connect(**places, rules=tmp_path / "odd.toml") as odd:
        with pytest.raises(error):
            odd.best(target, "BIAS")
        odd.set_override("BIAS", "far", reason="by hand", site="lsc", camera="fa01")
        assert odd.best(target, "BIAS").frame.basename == "far"
        with pytest.raises(error):
            odd.best({**target, "camera": "fa02"}, "BIAS")


def test_a_type_is_forced_as_the_rules_in_use_spell_it(cal, tmp_path):
    far = cal.get(basename="far")
    assert cal.set_override(" bias ", far, reason="x", target="s").caltype == "BIAS"
    with pytest.raises(RuleError, match=r"no calibration type 'BAIS'.*did you mean 'BIAS'") as no:
        cal.set_override("BAIS", far, reason="x", target="s")
    assert "known: BIAS, DARK, SKYFLAT" in str(no.value)
    with pytest.raises(RuleError, match="if it is of other rules, name those: rules="):
        cal.set_override("specphot", far, reason="x", target="s")
    places = {"db": tmp_path / "records.sqlite", "store": tmp_path / "store"}
    with calrecords.connect(**places, rules="gemini") as others:
        assert others.set_override("SpecPhot", far, reason="x", target="s").caltype == "specphot"
    assert list(cal.overrides()["caltype"]) == ["BIAS", "specphot"]


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda cal: cal.set_override("BIAS", "far", reason="x"), InvalidRecordError, "one target"),
        (
            lambda cal: cal.set_override("BIAS", "far", reason="", target="s"),
            ConfigurationError,
            "say why",
        ),
        (
            lambda cal: cal.set_override(7, "far", reason="x", target="s"),
            ConfigurationError,
            "caltype=7",
        ),
        (
            lambda cal: cal.set_override("BIAS", "far", reason="x", target=7),
            ConfigurationError,
            "say which target",
        ),
        (
            lambda cal: cal.set_override("BIAS", "far", reason="x", target={"site": "lsc"}),
            ConfigurationError,
            "say which target",
        ),
        (
            lambda cal: cal.set_override("BIAS", "none", reason="x", target="s"),
            RecordNotFoundError,
            "none",
        ),
        (
            lambda cal: cal.set_override(
                "BIAS", "far", reason="x", target="s", applies_after="then"
            ),
            ConfigurationError,
            "applies_after='then'",
        ),
        (lambda cal: cal.withdraw_override(7), RecordNotFoundError, "override 7"),
        (lambda cal: cal.withdraw_override("first"), ConfigurationError, "whole number"),
    ],
)
def test_what_cannot_be_forced_is_refused(cal, call, error, said):
    with pytest.raises(error, match=said):
        call(cal)
    assert len(cal.overrides(withdrawn=True)) == 0
