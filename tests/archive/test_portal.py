"""The portal is asked about each proposal once, and what it cannot say is told."""

import json
import logging
import pickle
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

from calrecords.archive import ObservationPortal
from calrecords.errors import ArchiveRefusedError, ArchiveUnavailableError, ConfigurationError

PROPOSALS = {
    "LCO2026A-001": ["public", "student"],
    "a b/ü?#%": ["internal"],
    "untagged": [],
}


class Portal(ThreadingHTTPServer):
    """A portal with a few proposals, which only a token may see."""

    daemon_threads = True

    def __init__(self, token):
        super().__init__(("127.0.0.1", 0), Handler)
        self.token = token
        self.asked = []
        self.delay_s = 0.0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        time.sleep(self.server.delay_s)
        name = unquote(self.path.removeprefix("/api/proposals/").removesuffix("/"))
        if self.headers["Authorization"] != f"Token {self.server.token}":
            self.answer(401, {"detail": "Invalid token."})
        elif name in PROPOSALS:
            self.answer(200, {"id": name, "tags": PROPOSALS[name]})
        else:
            self.answer(404, {"detail": "Not found."})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def service(token):
    with Portal(token) as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.01,))
        thread.start()
        yield service
        service.shutdown()
        thread.join()


@pytest.fixture
def portal(service, token, at_once):
    root = f"http://127.0.0.1:{service.server_port}"
    with ObservationPortal(root, token, retrying=at_once) as portal:
        yield portal


@pytest.fixture
def scripted(server, token, at_once):
    with ObservationPortal(
        server.root, token, retrying=at_once, read_timeout_s=0.2, total_timeout_s=0.4
    ) as portal:
        yield portal


@pytest.mark.parametrize("proposal", PROPOSALS)
def test_gives_the_tags_of_a_proposal_whatever_its_name(portal, service, proposal):
    assert portal.proposal_tags(proposal) == frozenset(PROPOSALS[proposal])
    assert len(service.asked) == 1


def test_asks_about_a_proposal_once_for_many_threads(portal, service):
    service.delay_s = 0.05
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(portal.proposal_tags("LCO2026A-001")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{"public", "student"}] * 8
    assert service.asked == ["/api/proposals/LCO2026A-001/"]


def test_one_slow_proposal_holds_up_no_other(portal, service):
    service.delay_s = 0.5
    threads = [
        threading.Thread(target=portal.proposal_tags, args=(name,))
        for name in ("LCO2026A-001", "untagged", "nobody", "x")
    ]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start < 1.5


