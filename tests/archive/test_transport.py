"""Which answer, or lack of one, ends in which error; and who sees the token."""

import logging
import time
import tracemalloc

import pytest
import requests
from tenacity import stop_after_attempt

from calrecords.archive.transport import MOST_REDIRECTS
from calrecords.errors import (
    ArchiveRefusedError,
    ArchiveUnavailableError,
    ConfigurationError,
    FrameNotFoundError,
)
from calrecords.testing import ScienceArchive


@pytest.fixture
def once(make_client, server, at_once):
    """A client that tries once, and is soon out of patience."""
    return make_client(
        server.root,
        retrying=at_once.copy(stop=stop_after_attempt(1)),
        read_timeout_s=0.3,
        total_timeout_s=0.6,
        max_answer_bytes=4096,
    )


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (201, ArchiveUnavailableError, "another kind of success"),
        (204, ArchiveUnavailableError, "not JSON"),
        (300, ArchiveRefusedError, "API_ROOT"),
        (304, ArchiveRefusedError, "API_ROOT"),
        (400, ArchiveRefusedError, "broken on purpose"),
        (401, ArchiveRefusedError, "AUTH_TOKEN"),
        (403, ArchiveRefusedError, "AUTH_TOKEN"),
        (404, FrameNotFoundError, "no such frame"),
        (405, ArchiveRefusedError, "API_ROOT"),
        (406, ArchiveRefusedError, "broken on purpose"),
        (408, ArchiveUnavailableError, "broken on purpose"),
        (410, ArchiveRefusedError, "broken on purpose"),
        (415, ArchiveRefusedError, "broken on purpose"),
        (418, ArchiveRefusedError, "broken on purpose"),
        (425, ArchiveUnavailableError, "broken on purpose"),
        (429, ArchiveUnavailableError, "broken on purpose"),
        (500, ArchiveUnavailableError, "broken on purpose"),
        (502, ArchiveUnavailableError, "broken on purpose"),
        (503, ArchiveUnavailableError, "broken on purpose"),
        (504, ArchiveUnavailableError, "broken on purpose"),
        (599, ArchiveUnavailableError, "broken on purpose"),
    ],
)
def test_each_status_ends_in_its_error(server, once, replies, token, status, error, said):
    detail = {"detail": "broken on purpose"}
    bare = status in {204, 304}
    server.will(replies.raw(status) if bare else replies.json(status, detail))
    with pytest.raises(error, match=said) as caught:
        once.frame(5)
    assert type(caught.value) is error
    assert f"GET {server.root}frames/5/" in str(caught.value)
    assert token not in str(caught.value)
    if error is ArchiveRefusedError:
        assert caught.value.status == status


@pytest.mark.parametrize(
    "name", ["016-versions-badtoken", "168-get-badtoken", "160-post-anon", "161-post-badtoken"]
)
def test_a_wrong_token_names_the_setting(server, once, replies, shared_data, name):
    server.will(replies.recorded(shared_data, name))
    with pytest.raises(ArchiveRefusedError, match="set AUTH_TOKEN") as caught:
        once.frame(5)
    assert caught.value.status == 401


BROKEN = {
    "login page": lambda r: r.html(200),
    "html server error": lambda r: r.html(500),
    "not json": lambda r: r.raw(200, b"hello"),
    "half json": lambda r: r.raw(200, b'{"id": 5, "base'),
    "nan": lambda r: r.raw(
        200, b'{"id": 5, "basename": "a", "version_set": [], "exposure_time": NaN}'
    ),
    "deep json": lambda r: r.raw(200, b"[" * 4000),
    "not unicode": lambda r: r.raw(200, b'{"id": "\xff"}'),
    "zipped": lambda r: r.raw(200, b"\x1f\x8b\x08\0\0", content_encoding="gzip"),
    "empty": lambda r: r.raw(200),
    "null": lambda r: r.json(200, None),
    "list": lambda r: r.json(200, []),
    "no id": lambda r: r.json(200, {"basename": "a", "version_set": []}),
    "cut short": lambda r: r.raw(200, b'{"id": 5}', length=5000, then="close"),
    "bad chunk": lambda r: r.bytes(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", then="close"
    ),
    "half chunk": lambda r: r.bytes(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nabc", then="close"
    ),
    "chunk below zero": lambda r: r.bytes(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc", then="close"
    ),
    "two lengths": lambda r: r.bytes(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n{}", then="close"
    ),
    "no http": lambda r: r.bytes(b"SSH-2.0-OpenSSH_9.6\r\n", then="close"),
    "endless header": lambda r: r.bytes(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70000, then="close"),
    "many headers": lambda r: r.bytes(
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", then="close"
    ),
    "reset": lambda r: r.reset(),
    "hang up": lambda r: r.hang_up(),
    "silence": lambda r: r.silence(),
    "half open": lambda r: r.bytes(b"HTTP/1.1 200 OK\r\nContent-Le", then="hold"),
    "stalled body": lambda r: r.raw(200, b'{"id"', length=100, then="hold"),
    "too long": lambda r: r.json(200, "x" * 5000),
    "too long, unannounced": lambda r: r.raw(200, b"x" * 500000, length=False),
}


