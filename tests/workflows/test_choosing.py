"""Choosing gives what a slow reading of all records gives, alike on both databases."""

import random
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from astropy.io import fits
from astropy.time import Time

import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.errors import (
    ConfigurationError,
    InvalidTargetError,
    NoCalibrationError,
    RecordNotFoundError,
    RuleError,
)
from calrecords.records import RecordDatabase
from calrecords.selection import ask, choose_among, load_rules, make_target
from calrecords.vocabulary import Verdict

NIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
TYPES = ("BIAS", "BPM", "DARK", "SKYFLAT", "ARC")
TARGET = {"site": "lsc", "camera": "fa01", "dateobs": NIGHT, "binning": "1x1", "obstype": "EXPOSE"}


def random_row(rng, number):
    row = {
        "filename": f"frame-{number:04d}.fits.fz",
        "obstype": rng.choice(TYPES),
        "site": rng.choice(["lsc", "coj"]),
        "camera": rng.choice(["fa01", "fa02"]),
        "is_master": rng.random() < 0.9,
        "dateobs": NIGHT + timedelta(hours=rng.randint(-40, 40)),
        "created": rng.choice([None, NIGHT + timedelta(hours=rng.randint(-40, 40))]),
        "binning": rng.choice(["1x1", "2x2"]),
        "filter": rng.choice([None, "rp", "gp"]),
        "ccd_temperature": rng.choice([-100, -110]),
        "verdict": rng.choice(["unknown", "unknown", "good", "bad"]),
        "attributes": {f"fiber{at}_lit": rng.choice(["0", "1"]) for at in range(3)},
    }
    if rng.random() < 0.2:
        row["good_after"] = NIGHT + timedelta(hours=rng.randint(-60, 0))
    if rng.random() < 0.2:
        row["good_until"] = NIGHT + timedelta(hours=rng.randint(1, 60))
    return row


def random_question(rng):
    target = {
        "site": rng.choice(["lsc", "coj"]),
        "camera": rng.choice(["fa01", "fa02"]),
        "obstype": "EXPOSE",
        "dateobs": NIGHT + timedelta(hours=rng.randint(-50, 50)),
        "binning": rng.choice(["1x1", "2x2"]),
        "filter": rng.choice(["rp", "gp"]),
        "ccd_temperature": rng.choice([-100.0, -110]),
        **{f"fiber{at}_lit": rng.choice(["0", "1"]) for at in range(3)},
    }
    asked = {
        "max_results": rng.choice([1, 2, 5, 100]),
        "include_bad": rng.random() < 0.2,
        "created_before": rng.choice([None, NIGHT + timedelta(hours=rng.randint(-40, 40))]),
    }
    return target, rng.choice(TYPES), asked


def answered(cal, target, caltype, **asked):
    try:
        chosen = cal.best(target, caltype, **asked)
    except NoCalibrationError:
        return []
    return [one.frame.basename for one in (chosen, *chosen.alternatives)]


@pytest.fixture(params=["sqlite", "postgresql"])
def cal(request, tmp_path):
    if request.param == "sqlite":
        place = tmp_path / "records.sqlite"
    else:
        server = request.getfixturevalue("postgresql_server")
        place = server.empty()
        database = RecordDatabase(place)
        database.upgrade()
        database.close()
    with calrecords.connect(db=place, store=tmp_path / "store", cache=tmp_path / "cache") as opened:
        yield opened
    if request.param == "postgresql":
        server.drop(place)


def add(cal, **changes):
    row = {"obstype": "BIAS", "is_master": True, **TARGET, **changes}
    row.pop("block_start", None)
    if row["obstype"] == "EXPOSE":
        row["obstype"] = "BIAS"
    report = cal.import_records([row])
    assert report.recorded == 1, report


def test_chooses_what_reading_everything_and_sorting_it_would(cal):
    rng = random.Random(4)
    rows = [random_row(rng, number) for number in range(400)]
    rng.shuffle(rows)
    assert cal.import_records(rows).recorded == len(rows)
    everything = cal._database.find(calrecords.records.FrameFilter())
    rules = load_rules("lco")
    found = 0
    for _ in range(500):
        target, caltype, asked = random_question(rng)
        described = make_target(target)
        question = ask(rules.rule_for(caltype, described), described, **asked)
        expected = [frame.basename for frame in choose_among(question, everything)]
        assert answered(cal, target, caltype, **asked) == expected
        found += bool(expected)
    assert 100 < found < 450


