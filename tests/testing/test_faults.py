import http.client
import time

import pytest

from calrecords.testing import Fault, Faults
from calrecords.testing.faults import KINDS


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
