"""An audit reads every frame of its scope exactly once, page by page."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from calrecords.records import AuditReads, AuditScope, JournalReads, Stratum

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def filled(record, make_version):
    """Record frames of two cameras and levels, two of which have two versions, one no time."""
    for number in range(9):
        facts = {
            "camera": f"fa{number % 2}",
            "reduction_level": (0, 91, None)[number % 3],
            "dateobs": None if number == 8 else START + timedelta(hours=number // 3),
            "obstype": "BIAS" if number < 6 else "DARK",
        }
        record(make_version(f"f{number}", f"c{number}", facts_with=facts, key=f"a/b/c/f{number}"))
        if number in (3, 4):
            later = facts | {"dateobs": START + timedelta(days=1)}
            record(make_version(f"f{number}", "newer", facts_with=later))


def names(frames):
    return [frame.basename for frame in frames]


def reads(database, **scope):
    return AuditReads(database, AuditScope(**scope))


def walk(found, stratum, limit=1, **window):
    """Return every frame of a stratum, read in pages of a few."""
    window = {"start": None, "end": None} | window
    frames, after = [], None
    while page := found.dated(stratum, after=after, limit=limit, **window):
        frames += page
        after = (page[-1].current.dateobs, page[-1].id)
    return names(frames)


def test_every_dated_frame_is_in_one_stratum_and_read_once(database, filled):
    found = reads(database)
    strata = found.strata()
    assert [stratum.place for stratum in strata] == [
        ("lsc", camera, level) for camera in ("fa0", "fa1") for level in (-1, 0, 91)
    ]
    assert strata[1] == Stratum("lsc", "fa0", 0, ("BIAS", "DARK"))
    for limit in (1, 2, 100):
        every = [name for stratum in strata for name in walk(found, stratum, limit)]
        assert sorted(every) == [f"f{n}" for n in range(8)]
    [undated] = found.undated(0, 10)
    assert undated.basename == "f8"
    assert found.undated(undated.id, 10) == []
    assert found.count() == 9


def test_a_window_is_half_open_and_of_the_current_version(database, filled):
    found = reads(database)
    stratum = Stratum("lsc", "fa0", 0, ("BIAS", "DARK"))
    assert walk(found, stratum) == ["f0", "f6"]
    assert walk(found, stratum, start=START, end=START + timedelta(hours=2)) == ["f0"]
    assert walk(found, stratum, start=START + timedelta(hours=2)) == ["f6"]
    second = Stratum("lsc", "fa1", 0, ("BIAS",))
    assert walk(found, second, end=START + timedelta(days=1)) == []
    assert walk(found, second) == ["f3"]


def test_frames_come_with_all_their_versions_whatever_the_scope(database, filled):
    found = reads(database, camera="no such camera").named(["f3", "f4", "f5", "nowhere"])
    assert sorted(found) == ["f3", "f4", "f5"]
    assert [len(found[name].versions) for name in ("f3", "f4", "f5")] == [2, 2, 1]
    assert [one.is_current for one in found["f3"].versions] == [False, True]
    assert found["f3"].current.dateobs == START + timedelta(days=1)
    assert found["f3"].filename == "f3.fits.fz"


def test_versions_come_one_by_one_in_the_order_of_their_numbers(database, filled):
    found, versions, after = reads(database), [], 0
    while page := found.versions(after, 2):
        versions += page
        after = page[-1].versions[0].id
    assert [one.basename for one in versions] == [
        *("f0", "f1", "f2", "f3", "f3", "f4", "f4", "f5", "f6", "f7", "f8"),
    ]
    assert all(len(one.versions) == 1 for one in versions)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"camera": "fa1"}, 4),
        ({"site": "nowhere"}, 0),
        ({"obstype": "DARK"}, 3),
        ({"since": START + timedelta(hours=1)}, 5),
        ({"until": START + timedelta(hours=1)}, 3),
        ({"camera": "fa0", "obstype": "BIAS", "since": START, "until": START + timedelta(2)}, 3),
    ],
)
def test_a_scope_narrows_everything(database, filled, scope, expected):
    found = reads(database, **scope)
    in_strata = [name for stratum in found.strata() for name in walk(found, stratum)]
    assert found.count() == expected
    assert len(in_strata) + len(found.undated(0, 10)) == expected


def test_the_folders_of_keys_are_those_of_versions_and_ingestions(
    database, filled, journal, make_intent
):
    journal.intend(make_intent("g", key="x/y/z/g.fits"))
    journal.intend(make_intent("h", "other", key="h.fits"))
    assert reads(database).folders(2) == {"a/b/", "x/y/", "h.fits"}
    assert reads(database).folders(9) == {"a/b/c/", "x/y/z/", "h.fits"}
    assert reads(database, camera="fa1").folders(2) == {"a/b/"}


def test_the_journal_says_who_is_at_what(database, journal, make_intent):
    journal.intend(make_intent("g")).release()
    journal.intend(make_intent("h", "other"))
    asked = JournalReads(database)
    assert [(row.basename, row.is_live, row.is_unfinished) for row in asked.unfinished()] == [
        ("g", False, True),
        ("h", True, True),
    ]
    assert [row.basename for row in asked.of_names(["h", "nowhere"])] == ["h"]
    assert asked.of_names([]) == []


def test_frames_whose_newest_version_is_not_current_are_found_once(database, filled, sql):
    found = reads(database)
    last = found.last()
    assert found.displaced(0, last) == []
    of_frame = "calibration_frame_id = (SELECT id FROM calibration_frames WHERE basename = '{}')"
    older = "id IN (SELECT min(id) FROM frame_versions GROUP BY calibration_frame_id)"
    for name, is_current in (("f6", "1 = 0"), ("f3", "1 = 0"), ("f3", older)):
        edit = f"UPDATE frame_versions SET is_current = ({is_current}) WHERE "
        sql(edit + of_frame.format(name), "SELECT 1")
    for limit in (1, 2, 100):
        pages = [found.displaced(after, after + limit) for after in range(0, last, limit)]
        frames = [frame for page in pages for frame in page]
        assert names(frames) == ["f3", "f6"]
        assert [len(frame.versions) for frame in frames] == [2, 1]
        assert frames[0].newest.dateobs == START + timedelta(days=1)
        assert frames[0].current.dateobs == START + timedelta(hours=1)
    assert names(reads(database, camera="fa0").displaced(0, last)) == ["f6"]
    assert names(reads(database, since=START + timedelta(days=1)).displaced(0, last)) == ["f3"]
    assert found.known(["f1", "f6", "nowhere"]) == {"f1", "f6"}


def test_files_are_known_by_the_name_or_the_version(database, record, make_version):
    record(make_version("g", version_key="v1", key="a/g.fits"))
    record(make_version("h", "other", version_key="v2", key="a/h.fits"))
    asked = JournalReads(database)
    assert {row.basename for row in asked.objects(["g"], ["v2", "v3"])} == {"g", "h"}
    [row] = asked.objects(["h"], ["v2"])
    assert (row.key, row.version_key) == ("a/h.fits", "v2")
    assert asked.objects(["i"]) == []


def test_nobody_begins_an_ingestion_while_its_name_is_held(database, journal, make_intent):
    begun = []

    def intend():
        begun.append(journal.intend(make_intent("g")))

    with JournalReads(database).held("g") as held:
        assert (held.rows(), held.objects([])) == ([], [])
        thread = threading.Thread(target=intend)
        thread.start()
        thread.join(0.3)
        assert begun in ([], [None])  # on a server nobody waits
    thread.join(10)
    assert begun[0] or journal.intend(make_intent("g"))
    with JournalReads(database).held("g") as held:
        assert [row.is_live for row in held.rows()] == [True]
