import http.client
import json
import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from calrecords.errors import ConfigurationError
from calrecords.testing import DEFAULT_OBSERVATION_TYPES, ScienceArchive

AT_ONCE = 24


def post_all(archive, client_class, records):
    """Post every record from a thread of its own, all at the same moment."""
    gate = threading.Barrier(len(records))

    def post(record):
        client = client_class(archive, archive.token)
        try:
            client("GET", "/health/")
            gate.wait(timeout=10)
            return client("POST", "/frames/", record)
        finally:
            client.close()

    with ThreadPoolExecutor(len(records)) as threads:
        return list(threads.map(post, records))


def test_takes_one_of_many_equal_posts_at_once(archive, client_class, record):
    answers = post_all(archive, client_class, [record()] * AT_ONCE)

    assert sorted(answer.status for answer in answers) == [201] + [400] * (AT_ONCE - 1)
    refusal = {
        "version_set": [
            {
                "key": ["version with this key already exists."],
                "md5": ["version with this md5 already exists."],
            }
        ]
    }
    assert [a.json for a in answers if a.status == 400] == [refusal] * (AT_ONCE - 1)
    assert len(archive.frames()) == len(archive.versions()) == 1


def test_makes_one_frame_of_many_posts_of_one_basename_at_once(archive, client_class, record):
    records = [record() for _ in range(AT_ONCE)]
    answers = post_all(archive, client_class, records)

    assert {answer.status for answer in answers} == {201}
    assert {answer.json["id"] for answer in answers} == {1}
    (frame,) = archive.frames()
    assert {v["md5"] for v in frame["versions"]} == {r["version_set"][0]["md5"] for r in records}


def test_gives_distinct_frames_that_come_at_once_distinct_ids(archive, client_class, record):
    records = [record(f"bias-{number}") for number in range(AT_ONCE)]
    answers = post_all(archive, client_class, records)

    assert sorted(answer.json["id"] for answer in answers) == list(range(1, AT_ONCE + 1))


def test_shows_its_rows_behind_the_back_of_a_client(archive, client, record):
    posted = record(related_frame_filenames=["flat"])
    client("POST", "/frames/", posted)

    version = posted["version_set"][0]
    frame, placeholder = archive.frames()
    (row,) = archive.versions()
    assert row == {"id": 1, "frame_id": 1, "created": row["created"], **version}
    assert frame == {
        **{name: posted[name] for name in posted if name in frame},
        "id": 1,
        "created": frame["created"],
        "observation_day": "2026-01-01",
        "observation_date": "2026-01-01T02:03:04.567000Z",
        "public_date": "2026-01-01T02:03:04.567000Z",
        "related_frames": [2],
        "versions": [row],
    }
    assert (placeholder["basename"], placeholder["versions"]) == ("flat", [])


def test_counts_requests_and_connections(archive, client, connect):
    client("GET", "/frames/?basename_exact=a")
    client("GET", "/health/")
    connect(archive)("GET", "/health/")

    assert archive.requests == [
        ("GET", "/frames/?basename_exact=a"),
        ("GET", "/health/"),
        ("GET", "/health/"),
    ]
    assert archive.connections == 2
    assert (archive.count(), archive.count("GET"), archive.count("POST")) == (3, 3, 0)
    assert (archive.count(path="/frames/"), archive.count("GET", "/heal*")) == (1, 2)
    archive.clear_requests()
    assert (archive.requests, archive.connections) == ([], 0)


def test_keeps_its_frames_where_it_is_told_to(tmp_path, connect, record):
    database = tmp_path / "archive.db"
    with ScienceArchive(database=database) as archive:
        first = connect(archive)("POST", "/frames/", record()).json
        before = archive.frames()
    with ScienceArchive(database=database, token=archive.token) as again:
        assert again.frames() == before
        read = connect(again)("GET", f"/frames/{first['id']}/")
        assert (read.status, read.json["basename"]) == (200, "master-bias")


