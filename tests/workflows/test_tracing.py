"""What was reduced with what is recorded with all that was asked, and followed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.errors import ConfigurationError, RecordNotFoundError
from calrecords.records import Asked, Uses
from calrecords.selection import make_target

NIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
LATER = NIGHT + timedelta(days=9)
TARGET = {
    "basename": "science",
    "site": "lsc",
    "camera": "fa01",
    "dateobs": NIGHT,
    "binning": "1 1",
    "ccd_temperature": -100,
    "filter": "rp",
    "dayobs": "20260309",
    "block_start": NIGHT,
    "attributes": {"filter": "its own", "fiber0_lit": False},
}


@pytest.fixture
def cal(tmp_path):
    with calrecords.connect(db=tmp_path / "records.sqlite", store=tmp_path / "store") as connected:
        connected.import_records(
            {
                "filename": f"{name}.fits.fz",
                **{name: TARGET[name] for name in ("site", "camera", "binning")},
                "obstype": obstype,
                "is_master": True,
                "dateobs": NIGHT,
                "created": NIGHT,
                "inputs": [["IMCOM001", made_from]],
            }
            for name, obstype, made_from in (
                ("bias", "BIAS", "bias-1"),
                ("dark", "DARK", "bias"),
                ("bias-1", "BIAS", "nothing"),
            )
        )
        connected.correct("bias-1", reason="far away", dateobs=LATER)
        yield connected


def use_of(cal, target="science"):
    [use] = Uses(cal._database).of_target(target)
    return use


def test_a_selection_is_recorded_so_that_it_can_be_made_again(cal):
    asked = {"created_before": LATER, "include_bad": True}
    selection = cal.best(TARGET, "bias", **asked)
    assert cal.record_use("/reduced/science.fits.fz", selection, **asked)
    assert not cal.record_use("science", selection, **asked)
    use = use_of(cal)
    assert (use.filename, use.caltype, use.asked) == (
        "bias.fits.fz",
        "BIAS",
        Asked(
            rule="bias",
            rule_version=use.asked.rule_version,
            rule_set="lco",
            as_of=selection.as_of,
            created_before=LATER,
            include_bad=True,
            target=use.asked.target,
        ),
    )
    again = make_target(use.asked.target)
    assert (again.values["binning"], again.dateobs) == ("1x1", NIGHT)
    repeated = cal.best(
        use.asked.target,
        use.caltype,
        as_of=use.asked.as_of,
        created_before=use.asked.created_before,
        include_bad=use.asked.include_bad,
    )
    assert repeated.frame == selection.frame


def test_a_frame_is_recorded_with_what_is_known_of_the_target(cal):
    assert cal.record_use(TARGET, "bias", created_before=LATER)
    use = use_of(cal)
    assert (use.caltype, use.asked.rule, use.asked.created_before) == ("BIAS", None, LATER)
    assert make_target(use.asked.target).values["filter"] == "rp"
    assert make_target(use.asked.target).values["attributes.filter"] == "its own"
    assert cal.record_use("other.fits", "bias", "illumination")
    assert use_of(cal, "other").asked == Asked()
    assert cal.record_use(cal.get(basename="dark"), "bias")
    assert use_of(cal, "dark").asked.target["obstype"] == "DARK"


def test_the_facts_of_a_file_are_kept_where_it_can_be_read(cal, tmp_path, caplog):
    path = write_synthetic_frame(tmp_path, obstype="EXPOSE", basename="seen")
    facts = cal.open_file(path).facts
    for number, target in enumerate((path, str(path), cal.open_file(path))):
        assert cal.record_use(target, "bias") is (number == 0)
    assert make_target(use_of(cal, "seen").asked.target).values["site"] == facts.site
    broken = tmp_path / "broken.fits"
    broken.write_bytes(b"SIMPLE")
    assert caplog.messages == []
    assert cal.record_use(broken, "bias")
    assert use_of(cal, "broken").asked == Asked()
    assert f"its use is recorded without the facts of {broken}" in caplog.text
    assert cal.record_use("/" + "s" * 300 + ".fits", "bias")
    assert cal.record_use({"basename": "named"}, "bias")
    assert use_of(cal, "named").asked == Asked()


def test_a_type_is_spelled_as_the_rules_do_if_they_know_it(cal):
    assert cal.record_use("science", "bias", " bias ")
    assert not cal.record_use("science", "bias")
    assert cal.record_use("other", "bias", "Illumination")
    assert [use_of(cal, name).caltype for name in ("science", "other")] == ["BIAS", "Illumination"]


def test_uses_are_listed_from_both_ends(cal):
    cal.record_use("science", cal.best(TARGET, "BIAS"))
    shown = ["target", "kind", "through", "filename"]
    assert cal.uses("bias")[shown].as_array().tolist() == [
        ("dark.fits.fz", "input", "IMCOM001", "bias"),
        ("science", "use", "BIAS", "bias.fits.fz"),
    ]
    assert cal.uses(target=Path("science.fits"))[shown].as_array().tolist() == [
        ("science", "use", "BIAS", "bias.fits.fz")
    ]
    nothing = cal.uses(target="unknown")
    assert (len(nothing), nothing.colnames) == (0, cal.uses("bias").colnames)


def test_all_that_was_made_with_a_frame_is_listed(cal):
    cal.record_use("science", "dark")
    table = cal.affected_by("bias-1")
    assert table["depth", "basename", "through", "path"].as_array().tolist() == [
        (1, "bias", "IMCOM001", "bias-1 > bias"),
        (2, "dark", "IMCOM001", "bias-1 > bias > dark"),
        (3, "science", "DARK", "bias-1 > bias > dark > science"),
    ]
    assert list(table["obstype"].mask) == [False, False, True]


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda cal: cal.record_use({"site": "lsc"}, "bias"), ConfigurationError, "which target"),
        (lambda cal: cal.record_use(None, "bias"), ConfigurationError, "which target"),
        (lambda cal: cal.record_use("", "bias"), ConfigurationError, "which target"),
        (lambda cal: cal.record_use("s", "none"), RecordNotFoundError, "none"),
        (lambda cal: cal.record_use("s", "bias", 7), ConfigurationError, "caltype=7"),
        (
            lambda cal: cal.record_use("s", "bias", created_before="x"),
            ConfigurationError,
            "created_before='x'",
        ),
        (lambda cal: cal.uses(), ConfigurationError, "say of what"),
        (lambda cal: cal.uses("bias", target="s"), ConfigurationError, "say of what"),
        (lambda cal: cal.uses("none"), RecordNotFoundError, "none"),
        (lambda cal: cal.affected_by("none"), RecordNotFoundError, "none"),
    ],
)
def test_what_cannot_be_followed_is_refused(cal, call, error, said):
    with pytest.raises(error, match=said):
        call(cal)