@pytest.mark.parametrize("length", [True, False])
def test_an_answer_that_is_too_long_is_not_read(server, once, replies, length):
    server.will(replies.raw(200, b" " * 5000 + b"{}", length=length))
    with pytest.raises(ArchiveUnavailableError, match="more than 4096 bytes"):
        once.frame(5)


def test_a_chunk_of_minus_one_byte_is_not_read_to_its_end(server, once, replies):
    chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n" + b" " * 30_000_000
    server.will(replies.bytes(chunk, then="close"))
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveUnavailableError, match="broken off"):
            once.frame(5)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_is_an_archive_that_cannot_be_used_now(server, once, replies, caplog, name):
    caplog.set_level(logging.INFO)
    server.will(BROKEN[name](replies))
    with pytest.raises(ArchiveUnavailableError) as caught:
        once.frame(5)
    assert f"GET {server.root}frames/5/" in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_a_token_that_the_server_repeats_is_not_in_the_message(server, once, replies, token):
    server.will(replies.json(401, {"detail": f"Invalid token {token}."}))
    with pytest.raises(ArchiveRefusedError, match="Invalid token") as caught:
        once.frame(5)
    assert token not in str(caught.value)


def test_an_odd_token_does_not_change_what_is_read(server, make_client, replies, frame_row):
    server.will(replies.json(200, frame_row(5)))
    assert make_client(server.root, "bias").frame(5).basename == "bias-a"


def test_a_page_in_place_of_an_answer_is_named(server, once, replies):
    server.will(replies.html(200))
    with pytest.raises(ArchiveUnavailableError, match="login page"):
        once.frame(5)


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_server_that_drips_is_stopped_at_the_total_deadline(server, once, replies, part):
    in_head = part == "headers"
    server.will(
        replies.raw(200, b"x" * 500, drip_s=0.02, drip_head=in_head, x_pad="x" * 500 * in_head)
    )
    start = time.monotonic()
    with pytest.raises(ArchiveUnavailableError, match=r"no whole answer within 0\.6 s"):
        once.frame(5)
    assert time.monotonic() - start < 2


def test_a_server_that_reads_slowly_is_stopped_at_the_total_deadline(
    slow_reader, make_client, record, at_once
):
    client = make_client(
        slow_reader,
        total_timeout_s=0.5,
        retrying=at_once.copy(stop=stop_after_attempt(1)),
    )
    record["headers"] = {"HISTORY": "x" * 30_000_000}
    start = time.monotonic()
    with pytest.raises(ArchiveUnavailableError, match=r"POST .* within 0\.5 s"):
        client.create_frame(record, version_key="k", md5="a" * 32, extension=".fits")
    assert time.monotonic() - start < 4


def test_a_connection_keeps_its_patience_for_the_next_request(server, make_client, replies):
    server.will(replies.json(200, "ok"))
    client = make_client(server.root, read_timeout_s=5, total_timeout_s=5)
    for _ in range(3):
        client.health()
    assert len(server.seen) == 3


def test_a_port_where_nothing_listens_says_so(make_server, make_client):
    gone = make_server()
    gone.close()
    with pytest.raises(ArchiveUnavailableError, match="Connection refused"):
        make_client(gone.root).health()


def test_a_host_that_does_not_exist_says_so(make_client, token):
    client = make_client("https://archive.invalid/", token)
    with pytest.raises(ArchiveUnavailableError, match=r"GET https://archive\.invalid/health/"):
        client.health()


def test_speaking_https_to_an_http_server_is_no_crash(server, make_client, replies):
    server.will(replies.json(200, "ok"))
    client = make_client(server.root.replace("http:", "https:"), connect_timeout_s=0.1)
    with pytest.raises(ArchiveUnavailableError):
        client.health()