def test_the_answer_does_not_depend_on_database_or_order(tmp_path, postgresql_server):
    rng = random.Random(5)
    rows = [random_row(rng, number) for number in range(200)]
    questions = [random_question(rng) for _ in range(1000)]
    place = postgresql_server.empty()
    database = RecordDatabase(place)
    database.upgrade()
    database.close()
    answers = []
    for db in (tmp_path / "a.sqlite", tmp_path / "b.sqlite", place):
        rng.shuffle(rows)
        with calrecords.connect(db=db, store=tmp_path / "s", cache=tmp_path / "c") as cal:
            cal.import_records(rows)
            answers.append([answered(cal, *one[:2], **one[2]) for one in questions])
    postgresql_server.drop(place)
    assert answers[0] == answers[1] == answers[2]
    assert 100 < sum(map(bool, answers[0])) < 900


def test_many_frames_of_one_moment_are_told_apart_by_creation_and_name(cal):
    made = NIGHT + timedelta(days=1)
    rows = [
        {**TARGET, "obstype": "BIAS", "is_master": True, "filename": f"{name}.fits", "created": at}
        for name, at in [("c", made), ("b", made), ("d", None), ("a", made - timedelta(hours=1))]
    ]
    more = [{**rows[0], "filename": f"x{n}.fits", "created": made} for n in range(30)]
    cal.import_records([*rows, *more])
    names = ["b", "c", *sorted(f"x{n}" for n in range(30)), "a", "d"]
    for wanted in (1, 2, 3, 10, 34, 99):
        assert answered(cal, TARGET, "BIAS", max_results=wanted) == names[:wanted]


def test_a_verdict_is_honoured_and_what_was_chosen_before_it_can_be_had_again(cal):
    add(cal, filename="near.fits")
    add(cal, filename="far.fits", dateobs=NIGHT - timedelta(days=3))
    before = cal.best(TARGET, "BIAS")
    assert (before.frame.basename, before.age) == ("near", timedelta(0))
    cal.mark_bad("near", reason="bright stripe")
    cal.correct("far", reason="typing error", filter="rp")
    assert answered(cal, TARGET, "BIAS") == ["far"]
    assert answered(cal, TARGET, "BIAS", include_bad=True) == ["near"]
    again = cal.best(TARGET, "BIAS", as_of=before.as_of)
    assert again.frame == before.frame
    assert again.frame.verdict is Verdict.UNKNOWN
    first = before.as_of - timedelta(days=1)
    assert answered(cal, TARGET, "BIAS", as_of=first) == []


def test_later_records_and_verdicts_do_not_change_an_earlier_answer(cal):
    rng = random.Random(6)
    cal.import_records([random_row(rng, number) for number in range(100)])
    questions = [random_question(rng) for _ in range(50)]
    as_of = datetime.now(UTC)
    answers = [answered(cal, *one[:2], **one[2], as_of=as_of) for one in questions]
    assert answers == [answered(cal, *one[:2], **one[2]) for one in questions]
    cal.import_records([random_row(rng, number) for number in range(100, 10_100)])
    for name in {name for names in answers for name in names}:
        cal.mark_bad(name, reason="later")
        cal.set_validity(name, None, NIGHT - timedelta(days=90), reason="later")
    assert answers == [answered(cal, *one[:2], **one[2], as_of=as_of) for one in questions]
    assert answers != [answered(cal, *one[:2], **one[2]) for one in questions]


def test_a_correction_moves_a_frame_to_where_it_belongs(cal):
    add(cal, filename="flat.fits", obstype="SKYFLAT", filter="gp")
    target = {**TARGET, "filter": "rp"}
    then = datetime.now(UTC)
    with pytest.raises(NoCalibrationError):
        cal.best(target, "SKYFLAT")
    cal.correct("flat", reason="wrong wheel position", filter="rp")
    assert answered(cal, target, "SKYFLAT") == ["flat"]
    assert answered(cal, target, "SKYFLAT", as_of=then) == []
    assert answered(cal, {**TARGET, "filter": "gp"}, "SKYFLAT", as_of=then) == ["flat"]