def test_an_unknown_proposal_has_no_tags_and_is_told_once(portal, service, caplog):
    assert [portal.proposal_tags("nobody") for _ in range(3)] == [frozenset()] * 3
    (said,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "'nobody'" in said.getMessage()
    assert len(service.asked) == 1


def test_a_portal_is_checked_without_a_word_of_a_proposal(portal, service, caplog, at_once):
    portal.check()
    portal.check()
    assert (len(service.asked), caplog.records) == (2, [])
    with (
        ObservationPortal(portal.root, "wrong", retrying=at_once) as other,
        pytest.raises(ArchiveRefusedError, match="OBSERVATION_PORTAL_API_TOKEN"),
    ):
        other.check()


def test_a_page_is_no_portal(scripted, server, replies):
    server.will(replies.html(404))
    with pytest.raises(ArchiveRefusedError, match="OBSERVATION_PORTAL_BASE_URL"):
        scripted.check()


@pytest.mark.parametrize("proposal", ["", ".", "..", "a\0"])
def test_what_is_no_proposal_is_not_asked_for(portal, service, proposal):
    with pytest.raises(ArchiveRefusedError, match="was not asked"):
        portal.proposal_tags(proposal)
    assert service.asked == []


def test_a_wrong_token_names_its_setting(service, at_once):
    root = f"http://127.0.0.1:{service.server_port}/"
    for token in ("wrong", None):
        with (
            ObservationPortal(root, token, retrying=at_once) as portal,
            pytest.raises(ArchiveRefusedError, match="OBSERVATION_PORTAL_API_TOKEN") as caught,
        ):
            portal.proposal_tags("untagged")
        assert caught.value.status == 401


DOWN = {
    "server error": lambda r: r.html(500),
    "bad gateway": lambda r: r.html(502),
    "login page": lambda r: r.html(200),
    "no tags": lambda r: r.json(200, {"id": "x"}),
    "odd tags": lambda r: r.json(200, {"tags": [1]}),
    "a list": lambda r: r.json(200, []),
    "deep json": lambda r: r.raw(200, b"[" * 100_000),
    "not unicode": lambda r: r.raw(200, b"\xff"),
    "no content": lambda r: r.raw(204),
}
BROKEN = {
    "reset": lambda r: r.reset(),
    "silence": lambda r: r.silence(),
    "drip": lambda r: r.raw(200, b"x" * 500, drip_s=0.02),
}


@pytest.mark.parametrize("name", DOWN)
def test_a_portal_that_fails_names_its_setting(scripted, server, replies, token, name):
    server.will(DOWN[name](replies))
    with pytest.raises(ArchiveUnavailableError, match="OBSERVATION_PORTAL_BASE_URL") as caught:
        scripted.proposal_tags("x")
    assert len(server.seen) == 3
    assert token not in str(caught.value)
    assert "API_ROOT" not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("name", BROKEN)
def test_a_portal_that_cannot_be_reached_names_its_setting(scripted, server, replies, name):
    server.will(BROKEN[name](replies))
    with pytest.raises(ArchiveUnavailableError, match="OBSERVATION_PORTAL_BASE_URL"):
        scripted.proposal_tags("x")


def test_a_failure_is_not_remembered(scripted, server, replies):
    server.will(*[replies.html(500)] * 3, replies.json(200, {"tags": ["public"]}))
    with pytest.raises(ArchiveUnavailableError):
        scripted.proposal_tags("x")
    assert scripted.proposal_tags("x") == {"public"}


def test_another_servers_page_is_not_taken_for_an_unknown_proposal(scripted, server, replies):
    server.will(replies.html(404))
    with pytest.raises(ArchiveRefusedError, match="OBSERVATION_PORTAL_BASE_URL") as caught:
        scripted.proposal_tags("x")
    assert caught.value.status == 404


def test_a_day_is_not_waited_for(scripted, server, replies):
    server.will(replies.json(429, {"detail": "later"}, retry_after="86355"))
    with pytest.raises(ArchiveUnavailableError) as caught:
        scripted.proposal_tags("x")
    assert (caught.value.retry_after_s, len(server.seen)) == (86355.0, 1)


def test_the_token_is_not_taken_to_another_origin(scripted, server, make_server, replies):
    other = make_server(replies.json(200, {"tags": []}))
    server.will(replies.raw(302, location=other.root))
    with pytest.raises(ArchiveRefusedError, match="make it OBSERVATION_PORTAL_BASE_URL"):
        scripted.proposal_tags("x")
    assert other.seen == []


@pytest.mark.parametrize(
    ("root", "token", "said"),
    [
        ("portal.example", None, "OBSERVATION_PORTAL_BASE_URL"),
        ("https://user@portal.example/", None, "OBSERVATION_PORTAL_API_TOKEN"),
        ("https://portal.example/", "Token abc", "OBSERVATION_PORTAL_API_TOKEN"),
        ("http://portal.example/", "abc", "OBSERVATION_PORTAL_BASE_URL"),
    ],
)
def test_a_setting_that_cannot_be_one_is_named(root, token, said):
    with pytest.raises(ConfigurationError, match=said):
        ObservationPortal(root, token)


def test_shows_its_root_and_nothing_else(token):
    with ObservationPortal("https://Portal.example", token) as portal:
        assert repr(portal) == "ObservationPortal('https://portal.example/')"
        assert token not in str(vars(portal))
