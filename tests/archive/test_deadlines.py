"""A deadline is for the whole call, whatever the server withholds."""

import io
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tenacity import stop_after_attempt

from calrecords.archive import ObservationPortal
from calrecords.archive.deadlines import Deadline
from calrecords.archive.models import parse_frame
from calrecords.errors import ArchiveUnavailableError

MD5 = "a" * 32
PATIENCE = {"connect_timeout_s": 0.3, "read_timeout_s": 0.3, "total_timeout_s": 0.6}
SLACK_S = 8
HEAD = b"HTTP/1.1 200 OK\r\nx-pad: "


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_allows_the_shorter_of_a_wait_and_of_what_is_left(clock):
    deadline = Deadline(10, 3, clock)
    assert (deadline.allow(), deadline.allow(5), deadline.allow(50)) == (3, 5, 10)
    clock.now += 8
    assert (deadline.allow(), deadline.allow(5)) == (2, 2)


def test_allows_nothing_when_it_is_over(clock):
    deadline = Deadline(10, 3, clock)
    assert not deadline.is_over
    clock.now += 10
    assert deadline.is_over
    with pytest.raises(TimeoutError, match="within 10 s"):
        deadline.allow()


def test_moves_for_an_answer_that_keeps_coming(clock):
    deadline = Deadline(10, 3, clock)
    deadline.extend(5)
    clock.now += 13
    assert deadline.allow() == 2


ASKING = {
    "frame": lambda client, **_: client.frame(5),
    "headers": lambda client, **_: client.headers(5),
    "related": lambda client, **_: client.related(5),
    "find": lambda client, **_: client.find("bias-a"),
    "search": lambda client, **_: list(client.search(obstype="BIAS")),
    "has_version": lambda client, **_: client.has_version(MD5),
    "observation_types": lambda client, **_: client.observation_types(),
    "create_frame": lambda client, record, **_: client.create_frame(
        record, version_key="k", md5=MD5, extension=".fits"
    ),
    "download": lambda client, frame, **_: client.download(frame, MD5, io.BytesIO()),
    "health": lambda client, **_: client.health(),
    "proposal_tags": lambda portal, **_: portal.proposal_tags("LCO2026A-001"),
    "check": lambda portal, **_: portal.check(),
}
"""Every method of the archive's client and of the portal that asks over a network."""


@pytest.fixture
def how_each_ends(make_client, at_once, record, frame_row, version_row):
    """Return a function that asks everything of a server at once, and how long each took."""
    retrying = at_once.copy(stop=stop_after_attempt(1))

    def ask(root, **patience):
        patience = {**PATIENCE, **patience}
        frame = parse_frame(frame_row(5, versions=[version_row(MD5, url=root + "a.fits")]))

        def ends(name):
            client = make_client(root, retrying=retrying, **patience)
            with ObservationPortal(root, retrying=retrying, **patience) as portal:
                asked = portal if hasattr(portal, name) else client
                began = time.monotonic()
                with pytest.raises(ArchiveUnavailableError):
                    ASKING[name](asked, record=record, frame=frame)
                return time.monotonic() - began

        with ThreadPoolExecutor(len(ASKING)) as pool:
            return dict(zip(ASKING, pool.map(ends, ASKING), strict=True))

    return ask


def slow(took):
    return {name: seconds for name, seconds in took.items() if seconds > SLACK_S}


def test_every_method_that_asks_is_in_the_table():
    from calrecords.archive import ArchiveClient

    public = {
        name
        for cls in (ArchiveClient, ObservationPortal)
        for name, found in vars(cls).items()
        if callable(found) and not name.startswith("_")
    }
    assert public - set(ASKING) == {"close", "start_anew", "clock_skew_s"}  # as health asks


MANNERS = {
    "never answers": lambda r: r.silence(),
    "half open in its headers": lambda r: r.bytes(HEAD, then="hold"),
    "half open in its body": lambda r: r.raw(200, b'{"id"', length=10**6, then="hold"),
    "drips headers": lambda r: r.raw(200, drip_s=0.02, drip_head=True, x_pad="x" * 1000),
    "drips its body": lambda r: r.raw(200, b" " * 1000, drip_s=0.02),
    "drips a body without an end": lambda r: r.raw(200, b" " * 1000, length=False, drip_s=0.02),
}


@pytest.mark.parametrize("manner", MANNERS)
def test_an_answer_that_does_not_come_is_given_up_in_time(server, replies, how_each_ends, manner):
    server.will(MANNERS[manner](replies))
    assert slow(how_each_ends(server.root)) == {}
    assert len(server.seen) == len(ASKING)


def slowly(said):
    def serve(connection):
        connection.recv(1 << 16)
        for byte in said:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    return serve


HANDSHAKE = b"\x16\x03\x03\x04\x00\x02" + b"\x00" * 1000


@pytest.mark.parametrize(
    ("scheme", "serve"),
    [("http", None), ("https", lambda connection: None), ("https", slowly(HANDSHAKE))],
    ids=["a black hole", "no TLS handshake", "a TLS handshake that drips"],
)
def test_a_connection_that_is_never_made_is_given_up(
    scheme, serve, listening, black_hole, how_each_ends
):
    port = listening(serve) if serve else black_hole()
    assert slow(how_each_ends(f"{scheme}://127.0.0.1:{port}/")) == {}


@pytest.mark.parametrize("said", [b"", HEAD + b"x" * 1000], ids=["is silent", "drips"])
def test_a_proxy_that_never_lets_through_is_given_up(said, listening, how_each_ends, monkeypatch):
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listening(slowly(said))}")
    monkeypatch.setenv("no_proxy", "")
    assert slow(how_each_ends("https://archive.example/", total_timeout_s=0.9)) == {}


def test_a_connection_that_was_kept_and_went_quiet_is_given_up(server, make_client, replies):
    server.will(replies.json(200, "ok"), replies.silence())
    client = make_client(server.root, **PATIENCE)
    client.health()
    began = time.monotonic()
    with pytest.raises(ArchiveUnavailableError):
        client.health()
    assert time.monotonic() - began < SLACK_S