@pytest.mark.parametrize(
    ("answer", "asked", "attempts"),
    [
        ({"retry_after": "7"}, 7.0, 3),
        ({"retry_after": "0"}, 0.0, 3),
        ({"retry_after": "86355"}, 86355.0, 1),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0, 3),
        ({"retry_after": "soon"}, None, 3),
        ({"retry_after": "inf"}, None, 3),
        ({"retry_after": "-5"}, 0.0, 3),
        ({}, None, 3),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_says_how_long_the_server_asks_to_wait_and_waits_for_no_day(
    server, client, replies, status, answer, asked, attempts
):
    server.will(replies.json(status, {"detail": "later"}, **answer))
    with pytest.raises(ArchiveUnavailableError) as caught:
        client.frame(5)
    assert (caught.value.retry_after_s, len(server.seen)) == (asked, attempts)


def test_the_recorded_throttle_is_not_waited_for(server, client, replies, shared_data):
    server.will(replies.recorded(shared_data, "500-throttled-anon"))
    with pytest.raises(ArchiveUnavailableError, match="86355") as caught:
        client.frame(5)
    assert (caught.value.retry_after_s, len(server.seen)) == (86355.0, 1)


def test_follows_a_redirect_within_the_archive(server, client, replies, shared_data, token):
    server.will(
        replies.recorded(shared_data, "109-get-frame-no-slash-301"),
        replies.recorded(shared_data, "101-get-frame"),
    )
    assert client.frame(276).frame_id == 276
    assert [s.headers["authorization"] for s in server.seen] == [f"Token {token}"] * 2


def test_does_not_go_round_for_ever(server, client, replies):
    server.will(replies.raw(302, location="/frames/5/"))
    with pytest.raises(ArchiveRefusedError, match=f"more than {MOST_REDIRECTS} times"):
        client.frame(5)
    assert len(server.seen) == MOST_REDIRECTS + 1


def test_a_redirect_without_a_target_is_refused(server, client, replies):
    server.will(replies.raw(302))
    with pytest.raises(ArchiveRefusedError, match="302"):
        client.frame(5)


@pytest.mark.parametrize(
    "target", ["ftp://x/", "http://[::1", "file:///etc/passwd", "http:///x", "http://h:99999/"]
)
def test_a_redirect_to_what_is_no_address_is_refused(server, client, replies, target):
    server.will(replies.raw(302, location=target))
    with pytest.raises(ArchiveRefusedError):
        client.frame(5)


def test_the_token_is_not_taken_to_another_origin(
    server, make_server, client, replies, frame_row, token
):
    other = make_server(replies.json(200, frame_row(5)))
    server.will(replies.raw(302, location=other.root + "frames/5/?sig=SECRET"))
    with pytest.raises(ArchiveRefusedError, match="API_ROOT") as caught:
        client.frame(5)
    assert other.seen == []
    assert "SECRET" not in str(caught.value)


def test_without_a_token_another_origin_is_followed(
    server, make_server, make_client, replies, frame_row
):
    other = make_server(replies.json(200, frame_row(5)))
    server.will(replies.raw(302, location=other.root + "frames/5/"))
    assert make_client(server.root, token=None).frame(5).frame_id == 5
    assert "authorization" not in server.seen[0].headers
    assert "authorization" not in other.seen[0].headers


def test_the_body_of_a_redirect_is_not_read(server, make_client, replies, frame_row):
    server.will(
        replies.raw(302, b"x" * 100, length=10**9, location="/frames/5/", then="hold"),
        replies.json(200, frame_row(5)),
    )
    assert make_client(server.root, read_timeout_s=1).frame(5).frame_id == 5


def test_netrc_is_not_read(server, make_client, replies, tmp_path, monkeypatch, token):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password NETRC-SECRET\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.will(replies.json(200, "ok"))
    make_client(server.root).health()
    make_client(server.root, token=None).health()
    assert [s.headers.get("authorization") for s in server.seen] == [f"Token {token}", None]


def test_a_proxy_of_the_environment_is_used(make_server, make_client, replies, monkeypatch):
    proxy = make_server(replies.json(200, "ok"))
    monkeypatch.setenv("http_proxy", proxy.root)
    monkeypatch.setenv("no_proxy", "")
    make_client("http://archive.example/", allow_plain_http=True).health()
    assert proxy.calls == ["GET http://archive.example/health/"]


@pytest.mark.parametrize("proxy", ["http://proxy.invalid:3128", "proxy.invalid:3128"])
def test_what_stays_on_this_machine_is_shown_to_no_proxy(
    proxy, server, make_client, replies, monkeypatch
):
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    server.will(replies.json(200, "ok"))
    make_client(server.root).health()
    assert server.calls == ["GET /health/"]


def test_a_proxy_that_is_down_is_named_without_its_password(make_server, make_client, monkeypatch):
    gone = make_server()
    gone.close()
    monkeypatch.setenv("http_proxy", gone.root.replace("//", "//user:PROXY-SECRET@"))
    monkeypatch.setenv("no_proxy", "")
    client = make_client("http://archive.example/", allow_plain_http=True)
    with pytest.raises(ArchiveUnavailableError, match="proxy") as caught:
        client.health()
    assert "PROXY-SECRET" not in str(caught.value)


def test_no_cookie_is_kept(server, client, replies):
    moved = replies.raw(302, location="/health/", set_cookie="sessionid=abc; Path=/")
    server.will(moved, replies.json(200, "ok", set_cookie="sessionid=abc; Path=/"))
    client.health()
    client.health()
    assert [s.headers.get("cookie") for s in server.seen] == [None] * 3


def test_one_connection_serves_many_requests(server, client, replies):
    server.will(replies.json(200, "ok"))
    for _ in range(5):
        client.health()
    assert len(server._threads) == 2, "one that listens, one for the connection"


def test_one_connection_serves_a_hundred_look_ups_and_a_registration(make_client, record):
    with ScienceArchive() as archive:
        client = make_client(archive.root, archive.token)
        frame = client.create_frame(record, version_key="k", md5="a" * 32, extension=".fits")
        assert {client.frame(frame.frame_id) for _ in range(100)} == {frame}
        assert (archive.count(), archive.connections) == (101, 1)


def test_a_request_is_sent_with_these_headers_and_no_others(
    server, make_client, replies, frame_row, version_row, page, record, token
):
    md5 = "a" * 32
    row = frame_row(5, versions=[version_row(md5)])
    server.will(replies.json(201, row), replies.json(200, page(row)))
    client = make_client(server.root)
    client.create_frame(record, version_key="key-1", md5=md5, extension=".fits")
    client.find("bias-a")
    host = {"host": server.root.split("/")[2], "connection": "keep-alive"}
    usual = {
        **host,
        "user-agent": "calrecords",
        "accept-encoding": "identity",
        "accept": "application/json",
        "authorization": f"Token {token}",
    }
    posted = {"content-type": "application/json", "content-length": str(len(server.seen[0].body))}
    assert [s.headers for s in server.seen] == [usual | posted, usual]


def test_the_environment_is_read_once_for_each_server(
    server, make_server, make_client, replies, monkeypatch
):
    proxy = make_server(replies.json(200, "ok"))
    server.will(replies.json(200, "ok"))
    monkeypatch.setenv("no_proxy", "")
    early = make_client(server.root)
    early.health()
    monkeypatch.setenv("http_proxy", proxy.root)
    early.health()
    make_client(server.root).health()
    assert (len(server.seen), len(proxy.seen)) == (2, 1)


def test_a_session_that_was_handed_in_is_used_and_left_open(server, make_client, replies, token):
    closed = []

    class Session(requests.Session):
        def close(self):
            closed.append(True)
            super().close()

    with Session() as session:
        session.headers["X-Mine"] = "yes"
        server.will(replies.json(200, "ok"))
        client = make_client(server.root, session=session)
        client.health()
        client.close()
        assert closed == []
    assert server.seen[0].headers["x-mine"] == "yes"
    assert server.seen[0].headers["authorization"] == f"Token {token}"


def test_a_certificate_that_is_not_trusted_is_a_matter_of_settings(tls_server, make_client):
    server, _ = tls_server
    with pytest.raises(ConfigurationError, match="REQUESTS_CA_BUNDLE"):
        make_client(server.root).health()
    assert server.seen == []


def test_certificates_that_are_not_there_are_a_matter_of_settings(
    tls_server, make_client, monkeypatch
):
    server, certificate = tls_server
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate) + ".gone")
    with pytest.raises(ConfigurationError, match="REQUESTS_CA_BUNDLE"):
        make_client(server.root).health()


def test_the_environment_names_certificates_to_trust(
    tls_server, make_client, replies, monkeypatch, token
):
    server, certificate = tls_server
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    server.will(replies.json(200, "ok"))
    make_client(server.root).health()
    assert server.seen[0].headers["authorization"] == f"Token {token}"


def test_the_total_deadline_holds_over_https(tls_server, make_client, replies, monkeypatch):
    server, certificate = tls_server
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    server.will(replies.raw(200, b"x" * 500, drip_s=0.02))
    client = make_client(server.root, total_timeout_s=0.3)
    with pytest.raises(ArchiveUnavailableError, match=r"within 0\.3 s"):
        client.health()


def test_https_is_not_left_for_http(tls_server, make_server, make_client, replies, monkeypatch):
    server, certificate = tls_server
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    plain = make_server(replies.json(200, "ok"))
    server.will(replies.raw(302, location=plain.root + "health/"))
    with pytest.raises(ArchiveRefusedError, match="from https to http"):
        make_client(server.root, token=None).health()
    assert plain.seen == []