def test_removes_a_temporary_database(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ScienceArchive():
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_takes_the_observation_types_it_is_given(connect, record):
    with ScienceArchive(observation_types=[*DEFAULT_OBSERVATION_TYPES, "BPM"]) as archive:
        client = connect(archive)
        posted = client("POST", "/frames/", record("bpm-kb70", configuration_type="BPM"))
        schema = client("OPTIONS", "/frames/").json["actions"]["POST"]
    assert posted.status == 201
    assert urlsplit(posted.json["url"]).path == "/dummy/cpt/kb70/bpm/bpm-kb70.fits.fz"
    offered = [choice["value"] for choice in schema["configuration_type"]["choices"]]
    assert offered == [*DEFAULT_OBSERVATION_TYPES, "BPM"]


def test_leads_nowhere_without_a_store(archive, client, record):
    url = client("POST", "/frames/", record()).json["url"]
    assert client("GET", urlsplit(url).path).status == 404


def test_asks_for_the_url_of_each_version(connect, record):
    asked = []

    def url_for(path, version_key):
        asked.append((path, version_key))
        return f"http://store.test/{len(asked)}"

    with ScienceArchive(url_for=url_for) as archive:
        posted = record()
        answer = connect(archive)("POST", "/frames/", posted).json
    path = "cpt/kb70/20260101/processed/master-bias.fits.fz"
    assert asked == [(path, posted["version_set"][0]["key"])]
    assert answer["url"] == answer["version_set"][0]["url"] == "http://store.test/1"


def test_fails_like_the_archive_where_its_store_fails(connect, record, caplog):
    def url_for(path, version_key):
        raise RuntimeError("no store")

    with ScienceArchive(url_for=url_for) as archive:
        answer = connect(archive)("POST", "/frames/", record())
        assert (answer.status, answer.headers["Content-Type"]) == (500, "text/html; charset=utf-8")
        assert len(archive.frames()) == 1
    assert "no store" in caplog.text


def test_has_one_store(tmp_path):
    with pytest.raises(ConfigurationError, match="files or url_for"):
        ScienceArchive(files=tmp_path, url_for=lambda path, key: "")


def test_says_when_its_port_is_taken(archive):
    port = urlsplit(archive.root).port
    with pytest.raises(ConfigurationError, match=f"port {port} "):
        ScienceArchive(port=port)


@pytest.mark.parametrize("make", ["missing/archive.db", "no-database"])
def test_says_when_its_database_cannot_be_opened(tmp_path, make):
    (tmp_path / "no-database").write_bytes(b"SIMPLE  =                    T" * 100)
    with pytest.raises(ConfigurationError, match=make):
        ScienceArchive(database=tmp_path / make)


def test_stops_although_a_client_is_waiting(archive, connect):
    archive.faults.add("delay", seconds=60)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(connect(archive), "GET", "/health/")
        while not archive.requests:
            time.sleep(0.01)
        began = time.monotonic()
        archive.close()
        with pytest.raises((http.client.HTTPException, OSError)):
            waiting.result()
    assert time.monotonic() - began < 5


def test_may_be_closed_twice():
    archive = ScienceArchive()
    archive.close()
    archive.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", urlsplit(archive.root).port), timeout=1)


def test_is_not_stopped_by_clients_that_talk_nonsense(archive, client):
    port = urlsplit(archive.root).port
    for nonsense in (b"", b"\0\0\0\r\n\r\n", b"GET", b"POST /frames/ HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(nonsense)
    assert client("GET", "/health/").status == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Content-Length: 99999999999", 413),
        ("Content-Length: x", 411),
        ("Transfer-Encoding: chunked", 411),
    ],
)
def test_refuses_bodies_it_cannot_measure_or_hold(archive, header, status):
    port = urlsplit(archive.root).port
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"POST /frames/ HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n".encode())
        assert connection.recv(100).startswith(f"HTTP/1.1 {status} ".encode())


def test_closes_the_connection_when_the_client_asks_for_it(archive):
    port = urlsplit(archive.root).port
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET /health/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = b""
        while part := connection.recv(1000):
            received += part
    assert b"Connection: close" in received
    assert received.endswith(b'"ok"')


def test_deletes_a_frame_that_is_old_enough(archive, client, record):
    frame_id = client("POST", "/frames/", record(related_frame_filenames=["flat"])).json["id"]
    archive.backdate(frame_id, seconds=601)

    assert client("DELETE", f"/frames/{frame_id}/").status == 204
    assert archive.versions() == []
    assert [(f["basename"], f["related_frames"]) for f in archive.frames()] == [("flat", [])]
    assert client("POST", "/frames/", record()).json["id"] == 3


def test_survives_another_process_in_its_database(tmp_path, connect, record):
    database = tmp_path / "archive.db"
    with ScienceArchive(database=database) as archive:
        client = connect(archive)
        client("POST", "/frames/", record())
        other = sqlite3.connect(database)
        with other:
            other.execute("UPDATE frames SET headers = ?", (json.dumps({"A": 1}),))
        other.close()
        assert client("GET", "/frames/1/headers/").json == {"data": {"A": 1}}
