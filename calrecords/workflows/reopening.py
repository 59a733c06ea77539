"""Failed ingestions that can go on after all: their bytes turn up in the file store."""

from __future__ import annotations

import logging

from calrecords.errors import DataFileNotFoundError, FileStoreError
from calrecords.filestore import FileStore
from calrecords.frames import Ingestion
from calrecords.records import Journal

log = logging.getLogger(__name__)


def reopen_what_is_stored(journal: Journal, store: FileStore, basename: str | None = None) -> None:
    """Make ingestions unfinished again that failed for want of bytes which the store has now.

    A source may be gone while a store is away, for example a network folder that was not
    mounted yet when `resume` ran.

    Parameters
    ----------
    journal : Journal
        Where they failed.
    store : FileStore
        Where their bytes may be.
    basename : str, optional
        Only those of this frame.
    """
    for failed in journal.failed():
        if failed.error != DataFileNotFoundError.__name__ or basename not in {
            None,
            failed.basename,
        }:
            continue
        if _is_held(store, failed):
            log.info("%s: its bytes are in the file store, so it goes on", failed.path)
            journal.reopen(failed.id)


def _is_held(store: FileStore, failed: Ingestion) -> bool:
    try:
        return store.find(failed.key, failed.digest) is not None
    except FileStoreError as error:
        log.warning("%s: the file store cannot be asked for it: %s", failed.path, error)
        return False
