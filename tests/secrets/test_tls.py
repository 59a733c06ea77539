"""A server whose certificate is not trusted is told nothing, whatever it is asked for."""

import io
import ssl
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from calrecords.archive import ArchiveClient, ObservationPortal
from calrecords.archive.models import parse_frame
from calrecords.errors import CalRecordsError, ConfigurationError
from calrecords.filestore import S3Store, make_s3_client
from calrecords.frames import StoredFile


class Listening(BaseHTTPRequestHandler):
    """Notes that it was asked something, and refuses it."""

    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(403)
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - http.server names them

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(tmp_path):
    """Return a function that runs an https server with a certificate."""
    servers = []

    def make(certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Listening)
        server.handle_error = lambda *_: None  # the client hangs up
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.asked = []
        server.root = f"https://127.0.0.1:{server.server_address[1]}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        servers.append((server, thread))
        return server

    yield make
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def ask_the_archive(root):
    with ArchiveClient(root, "canary-token-over-tls") as archive:
        archive.frame(5)


def ask_the_portal(root):
    with ObservationPortal(root, "canary-token-over-tls") as portal:
        portal.proposal_tags("LCO2026A-001")


def ask_for_a_file(root):
    version = {"id": 1, "key": "k", "md5": "a" * 32, "extension": ".fits", "url": root + "a?sig=b"}
    row = {
        "id": 5,
        "basename": "a",
        "version_set": [{**version, "created": "2026-01-01T00:00:00Z"}],
    }
    with ArchiveClient(root) as archive:
        archive.download(parse_frame(row), "a" * 32, io.BytesIO())


def ask_the_bucket(root):
    with closing(
        make_s3_client(
            endpoint_url=root,
            region="us-west-2",
            addressing_style="path",
            access_key="AKIDEXAMPLE",
            secret_key="not-to-be-said",
            max_attempts=1,
        )
    ) as client:
        S3Store(client, "bucket").stat(StoredFile("a/b.fits", "v" * 32))


ASKING = {
    "the archive": (ask_the_archive, "REQUESTS_CA_BUNDLE"),
    "the portal": (ask_the_portal, "REQUESTS_CA_BUNDLE"),
    "a file": (ask_for_a_file, "REQUESTS_CA_BUNDLE"),
    "a bucket": (ask_the_bucket, "AWS_CA_BUNDLE"),
}
UNTRUSTED = {
    "signed by itself": ({}, False),
    "of another host": ({"address": "127.0.0.2"}, True),
    "expired": ({"days": -1}, True),
}


@pytest.fixture(params=ASKING)
def asking(request, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return ASKING[request.param]


@pytest.mark.parametrize("name", UNTRUSTED)
def test_a_server_that_is_not_trusted_is_told_nothing(
    name, asking, make_certificate, serve, monkeypatch
):
    ask, variable = asking
    made, is_named = UNTRUSTED[name]
    certificate, key = make_certificate(**made)
    if is_named:
        monkeypatch.setenv(variable, str(certificate))
    server = serve(certificate, key)
    with pytest.raises(ConfigurationError, match=variable):
        ask(server.root)
    assert server.asked == []


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----"])
def test_certificates_that_cannot_be_read_are_a_matter_of_settings(
    content, asking, make_certificate, serve, monkeypatch, tmp_path
):
    ask, variable = asking
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    monkeypatch.setenv(variable, str(bundle))
    server = serve(*make_certificate())
    with pytest.raises(ConfigurationError, match=f"{variable} names no file"):
        ask(server.root)
    assert server.asked == []


def test_a_server_whose_certificate_is_named_is_trusted(
    asking, make_certificate, serve, monkeypatch
):
    ask, variable = asking
    certificate, key = make_certificate()
    monkeypatch.setenv(variable, str(certificate))
    server = serve(certificate, key)
    with pytest.raises(CalRecordsError, match="403"):
        ask(server.root)
    assert server.asked != []
