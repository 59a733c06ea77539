"""Records and archive are compared window by window, and no frame falls between two."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest

from calrecords.frames import FrameFacts
from calrecords.records import NewVersion, PartialDigest
from calrecords.workflows import audit_archive
from calrecords.workflows.audit_archive import _WINDOW, _cut

START = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 2 * _WINDOW + 150
on_disk = pytest.mark.parametrize("world", ["file system"], indirect=True)


def frame(number, minutes):
    return SimpleNamespace(frame_id=number, dateobs=START + timedelta(minutes=minutes))


@pytest.mark.parametrize("count", [0, 1, _WINDOW, _WINDOW + 1, MANY])
@pytest.mark.parametrize("at_once", [1, 7, _WINDOW + 50])
def test_windows_leave_no_gap_and_have_every_frame_once(count, at_once):
    frames = [frame(n, n // at_once) for n in range(count)]
    windows = list(_cut(iter(frames), None, None))
    assert [one for window in windows for one in window.frames] == frames
    assert (windows[0].start, windows[-1].end) == (None, None)
    for one, following in pairwise(windows):
        assert one.end == following.start is not None
    for window in windows:
        assert all(window.start is None or one.dateobs >= window.start for one in window.frames)
        assert all(window.end is None or one.dateobs < window.end for one in window.frames)


def test_the_end_of_a_scope_is_not_in_it():
    frames = [frame(n, n) for n in range(10)]
    [window] = _cut(iter(frames), START, START + timedelta(minutes=5))
    assert window.frames == frames[:5]


def fill(world, cal, *, at_once):
    """Put many frames into the archive and the records, without a file, which is faster."""
    kept = world.archive._store
    with kept.writing():
        for n in range(MANY):
            moment = (START + timedelta(minutes=n // at_once)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            kept._db.execute(
                "INSERT INTO frames (id, basename, created, observation_date, reduction_level,"
                " site_id, instrument_id, configuration_type, public_date)"
                " VALUES (?, ?, ?, ?, 91, 'lsc', 'fa01', 'BIAS', ?)",
                (n + 1, f"bias-{n:05d}", moment, moment, moment),
            )
            kept._db.execute(
                "INSERT INTO versions (frame_id, created, key, md5, extension)"
                " VALUES (?, ?, ?, ?, '.fits')",
                (n + 1, moment, f"{n:032x}", f"{n:032x}"),
            )
    with cal._database.write() as session:
        from calrecords.records.recording import record_version

        for n in range(MANY):
            if n % 100 != 50:
                record_version(session, version(n, at_once), START)


def version(number, at_once, **more):
    facts = {
        "obstype": "BIAS",
        "site": "lsc",
        "camera": "fa01",
        "reduction_level": 91,
        "dateobs": START + timedelta(minutes=number // at_once),
    }
    return NewVersion(
        basename=f"bias-{number:05d}",
        extension=".fits",
        facts=FrameFacts(**{**facts, **more}),
        digest=PartialDigest(f"{number:032x}"),
        version_key=f"{number:032x}",
        frame_id=number + 1,
        archived_at=START,
    )


@on_disk
@pytest.mark.parametrize("at_once", [1, _WINDOW + 50], ids=["one by one", "many at one time"])
def test_many_frames_cost_few_requests_and_none_is_passed_over(world, at_once):
    with world.connect() as cal:
        fill(world, cal, at_once=at_once)
        unrecorded = [f"bias-{n:05d}" for n in range(MANY) if n % 100 == 50]
        world.archive.clear_requests()
        report = cal.audit(parts=["archive"], ours=True)
        assert len(world.archive.requests) < 10
        assert [one.name for one in report.findings] == unrecorded
        assert {str(one.kind) for one in report.findings} == {"frame not recorded"}
        shown = cal.audit(parts=["archive"])
        assert (shown.findings, shown.notices[0].count) == ((), len(unrecorded))
        stretches = 1
        while not (small := cal.audit(parts=["archive"], time_limit=0, ours=True)).is_finished:
            stretches += 1
            assert stretches < 50
        assert stretches > MANY // audit_archive._PAGE
        assert [one.name for one in small.findings] == unrecorded
        assert [part.examined for part in small.parts] == [MANY - len(unrecorded)]


@on_disk
def test_what_is_recorded_with_other_facts_is_asked_for_by_name(world):
    """Dates, levels and types may differ: facts are corrected, and archives take few types."""
    with world.connect() as cal:
        fill(world, cal, at_once=1)
        with cal._database.write() as session:
            from calrecords.records.recording import record_version

            odd = (
                {"dateobs": None},
                {"dateobs": START + timedelta(days=900)},
                {"reduction_level": None},
                {"reduction_level": 90},
            )
            for number, facts in zip(range(50, MANY, 100), odd, strict=False):
                record_version(session, version(number, 1, **facts), START)
        report = cal.audit(parts=["archive"])
        assert report.findings == ()
        assert report.parts[0].examined == MANY - len(range(50, MANY, 100)) + len(odd)


@on_disk
def test_an_archive_that_does_not_filter_is_not_believed(world, make_frame):
    path = make_frame()
    with world.connect() as cal:
        cal.ingest(path, is_master=True)
        world.archive.faults.add("login-page", path="/frames/", times=1000)
        report = cal.audit(parts=["archive"])
        assert [str(part.state) for part in report.parts] == ["not reached"]
        assert report.findings == ()
