"""The token goes to the archive alone, whatever the archive, its files and the settings say."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.errors import ArchiveRefusedError, ConfigurationError
from calrecords.testing import ScienceArchive


class Stranger(BaseHTTPRequestHandler):
    """Serves what it has of files, and keeps what it is told."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.heard.append((self.path, dict(self.headers)))
        status, headers, body = self.server.answer(self.path)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_OPTIONS = do_POST = do_GET  # noqa: N815 - http.server names them

    def log_message(self, *_):
        pass


@pytest.fixture
def stranger():
    """Return a server that is not the archive; ``answer`` says what it answers to a path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    server.heard = []
    server.root = f"http://127.0.0.1:{server.server_address[1]}/"
    server.answer = lambda path: (404, {}, b"")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def connect(tmp_path, monkeypatch):
    """Return a function that connects with a token, and with another in ``~/.netrc``."""
    monkeypatch.setenv("HOME", str(tmp_path))
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login somebody password NETRC-SECRET\n")
    netrc.chmod(0o600)

    def connected(root, token):
        return calrecords.connect(
            db=tmp_path / "records.sqlite",
            archive=root,
            token=token,
            store=tmp_path / "store",
            cache=tmp_path / "cache",
        )

    return connected


def credentials(heard):
    return [
        (path, name)
        for path, headers in heard
        for name in headers
        if name.lower() in {"authorization", "cookie", "proxy-authorization"}
    ]


def test_files_on_another_server_are_fetched_without_the_token(stranger, connect, tmp_path):
    path = write_synthetic_frame(tmp_path)
    moved = {}

    def answer(asked):
        if "moved" not in asked:
            moved["to"] = stranger.root + "moved?sig=canary-signature"
            return 302, {"Location": moved["to"]}, b""
        return 200, {}, path.read_bytes()

    stranger.answer = answer
    url_for = f"{stranger.root}{{}}?sig=canary-signature"
    named = {"url_for": lambda key, version: url_for.format(Path(key).name)}
    with ScienceArchive(**named) as archive, connect(archive.root, archive.token) as cal:
        frame = cal.ingest(path, is_master=True).frame
        assert cal.fetch(frame, source="archive").read_bytes() == path.read_bytes()
    assert [path.partition("?")[0] for path, _ in stranger.heard] == [f"/{path.name}", "/moved"]
    assert credentials(stranger.heard) == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_an_archive_that_sends_us_elsewhere_is_not_followed(stranger, connect, status):
    target = ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    there = f"http://127.0.0.1:{target.server_address[1]}/frames/5/"
    stranger.answer = lambda path: (status, {"Location": there}, b"")
    cal = connect(stranger.root, "canary-token-of-one-origin")
    with cal, pytest.raises(ArchiveRefusedError, match="where the token must not go") as caught:
        cal.lookup(5)
    target.server_close()
    assert "canary" not in str(caught.value)
    assert credentials(stranger.heard) == [("/frames/5/", "Authorization")]
    assert stranger.heard[0][1]["Authorization"] == "Token canary-token-of-one-origin"


def test_no_token_crosses_a_network_unencrypted_unless_that_is_allowed(connect, monkeypatch):
    for root in ("http://archive.example/", "http://10.1.2.3:8000/api"):
        with pytest.raises(ConfigurationError, match="allow_plain_http") as caught:
            connect(root, "canary-token-of-one-origin")
        assert "canary" not in str(caught.value)
    monkeypatch.setenv("CALRECORDS_ALLOW_PLAIN_HTTP", "true")
    connect("http://archive.example/", "canary-token-of-one-origin").close()


def test_a_portals_token_crosses_no_network_unencrypted_either(connect, monkeypatch):
    monkeypatch.setenv("OBSERVATION_PORTAL_BASE_URL", "http://portal.example/")
    monkeypatch.setenv("OBSERVATION_PORTAL_API_TOKEN", "canary-token-of-a-portal")
    with pytest.raises(ConfigurationError, match="OBSERVATION_PORTAL_BASE_URL") as caught:
        connect("https://archive.example/", "canary-token-of-one-origin")
    assert "canary" not in str(caught.value)
