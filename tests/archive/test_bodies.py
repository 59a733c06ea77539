"""A body that was announced earns time by arriving; one that was not does not."""

import hashlib
import io

import pytest

from calrecords.archive.models import parse_frame
from calrecords.errors import ArchiveUnavailableError

CHUNK = 64 * 1024


@pytest.fixture
def slow_file(server, replies, frame_row, version_row):
    """Make a file that comes in ten parts, for longer than the client's total deadline."""
    data = bytes(CHUNK) * 10

    def make(*, length):
        server.will(replies.raw(200, data, length=length, drip_s=0.05, drip_bytes=CHUNK))
        md5 = hashlib.md5(data).hexdigest()
        row = frame_row(5, versions=[version_row(md5, url=server.root + "a.fits")])
        return parse_frame(row), md5

    return make


def test_a_large_file_may_take_longer_than_the_deadline(slow_file, server, make_client):
    frame, md5 = slow_file(length=True)
    client = make_client(server.root, total_timeout_s=0.2)
    assert client.download(frame, md5, io.BytesIO()).size == 10 * CHUNK


def test_a_body_of_unknown_length_may_not(slow_file, server, make_client, at_once):
    from tenacity import stop_after_attempt

    frame, md5 = slow_file(length=False)
    client = make_client(
        server.root, total_timeout_s=0.2, retrying=at_once.copy(stop=stop_after_attempt(1))
    )
    with pytest.raises(ArchiveUnavailableError):
        client.download(frame, md5, io.BytesIO())
