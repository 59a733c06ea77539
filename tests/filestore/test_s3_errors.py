"""Each of botocore's own errors becomes the right one of ours, and says no secret."""

import pytest
from botocore import exceptions as boto

from calrecords.errors import (
    ChecksumMismatchError,
    ConfigurationError,
    FileStoreUnavailableError,
)
from calrecords.filestore.s3_errors import s3_errors

URL = "https://user:not-to-be-said@s3.example/?X-Amz-Signature=not-to-be-said"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (boto.EndpointConnectionError(endpoint_url=URL), FileStoreUnavailableError),
        (boto.ConnectTimeoutError(endpoint_url=URL), FileStoreUnavailableError),
        (boto.ReadTimeoutError(endpoint_url=URL), FileStoreUnavailableError),
        (boto.ConnectionClosedError(endpoint_url=URL), FileStoreUnavailableError),
        (boto.ProxyConnectionError(proxy_url=URL), FileStoreUnavailableError),
        (boto.SSLError(endpoint_url=URL, error="x"), FileStoreUnavailableError),
        (boto.HTTPClientError(error=URL), FileStoreUnavailableError),
        (boto.ResponseStreamingError(error=URL), FileStoreUnavailableError),
        (
            boto.IncompleteReadError(actual_bytes=1, expected_bytes=2),
            FileStoreUnavailableError,
        ),
        (boto.NoCredentialsError(), ConfigurationError),
        (
            boto.PartialCredentialsError(provider="env", cred_var="not-to-be-said"),
            ConfigurationError,
        ),
        (boto.NoRegionError(), ConfigurationError),
        (boto.ProfileNotFound(profile="not-to-be-said"), ConfigurationError),
        (boto.ParamValidationError(report="not-to-be-said"), ConfigurationError),
        (boto.FlexibleChecksumError(error_msg="not-to-be-said"), ChecksumMismatchError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_error_of_the_client_becomes_one_of_ours(error, kind):
    with pytest.raises(kind) as caught, s3_errors("read a/b", "frames"):
        raise error
    assert type(caught.value) is kind
    assert str(caught.value).startswith(
        f"the S3 file store cannot read a/b (bucket frames): {type(error).__name__}; "
    )
    assert "not-to-be-said" not in str(caught.value)


@pytest.mark.parametrize("answer", [{}, {"Error": {}}, {"Error": {"Code": None}}])
def test_an_answer_without_a_word_is_worth_trying_again(answer):
    with pytest.raises(FileStoreUnavailableError, match="no code"), s3_errors("read a/b", "x"):
        raise boto.ClientError(answer, "GetObject")


def test_other_errors_pass_unchanged():
    with pytest.raises(ZeroDivisionError), s3_errors("read a/b", "frames"):
        _ = 1 / 0
