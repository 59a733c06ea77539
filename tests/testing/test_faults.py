import http.client
import socket
import time
from collections import Counter
from urllib.parse import urlsplit

import pytest

from calrecords.testing import Fault, Faults
from calrecords.testing.faults import KINDS


def archive_address(archive):
    parts = urlsplit(archive.root)
    return parts.hostname, parts.port


@pytest.mark.parametrize("kind", ["500", "503", "403", "429", "login-page", "not-json", "redirect"])
def test_keeps_a_request_from_the_archive(archive, client, record, kind):
    archive.faults.add(kind, method="POST", path="/frames/", seconds=7, location="/elsewhere")
    answer = client("POST", "/frames/", record())

    seen = {
        "500": (500, "text/html; charset=utf-8"),
        "503": (503, "text/html; charset=utf-8"),
        "403": (403, "application/json"),
        "429": (429, "application/json"),
        "login-page": (200, "text/html; charset=utf-8"),
        "not-json": (200, "application/json"),
        "redirect": (302, "text/html; charset=utf-8"),
    }
    assert (answer.status, answer.headers["Content-Type"]) == seen[kind]
    assert answer.headers.get("Retry-After") == ("7" if kind in ("503", "429") else None)
    assert answer.headers.get("Location") == ("/elsewhere" if kind == "redirect" else None)
    assert archive.frames() == []
    assert client("POST", "/frames/", record()).status == 201


