"""A loopback S3 server comes, keeps versions, and goes without a trace."""

import base64
import copy
import gc
import hashlib
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest

from calrecords.filestore.s3_impostors import NotFromS3Error
from calrecords.testing._s3_faults import S3_KINDS
from calrecords.testing.s3_server import LoopbackS3, ObjectVersion


def test_keeps_versions_with_ids_that_the_archive_takes():
    with LoopbackS3(bucket="frames") as s3:
        client = s3.client()
        ids = [
            client.put_object(Bucket="frames", Key="a/b", Body=body)["VersionId"]
            for body in (b"one", b"two")
        ]
        client.put_object(Bucket="frames", Key="a/bc", Body=b"three")
        assert [len(version_id) for version_id in ids] == [32, 32]
        assert s3.object_keys() == ["a/b", "a/bc"]
        assert s3.versions("a/b") == [
            ObjectVersion(ids[1], b"two", {}, "binary/octet-stream", None, None),
            ObjectVersion(ids[0], b"one", {}, "binary/octet-stream", None, None),
        ]
        assert s3.versions("a") == []
        assert client.get_bucket_versioning(Bucket="frames")["Status"] == "Enabled"
        assert s3.endpoint_url.startswith("http://127.0.0.1:")


def test_several_at_a_time_do_not_disturb_each_other():
    with LoopbackS3() as outer:
        with LoopbackS3(stock_version_ids=True) as inner:
            assert inner.bucket != outer.bucket
            for server, length in ((outer, 32), (inner, 36)):
                answer = server.client().put_object(Bucket=server.bucket, Key="a", Body=b"x")
                assert len(answer["VersionId"]) == length
        assert [version.data for version in outer.versions("a")] == [b"x"]


def test_everything_is_forgotten_when_it_closes():
    for _ in range(2):
        with LoopbackS3(bucket="frames") as s3:
            assert s3.object_keys() == []
            s3.client().put_object(Bucket="frames", Key="a", Body=b"x")
            url = s3.endpoint_url
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(url)
    assert s3.endpoint_url == ""


def test_a_bucket_can_be_without_versions():
    with LoopbackS3(versioned=False) as s3:
        assert "VersionId" not in s3.client().put_object(Bucket=s3.bucket, Key="a", Body=b"x")


def test_moto_is_as_it_was_afterwards():
    from moto.s3.models import FakeKey

    before = dict(vars(FakeKey))
    with LoopbackS3(), LoopbackS3():
        assert vars(FakeKey) != before
    assert vars(FakeKey) == before


def test_a_list_copies_no_bytes_and_leaves_them_as_they_are():
    from moto.s3.models import FakeKey

    with LoopbackS3() as s3:
        client = s3.client()
        for body in (b"one", b"two"):
            client.put_object(Bucket=s3.bucket, Key="a", Body=body)
        for _ in range(3):
            listed = client.list_object_versions(Bucket=s3.bucket)["Versions"]
            assert [(version["IsLatest"], version["Size"]) for version in listed] == [
                (True, 3),
                (False, 3),
            ]
        version = FakeKey("b", b"bytes", account_id="1", region_name="us-west-2")
        assert copy.deepcopy(version)._value_buffer is version._value_buffer
        gc.collect()
        assert version.value == b"bytes"
        version.dispose()
        assert [version.data for version in s3.versions("a")] == [b"two", b"one"]


def test_leaves_no_thread_and_no_open_socket_behind():
    before = threading.active_count()
    with LoopbackS3() as s3:
        s3.client().put_object(Bucket=s3.bucket, Key="a", Body=b"x")
    gc.collect()  # an open socket would warn, and a warning is an error here
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and "process_request" in thread.name:
            thread.join(5)
    assert threading.active_count() <= before


def test_says_what_to_install_where_moto_is_absent():
    script = (
        "import sys; sys.modules['moto'] = None\n"
        "from calrecords.errors import ConfigurationError\n"
        "from calrecords.testing.s3_server import LoopbackS3\n"
        "try:\n    LoopbackS3().__enter__()\n"
        "except ConfigurationError as error:\n    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == (
        "the loopback S3 server needs moto; install calrecords[dev] or moto[s3,server]\n"
    )


