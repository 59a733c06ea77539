"""What S3's answers say of the bytes that it has."""

from __future__ import annotations

import base64
import re
from typing import Any

from calrecords.frames import ContentDigest

_MD5 = re.compile(r"[0-9a-f]{32}")


def base64_of(digest: ContentDigest) -> str:
    """Return the SHA-256 in the spelling of S3's checksum headers."""
    return base64.b64encode(bytes.fromhex(digest.sha256)).decode("ascii")


def whole_checksum(head: dict[str, Any]) -> str | None:
    """Return the SHA-256 of a whole object, base64, where an answer of S3 has it."""
    # Of an object in parts, S3 says the checksum of the parts' checksums: "...-3".
    checksum = head.get("ChecksumSHA256")
    return checksum if checksum and "-" not in checksum else None


def etag_md5(head: dict[str, Any]) -> str | None:
    """Return the MD5 of an object, hexadecimal, where its ETag is one."""
    # Objects in parts, or encrypted with keys of KMS or the customer, have other ETags.
    etag = head["ETag"].strip('"')
    encrypted = head.get("SSECustomerAlgorithm") or "kms" in head.get("ServerSideEncryption", "")
    return etag if _MD5.fullmatch(etag) and not encrypted else None


def says(
    head: dict[str, Any], digest: ContentDigest, *, trust_metadata: bool = True
) -> bool | None:
    """Return whether S3 says that an object has these bytes; None where it cannot say."""
    if head["ContentLength"] != digest.size:
        return False
    checksum = whole_checksum(head)
    if checksum is not None:
        return checksum == base64_of(digest)
    md5 = etag_md5(head)
    if md5 is not None:
        return md5 == digest.md5
    sha256 = head["Metadata"].get("sha256")
    return sha256 == digest.sha256 if sha256 and trust_metadata else None
