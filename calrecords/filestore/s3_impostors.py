"""Answers that others give in S3's place: a login page, a proxy, another server.

botocore reads a page as an answer that says nothing, so that a file would be taken for
damaged; and where it is sent on to a login page, it asks for the bucket's region, is sent on
again, and so forth.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError

_NOT_MODIFIED = 304
_OF_OBJECTS = frozenset({"GetObject", "HeadObject"})


class NotFromS3Error(BotoCoreError):
    """Something else than S3 has answered."""

    fmt = "Something else than S3 has answered"


def refuse_impostors(client: Any) -> None:
    """Let a client refuse what cannot be an answer of S3, before anything is made of it.

    Parameters
    ----------
    client : botocore.client.S3
        Changed.
    """
    client.meta.events.register_first("before-parse.s3", _refuse)


def _refuse(operation_model: Any, response_dict: Any, **_: Any) -> None:
    status, headers, body = (response_dict[name] for name in ("status_code", "headers", "body"))
    if status < 300 and operation_model.name in _OF_OBJECTS:
        is_page = "html" in headers.get("content-type", "").lower() and "etag" not in headers
    elif status < 300:  # some stores say "text/html" of whatever they answer
        is_page = _begins(body, b"<!doctype", b"<html")
    elif status < 400 and status != _NOT_MODIFIED:
        is_page = "x-amz-bucket-region" not in headers and not _begins(body, b"<?xml", b"<error")
    else:
        is_page = False
    if is_page:
        if hasattr(body, "close"):
            body.close()
        raise NotFromS3Error


def _begins(body: Any, *starts: bytes) -> bool:
    return isinstance(body, bytes) and body[:64].lstrip().lower().startswith(starts)
