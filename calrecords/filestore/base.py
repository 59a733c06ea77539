"""What every file store promises, whatever keeps the bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, ClassVar

from calrecords.errors import ChecksumMismatchError, ConfigurationError
from calrecords.filestore.listing import Leftover, ListedFile
from calrecords.frames import CHUNK_BYTES, ContentDigest, HashBeside, StoredFile, digest_stream

URL_EXPIRES_S = 172_800
"""How long a signed URL is good for, in seconds: 48 h, as the Science Archive's are."""


class FileStore(ABC):
    """A place where bytes are kept under keys, each content as a version of its own.

    A store may be shared between threads. Keys are checked by `check_key` before anything
    is touched, so that every method that takes one may raise `UnsafeKeyError`. Every
    method may raise `FileStoreUnavailableError` (worth trying again), `FileStoreRefusedError`
    (a right is missing) and `ConfigurationError` (a setting is wrong).

    Attributes
    ----------
    kind : str
        What it is, for messages.
    keeps_versions : bool
        Whether the store itself numbers the versions of a key. Where it does not,
        ``version_key`` is the md5, as the Science Archive has it for local storage.
    """

    kind: ClassVar[str]
    keeps_versions: ClassVar[bool]

    @abstractmethod
    def check(self, *, for_archive: bool = False, again: bool = False) -> None:
        """Raise if this store cannot be used; cheap, and asked once for each store object.

        Parameters
        ----------
        for_archive : bool, optional
            Also check what only the Science Archive asks of a store: version keys of at
            most 32 characters.
        again : bool, optional
            Ask once more, though an earlier check went well.

        Raises
        ------
        ConfigurationError
            If a setting or the store is not as calrecords needs it.
        FileStoreUnavailableError
            If it cannot be reached.
        FileStoreRefusedError
            If it does not let us read and write.
        """

    @abstractmethod
    def put(
        self,
        key: str,
        source: BinaryIO,
        digest: ContentDigest,
        *,
        content_type: str = "",
        dateobs: datetime | None = None,
    ) -> StoredFile:
        """Keep what is left in `source` as a version of `key`, and return that version.

        All or nothing, in flat memory, durable on return. The same content already held
        under this key is returned as it is (see `find`). Errors of `source` itself pass
        unchanged, and leave nothing behind.

        Parameters
        ----------
        key : str
            Slash path inside the store.
        source : binary file
            Read from where it stands to its end.
        digest : ContentDigest
            What `source` is known to hold. Its SHA-256 is what the bytes are compared with.
        content_type : str, optional
            Media type, for stores that serve files themselves.
        dateobs : datetime, optional
            Start of the exposure, UTC; old frames may be kept in a cheaper storage class.

        Raises
        ------
        ChecksumMismatchError
            If the bytes read, or what the store says it has, are not those of `digest`;
            nothing is kept then.
        """

    @abstractmethod
    def publish(self, stored: StoredFile) -> None:
        """Make this version what readers find at its key; idempotent.

        Raises
        ------
        StoredFileNotFoundError
            If the store does not hold this version.
        """

    @abstractmethod
    def find(self, key: str, digest: ContentDigest) -> StoredFile | None:
        """Return the version of `key` with this content, published or not, or None.

        Clears away what a killed `put` of this key left behind.
        """

    @abstractmethod
    def stat(self, stored: StoredFile) -> StoredFile:
        """Return this version with its size and what else the store knows of it.

        Raises
        ------
        StoredFileNotFoundError
            If the store does not hold this version.
        """

    @abstractmethod
    def open(self, stored: StoredFile) -> AbstractContextManager[BinaryIO]:
        """Open exactly this version for reading, as a stream that cannot always seek.

        The bytes come as the store has them; `copy_to` is the one that verifies them.

        Raises
        ------
        StoredFileNotFoundError
            If the store does not hold this version.
        """

    @abstractmethod
    def delete(self, stored: StoredFile) -> None:
        """Remove exactly this version; nothing happens if it is not there."""

    @abstractmethod
    def url(self, stored: StoredFile, *, expires_s: int = URL_EXPIRES_S) -> str:
        """Return where a browser finds this version; it may be signed: never log or keep it.

        Parameters
        ----------
        stored : StoredFile
            The version.
        expires_s : int, optional
            Seconds that a signed URL is good for.

        Raises
        ------
        ConfigurationError
            If the store has no URL.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of connections; the store is not used after this."""

    def copy_to(self, stored: StoredFile, sink: BinaryIO) -> ContentDigest:
        """Write this version to `sink` and return what its bytes are, once verified.

        Raises
        ------
        StoredFileNotFoundError
            If the store does not hold this version.
        ChecksumMismatchError
            If the bytes are not those that `stored` names; `sink` holds them all the same.
        """
        with self.open(stored) as source:
            digest = digest_stream(source, sink=sink.write)
        check_digest(stored, digest)
        return digest

    def is_published(self, stored: StoredFile) -> bool:
        """Return whether this version is what readers find at its key.

        True here, for a store in which the newest version is found, or any by its name.
        """
        return True

    def put_anew(
        self,
        stored: StoredFile,
        source: BinaryIO,
        digest: ContentDigest,
        *,
        content_type: str = "",
        dateobs: datetime | None = None,
    ) -> StoredFile:
        """Put good bytes in the place of a version that is damaged, and return their version.

        A store that names versions by itself gives it another name, and may keep the damaged
        one beside it. The parameters are those of `put`.

        Raises
        ------
        ChecksumMismatchError
            As for `put`.
        """
        self.delete(stored)
        return self.put(stored.key, source, digest, content_type=content_type, dateobs=dateobs)

    def listed(self, prefix: str = "", *, after: str = "") -> Iterator[ListedFile]:
        """Yield every whole file under keys that begin so, key by key in an order of its own.

        Keys that no store of calrecords can hold are passed over: they are somebody else's.
        Override this, `leftovers`, `digest_of`, `remove` and `discard` together.

        Parameters
        ----------
        prefix : str, optional
            How the keys begin.
        after : str, optional
            Begin behind this key, which an earlier call gave.

        Raises
        ------
        ConfigurationError
            If this kind of store cannot be listed.
        """
        raise self.not_listed()

    def leftovers(self, prefix: str = "") -> Iterator[Leftover]:
        """Yield what was begun and not finished under keys that begin so, if nobody is seen at it.

        Raises
        ------
        ConfigurationError
            If this kind of store cannot be listed.
        """
        raise self.not_listed()

    def digest_of(self, listed: ListedFile) -> ContentDigest:
        """Read a listed file, and return what its bytes are.

        Raises
        ------
        StoredFileNotFoundError
            If it is gone.
        ConfigurationError
            If this kind of store cannot be listed.
        """
        raise self.not_listed()

    def remove(self, listed: ListedFile) -> bool:
        """Remove exactly this file; return whether it is gone, and not if it changed since.

        Raises
        ------
        ConfigurationError
            If this kind of store cannot be listed.
        """
        raise self.not_listed()

    def discard(self, leftover: Leftover) -> bool:
        """Remove what was never finished; return whether it is gone, and not if it lives.

        Raises
        ------
        ConfigurationError
            If this kind of store cannot be listed.
        """
        raise self.not_listed()

    def not_listed(self) -> ConfigurationError:
        """Return what to say where this kind of store cannot be listed."""
        msg = (
            f"{self!r} cannot be listed; give {type(self).__name__} the methods listed, "
            "leftovers, digest_of, remove and discard of FileStore"
        )
        return ConfigurationError(msg)


