"""What an edit would change is what choosing gives once the edit is made; nothing is written."""

import itertools
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import calrecords
from calrecords.errors import (
    ConfigurationError,
    NoCalibrationError,
    RecordNotFoundError,
    RuleError,
)
from calrecords.selection import rule_files

NIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
TARGET = {"basename": "science", "site": "lsc", "camera": "fa01", "dateobs": NIGHT}
TARGET |= {"binning": "1x1", "filter": "rp", "obstype": "EXPOSE", "ccd_temperature": -100}
TYPES = ("BIAS", "DARK", "SKYFLAT", "illumination")
LCO = (Path(rule_files.__file__).parent / "rules" / "lco.toml").read_text()
CLOSEST = 'order = "closest_in_time"'
OF_BIASES = 'where = { obstype = "BIAS" }\nequal = ["configuration_mode", "binning"]'
OF_FLATS = 'equal = ["configuration_mode", "binning", "filter"]'
EDITS = {
    "a window": (CLOSEST, f'{CLOSEST}\nwindow = {{ within = "20 h", ends = "closed" }}'),
    "one direction": (CLOSEST, f'{CLOSEST}\ndirection = "before"'),
    "only good ones": ('verdicts = ["good", "unknown"]', 'verdicts = ["good"]'),
    "a tolerance": (
        CLOSEST,
        f'{CLOSEST}\nterms = [{{ field = "exposure_time", at_least = 5, nulls = "never" }}]',
    ),
    "another order": (CLOSEST, 'order = [{ highest = "created" }, "closest_in_time"]'),
    "several, not one": (CLOSEST, f"{CLOSEST}\ncount = {{ min = 2, max = 3 }}"),
    "more must be equal": (OF_BIASES, OF_BIASES.replace('"binning"', '"binning", "filter"')),
    "less must be equal": (OF_FLATS, 'equal = ["configuration_mode"]'),
    "no type of this name": ('caltype = "DARK"', 'caltype = "THERMAL"'),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    if request.param == "sqlite":
        yield tmp_path / "records.sqlite"
        return
    server = request.getfixturevalue("postgresql_server")
    made = server.migrated()
    yield made
    server.give_back(made)


@pytest.fixture
def connect(place, tmp_path):
    """Return a function that connects to the records, with rules of its own if it is given any."""
    opened = []

    def connected(**settings):
        cal = calrecords.connect(db=place, store=tmp_path / "s", cache=tmp_path / "c", **settings)
        opened.append(cal)
        return cal

    yield connected
    for cal in opened:
        cal.close()


@pytest.fixture
def cal(connect):
    return connect()


@pytest.fixture
def edited(tmp_path):
    """Return a function that writes the rules of LCO with an edit, and gives the file."""
    numbers = itertools.count(1)

    def write(old, new):
        assert old in LCO
        path = tmp_path / f"edit-{next(numbers)}.toml"
        path.write_text(LCO.replace(old, new))
        return path

    return write


def add(cal, *rows):
    master = {**TARGET, "obstype": "BIAS", "is_master": True}
    master.pop("basename")
    report = cal.import_records({**master, **row} for row in rows)
    assert report.recorded == len(rows), report


def random_master(rng, number):
    return {
        "filename": f"master-{number:03d}.fits",
        "obstype": rng.choice(TYPES[:3]),
        "site": rng.choice(["lsc", "coj"]),
        "camera": rng.choice(["fa01", "fa02"]),
        "dateobs": NIGHT + timedelta(hours=rng.randint(-60, 60)),
        "created": rng.choice([None, NIGHT + timedelta(hours=rng.randint(-60, 60))]),
        "filter": rng.choice(["rp", "gp"]),
        "binning": rng.choice(["1x1", "1x1", "2x2"]),
        "exposure_time": rng.choice([None, 1.0, 9.0]),
        "verdict": rng.choice(["unknown", "unknown", "good", "bad"]),
    }


def random_target(rng, number):
    target = {
        **TARGET,
        "basename": f"science-{number:03d}",
        "site": rng.choice(["lsc", "coj"]),
        "camera": rng.choice(["fa01", "fa02"]),
        "dateobs": NIGHT + timedelta(hours=rng.randint(-60, 60)),
        "filter": rng.choice(["rp", "gp"]),
        "binning": rng.choice(["1x1", "2x2"]),
    }
    asked = {
        "created_before": rng.choice([None, None, NIGHT + timedelta(hours=rng.randint(-20, 60))]),
        "include_bad": rng.random() < 0.2,
    }
    return target, rng.choice(TYPES), asked


@pytest.fixture
def used(cal):
    """Return what was asked for each of many recorded uses, some of which are forced."""
    rng = random.Random(8)
    add(cal, *(random_master(rng, number) for number in range(150)))
    asked = {}
    for number in range(150):
        target, caltype, how = random_target(rng, number)
        cal.record_use(target, f"master-{rng.randrange(150):03d}", caltype, **how)
        asked[target["basename"], caltype] = (target, how)
    forced = {"reason": "by hand", "site": "coj", "camera": "fa02"}
    cal.set_override("BIAS", "master-007", **forced)
    cal.set_override("SKYFLAT", "master-008", **forced, applies_after=NIGHT)
    return asked


def chosen(cal, target, caltype, how):
    try:
        selection = cal.best(target, caltype, **how)
    except (NoCalibrationError, RuleError):
        return None
    return selection.frame.filename


def would_be(cal, used):
    return {
        (name, caltype): chosen(cal, target, caltype, how)
        for (name, caltype), (target, how) in used.items()
    }


def column(table, name):
    """Return a column by target and type."""
    rows = zip(table["target"], table["caltype"], table[name].tolist(), strict=True)
    return {(str(target), str(caltype)): value for target, caltype, value in rows}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edit_of_the_rules_changes_what_it_was_said_to(connect, cal, used, edited, edit):
    path = edited(*edit)
    everything = cal.impact(rules=path, unchanged=True)
    listed = cal.impact(rules=path)
    now, then = would_be(cal, used), would_be(connect(rules=path), used)
    judged = everything[everything["change"] != "not judged"]
    assert column(judged, "before") == {one: now[one] for one in column(judged, "before")}
    assert column(judged, "after") == {one: then[one] for one in column(judged, "after")}
    known = {"BIAS", "DARK", "SKYFLAT"}
    assert set(column(everything, "change")) == set(used)
    assert set(column(judged, "change")) == {one for one in used if one[1] in known}
    change = column(listed, "change")
    assert {one for one in used if now[one] != then[one]} <= change.keys()
    assert {one for one in change if change[one] == "lost"} == {
        one for one in used if now[one] and not then[one]
    }
    assert {one for one in change if change[one] == "gained"} == {
        one for one in used if then[one] and not now[one]
    }
    assert sum(value in {"changed", "lost", "gained"} for value in change.values()) > 3
    assert all(column(listed, "reason").values())
    counts = Counter(everything["change"])
    assert {name: listed.meta[name.replace(" ", "_")] for name in counts} == counts
    assert listed.meta["uses"] == len(used)


@pytest.mark.parametrize("verdict", ["bad", "good", "unknown"])
def test_a_verdict_changes_what_it_was_said_to(cal, used, verdict):
    frames = [row["filename"] for row in cal.query(verdict="bad")[:20]]
    if verdict == "bad":
        chosen_now = Counter(name for name in would_be(cal, used).values() if name)
        frames = [name for name, _ in chosen_now.most_common(6)]
    mark = {"bad": cal.mark_bad, "good": cal.mark_good, "unknown": cal.clear_verdict}[verdict]
    changed = 0
    for name in frames:
        said = cal.impact(verdict=verdict, frame=name, unchanged=True)
        now = would_be(cal, used)
        mark(name, reason="as was asked")
        then = would_be(cal, used)
        judged = said[said["change"] != "not judged"]
        assert column(judged, "before") == {one: now[one] for one in column(judged, "before")}
        assert column(judged, "after") == {one: then[one] for one in column(judged, "after")}
        changes = sum(now[one] != then[one] for one in used)
        assert said.meta["would_change"] == changes
        changed += changes
    assert changed > 3


def test_records_that_are_indexed_by_other_rules_give_the_same(connect, edited):
    rng = random.Random(10)
    add(connect(rules="gemini"), *(random_master(rng, number) for number in range(150)))
    cal = connect()
    for number in range(150):
        target, caltype, how = random_target(rng, number)
        cal.record_use(target, f"master-{rng.randrange(150):03d}", caltype, **how)
    edits = [edited(*edit) for edit in EDITS.values()]

    def said():
        tables = [cal.impact(rules=path, unchanged=True) for path in edits]
        tables += [cal.impact(verdict="bad", frame=f"master-{n:03d}") for n in range(5)]
        return [table.as_array().tolist() for table in tables]

    unindexed = said()
    with pytest.raises(NoCalibrationError):
        cal.best({**TARGET, "site": "ogg"}, "BIAS")
    assert said() == unindexed
    assert sum(map(len, unindexed)) > 1000


def test_nothing_is_written(cal, place, edited, used):
    def written():
        tables = ("match_sets", "selection_index", "verdicts", "frame_uses", "frame_versions")
        return [
            cal._database.ask(f"SELECT * FROM {table} ORDER BY 1, 2, 3", {}) for table in tables
        ]

    before = written()
    content = Path(place).read_bytes() if isinstance(place, Path) else None
    for edit in EDITS.values():
        cal.impact(rules=edited(*edit))
    cal.impact(verdict="bad", frame="master-007")
    assert written() == before
    assert content is None or Path(place).read_bytes() == content


def rows(table, *names):
    return [tuple(row) for row in zip(*(table[name].tolist() for name in names), strict=True)]


def test_reasons_name_the_test_that_the_calibration_fails(cal, edited):
    add(cal, {"filename": "near.fits"}, {"filename": "far.fits", "dateobs": "2026-03-01"})
    cal.record_use("science", cal.best(TARGET, "BIAS"))
    same = cal.impact(rules=edited(*EDITS["a window"]), unchanged=True)
    assert rows(same, "change", "reason") == [("unchanged", None)]
    path = edited(CLOSEST, f'{CLOSEST}\nterms = [{{ field = "filter", not_equal = "rp" }}]')
    table = cal.impact(rules=path)
    [(change, reason)] = rows(table, "change", "reason")
    assert (change, reason.partition(", wanted ")[0]) == ("lost", "near.fits: filter: rp")
    table = cal.impact(verdict="bad", frame="near")
    assert rows(table, "target", "change", "used", "before", "after", "reason") == [
        (
            *("science", "changed", "near.fits", "near.fits", "far.fits"),
            "near.fits: verdict: bad, wanted good or unknown",
        )
    ]
    assert rows(table, "rule_before", "rule_after", "affected") == [("bias", "bias", 0)]
    assert table.meta["summary"] == (
        "with near.fits called bad, 1 of 1 recorded uses would change; 1 frames were made with it"
    )
    assert (table.meta["would_change"], table.meta["made_with"]) == (1, 1)


def test_a_loosened_rule_names_the_test_that_was_failed_before(cal, connect, edited):
    add(cal, {"filename": "flat.fits", "obstype": "SKYFLAT", "filter": "gp"})
    cal.record_use(TARGET, "flat")
    table = cal.impact(rules=edited(*EDITS["less must be equal"]))
    assert rows(table, "change", "before", "after", "reason") == [
        ("gained", None, "flat.fits", "flat.fits: filter: gp, wanted rp")
    ]
    loose = connect(rules=edited(OF_FLATS, 'equal = ["configuration_mode", "binning"]'))
    path = edited(OF_FLATS, 'equal = ["configuration_mode", "binning"]\ncount = { min = 2 }')
    assert rows(loose.impact(rules=path), "change", "reason") == [
        ("lost", "fewer than 2 are what the rule asks for")
    ]
    path = edited('equal = ["configuration_mode", "binning", "filter"]', 'equal = ["object"]')
    assert rows(loose.impact(rules=path), "change", "reason") == [
        ("lost", "the target has no object, which skyflat needs")
    ]


def test_an_order_and_a_missing_type_are_reasons(cal, edited):
    later = NIGHT + timedelta(days=3)
    add(
        cal,
        {"filename": "near.fits", "created": NIGHT},
        {"filename": "new.fits", "dateobs": later, "created": later},
    )
    cal.record_use("science", cal.best(TARGET, "BIAS"))
    assert rows(cal.impact(rules=edited(*EDITS["another order"])), "change", "after", "reason") == [
        ("changed", "new.fits", "another one comes first")
    ]
    [(change, reason)] = rows(
        cal.impact(rules=edited('caltype = "BIAS"', 'caltype = "ZERO"')), "change", "reason"
    )
    assert (change, "no calibration type 'BIAS'" in reason) == ("lost", True)


def test_what_cannot_be_judged_says_why(cal, edited):
    add(cal, {"filename": "bias.fits"}, {"filename": "dark.fits", "obstype": "DARK"})
    cal.record_use("unknown", "bias")
    cal.record_use({**TARGET, "basename": "odd"}, "bias", "illumination")
    cal.record_use("dark", "bias")
    for edit in ({"rules": edited(*EDITS["a window"])}, {"verdict": "bad", "frame": "dark"}):
        found = dict(rows(cal.impact(**edit), "target", "reason"))
        assert found.keys() == {"unknown", "odd"}
        assert "not recorded with the use" in found["unknown"]
        assert "no calibration type 'illumination'" in found["odd"]
    assert rows(cal.impact(verdict="bad", frame="bias"), "target", "change", "reason")[0] == (
        "dark",
        "lost",
        "bias.fits: verdict: bad, wanted good or unknown",
    )


def test_what_stays_with_a_bad_frame_is_listed(cal):
    names = ("forced", "asked", "overtaken", "other")
    targets = {name: {**TARGET, "basename": name} for name in names}
    add(cal, {"filename": "first.fits", "dateobs": NIGHT + timedelta(hours=2)})
    cal.record_use(targets["forced"], "first")
    cal.record_use(targets["asked"], cal.best(targets["asked"], "BIAS", include_bad=True))
    cal.record_use(targets["overtaken"], "first")
    cal.set_override("BIAS", "first", reason="by hand", target="forced")
    cal.set_override("BIAS", "first", reason="by hand", target="asked", applies_until="2026-03-01")
    bad = {"verdict": "bad", "frame": "first"}
    assert rows(cal.impact(**bad), "target", "change", "reason") == [
        ("overtaken", "lost", "first.fits: verdict: bad, wanted good or unknown"),
        ("asked", "kept", "bad ones were asked for when it was chosen"),
        ("forced", "kept", "forced by an override: by hand"),
    ]
    add(cal, {"filename": "second.fits", "dateobs": NIGHT + timedelta(hours=1)})
    cal.record_use(targets["other"], "second")
    assert rows(cal.impact(**bad), "target", "change", "before", "after") == [
        ("forced", "kept", "first.fits", "first.fits"),
        ("asked", "differs already", "second.fits", "second.fits"),
        ("overtaken", "differs already", "second.fits", "second.fits"),
    ]
    good = {"verdict": "good", "frame": "first"}
    assert len(cal.impact(**good)) == 0
    assert cal.impact(**good).meta["differs_already"] == 2
    assert len(cal.impact(**good, unchanged=True)) == 4


def test_a_version_that_is_not_current_changes_no_choice(cal):
    add(cal, {"filename": "bias.fits", "md5": "a" * 32})
    add(cal, {"filename": "bias.fits", "md5": "b" * 32, "created": NIGHT})
    current = cal.get(basename="bias")
    [other] = [one for one in cal.versions("bias") if one != current]
    cal.record_use(TARGET, other)
    table = cal.impact(verdict="bad", frame=other)
    md5 = current.version.md5
    assert rows(table, "change", "used_md5", "before_md5", "after_md5") == [
        ("differs already", other.version.md5, md5, md5)
    ]
    assert "this version is not current" in table.meta["summary"]
    assert rows(cal.impact(verdict="bad", frame=current), "change", "before_md5", "after") == [
        ("lost", md5, None)
    ]


def test_when_candidates_had_to_be_made_is_asked_as_the_edited_rule_says(cal, connect, edited):
    blocked = edited(
        "\n[defaults]\n",
        'block_start = "time"\n\n[defaults]\ncreated_before = "block_start"\n',
    )
    add(
        cal,
        {"filename": "late.fits", "created": NIGHT},
        {"filename": "early.fits", "created": "2026-03-01", "dateobs": "2026-03-01"},
    )
    careful = connect(rules=blocked)
    target = {**TARGET, "block_start": NIGHT - timedelta(hours=1)}
    selection = careful.best(target, "BIAS")
    assert selection.frame.basename == "early"
    careful.record_use("ruled", selection)
    careful.record_use({**target, "basename": "named"}, "early", created_before=NIGHT)
    assert rows(careful.impact(rules="lco"), "target", "before", "after") == [
        ("ruled", "early.fits", "late.fits")
    ]
    assert rows(cal.impact(rules=blocked), "target", "before", "after") == []


def test_a_change_among_several_counts_though_the_first_stays(connect, edited):
    several = f"{CLOSEST}\ncount = 3"
    cal = connect(rules=edited(CLOSEST, several))
    hours = {"a": 1, "b": -30, "c": 40}
    add(
        cal,
        *(
            {"filename": f"{name}.fits", "dateobs": NIGHT + timedelta(hours=at)}
            for name, at in hours.items()
        ),
    )
    cal.record_use("science", cal.best(TARGET, "BIAS").alternatives[0])
    path = edited(CLOSEST, several + '\nwindow = { within = "35 h", ends = "closed" }')
    table = cal.impact(rules=path)
    assert rows(table, "change", "used", "before", "after") == [
        ("changed", "b.fits", "a.fits", "a.fits")
    ]
    assert table["reason"][0].startswith("c.fits: window: 2026-03-11T20:00:00Z, wanted from")


def test_what_was_made_with_a_changed_target_is_counted(cal):
    add(cal, {"filename": "bias.fits"}, {"filename": "old.fits", "dateobs": "2026-03-01"})
    add(
        cal,
        {"filename": "dark.fits", "obstype": "DARK"},
        {"filename": "flat.fits", "obstype": "SKYFLAT", "inputs": [["IMCOM001", "dark"]]},
    )
    cal.record_use("dark", cal.best("dark", "BIAS"))
    for number in range(3):
        cal.record_use(f"science-{number}", "flat")
    cal.record_use({**TARGET, "basename": "science-2"}, "bias")
    table = cal.impact(verdict="bad", frame="bias")
    changed = table[table["change"] == "changed"]
    assert rows(changed, "target", "affected") == [("dark", 4), ("science-2", 0)]
    assert table.meta["made_with"] == len(cal.affected_by("bias")) == 5


@pytest.mark.parametrize(
    ("edit", "error", "said"),
    [
        ({}, ConfigurationError, "rules=, or verdict= and frame="),
        ({"verdict": "bad"}, ConfigurationError, "rules=, or verdict= and frame="),
        ({"frame": "bias"}, ConfigurationError, "rules=, or verdict= and frame="),
        (
            {"rules": "lco", "verdict": "bad", "frame": "bias"},
            ConfigurationError,
            "rules=, or verdict= and frame=",
        ),
        ({"rules": "lco", "frame": "bias"}, ConfigurationError, "rules=, or verdict="),
        ({"verdict": "awful", "frame": "bias"}, ConfigurationError, "good, bad, unknown"),
        ({"verdict": 7, "frame": "bias"}, ConfigurationError, "verdict=7"),
        ({"verdict": "bad", "frame": "nosuch"}, RecordNotFoundError, "nosuch"),
        ({"rules": 7}, ConfigurationError, "rules=7"),
        ({"rules": "nosuch"}, RuleError, "no rules 'nosuch'"),
        ({"rules": "nosuch.toml"}, RuleError, "no such file"),
    ],
)
def test_what_is_no_edit_is_refused(cal, edit, error, said):
    with pytest.raises(error, match=said):
        cal.impact(**edit)


def test_without_uses_the_table_is_empty_with_its_columns(cal):
    table = cal.impact(rules="lco")
    assert (len(table), table.colnames[:3]) == (0, ["target", "caltype", "change"])
    assert table.meta["summary"] == "with the rules lco.toml, 0 of 0 recorded uses would change"
