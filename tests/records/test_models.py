"""The migrations make the tables that the models describe, on every database."""

import pytest
import sqlalchemy as sa

from calrecords.records.models import Base


def as_migrated(connection):
    """Return what would have to change for a database to be as the models say."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = {"compare_type": True, "compare_server_default": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)


def test_head_equals_the_models(database):
    with database.read() as connection:
        assert as_migrated(connection) == []


def test_head_is_what_the_models_would_make_themselves(backend, database, described):
    with database.read() as connection:
        migrated = described(connection)
    place = backend.empty()
    from calrecords.records.urls import database_url

    engine = sa.create_engine(database_url(place))
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
    with engine.connect() as connection:
        made = described(connection)
    engine.dispose()
    backend.give_back(place)
    assert migrated == made


def test_only_one_version_of_a_frame_can_be_current(database, record, make_version, sql):
    record(make_version(content="1"))
    record(make_version(content="2"))
    from calrecords.errors import DuplicateRecordError

    with pytest.raises(DuplicateRecordError), database.write() as session:
        session.execute(sa.text("UPDATE frame_versions SET is_current = TRUE"))


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("calibration_frames", "basename"),
        ("calibration_frames", "frame_id"),
        ("frame_versions", "md5"),
        ("frame_versions", "version_key"),
        ("frame_versions", "dateobs"),
        ("ingestions", "state"),
        ("ingestions", "basename"),
    ],
)
def test_what_is_looked_up_is_found_through_an_index(sqlite_database, table, column):
    with sqlite_database.read() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {column} = ?", (1,)
        ).all()
    assert [row for row in plan if "USING INDEX" in row[-1]]