def test_confirms_the_checksum_of_an_upload_as_amazons_does():
    checksum = base64.b64encode(hashlib.sha256(b"one").digest()).decode()
    with LoopbackS3() as s3:
        client = s3.client()
        answer = client.put_object(Bucket=s3.bucket, Key="a", Body=b"one", ChecksumSHA256=checksum)
        assert answer["ChecksumSHA256"] == checksum
        head = client.head_object(Bucket=s3.bucket, Key="a", ChecksumMode="ENABLED")
        assert head["ChecksumSHA256"] == checksum


def test_an_unfinished_upload_is_as_old_as_the_server_at_most():
    began = datetime.now(UTC).replace(microsecond=0)
    with LoopbackS3() as s3:
        client = s3.client()
        left = client.create_multipart_upload(Bucket=s3.bucket, Key="a")["UploadId"]
        (upload,) = client.list_multipart_uploads(Bucket=s3.bucket)["Uploads"]
        assert upload["UploadId"] == left
        assert began <= upload["Initiated"] <= datetime.now(UTC)


def test_an_object_in_parts_has_a_version_id_that_the_archive_takes():
    with LoopbackS3() as s3:
        client = s3.client()
        named = {"Bucket": s3.bucket, "Key": "a"}
        named["UploadId"] = client.create_multipart_upload(**named)["UploadId"]
        part = client.upload_part(Body=b"x", PartNumber=1, **named)
        answer = client.complete_multipart_upload(
            MultipartUpload={"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}, **named
        )
        assert len(answer["VersionId"]) == 32
        assert [version.data for version in s3.versions("a")] == [b"x"]


SEEN = {
    "500": ("InternalError", 0),
    "500-after-commit": ("InternalError", 1),
    "503": ("SlowDown", 0),
    "403": ("AccessDenied", 0),
    "429": ("TooManyRequests", 0),
    "reset": ("ConnectionClosedError", 0),
    "lost-answer": ("ConnectionClosedError", 1),
    "delay": ("ReadTimeoutError", 1),
    "delay-after-commit": ("ReadTimeoutError", 1),
}


@pytest.mark.parametrize("kind", SEEN)
def test_a_put_meets_a_fault(kind):
    with LoopbackS3() as s3:
        client = s3.client(max_attempts=1, read_timeout_s=0.2)
        s3.faults.add(kind, method="PUT", path=f"/{s3.bucket}/a", seconds=0.4)
        with pytest.raises(Exception, match=r".") as raised:
            client.put_object(Bucket=s3.bucket, Key="a", Body=b"x")
        code = (getattr(raised.value, "response", None) or {}).get("Error", {}).get("Code")
        said, stored = SEEN[kind]
        assert (code or raised.type.__name__) == said
        give_up = time.monotonic() + 20
        while len(s3.versions("a")) < stored and time.monotonic() < give_up:
            time.sleep(0.02)
        assert len(s3.versions("a")) == stored
        client.put_object(Bucket=s3.bucket, Key="b", Body=b"x")
        assert s3.faults.met() == {kind: 1}


def test_a_get_meets_a_fault():
    with LoopbackS3() as s3:
        client = s3.client(max_attempts=1)
        client.put_object(Bucket=s3.bucket, Key="a", Body=b"x" * 100)
        named = {"Bucket": s3.bucket, "Key": "a"}
        s3.faults.add("drip", method="GET", seconds=0.001)
        assert client.get_object(**named)["Body"].read() == b"x" * 100
        s3.faults.add("login-page", method="GET")
        with urllib.request.urlopen(f"{s3.endpoint_url}/{s3.bucket}/a", timeout=10) as answer:
            assert answer.headers["Content-Type"] == "text/html"
            assert b"Log in" in answer.read()
        s3.faults.add("login-page", method="GET")
        with pytest.raises(NotFromS3Error):
            client.get_object(**named)
        s3.faults.add("truncated", method="GET")
        body = client.get_object(**named)["Body"]
        with pytest.raises(Exception, match=r"(?i)reset|incomplete|broken"):
            body.read()
        assert client.get_object(**named)["Body"].read() == b"x" * 100
        assert set(S3_KINDS) == {*SEEN, "drip", "login-page", "truncated"}


def test_a_server_that_stops_waits_for_no_fault():
    began = time.monotonic()
    with LoopbackS3() as s3:
        client = s3.client(max_attempts=1, read_timeout_s=0.1)
        s3.faults.add("delay", seconds=600)
        with pytest.raises(Exception, match=r"(?i)timeout"):
            client.list_objects_v2(Bucket=s3.bucket)
    assert time.monotonic() - began < 60
