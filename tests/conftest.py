"""What every test may use."""

import importlib.util
import os
import socket
import sys
import threading
import uuid
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from calrecords.records import RecordDatabase

_spec = importlib.util.spec_from_file_location("canaries", Path(__file__).parent / "canaries.py")
canaries = sys.modules["canaries"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(canaries)

DEFAULT_SERVER = f"postgresql://postgres:{canaries.DATABASE_PASSWORD}@127.0.0.1:5432/postgres"
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_configure(config):
    config.pluginmanager.register(canaries, "canaries")


def unavailable(reason):
    """Skip on a user's machine; fail where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data():
    """Return the folder of real frames and recorded answers."""
    if not SHARED_DATA.is_dir():
        unavailable("the real frames are not here; put them in ../shared/data beside the checkout")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def no_real_cloud(monkeypatch):
    """Let no test reach a real cloud, whatever this machine's settings are."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


class PostgresqlServer:
    """Fresh databases on a server, and a look into them behind the back of calrecords."""

    name = "postgresql"

    def __init__(self, server):
        self._server = server
        self._template = self._at_head = None
        self._made = []
        self._spare = []

    def empty(self, template="template0"):
        name = f"calrecords_test_{uuid.uuid4().hex}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {template}")
        self._made.append(name)
        return f"{self._server.rpartition('/')[0]}/{name}"

    def migrated(self):
        if self._spare:
            return self._spare.pop()
        if self._template is None:
            self._template = self.empty()
            RecordDatabase(self._template).upgrade()
            self._at_head = self._shape(self._template)
        return self.empty(self._template.rpartition("/")[2])

    def give_back(self, place):
        """Empty a database for the next test, which is faster than to make one."""
        if self.connections(place) or self._shape(place) != self._at_head:
            return self.drop(place)
        tables = self.tables(place) - {"alembic_version"}
        self.sql(place, f"TRUNCATE {', '.join(sorted(tables))} RESTART IDENTITY")
        return self._spare.append(place)

    def _shape(self, place):
        tables = self.tables(place)
        versioned = "alembic_version" in tables
        return tables, versioned and self.sql(place, "SELECT version_num FROM alembic_version")

    def sql(self, place, *statements):
        import psycopg

        with psycopg.connect(place, options="-c lock_timeout=9s") as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def tables(self, place):
        public = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        return {name for (name,) in self.sql(place, public)}

    def connections(self, place):
        """Return what each connection does or did last; the server's own workers are none."""
        name = place.rpartition("/")[2]
        return self._do(
            "SELECT pid, state, backend_start, query FROM pg_stat_activity "
            f"WHERE datname = '{name}' AND backend_type = 'client backend'"
        )

    def drop(self, place):
        name = place.rpartition("/")[2]
        self._made.remove(name)
        self._do(f"DROP DATABASE {name} WITH (FORCE)")

    def drop_all(self):
        for name in list(self._made):
            self.drop(f"/{name}")

    def _do(self, statement):
        import psycopg

        with psycopg.connect(self._server, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


def is_reachable(server):
    try:
        import psycopg
    except ImportError:
        return False
    try:
        psycopg.connect(server, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(scope="session")
def postgresql_server():
    """Return a PostgreSQL server that tests may make databases on."""
    server = os.environ.get("CALRECORDS_TEST_POSTGRESQL_URL", DEFAULT_SERVER)
    if not is_reachable(server):
        reason = (
            "no PostgreSQL to test with; pip install 'calrecords[postgres]', then docker run -p "
            "5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres, or name another server in "
            "CALRECORDS_TEST_POSTGRESQL_URL"
        )
        unavailable(reason)
    made = PostgresqlServer(server)
    yield made
    made.drop_all()


class Listener:
    """A port whose connections are each given to a function, and then kept open."""

    def __init__(self, serve, backlog=None):
        self._serve = serve
        self._over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self._socket.settimeout(0.02)
        self.port = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)] if serve else []
        for thread in self._threads:
            thread.start()

    def _accept(self):
        while not self._over.is_set():
            with suppress(TimeoutError):
                self._threads.append(
                    threading.Thread(target=self._run, args=(self._socket.accept()[0],))
                )
                self._threads[-1].start()

    def _run(self, connection):
        with connection, suppress(OSError):
            self._serve(connection)
            self._over.wait()

    def close(self):
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()


@pytest.fixture
def listening():
    """Return a function that runs a server, and returns its port."""
    with ExitStack() as stack:
        yield lambda serve: stack.enter_context(closing(Listener(serve))).port


@pytest.fixture
def black_hole():
    """Return a function that returns a port where no connection is ever made."""
    with ExitStack() as stack:

        def make():
            listener = stack.enter_context(closing(Listener(None, backlog=0)))
            for _ in range(8):  # more than it may keep waiting
                one = stack.enter_context(closing(socket.socket()))
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", listener.port))
            return listener.port

        yield make


@pytest.fixture
def make_certificate(tmp_path):
    """Return a function that signs a certificate with itself; it returns its path and its key's."""
    pytest.importorskip("cryptography", reason="makes a certificate; pip install moto[server]")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def make(address="127.0.0.1", days=1):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, address)])
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=9))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(alternative, critical=False)
            .sign(key, hashes.SHA256())
        )
        paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return paths

    return make
