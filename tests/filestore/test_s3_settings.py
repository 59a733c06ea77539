"""What each of the OCS's S3 settings does to a request that is really sent."""

import hashlib
import io
import re
import urllib.request
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit

import pytest

from calrecords.errors import ConfigurationError
from calrecords.frames import StoredFile, digest_stream
from calrecords.testing.s3_server import LoopbackS3
from calrecords.workflows.parts import make_store
from calrecords.workflows.settings import Settings

KEY = "cpt/kb70/20260101/raw/bias.fits.fz"
DATA = b"bytes" * 100
VERSION = "v" * 32
STORED = StoredFile(
    KEY, VERSION, hashlib.md5(DATA).hexdigest(), hashlib.sha256(DATA).hexdigest(), len(DATA)
)
SHA256 = b64encode(hashlib.sha256(DATA).digest()).decode()
CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/s3/aws4_request, "
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), Signature=[0-9a-f]{64}"
)


@pytest.fixture
def make(tmp_path):
    """Return a function that makes the store which OCS settings name."""
    stores = []

    def make_with(**environment):
        named = {"HOME": str(tmp_path), "FILESTORE_TYPE": "s3", **environment}
        stores.append(make_store(Settings(environment=named, folder=tmp_path)))
        return stores[-1]

    yield make_with
    for store in stores:
        store.close()


