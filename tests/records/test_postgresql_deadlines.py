"""Whatever a PostgreSQL server withholds, records are given up in time, and used again later."""

import selectors
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress

import pytest
import sqlalchemy as sa

from calrecords.errors import RecordsUnavailableError
from calrecords.matching import MatchSet
from calrecords.records import Journal, RecordDatabase
from calrecords.records.banzai import BanzaiDatabase
from calrecords.records.reading import FrameFilter

pytest.importorskip("psycopg", reason="pip install 'calrecords[postgres]'")

SLACK_S = 10
HELD_UP = {
    "open": lambda database: database.open(),
    "check": lambda database: database.check(),
    "revision": lambda database: database.revision(),
    "upgrade": lambda database: database.upgrade(),
    "get": lambda database: database.get(frame_id=5),
    "find": lambda database: database.find(FrameFilter()),
    "is_recorded": lambda database: database.is_recorded("flat", "a" * 32),
    "belongs_to": lambda database: database.belongs_to("https://archive.example/"),
    "ensure_match_sets": lambda database: database.ensure_match_sets([MatchSet(("site",), "X")]),
    "journal": lambda database: Journal(database).unfinished(),
}


def ends_in_time(use, database):
    began = time.monotonic()
    with pytest.raises(RecordsUnavailableError) as raised:
        use(database)
    assert "topsecret" not in str(raised.value)
    assert time.monotonic() - began < SLACK_S


def slowly(said):
    def serve(connection):
        connection.recv(1 << 16)
        for byte in said:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    return serve


SILENT = {
    "accepts and never answers": lambda connection: None,
    "half open in its answer": slowly(b"NR\0\0"),
    "drips its answer": slowly(b"NE\0\0\x0f\xff" + b"S" * 2000),
}


def at(port):
    return f"postgresql://u:topsecret@127.0.0.1:{port}/records?connect_timeout=2"


@pytest.mark.parametrize("manner", ["a black hole", *SILENT])
def test_a_server_that_lets_nobody_in_is_given_up(manner, listening, black_hole):
    port = listening(SILENT[manner]) if manner in SILENT else black_hole()
    with closing(RecordDatabase(at(port))) as database:
        ends_in_time(HELD_UP["open"], database)
        ends_in_time(HELD_UP["upgrade"], database)
    ends_in_time(lambda database: database.check(), BanzaiDatabase(at(port)))


class Proxy:
    """Stands before a server, and can let less through than it should."""

    def __init__(self, server):
        self._server = server
        self._over = threading.Event()
        self._flow = threading.Event()
        self._flow.set()
        self.drips = False
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.02)
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def freeze(self):
        self._flow.clear()

    def thaw(self):
        self._flow.set()

    def close(self):
        self._over.set()
        self._flow.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self):
        while not self._over.is_set():
            with suppress(TimeoutError):
                client = self._listener.accept()[0]
                self.connections += 1
                self._threads.append(threading.Thread(target=self._pass_on, args=(client,)))
                self._threads[-1].start()

    def _pass_on(self, client):
        with client, socket.create_connection(self._server) as server, suppress(OSError):
            selector = selectors.DefaultSelector()
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while not self._over.is_set():
                for key, _ in selector.select(0.02):
                    data = key.fileobj.recv(1 << 16)
                    if not data:
                        return
                    self._flow.wait()
                    self._send(key.data, data, drip=self.drips and key.fileobj is server)

    def _send(self, sink, data, *, drip):
        if not drip:
            sink.sendall(data)
            return
        for byte in data:
            sink.sendall(bytes([byte]))
            if self._over.wait(0.05):
                return


@pytest.fixture
def place(postgresql_server):
    place = postgresql_server.migrated()
    yield place
    postgresql_server.give_back(place)


@pytest.fixture
def proxy(place):
    from sqlalchemy.engine import make_url

    url = make_url(place)
    with closing(Proxy((url.host, url.port or 5432))) as made:
        yield made


@pytest.fixture
def connect(place, proxy):
    """Return a function that opens records with every kind of connection, through the proxy."""
    from sqlalchemy.engine import make_url

    url = make_url(place).set(host="127.0.0.1", port=proxy.port, query={"connect_timeout": "2"})
    text = url.render_as_string(hide_password=False)
    with ExitStack() as stack:

        def make():
            database = stack.enter_context(closing(RecordDatabase(text, answer_timeout_s=0.5)))
            database.is_recorded("flat", "a" * 32)
            database.open()  # after that, which took the connection there was
            return database

        yield make


@pytest.fixture
def database(connect):
    return connect()


def each_ends_in_time(databases):
    with ThreadPoolExecutor(len(databases)) as pool:
        ends = [pool.submit(ends_in_time, HELD_UP[name], databases[name]) for name in databases]
    for end in ends:
        end.result()


def test_a_server_that_hangs_is_given_up_and_used_again_later(connect, proxy):
    databases = {name: connect() for name in HELD_UP}
    proxy.freeze()
    each_ends_in_time(databases)
    proxy.thaw()
    for database in databases.values():
        assert database.count() == 0
        assert database.is_recorded("flat", "a" * 32) is False


def test_an_answer_that_drips_is_given_up(connect, proxy):
    databases = {name: connect() for name in HELD_UP if name != "upgrade"}
    proxy.drips = True
    each_ends_in_time(databases)


def test_a_statement_that_was_given_up_is_not_sent_again(database, proxy):
    before = proxy.connections
    proxy.freeze()
    ends_in_time(HELD_UP["is_recorded"], database)
    assert proxy.connections == before


def test_a_commit_whose_answer_is_lost_is_given_up(database, proxy, place, postgresql_server):
    def write(database):
        with database.write_rows() as connection:
            connection.execute(sa.text("INSERT INTO sites (code) VALUES ('lsc')"))
            proxy.freeze()

    ends_in_time(write, database)
    proxy.thaw()
    with database.write_rows() as connection:
        connection.execute(sa.text("INSERT INTO sites (code) VALUES ('cpt')"))
    assert ("cpt",) in postgresql_server.sql(place, "SELECT code FROM sites")


def test_a_statement_may_take_as_long_as_it_is_allowed_to(place):
    with closing(RecordDatabase(place, answer_timeout_s=20)) as database:
        with database.read() as connection:
            connection.execute(sa.text("SELECT pg_sleep(0.4)"))
            assert connection.scalar(sa.text("SELECT 1")) == 1
        assert database.ask("SELECT 1", {}) == [(1,)]
    with closing(RecordDatabase(place, answer_timeout_s=0.2)) as database:
        ends_in_time(lambda database: database.ask("SELECT pg_sleep(20)", {}), database)


def test_a_lock_that_is_never_let_go_is_given_up(place):
    def write(database):
        with database.write_rows() as connection:
            connection.execute(sa.text("LOCK TABLE sites"))

    quick = RecordDatabase(f"{place}?options=-c%20lock_timeout%3D200ms")
    holder = RecordDatabase(place)
    with closing(holder), closing(quick), holder.write_rows() as connection:
        connection.execute(sa.text("LOCK TABLE sites"))
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('calrecords'))"))
        ends_in_time(write, quick)
        ends_in_time(HELD_UP["upgrade"], quick)


def test_a_server_that_is_gone_without_a_word_is_noticed(place):
    with closing(RecordDatabase(place)) as database, database.read() as connection:
        number = connection.connection.dbapi_connection.pgconn.socket
        with socket.socket(fileno=socket.dup(number)) as same:
            found = [
                same.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_USER_TIMEOUT)
            ]
    assert found == [30, 10, 30_000]
