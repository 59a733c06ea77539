"""The main job with records in PostgreSQL, as observatories run it."""

import hashlib

import pytest

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