def test_an_override_is_obeyed_and_said(cal):
    add(cal, filename="near.fits")
    add(cal, filename="far.fits", dateobs=NIGHT - timedelta(days=300))
    then = datetime.now(UTC)
    cal.set_override("BIAS", "far", reason="shutter test", site="lsc", camera="fa01")
    forced = cal.best(TARGET, "bias")
    assert (forced.frame.basename, forced.override, forced.age.days) == (
        "far",
        "shutter test",
        -300,
    )
    assert cal.best(TARGET, "BIAS", as_of=then).frame.basename == "near"
    assert cal.best({**TARGET, "camera": "fa01"}, "BIAS").override == "shutter test"


def test_a_bracket_is_the_nearest_on_each_side(cal):
    for hours in (-9, -2, 3, 8):
        add(cal, filename=f"b{hours}.fits", dateobs=NIGHT + timedelta(hours=hours))
    before, after = cal.bracket(TARGET, "BIAS")
    assert (before.frame.basename, after.frame.basename) == ("b-2", "b3")
    before, after = cal.bracket({**TARGET, "dateobs": NIGHT + timedelta(hours=8)}, "BIAS")
    assert (before.frame.basename, after) == ("b8", None)


BRANCHED = """
name = "branched"
[[rule]]
name = "bias"
caltype = "BIAS"
equal = ["site", "camera"]
direction = "before"
count = { min = 2, max = 4 }
[[rule.conditional]]
[[rule.conditional.branch]]
when = [{ field = "binning", equal = "1x1" }]
direction = "after"
count = { min = 3, max = 4 }
window = { within = "5 h", ends = "closed" }
"""


def test_a_bracket_asks_both_sides_whichever_way_a_branch_looks(tmp_path):
    (tmp_path / "branched.toml").write_text(BRANCHED)
    places = {"db": tmp_path / "r.sqlite", "store": tmp_path, "cache": tmp_path}
    with calrecords.connect(**places, rules=tmp_path / "branched.toml") as cal:
        for hours in (-9, -2, 3):
            add(cal, filename=f"b{hours}.fits", dateobs=NIGHT + timedelta(hours=hours))
        assert answered(cal, TARGET, "BIAS") == []
        found = cal.bracket(TARGET, "BIAS")
        assert [one.frame.basename for one in found] == ["b-2", "b3"]
        assert [cal.explain(one).passed for one in found] == [1, 1]
        later = {**TARGET, "dateobs": NIGHT + timedelta(hours=4)}
        before, after = cal.bracket(later, "BIAS")
        assert (before.frame.basename, after) == ("b3", None)
        far = {**TARGET, "dateobs": NIGHT + timedelta(hours=9)}
        assert cal.bracket(far, "BIAS") == (None, None)
        assert cal.bracket({**far, "binning": "2x2"}, "BIAS")[0].frame.basename == "b3"


def test_a_target_may_be_described_in_many_ways(cal, tmp_path):
    path = write_synthetic_frame(tmp_path, is_master=False)
    facts = cal.open_file(path).facts
    row = {"obstype": "BIAS", "is_master": True, "filename": "bias.fits", "site": facts.site}
    row |= {"camera": facts.camera, "dateobs": facts.dateobs, "binning": facts.binning}
    cal.import_records([row | {"configuration_mode": facts.configuration_mode}])
    header = fits.getheader(path)
    for target in (path, str(path), header, cal.open_file(path), facts, cal.get(basename="bias")):
        assert answered(cal, target, "BIAS") == ["bias"]
    assert answered(cal, "bias", "BIAS") == ["bias"]
    mapping = {"site": facts.site, "camera": facts.camera, "binning": (2, 2)}
    mapping |= {"binning": facts.binning, "configuration_mode": facts.configuration_mode}
    for moment in (facts.dateobs, facts.dateobs.isoformat(), Time(facts.dateobs)):
        assert answered(cal, {**mapping, "dateobs": moment}, "BIAS") == ["bias"]


