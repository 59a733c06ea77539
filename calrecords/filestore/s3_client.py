"""botocore's S3 client, set up with deadlines and retries that are said outright."""

from __future__ import annotations

from functools import cache
from typing import Any

from calrecords.errors import ConfigurationError

MAX_UNASKED_BYTES = 1 << 20
"""Longest body that is sent before S3 says that it wants it, in bytes."""


def make_s3_client(
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    addressing_style: str = "virtual",
    signature_version: str = "s3v4",
    connect_timeout_s: float = 10.0,
    read_timeout_s: float = 60.0,
    answer_timeout_s: float = 60.0,
    join_timeout_s: float = 300.0,
    max_attempts: int = 4,
    access_key: str | None = None,
    secret_key: str | None = None,
) -> Any:
    """Return a client of S3, or of a store that speaks like it; nothing is sent yet.

    Retries are botocore's own, in its mode "standard" [1]_: transient errors and throttling,
    with jittered waits of at most 20 s between attempts.

    Parameters
    ----------
    endpoint_url : str, optional
        Root of another store than Amazon's.
    region : str, optional
        By default, and where it is empty, what botocore finds in its own settings.
    addressing_style : {"virtual", "path", "auto"}, optional
        Whether the bucket is part of the host name or of the path; "auto" is the path at
        an endpoint of its own, and the host name at Amazon.
    signature_version : str, optional
        How requests are signed.
    connect_timeout_s, read_timeout_s : float, optional
        Seconds to wait for a connection, and for each piece of an answer.
    answer_timeout_s : float, optional
        Seconds for the whole of an answer that is no file.
    join_timeout_s : float, optional
        The same where parts are joined to a file, for which S3 may take minutes.
    max_attempts : int, optional
        Attempts in all, the first included.
    access_key, secret_key : str, optional
        By default what botocore finds in its own settings.

    Raises
    ------
    ConfigurationError
        If one of these cannot be used.

    References
    ----------
    .. [1] https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
    """
    from botocore import session as sessions
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    from calrecords.filestore.s3_deadlines import watch_answers
    from calrecords.filestore.s3_impostors import refuse_impostors
    from calrecords.filestore.s3_signing import sign_named_payloads

    s3: Any = {"addressing_style": addressing_style}
    if endpoint_url is None or endpoint_url.startswith("https:"):
        # TLS guards the bytes of requests that name no checksum to sign.
        s3["payload_signing_enabled"] = False
    try:
        config = Config(
            signature_version=signature_version,
            connect_timeout=connect_timeout_s,
            read_timeout=read_timeout_s,
            retries={"mode": "standard", "total_max_attempts": max_attempts},
            s3=s3,
        )
        session: Any = sessions.Session()
        session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
        client = session.create_client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=region or None,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        msg = (
            f"the S3 client cannot be set up: {type(error).__name__}; check S3_ENDPOINT_URL (a "
            "full URL), AWS_DEFAULT_REGION, S3_ADDRESSING_STYLE, S3_SIGNATURE_VERSION and the "
            "credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, both or none)"
        )
        raise ConfigurationError(msg) from error
    sign_named_payloads(client)
    watch_answers(client, answer_timeout_s, join_timeout_s)
    refuse_impostors(client)
    client.meta.events.register_last("before-call.s3", _send_small_bodies_at_once)
    return client


def _send_small_bodies_at_once(params: Any, **_: Any) -> None:
    # To wait for leave to send a body ("100 Continue") costs one more round trip; it pays
    # only where a refusal saves the sending of much.
    if int(params["headers"].get("Content-Length", MAX_UNASKED_BYTES + 1)) <= MAX_UNASKED_BYTES:
        params["headers"].pop("Expect", None)


@cache
def _loader(data_path: str | None) -> Any:
    # It keeps the description of S3, which takes most of the time that a client costs.
    from botocore import loaders

    return loaders.create_loader(data_path)
