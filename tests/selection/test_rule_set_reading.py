"""Files of rules: what holds for all, and what can be said."""

import pytest

from calrecords.selection import load_rules
from calrecords.selection.rule_set_reading import read_rule_set


@pytest.fixture
def rules():
    def make(*tables, **keys):
        document = {"name": "mine", "version": 3, "attributes": {"word": "text"}, **keys}
        return read_rule_set({**document, "rule": list(tables)}, "mine.toml")

    return make


def named(name, **keys):
    return {"name": name, "caltype": "BIAS", **keys}


def test_what_holds_for_all_rules_is_joined_with_their_own(rules):
    made = rules(
        named("one", equal=["filter"], where={"is_master": False}),
        named("two", nulls="match"),
        defaults={
            "equal": ["site"],
            "where": {"is_master": True, "obstype": "BIAS"},
            "nulls": "never",
        },
    )
    assert [[(term.field, term.nulls.value) for term in rule.terms] for rule in made.rules] == [
        [("is_master", "never"), ("obstype", "never"), ("site", "never"), ("filter", "never")],
        [("is_master", "match"), ("obstype", "match"), ("site", "match")],
    ]
    assert [rule.version for rule in made.rules] == ["3", "3"]


STRESS = """
name = "stress"
[fields]
observation_type = "obstype"
camera = "attributes.camera"
[attributes]
array_name = "text"
camera = "text"
central_wavelength = "um"
disperser = "text"
focal_plane_mask = "text"
gcal_lamp = "text"
observation_id = "text"
reduction = "text"
well_depth_setting = "text"

# One of the two lists that are interleaved: the other asks for gcal_lamp that starts with QH.
[[rule]]
name = "gnirs_flat_xd_raw_ir"
caltype = "flat_ir"
instruments = ["GNIRS"]
equal = ["disperser", "camera", "filter", "array_name", "well_depth_setting", "focal_plane_mask"]
where = { gcal_lamp = "IRhigh" }
terms = [{ field = "central_wavelength", within = 0.001, ends = "open", nulls = "skip" }]
prefer = ["observation_id"]
window = { within = "90 d", ends = "open" }
count = 10

[[rule]]
name = "ghost_processed_slit"
caltype = "processed_slit"
instruments = ["GHOST"]
equal = ["instrument", "observation_type", "focal_plane_mask"]
window = { within = "30 s", ends = "open" }
[[rule.conditional]]
[[rule.conditional.branch]]
when = [{ field = "observation_type", equal = "ARC" }]
where = { reduction = "PROCESSED_ARC" }
[[rule.conditional.branch]]
where = { reduction = "PROCESSED_UNKNOWN" }

[[rule]]
name = "igrins2_flat"
caltype = "flat"
instruments = ["IGRINS-2"]
equal = ["instrument"]
terms = [{ field = "exposure_time", at_least = "3.5 s" }]
count = 30

[[rule]]
name = "gnirs_arc"
caltype = "arc"
instruments = ["GNIRS"]
required_when = [{ field = "central_wavelength", below = "2.8 um" }]
"""


def test_most_of_the_stress_rules_can_be_said(tmp_path, target):
    """What cannot: lists that are dealt in turn, one exposure as several targets, whole groups."""
    path = tmp_path / "stress.toml"
    path.write_text(STRESS)
    made = load_rules(path)
    assert [rule.caltype for rule in made.rules] == ["flat_ir", "processed_slit", "flat", "arc"]
    wanted = [
        "arc" in made.caltypes_for(target(instrument="GNIRS", central_wavelength=wave))
        for wave in (2.2, 2.8)
    ]
    assert wanted == [True, False]