@pytest.fixture
def sent(liar, monkeypatch):
    """Return what a store sends when it puts a file, whatever host it sends it to."""
    monkeypatch.setenv("http_proxy", liar.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    put = (200, {"x-amz-version-id": VERSION, "x-amz-checksum-sha256": SHA256}, b"")

    def send(store, **named):
        # In the virtual style the bucket is no part of the path, so "/" is the bucket.
        liar.answers |= {"HEAD key": lambda handler: (200 if is_bucket(handler) else 404, {}, b"")}
        liar.answers["PUT"] = lambda handler: liar.paths.append(handler.path) or put
        liar.paths = []
        put_into(store, **named)
        return liar.paths[-1], liar.headers["PUT"]

    return send


def is_bucket(handler):
    return urlsplit(handler.path).path in ("/", "/frames")


def put_into(store, **named):
    return store.put(KEY, io.BytesIO(DATA), digest_stream(io.BytesIO(DATA)), **named)


@pytest.mark.parametrize(
    ("style", "host", "path"),
    [
        ({}, "frames.s3.test", f"/{KEY}"),
        ({"S3_ADDRESSING_STYLE": "virtual"}, "frames.s3.test", f"/{KEY}"),
        ({"S3_ADDRESSING_STYLE": "path"}, "s3.test", f"/frames/{KEY}"),
        ({"S3_ADDRESSING_STYLE": "auto"}, "s3.test", f"/frames/{KEY}"),
    ],
)
def test_the_bucket_is_in_the_host_or_in_the_path(make, sent, style, host, path):
    target, headers = sent(make(BUCKET="frames", S3_ENDPOINT_URL="http://s3.test", **style))
    assert (headers["host"], urlsplit(target).path) == (host, path)


def test_region_and_keys_are_in_the_signature(make, sent, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-to-be-said")
    settings = {"BUCKET": "frames", "S3_ENDPOINT_URL": "http://s3.test"}
    signatures = set()
    for given, region in (("eu-west-1", "eu-west-1"), ("", "us-west-2")):
        _, headers = sent(make(**settings, AWS_DEFAULT_REGION=given))
        found = CREDENTIAL.fullmatch(headers["authorization"])
        assert (found["key"], found["region"]) == ("AKIDEXAMPLE", region)
        assert {"host", "x-amz-checksum-sha256", "x-amz-content-sha256", "x-amz-meta-md5"} <= set(
            found["signed"].split(";")
        )
        assert headers["x-amz-content-sha256"] == STORED.sha256, "so the bytes are signed"
        assert "not-to-be-said" not in str(headers)
        signatures.add(headers["authorization"])
    assert len(signatures) == 2


def test_the_older_signature_is_there_for_stores_that_need_it(make, sent):
    _, headers = sent(
        make(BUCKET="frames", S3_ENDPOINT_URL="http://s3.test", S3_SIGNATURE_VERSION="s3")
    )
    assert re.fullmatch(r"AWS testing:[A-Za-z0-9+/]{27}=", headers["authorization"])
    assert headers["x-amz-checksum-sha256"] == SHA256


def test_without_an_endpoint_it_is_amazons_of_the_region(make):
    store = make(BUCKET="frames", AWS_DEFAULT_REGION="eu-west-1")
    url = urlsplit(store.url(STORED))
    assert (url.scheme, url.netloc) == ("https", "frames.s3.eu-west-1.amazonaws.com")
    assert url.path == f"/{KEY}"


@pytest.mark.parametrize(
    ("setting", "days", "storage_class"),
    [
        ({}, 59, None),
        ({}, 61, "STANDARD_IA"),
        ({"S3_DAYS_TO_IA_STORAGE": "5"}, 4, None),
        ({"S3_DAYS_TO_IA_STORAGE": "5"}, 6, "STANDARD_IA"),
        ({"S3_DAYS_TO_IA_STORAGE": "100000"}, 9000, None),
    ],
)
def test_the_storage_class_follows_the_age_of_the_observation(
    make, sent, setting, days, storage_class
):
    store = make(BUCKET="frames", S3_ENDPOINT_URL="http://s3.test", **setting)
    _, headers = sent(
        store, content_type="image/fits", dateobs=datetime.now(UTC) - timedelta(days=days)
    )
    assert headers.get("x-amz-storage-class") == storage_class
    assert headers["content-type"] == "image/fits"
    assert headers["content-disposition"] == "attachment; filename=bias.fits.fz"


@pytest.mark.parametrize(
    "setting",
    [
        {"BUCKET": ""},
        {"S3_ADDRESSING_STYLE": "sideways"},
        {"S3_SIGNATURE_VERSION": "s3v9"},
        {"S3_ENDPOINT_URL": "s3.test"},
        {"AWS_DEFAULT_REGION": "no region!"},
        {"S3_DAYS_TO_IA_STORAGE": "soon"},
    ],
    ids=str,
)
def test_a_value_that_cannot_be_used_is_named(make, setting):
    (name,) = setting
    with pytest.raises(ConfigurationError, match=name):
        make(**{"BUCKET": "frames", **setting}).check()


def test_a_store_made_of_settings_keeps_files_and_signs_urls_that_anybody_can_read(make):
    with LoopbackS3() as s3:
        store = make(BUCKET=s3.bucket, S3_ENDPOINT_URL=s3.endpoint_url, S3_ADDRESSING_STYLE="path")
        store.check(for_archive=True)
        stored = put_into(store)
        assert [version.data for version in s3.versions(KEY)] == [DATA]

        url = store.url(stored, expires_s=60)
        query = parse_qs(urlsplit(url).query)
        assert {name: query[name] for name in ("versionId", "X-Amz-Expires")} == {
            "versionId": [stored.version_key],
            "X-Amz-Expires": ["60"],
        }
        assert query["X-Amz-Credential"][0].endswith("/us-west-2/s3/aws4_request")
        request = urllib.request.Request(url)
        with urllib.request.urlopen(request) as answer:
            assert answer.read() == DATA
            assert answer.headers["x-amz-version-id"] == stored.version_key
        assert not request.has_header("Authorization")
        store.delete(stored)
        with pytest.raises(HTTPError, match="404"):
            urllib.request.urlopen(url)


@pytest.mark.parametrize(
    ("server", "words"),
    [({"stock_version_ids": True}, "36 characters"), ({"versioned": False}, "keeps no versions")],
)
def test_a_store_that_the_archive_cannot_use_is_refused_before_any_frame(make, server, words):
    with LoopbackS3(**server) as s3:
        store = make(BUCKET=s3.bucket, S3_ENDPOINT_URL=s3.endpoint_url, S3_ADDRESSING_STYLE="path")
        with pytest.raises(ConfigurationError, match=words):
            store.check(for_archive=True)
        assert s3.object_keys() == []
