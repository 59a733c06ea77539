"""The main job with records in PostgreSQL, as observatories run it."""

import hashlib
import multiprocessing

import pytest

import calrecords
from calrecords import IngestOutcome
from calrecords.errors import SchemaError
from calrecords.records import RecordDatabase
from calrecords.workflows.results import IngestStep

pytestmark = pytest.mark.parametrize("world", ["file system"], indirect=True)


@pytest.fixture
def world(world, postgresql_server):
    place = postgresql_server.empty()
    world.db = place
    yield world
    postgresql_server.drop(place)


@pytest.fixture
def upgraded(world):
    database = RecordDatabase(world.db)
    database.upgrade()
    database.close()
    return world


def md5_of(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_an_empty_database_says_what_to_type(world):
    with pytest.raises(SchemaError, match="calrecords db upgrade"):
        world.connect()


@pytest.mark.parametrize("step", list(IngestStep))
def test_a_killed_ingestion_is_resumed(step, upgraded, make_frame):
    path = make_frame()
    upgraded.ingest_and_die(path, step)
    with upgraded.connect() as cal:
        cal.resume()
        [row] = cal.query()
        frame = cal.get(frame_id=row["frame_id"])
        assert upgraded.archived() == [(frame.frame_id, frame.basename, [md5_of(path)])]
        assert upgraded.stored() == {frame.version.key: [md5_of(path)]}
        assert cal.fetch(frame, source="archive").read_bytes() == path.read_bytes()
        assert cal.ingest(path, is_master=True).outcome is IngestOutcome.ALREADY_THERE


def ingest_all(places, paths, answers):
    with calrecords.connect(**places) as cal:
        answers.put([cal.ingest(path, is_master=True).frame_id for path in paths])


def test_processes_that_ingest_the_same_files_at_once_agree(upgraded, make_frame):
    paths = [make_frame(basename=f"bias-{n}", seed=n) for n in range(5)]
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [
        context.Process(target=ingest_all, args=(upgraded.places, paths[n:] + paths[:n], answers))
        for n in range(4)
    ]
    for process in processes:
        process.start()
    found = [answers.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    assert len({frozenset(ids) for ids in found}) == 1
    assert sorted(versions for _, _, versions in upgraded.archived()) == sorted(
        [md5_of(path)] for path in paths
    )
