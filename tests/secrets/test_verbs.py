"""No verb says a secret, however much it says and whatever a server repeats of it."""

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

import calrecords
from calrecords.cli import main
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.testing import ScienceArchive

TOKEN = "canary0123456789abcdef"
KEY = "canary-secret-key"
SIGNATURE = "canary-signature"

VERBS = {
    "config": ["config", "show"],
    "doctor": ["doctor"],
    "ingest": ["ingest", "--master", "FRAME"],
    "again": ["ingest", "--master", "KNOWN"],
    "adopt": ["adopt", "1", "4711"],
    "resume": ["resume"],
    "resume failed": ["resume", "--failed"],
    "fetch": ["fetch", "1", "--from", "archive"],
    "show": ["show", "1", "--versions"],
    "query": ["query"],
    "best": ["best", "KNOWN", "BIAS"],
    "calibrations": ["calibrations", "KNOWN"],
    "mark": ["mark", "bad", "1", "--reason", "stripes"],
    "history": ["history", "1"],
    "impact": ["impact", "--verdict", "good", "--frame", "1"],
    "impact of rules": ["impact", "--rules", "lco"],
    "import": ["import", f"postgresql://reader:{KEY}@127.0.0.1:1/banzai?sslpassword={KEY}"],
    "audit": ["audit", "--full", "--grace", "0", "--new"],
    "repair": ["repair"],
    "repair all": ["repair", "--apply", "--force"],
}


class Repeating(BaseHTTPRequestHandler):
    """Refuses everything, and repeats in its complaint what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = {"detail": f"not with {self.headers['Authorization']}", "path": self.path}
        body = json.dumps(said).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_PUT = do_OPTIONS = do_HEAD = do_DELETE = do_GET  # noqa: N815 - so named there

    def log_message(self, *_):
        pass


@pytest.fixture
def repeating():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Repeating)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def settings(postgresql_server, tmp_path, monkeypatch):
    """Return settings of a world with a frame in it, and what must not be said of them."""
    place = postgresql_server.migrated()
    known = write_synthetic_frame(tmp_path, basename="known")
    write_synthetic_frame(tmp_path, basename="new", seed=1)
    monkeypatch.chdir(tmp_path)
    url_for = f"http://127.0.0.1:9/{{}}?X-Amz-Signature={SIGNATURE}"
    with ScienceArchive(token=TOKEN, url_for=lambda path, key: url_for.format(path)) as archive:
        usual = {
            "API_ROOT": archive.root,
            "AUTH_TOKEN": TOKEN,
            "CALRECORDS_DB_URL": place,
            "CALRECORDS_CACHE_DIR": str(tmp_path / "cache"),
            "FILESYSTEM_STORAGE_ROOT_DIR": str(tmp_path / "store"),
            "AWS_SECRET_ACCESS_KEY": KEY,
            "HOME": str(tmp_path),
        }
        for name, value in usual.items():
            monkeypatch.setenv(name, value)
        with calrecords.connect() as cal:
            cal.ingest(known, is_master=True)
        yield TOKEN, KEY, SIGNATURE, urlsplit(place).password or "the server asks for none"
    postgresql_server.drop(place)


@pytest.fixture
def say(capsys, caplog):
    """Return a function that runs every verb, and returns what each said."""
    level = logging.getLogger("calrecords").level
    known = {"FRAME": "new.fits", "KNOWN": "known.fits"}

    def run():
        said = {}
        for verb, words in VERBS.items():
            for more in ([], ["--json"]):
                caplog.clear()
                caplog.set_level(logging.DEBUG)
                with pytest.raises(SystemExit):
                    main(["-vv", *(known.get(word, word) for word in words), *more])
                said[verb, *more] = "".join((*capsys.readouterr(), caplog.text))
        return said

    yield run
    logging.getLogger("calrecords").setLevel(level)


def leaks(said, secrets):
    return [(verb, s) for verb, text in said.items() for s in secrets if s in text]


def test_no_verb_says_a_secret_where_the_files_cannot_be_had(settings, say):
    said = say()
    assert leaks(said, settings) == []
    assert "127.0.0.1:9" in said["fetch",]
    assert "********" in said["config",]
    assert "reader:***@127.0.0.1" in said["import",]


def test_no_verb_says_a_secret_that_a_server_repeats(settings, say, repeating, monkeypatch):
    monkeypatch.setenv("API_ROOT", repeating)
    monkeypatch.setenv("CALRECORDS_DB_URL", "records.sqlite")
    monkeypatch.setenv("FILESTORE_TYPE", "s3")
    monkeypatch.setenv("BUCKET", "bucket")
    monkeypatch.setenv("S3_ENDPOINT_URL", repeating)
    monkeypatch.setenv("S3_ADDRESSING_STYLE", "path")
    said = say()
    assert leaks(said, settings) == []
    assert "not with Token (the token)" in said["adopt",]
    assert "the S3 file store cannot" in said["doctor",]