def test_says_500_though_the_frame_is_stored(archive, client, record):
    archive.faults.add("500-after-commit", method="POST", path="/frames/")
    answer = client("POST", "/frames/", record())

    assert (answer.status, answer.headers["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert len(archive.versions()) == 1


@pytest.mark.parametrize(("kind", "stored"), [("reset", 0), ("lost-answer", 1)])
def test_resets_the_connection(archive, client, record, kind, stored):
    archive.faults.add(kind, method="POST")
    with pytest.raises(ConnectionResetError) as caught:
        client("POST", "/frames/", record())
    assert not isinstance(caught.value, http.client.RemoteDisconnected)  # it was no polite end
    assert len(archive.versions()) == stored


@pytest.mark.parametrize(("kind", "stored"), [("delay", 0), ("delay-after-commit", 1)])
def test_answers_late(archive, client, client_class, record, kind, stored):
    archive.faults.add(kind, seconds=0.5)
    impatient = client_class(archive, archive.token)
    impatient._connection.timeout = 0.2
    with pytest.raises(TimeoutError):
        impatient("POST", "/frames/", record())
    assert len(archive.versions()) == stored
    impatient.close()
    time.sleep(0.5)
    assert len(archive.versions()) == 1


def test_drips(archive, client):
    archive.faults.add("drip", path="/health/", seconds=0.05)
    began = time.monotonic()
    assert client("GET", "/health/").body == b'"ok"'
    assert time.monotonic() - began >= 0.2


def test_announces_more_than_it_sends(archive, client):
    archive.faults.add("truncated", path="/health/")
    with pytest.raises(http.client.IncompleteRead):
        client("GET", "/health/")


def test_ends_without_having_announced_a_length(archive, client):
    archive.faults.add("unannounced-end", path="/health/")
    assert client("GET", "/health/").body == b'"o'


def test_announces_no_length_and_sends_the_whole(archive, client):
    archive.faults.add("no-length", path="/health/")
    answer = client("GET", "/health/")
    assert (answer.body, answer.headers.get("Content-Length")) == (b'"ok"', None)


def test_announces_less_than_it_sends(archive, client):
    archive.faults.add("short-length", path="/health/")
    with socket.create_connection(archive_address(archive)) as connection:
        connection.sendall(b"GET /health/ HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        answers = connection.recv(10_000)
        while answers.count(b"HTTP/1.1 200 OK") < 2:
            answers += connection.recv(10_000)
    first = answers.partition(b"HTTP/1.1 200 OK")[2].partition(b"HTTP/1.1")[0]
    assert b"\r\nContent-Length: 2\r\n" in first
    assert first.endswith(b'\r\n\r\n"ok"')


def test_changes_one_byte(archive, client):
    archive.faults.add("corrupted", path="/health/")
    changed = client("GET", "/health/").body
    assert len(changed) == 4
    assert sum(a != b for a, b in zip(changed, b'"ok"', strict=True)) == 1


def test_hits_only_what_it_is_meant_for_and_as_often_as_told(archive, client):
    archive.faults.add("500", method="GET", path="/frames/*", times=2, skip=1)
    seen = [
        client(method, path).status
        for method, path in [
            ("GET", "/health/"),
            ("HEAD", "/frames/1/"),
            ("GET", "/frames/"),
            ("GET", "/frames/?limit=1"),
            ("GET", "/frames/1/"),
            ("GET", "/frames/"),
        ]
    ]
    assert seen == [200, 404, 200, 500, 500, 200]
    assert archive.faults.pending() == ()


def test_is_over_when_cleared(archive, client):
    archive.faults.add("reset", times=99)
    assert archive.faults.pending() == (Fault("reset", times=99),)
    archive.faults.clear()
    assert client("GET", "/health/").status == 200


def test_a_replica_that_lags_behind_does_not_know_the_newest_frames_and_versions(
    archive, client, record
):
    old = client("POST", "/frames/", record("old")).json["id"]
    archive.backdate(old, seconds=60)
    for name in ("old", "new"):
        client("POST", "/frames/", record(name))
    archive.faults.add("stale", seconds=30, times=99)
    assert client("GET", "/frames/?basename_exact=new").json["results"] == []
    assert client("GET", f"/frames/{old + 1}/").status == 404
    assert len(client("GET", f"/frames/{old}/").json["version_set"]) == 1
    assert [row["id"] for row in client("GET", "/frames/").json["results"]] == [old]
    assert client("GET", "/versions/?limit=9").json["count"] != 0  # they are the writer's
    assert len(client("GET", "/versions/?limit=9").json["results"]) == 3
    assert len(client("POST", "/frames/", record("old")).json["version_set"]) == 3
    archive.faults.clear()
    assert len(client("GET", f"/frames/{old}/").json["version_set"]) == 3


def test_scattered_faults_hit_a_share_of_the_requests_that_they_belong_to():
    kinds = [Fault("500", method="GET"), Fault("reset", path="/frames/"), Fault("503", times=1)]

    def met(seed, rate, requests=2000):
        faults = Faults()
        faults.scatter(kinds, rate=rate, seed=seed)
        assert faults.pending() == ()
        taken = [faults.take("POST", "/frames/") for _ in range(requests)]
        assert faults.met() == Counter(fault.kind for fault in taken if fault is not None)
        faults.clear()
        assert faults.take("POST", "/frames/") is None
        return [fault and fault.kind for fault in taken]

    once = met(1, 0.25)
    assert met(1, 0.25) == once != met(2, 0.25)
    assert set(once) == {None, "reset", "503"}
    assert 400 < len(once) - once.count(None) < 600
    assert met(1, 0.0).count(None) == 2000
    assert met(1, 1.0).count(None) == 0


def test_a_fault_that_is_waited_for_comes_before_those_at_random(archive, client):
    archive.faults.scatter([Fault("503")], rate=1.0)
    archive.faults.add("500", path="/health/")
    assert [client("GET", "/health/").status for _ in range(2)] == [500, 503]
    assert archive.faults.met() == {"500": 1, "503": 1}


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_is_a_share(rate):
    with pytest.raises(ValueError, match="from 0 to 1"):
        Faults().scatter([Fault("500")], rate=rate)


def test_a_server_refuses_faults_that_it_cannot_show():
    faults = Faults(("500",))
    with pytest.raises(ValueError, match="cannot show 'stale'; it can 500"):
        faults.add("stale")
    with pytest.raises(ValueError, match="cannot show"):
        faults.scatter([Fault("500"), Fault("reset")], rate=0.5)
    assert faults.take("GET", "/") is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "explode"}, "no fault is called 'explode'; there are 500, "),
        ({"kind": "500", "times": 0}, "at least once"),
        ({"kind": "500", "skip": -1}, "at least once"),
    ],
)
def test_refuses_a_fault_that_cannot_be(wrong, said):
    faults = Faults()
    with pytest.raises(ValueError, match=said):
        faults.add(**wrong)
    assert faults.pending() == ()


def test_says_of_every_kind_what_the_client_sees():
    assert all(KINDS.values())
