"""Archives on loopback, and a client that adds nothing to a request and hides nothing."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from calrecords.testing import ScienceArchive


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """One keep-alive connection to an archive."""

    def __init__(self, archive, token=None):
        self.archive = archive
        self.token = token
        self._connection = http.client.HTTPConnection(
            urlsplit(archive.root).hostname, urlsplit(archive.root).port, timeout=10
        )

    def __call__(self, method, path, document=None, *, body=None, headers=None):
        sent = {"Authorization": f"Token {self.token}"} if self.token else {}
        if document is not None:
            body = json.dumps(document)
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        self._connection.request(method, path, body=body, headers=sent)
        answer = self._connection.getresponse()
        return Reply(answer.status, dict(answer.headers), answer.read())

    def close(self):
        self._connection.close()


@pytest.fixture
def archive():
    with ScienceArchive() as archive:
        yield archive


@pytest.fixture
def connect():
    """Return a function that connects to an archive, by default as its superuser."""
    clients = []

    def connect(archive, token=""):
        clients.append(Client(archive, archive.token if token == "" else token))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def client_class():
    return Client


@pytest.fixture
def client(archive, connect):
    return connect(archive)


@pytest.fixture(scope="session")
def record():
    """Return a function that makes a record to post, each with a version of its own."""
    made = iter(range(1, 1_000_000))

    def record(basename="master-bias", **changes):
        number = next(made)
        version = {"key": f"{number:032d}", "md5": f"{number:032x}", "extension": ".fits.fz"}
        return {
            "basename": basename,
            "headers": {"OBSTYPE": "BIAS", "CCDSUM": "2 2"},
            "area": None,
            "reduction_level": 91,
            "observation_day": "20260101",
            "observation_date": "2026-01-01T02:03:04.567",
            "proposal_id": "calibrate",
            "instrument_id": "kb70",
            "target_name": "",
            "site_id": "cpt",
            "telescope_id": "1m0a",
            "exposure_time": 0.0,
            "primary_optical_element": "",
            "public_date": "2026-01-01T02:03:04.567",
            "configuration_type": "BIAS",
            "observation_id": 1234,
            "request_id": None,
            "related_frame_filenames": [],
            "version_set": [version],
            **changes,
        }

    return record
