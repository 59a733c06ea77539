"""Signatures of uploads that name the SHA-256 of their body, so that it is read only once.

botocore reads a body twice over plain http: once for the SHA-256 in the signature, once to
send it. Our uploads carry that very SHA-256 in ``x-amz-checksum-sha256``, and the body
breaks off if it is another (`VerifyingReader`). So it is signed as it is named: the request
is the same as botocore's, S3 refuses other bytes for the signature as well as for the
checksum, and nothing is left unsigned, which a store that ignores checksums would accept.
"""

from __future__ import annotations

import base64
from typing import Any

from botocore import auth

_NAME = "calrecords-s3v4"
_UPLOADS = ("PutObject", "UploadPart")


class NamedPayloadAuth(auth.S3SigV4Auth):
    """Signature version 4, with the body's SHA-256 taken from the request's own header."""

    def payload(self, request: Any) -> str:
        """Return the SHA-256 of the body, hexadecimal, or what botocore has in its place."""
        named = request.headers.get("x-amz-checksum-sha256")
        if named:
            return base64.b64decode(named).hex()
        signed: str = super().payload(request)
        return signed


def sign_named_payloads(client: Any) -> None:
    """Let a client sign uploads by the checksum that they name.

    Parameters
    ----------
    client : botocore.client.S3
        Changed; other operations, signature versions and presigned URLs stay as they are.
    """
    auth.AUTH_TYPE_MAPS.setdefault(_NAME, NamedPayloadAuth)
    for operation in _UPLOADS:
        client.meta.events.register_first(f"choose-signer.s3.{operation}", _choose)


def _choose(signature_version: Any = None, **_: Any) -> str | None:
    return _NAME if signature_version in ("s3v4", "v4") else None
