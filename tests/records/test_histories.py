"""A frame's history tells everything that happened to each of its versions, oldest first."""

from datetime import UTC, datetime, timedelta

from calrecords.records import Judgements, Overrides, Subject
from calrecords.vocabulary import Verdict

START = datetime(2026, 5, 1, tzinfo=UTC)


def test_everything_is_told_with_who_and_why(database, record, make_version):
    old = record(make_version(content="1"), START)
    new = record(make_version(content="2", version_key="v2"), START + timedelta(hours=1))
    judgements, overrides = Judgements(database), Overrides(database)
    judgements.mark(
        old, Verdict.BAD, reason="log", author="import", known_from=START + timedelta(minutes=1)
    )
    judgements.set_validity(new, None, START, reason="r1", author="ana")
    judgements.correct(new, {"filter": None, "attributes.NEW": 1}, reason="r2", author="bo")
    overrides.set("SKYFLAT", new, Subject(target="science"), reason="r3", author="cy")
    camera = Subject(site="lsc", camera="fa15", applies_after=START)
    overrides.set("SKYFLAT", new, camera, reason="r4", author="cy")
    overrides.withdraw(1, reason="r5", author="di")
    judgements.mark(new, Verdict.GOOD, reason="", author="ana")
    events = judgements.history("flat")
    assert [
        (str(one.kind), one.detail, one.author, one.reason, one.md5, one.is_imported)
        for one in events
    ] == [
        ("recorded", "version without key, 1 bytes", None, None, old.version.md5, False),
        ("verdict", "bad", "import", "log", old.version.md5, True),
        ("recorded", "version v2, 1 bytes, current", None, None, new.version.md5, False),
        ("validity", "[open, 2026-05-01T00:00:00Z)", "ana", "r1", new.version.md5, False),
        ("correction", "filter: rp -> unknown", "bo", "r2", new.version.md5, False),
        ("correction", "attributes.NEW: absent -> 1", "bo", "r2", new.version.md5, False),
        ("override", "1: SKYFLAT for science", "cy", "r3", new.version.md5, False),
        (
            "override",
            "2: SKYFLAT for lsc fa15, [2026-05-01T00:00:00Z, open)",
            "cy",
            "r4",
            new.version.md5,
            False,
        ),
        ("override withdrawn", "1: SKYFLAT for science", "di", "r5", new.version.md5, False),
        ("verdict", "good", "ana", "", new.version.md5, False),
    ]
    assert [one.when for one in events] == sorted(one.when for one in events)
    assert {one.filename for one in events} == {"flat.fits.fz"}


def test_an_unknown_frame_has_no_history(database):
    judgements = Judgements(database)
    assert (judgements.history("unknown"), judgements.history("a\0b")) == ([], [])
