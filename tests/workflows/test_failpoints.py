"""Every failpoint of an ingestion with every way to fail there, and what resuming makes of it."""

import hashlib
import sqlite3
from contextlib import closing

import pytest

from calrecords import ArchiveClient, IngestOutcome
from calrecords.archive import default_retrying
from calrecords.errors import (
    ArchiveUnavailableError,
    CalRecordsError,
    FileStoreUnavailableError,
    RecordsUnavailableError,
)
from calrecords.filestore import S3Store
from calrecords.testing._s3_faults import S3_KINDS
from calrecords.testing.faults import KINDS
from calrecords.workflows.results import IngestStep

LOST = {
    IngestStep.INTENDED: RecordsUnavailableError,
    IngestStep.PUT: FileStoreUnavailableError,
    IngestStep.STORED: RecordsUnavailableError,
    IngestStep.REGISTERED: ArchiveUnavailableError,
    IngestStep.ARCHIVED: RecordsUnavailableError,
    IngestStep.PUBLISHED: FileStoreUnavailableError,
    IngestStep.RECORDED: RecordsUnavailableError,
}
"""What the edge that brought an ingestion to a step says where its answer is lost."""


def md5_of(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def demand_whole(world, path, *, unreferenced=False):
    """Make sure that one resumption makes of a frame what it is where nothing went wrong."""
    with world.connect() as cal:
        assert [result.error for result in cal.resume() if result.error] == []
        if len(cal.query()) == 0:
            cal.ingest(path, is_master=True)  # it failed before it had intended anything
        [row] = cal.query()
        frame = cal.get(frame_id=row["frame_id"])
        assert frame.version.md5 == md5_of(path)
        assert world.archived() == [(frame.frame_id, frame.basename, [md5_of(path)])]
        assert list(world.stored()) == [frame.version.key]
        [*others, stored] = world.stored()[frame.version.key]
        assert stored == md5_of(path)
        assert unreferenced or others == []
        assert world.published() == {frame.version.key: md5_of(path)}
        assert world.strays() == []
        for source in ("store", "archive"):
            assert cal.fetch(frame, source=source).read_bytes() == path.read_bytes()
        assert cal.resume() == cal.failed_ingestions() == []
        assert cal.ingest(path, is_master=True).outcome is IngestOutcome.ALREADY_THERE


def kill(world, path, step):
    world.ingest_and_die(path, step)


def fail_with(error):
    """Return a way in which an exception comes at a step."""

    def fail(world, path, step):
        def raise_it(reached):
            if reached is step:
                raise error

        with world.connect(on_step=raise_it) as cal, pytest.raises(type(error)):
            cal.ingest(path, is_master=True)

    return fail


def lose_the_answer(world, path, step):
    fail_with(LOST[step]("the answer was lost, and all is done"))(world, path, step)


def time_out(world, path, step):
    """Hang until the hold has ended and another worker has done what was left to do."""
    finished = []

    def hang(reached):
        if reached is step:
            end_holds(world)
            with world.connect() as other:
                finished.extend(other.resume())

    with world.connect(on_step=hang) as cal:
        if step is IngestStep.RECORDED:
            assert cal.ingest(path, is_master=True).frame_id == 1
            assert finished == []
            return
        with pytest.raises(RecordsUnavailableError, match="another worker has taken over"):
            cal.ingest(path, is_master=True)
        assert [result.error for result in finished] == [None]


def end_holds(world):
    """Let every hold have run out."""
    with closing(sqlite3.connect(world.places["db"])) as connection, connection:
        connection.execute("UPDATE ingestions SET lease_until = '2026-01-01 00:00:00.000000'")


WAYS = {
    "killed": kill,
    "exception": fail_with(ZeroDivisionError()),
    "interrupted": fail_with(KeyboardInterrupt()),
    "answer lost": lose_the_answer,
    "timeout": time_out,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", list(IngestStep))
def test_whatever_happens_at_a_step_one_resumption_mends_it(step, way, world, make_frame):
    path = make_frame()
    WAYS[way](world, path, step)
    demand_whole(world, path)


ASKED = 3
"""An ingestion asks the archive for its observation types and the basename, and tells it."""


@pytest.fixture
def impatient(world):
    """Return a client that waits for nothing long."""
    policy = default_retrying(attempts=3).copy(sleep=lambda _seconds: None)
    root, token = world.archive.root, world.archive.token
    with ArchiveClient(
        root, token, read_timeout_s=0.2, total_timeout_s=0.6, retrying=policy
    ) as client:
        yield client


def ingest_if_it_can_be(cal, path):
    """Ingest, or fail in a way of ours; what is said to be done must be right."""
    try:
        result = cal.ingest(path, is_master=True)
    except CalRecordsError:
        return
    assert (result.frame_id, result.frame.version.md5) == (1, md5_of(path))


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_the_requests_of_an_ingestion_are_as_many_as_are_broken_here(world, make_frame):
    with world.connect() as cal:
        cal.ingest(make_frame(), is_master=True)
    assert world.archive.count() == ASKED


FOR_LONG = ("403", "500", "delay", "delay-after-commit", "lost-answer", "reset")


@pytest.mark.parametrize("world", ["file system"], indirect=True)
@pytest.mark.parametrize(
    ("kind", "times"),
    [
        *((kind, 1) for kind in sorted(set(KINDS) - {"corrupted"})),
        *((kind, 1000) for kind in FOR_LONG),
    ],
)
@pytest.mark.parametrize("request_number", range(ASKED))
def test_whatever_the_archive_answers_one_resumption_mends_it(
    request_number, kind, times, world, make_frame, impatient
):
    path = make_frame()
    seconds = {"drip": 0.0005, "stale": 60.0}.get(kind, 0.3)
    location = "/frames/?limit=1"
    named = {"times": times, "seconds": seconds, "location": location}
    world.archive.faults.add(kind, skip=request_number, **named)
    with world.connect(archive=impatient) as cal:
        ingest_if_it_can_be(cal, path)
    assert world.archive.faults.met()[kind] >= 1
    world.archive.faults.clear()
    demand_whole(world, path)


@pytest.mark.parametrize("world", ["S3"], indirect=True)
@pytest.mark.parametrize("kind", S3_KINDS)
@pytest.mark.parametrize("request_number", range(2))
def test_whatever_s3_answers_one_resumption_mends_it(request_number, kind, world, make_frame):
    path = make_frame()
    store = S3Store(world.s3.client(max_attempts=1, read_timeout_s=0.2), world.s3.bucket)
    store.check(for_archive=True)
    seconds = 0.0005 if kind == "drip" else 0.3
    world.s3.faults.add(kind, skip=request_number, seconds=seconds)
    with world.connect(store=store) as cal:
        ingest_if_it_can_be(cal, path)
    assert world.s3.faults.met() == {kind: 1}
    demand_whole(world, path, unreferenced=True)
