"""Uploads are signed by the checksum that they name, exactly as botocore would sign them."""

import io
from types import SimpleNamespace

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.config import Config
from botocore.credentials import Credentials

from calrecords.filestore import make_s3_client
from calrecords.filestore.s3_checksums import base64_of
from calrecords.filestore.s3_signing import NamedPayloadAuth, sign_named_payloads

DATA = b"bytes" * 100
CREDENTIALS = Credentials("AKIDEXAMPLE", "secret")


def request(named=None, body=DATA):
    headers = {"x-amz-checksum-sha256": named} if named else {}
    return SimpleNamespace(
        headers=headers,
        body=io.BytesIO(body),
        url="http://s3.test/frames/a",
        context={},
    )


def test_the_signed_checksum_is_the_one_that_botocore_makes_of_the_body(put):
    digest = put.digest_of(DATA)
    ours = NamedPayloadAuth(CREDENTIALS, "s3", "us-west-2")
    theirs = S3SigV4Auth(CREDENTIALS, "s3", "us-west-2")
    asked = request(base64_of(digest))
    assert ours.payload(asked) == theirs.payload(request()) == digest.sha256
    assert asked.body.tell() == 0, "the body was not read"


def test_a_request_that_names_no_checksum_is_signed_as_ever(put):
    ours = NamedPayloadAuth(CREDENTIALS, "s3", "us-west-2")
    assert ours.payload(request()) == put.digest_of(DATA).sha256


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_only_uploads_with_the_newer_signature_are_concerned(liar, put, version):
    liar.answers |= {"PUT": (200, {}, b""), "HEAD": (200, {}, b"")}
    client = liar.client(signature_version=version)
    checksum = base64_of(put.digest_of(DATA))
    client.put_object(Bucket="bucket", Key="a", Body=DATA, ChecksumSHA256=checksum)
    client.head_object(Bucket="bucket", Key="a", VersionId="v")
    scheme = {"s3v4": "AWS4-HMAC-SHA256 ", "s3": "AWS "}[version]
    assert {liar.headers[name]["authorization"].startswith(scheme) for name in ("PUT", "HEAD")} == {
        True
    }
    signed = {"s3v4": put.digest_of(DATA).sha256, "s3": None}[version]
    assert liar.headers["PUT"].get("x-amz-content-sha256") == signed


def test_presigned_urls_stay_as_botocore_makes_them(monkeypatch):
    ours = make_s3_client(endpoint_url="http://s3.test", region="us-west-2")
    theirs = boto3.client(
        "s3",
        endpoint_url="http://s3.test",
        region_name="us-west-2",
        config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
    )
    for operation in ("get_object", "put_object"):
        urls = [
            client.generate_presigned_url(operation, Params={"Bucket": "frames", "Key": "a"})
            for client in (ours, theirs)
        ]
        ours_named, theirs_named = ({p.split("=")[0] for p in url.split("&")} for url in urls)
        assert ours_named == theirs_named
    ours.close()
    theirs.close()


def test_clients_of_others_are_untouched(liar, put):
    sign_named_payloads(liar.client())
    other = boto3.client(
        "s3", endpoint_url=liar.url, config=Config(s3={"addressing_style": "path"})
    )
    liar.answers["PUT"] = (200, {}, b"")
    body = io.BytesIO(DATA)
    checksum = base64_of(put.digest_of(b"other"))
    other.put_object(Bucket="bucket", Key="a", Body=body, ChecksumSHA256=checksum)
    assert liar.headers["PUT"]["x-amz-content-sha256"] == put.digest_of(DATA).sha256
    other.close()