def check_digest(stored: StoredFile, digest: ContentDigest) -> None:
    """Raise if bytes are not those of a stored file, as far as that is known.

    Raises
    ------
    ChecksumMismatchError
        If md5, sha256 or size differ.
    """
    for name in ("sha256", "md5", "size"):
        expected, found = getattr(stored, name), getattr(digest, name)
        if expected is not None and expected != found:
            msg = (
                f"the file store's {stored.key}, version {stored.version_key}, has {name} {found} "
                f"instead of {expected}; its bytes are damaged or are another file's"
            )
            raise ChecksumMismatchError(msg)


def copy_checked(
    key: str,
    source: BinaryIO,
    digest: ContentDigest,
    sink: Callable[[bytes], object] | None = None,
) -> None:
    """Read what is left in a source, in flat memory, and raise unless it is what was said.

    Only the SHA-256 is made anew: bytes that have it are those that the digest is of, and
    an MD5 would cost more than twice as much time again.

    Parameters
    ----------
    key : str
        For messages.
    source : binary file
        Read from where it stands to its end.
    digest : ContentDigest
        What it must hold.
    sink : callable, optional
        Given each chunk of bytes in turn.

    Raises
    ------
    ChecksumMismatchError
        If the bytes differ; `sink` was given them all the same.
    """
    size = 0
    with HashBeside("sha256") as sha256:
        while chunk := source.read(CHUNK_BYTES):
            sha256.update(chunk)
            size += len(chunk)
            if sink is not None:
                sink(chunk)
        check_source(key, digest, sha256=sha256.hexdigest(), size=size)


def check_source(key: str, digest: ContentDigest, *, sha256: str, size: int) -> None:
    """Raise if a source did not hold what it was said to hold.

    Raises
    ------
    ChecksumMismatchError
        If checksum or length differ.
    """
    if (sha256, size) != (digest.sha256, digest.size):
        msg = (
            f"the bytes given for {key} have sha256 {sha256} and {size} bytes instead "
            f"of {digest.sha256} and {digest.size}; nothing was stored; the source changed "
            "since it was examined, so ingest it anew"
        )
        raise ChecksumMismatchError(msg)
