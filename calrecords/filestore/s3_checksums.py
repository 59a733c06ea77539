"""What S3's answers say of the bytes that it has."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Any

from calrecords.frames import ContentDigest

_MD5 = re.compile(r"[0-9a-f]{32}")
_IN_PARTS = re.compile(r"-[0-9]+$")


def base64_of(digest: ContentDigest) -> str:
    """Return the SHA-256 in the spelling of S3's checksum headers."""
    return base64.b64encode(bytes.fromhex(digest.sha256)).decode("ascii")


def composite_of(digests: Sequence[bytes]) -> str:
    """Return what S3 calls the checksum of an object in parts.

    It is the SHA-256 of the parts' SHA-256, one after the other, and how many they are [1]_.

    Parameters
    ----------
    digests : sequence of bytes
        SHA-256 of each part, 32 bytes each.

    References
    ----------
    .. [1] https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """
    whole = hashlib.sha256(b"".join(digests)).digest()
    return f"{base64.b64encode(whole).decode('ascii')}-{len(digests)}"


def check_head(head: dict[str, Any]) -> None:
    """Make sure that an answer says what every answer of S3 to HEAD says.

    Raises
    ------
    LookupError
        If it lacks a length or metadata.
    ValueError
        If its checksum cannot be read.
    """
    _ = head["ContentLength"], head["Metadata"]
    checksum = whole_checksum(head)
    if checksum is not None:
        hexadecimal(checksum)


def hexadecimal(checksum: str) -> str:
    """Return a checksum, as S3 spells it, in hexadecimal digits.

    Raises
    ------
    ValueError
        If it is none.
    """
    return base64.b64decode(checksum, validate=True).hex()


def whole_checksum(head: dict[str, Any]) -> str | None:
    """Return the SHA-256 of a whole object, base64, where an answer of S3 has it."""
    checksum = head.get("ChecksumSHA256")
    return checksum if checksum and not _is_composite(checksum, head) else None


def _is_composite(checksum: str, head: dict[str, Any]) -> bool:
    # Some stores leave out the "-3" of a checksum, but none that of an ETag.
    return (
        "-" in checksum
        or head.get("ChecksumType") == "COMPOSITE"
        or _IN_PARTS.search(head.get("ETag", "").strip('"')) is not None
    )


def etag_md5(head: dict[str, Any]) -> str | None:
    """Return the MD5 of an object, hexadecimal, where its ETag is one."""
    # Objects in parts, or encrypted with keys of KMS or the customer, have other ETags.
    etag = head.get("ETag", "").strip('"')
    encrypted = head.get("SSECustomerAlgorithm") or "kms" in head.get("ServerSideEncryption", "")
    return etag if _MD5.fullmatch(etag) and not encrypted else None


def says(
    head: dict[str, Any], digest: ContentDigest, *, trust_metadata: bool = True
) -> bool | None:
    """Return whether S3 says that an object has these bytes; None where it cannot say."""
    if head["ContentLength"] != digest.size:
        return False
    if head.get("ChecksumSHA256") == base64_of(digest):
        return True
    if whole_checksum(head) is not None:
        return False
    md5 = etag_md5(head)
    if md5 is not None:
        return md5 == digest.md5
    sha256 = head["Metadata"].get("sha256")
    return sha256 == digest.sha256 if sha256 and trust_metadata else None


def says_of_parts(head: dict[str, Any], size: int, composite: str) -> bool | None:
    """Return whether S3 says that an object is of these parts; None where it cannot say.

    Parameters
    ----------
    head : dict
        S3's answer to a question about the object.
    size : int
        Length of the whole, in bytes.
    composite : str
        Checksum of the parts, as `composite_of` gives it.
    """
    if head["ContentLength"] != size:
        return False
    checksum = head.get("ChecksumSHA256")
    return is_same_composite(checksum, composite) if checksum else None


def is_same_composite(checksum: str, composite: str) -> bool:
    """Whether a store's checksum of an object in parts is ours; some leave out the "-3"."""
    return checksum in (composite, composite.partition("-")[0])
