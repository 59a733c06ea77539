"""How the client is set up."""

import pytest

from calrecords.errors import ConfigurationError, FileStoreUnavailableError
from calrecords.filestore import S3Store, make_s3_client


def test_every_setting_reaches_the_client():
    client = make_s3_client(
        endpoint_url="https://s3.example",
        region="eu-west-1",
        addressing_style="path",
        signature_version="s3v4",
        connect_timeout_s=3,
        read_timeout_s=4,
        max_attempts=5,
        access_key="a",
        secret_key="b",
    )
    config = client.meta.config
    assert client.meta.endpoint_url == "https://s3.example"
    assert client.meta.region_name == "eu-west-1"
    assert (config.connect_timeout, config.read_timeout) == (3, 4)
    assert config.retries == {"mode": "standard", "total_max_attempts": 5}
    assert config.s3 == {"addressing_style": "path", "payload_signing_enabled": False}
    client.close()


def test_an_empty_region_is_none_that_was_set():
    client = make_s3_client(region="")
    assert client.meta.region_name == "us-west-2"  # AWS_DEFAULT_REGION, which boto3 reads
    client.close()


def test_bytes_sent_without_tls_are_signed():
    client = make_s3_client(endpoint_url="http://127.0.0.1:1")
    assert client.meta.config.s3 == {"addressing_style": "virtual"}
    client.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"endpoint_url": "no url"},
        {"endpoint_url": ""},
        {"endpoint_url": "s3.example"},
        {"addressing_style": "sideways"},
        {"signature_version": "s3v9"},
        {"max_attempts": 0},
        {"region": "no region!"},
        {"access_key": "alone"},
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_used_is_refused(settings):
    with pytest.raises(ConfigurationError) as caught:
        S3Store(make_s3_client(**settings), "bucket").check()
    assert "alone" not in str(caught.value)


def test_no_credentials_is_a_matter_of_settings(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)  # boto3's own settings, not ours
    store = S3Store(make_s3_client(endpoint_url="http://127.0.0.1:1"), "bucket")
    with pytest.raises(ConfigurationError, match="AWS_ACCESS_KEY_ID"):
        store.check()
    store.close()


def test_a_bucket_name_that_cannot_be_one_is_a_matter_of_settings():
    store = S3Store(make_s3_client(endpoint_url="http://127.0.0.1:1"), "no bucket!")
    with pytest.raises(ConfigurationError, match="BUCKET"):
        store.check()
    store.close()


def test_a_host_that_does_not_exist_is_worth_trying_again():
    client = make_s3_client(
        endpoint_url="http://nowhere.invalid", addressing_style="path", max_attempts=1
    )
    with pytest.raises(FileStoreUnavailableError):
        S3Store(client, "bucket").check()
    client.close()
