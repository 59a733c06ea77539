"""Where bytes are kept, behind one promise: whole, verified, and each version for itself.

`FileStore` says what every store promises; `FileSystemStore` keeps files in a folder,
`S3Store` objects in a versioned bucket, `DummyStore` nothing at all. The stores are
loaded when they are first named, so that boto3 costs nothing where it is not used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from calrecords.filestore.base import FileStore
from calrecords.filestore.keys import check_key
from calrecords.filestore.listing import Leftover, LeftoverKind, ListedFile

if TYPE_CHECKING:
    from calrecords.filestore.dummy import DummyStore
    from calrecords.filestore.file_system import FileSystemStore
    from calrecords.filestore.s3 import S3Store, make_s3_client

__all__ = [
    "DummyStore",
    "FileStore",
    "FileSystemStore",
    "Leftover",
    "LeftoverKind",
    "ListedFile",
    "S3Store",
    "check_key",
    "make_s3_client",
]

_LAZY = {
    "DummyStore": "dummy",
    "FileSystemStore": "file_system",
    "S3Store": "s3",
    "make_s3_client": "s3",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