@pytest.mark.parametrize(
    ("target", "options", "error", "says"),
    [
        ({**TARGET, "dateobs": None}, {}, InvalidTargetError, "dateobs"),
        ({**TARGET, "dateobs": "yesterday"}, {}, InvalidTargetError, "dateobs"),
        ({**TARGET, "binning": "two"}, {}, InvalidTargetError, "binning"),
        (5.5, {}, InvalidTargetError, "float"),
        ("nobody", {}, RecordNotFoundError, "nobody"),
        (TARGET, {"as_of": datetime(2999, 1, 1, tzinfo=UTC)}, ConfigurationError, "future"),
        (TARGET, {"as_of": "soon"}, ConfigurationError, "as_of='soon'"),
        (TARGET, {"max_results": 0}, ConfigurationError, "max_results=0"),
        (TARGET, {"max_results": 10**20}, ConfigurationError, "from 1 to 1000000"),
        (TARGET, {"created_before": "x"}, ConfigurationError, "created_before='x'"),
    ],
)
def test_what_cannot_be_asked_is_said(tmp_path, target, options, error, says):
    with (
        calrecords.connect(db=tmp_path / "r.sqlite", store=tmp_path, cache=tmp_path) as cal,
        pytest.raises(error, match=says),
    ):
        cal.best(target, "BIAS", **options)


def test_an_unknown_type_names_the_known_ones(tmp_path):
    with (
        calrecords.connect(db=tmp_path / "r.sqlite", store=tmp_path, cache=tmp_path) as cal,
        pytest.raises(RuleError, match="SKYFLAT"),
    ):
        cal.best(TARGET, "FLATT")


def test_connections_are_used_again_and_closed(tmp_path):
    with calrecords.connect(db=tmp_path / "r.sqlite", store=tmp_path, cache=tmp_path) as cal:
        add(cal, filename="near.fits")
        for _ in range(5):
            cal.best(TARGET, "BIAS")
        assert len(cal._database._direct._idle) == 1
    assert len(cal._database._direct._idle) == 0


def test_a_database_that_vanished_is_our_error(tmp_path):
    with calrecords.connect(db=tmp_path / "r.sqlite", store=tmp_path, cache=tmp_path) as cal:
        add(cal, filename="near.fits")
        cal.best(TARGET, "BIAS")
        with sqlite3.connect(tmp_path / "r.sqlite") as connection:
            connection.execute("DROP TABLE selection_index")
        connection.close()
        with pytest.raises(calrecords.errors.RecordError, match="selection_index"):
            cal.best(TARGET, "BIAS")


def test_many_are_answered_as_each_alone(cal):
    rng = random.Random(8)
    cal.import_records([random_row(rng, number) for number in range(300)])
    same = [
        {**TARGET, "filename": f"s{n}.fits", "obstype": "BIAS", "is_master": True} for n in range(5)
    ]
    cal.import_records(same)
    targets = [random_question(rng)[0] for _ in range(150)] + [TARGET]
    for how in ({}, {"include_bad": True}, {"created_before": NIGHT + timedelta(hours=9)}):
        table = cal.best_many(targets, TYPES, **how)
        alone = [answered(cal, one, kind, **how) for one in targets for kind in TYPES]
        names = [row["filename"] and row["filename"].split(".")[0] for row in plain(table)]
        assert names == [found[0] if found else None for found in alone]
    later = datetime.now(UTC)
    assert plain(cal.best_many(targets, TYPES, as_of=later)) == plain(cal.best_many(targets, TYPES))


def plain(table):
    masked = [{name: row[name] for name in table.colnames} for row in table]
    return [
        {name: None if getattr(value, "mask", False) else value for name, value in row.items()}
        for row in masked
    ]


def test_what_cannot_be_answered_is_a_row_with_its_reason(cal):
    add(cal, filename="near.fits")
    add(cal, filename="far.fits", dateobs=NIGHT - timedelta(days=2))
    asked = [TARGET, {"site": "lsc"}, {**TARGET, "basename": "science"}]
    rows = plain(cal.best_many(asked, ["bias", "FLATT", "DARK"]))
    assert [(row["target"], row["caltype"], row["filename"]) for row in rows] == [
        ("0", "BIAS", "near.fits"),
        ("0", "FLATT", None),
        ("0", "DARK", None),
        ("1", "bias", None),
        ("1", "FLATT", None),
        ("1", "DARK", None),
        ("science", "BIAS", "near.fits"),
        ("science", "FLATT", None),
        ("science", "DARK", None),
    ]
    assert [bool(row["reason"]) for row in rows] == [row["filename"] is None for row in rows]
    cal.set_override("BIAS", "far", reason="test", target="science")
    forced = plain(cal.best_many(asked, "BIAS"))
    assert [row["filename"] for row in forced] == ["near.fits", None, "far.fits"]
    assert len(cal.best_many([], "BIAS")) == 0
