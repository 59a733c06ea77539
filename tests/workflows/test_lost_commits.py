"""Commits of which nobody hears whether they were carried out, at every one of an ingestion."""

import re
import select
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from calrecords import IngestOutcome
from calrecords.errors import RecordsUnavailableError
from calrecords.records import RecordDatabase

pytestmark = pytest.mark.parametrize("world", ["file system"], indirect=True)

COMMITS = 7
"""Of what is written (the intent, which archive it is, the record), and of what is read."""


class Between:
    """What stands between a client and a PostgreSQL server, and cuts when it hears a commit.

    Parameters
    ----------
    server : str
        URL of the database.
    """

    def __init__(self, server):
        self._server = urlsplit(server)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{port}{self._server.path}?sslmode=disable"
        self.commits = 0
        self.cut_at = None
        self.carried_out = True
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self):
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client):
        address = (self._server.hostname, self._server.port or 5432)
        with client, socket.create_connection(address) as server, suppress(OSError):
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if ready is client and re.search(rb"COMMIT\0", data):
                        self.commits += 1
                        if self.commits == self.cut_at:
                            self._lose(server, data)
                            return
                    (server if ready is client else client).sendall(data)

    def _lose(self, server, data):
        """Let a commit be carried out or not, and end the connection without a word."""
        if self.carried_out:
            server.sendall(data)
            server.recv(65536)


@pytest.fixture
def world(world, postgresql_server):
    place = postgresql_server.migrated()
    world.db = place
    yield world
    postgresql_server.give_back(place)


@pytest.fixture
def between(world):
    made = Between(world.db)
    yield made
    made.close()


def sql(world, statement):
    import psycopg

    with psycopg.connect(world.db) as connection:
        connection.execute(statement)


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("number", range(1, COMMITS + 1))
def test_a_commit_without_an_answer_is_found_out_about(
    number, carried_out, world, between, make_frame
):
    path = make_frame()
    with world.connect(db=between.url) as cal:
        between.commits, between.cut_at, between.carried_out = 0, number, carried_out
        with pytest.raises(RecordsUnavailableError):
            cal.ingest(path, is_master=True)
        assert between.commits >= number
        between.cut_at = None
        sql(world, "UPDATE ingestions SET lease_until = '2026-01-01'")
        assert [result.error for result in cal.resume() if result.error] == []
        result = cal.ingest(path, is_master=True)
        assert cal.resume() == []
    assert world.archived() == [
        (result.frame_id, result.frame.basename, [result.frame.version.md5])
    ]
    assert world.stored() == {result.frame.version.key: [result.frame.version.md5]}
    database = RecordDatabase(world.db)
    assert (database.count(), len(database.versions(result.frame.basename))) == (1, 1)
    database.close()


@pytest.mark.parametrize("number", [1, 2])
def test_a_connection_that_ends_at_the_first_acquaintance_is_unavailable(number, world, between):
    between.commits, between.cut_at = 0, number
    with pytest.raises(RecordsUnavailableError):
        world.connect(db=between.url)
    assert between.commits == number
    world.connect(db=between.url).close()


def test_an_ingestion_has_as_many_commits_as_are_lost_here(world, between, make_frame):
    with world.connect(db=between.url) as cal:
        between.commits = 0
        assert cal.ingest(make_frame(), is_master=True).outcome is IngestOutcome.INGESTED
        assert between.commits == COMMITS
