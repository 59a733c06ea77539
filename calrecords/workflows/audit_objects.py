"""What the file store holds that nobody refers to, and what was never finished in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any

from calrecords.errors import StoredFileNotFoundError
from calrecords.filestore import FileStore, Leftover, ListedFile
from calrecords.records import JournalRow, ObjectRow
from calrecords.vocabulary import split_filename
from calrecords.workflows.audit_asking import find_named
from calrecords.workflows.audit_faults import FaultKind, Finding, NoticeKind
from calrecords.workflows.audit_question import AuditDepth
from calrecords.workflows.audit_steps import AuditGround, Part, Step

PROBES = ("calrecords-doctor/", "calrecords-probe/")
"""Where calrecords tries a store with small files, which a killed process may leave."""

_FOLDERS = 2
_PROBING = timedelta(minutes=1)
_PAGE = 500


class ObjectsPart(Part):
    """Looks through the store for what no record, no ingestion and no archive refers to."""

    def why_not(self) -> str | None:
        """Return why the store cannot be looked through."""
        store = self.ground.store
        if type(store).listed is FileStore.listed:
            return str(store.not_listed())
        return None

    def steps(self, cursor: Any) -> Iterator[Step]:
        """Yield a step for each page of files.

        Raises
        ------
        FileStoreError
            If the store cannot be reached, or a right is missing.
        ArchiveError
            If the archive cannot be asked whether it refers to a file.
        """
        at = cursor or {}
        if "leftovers" in at:
            return
        prefixes = self._prefixes()
        for prefix in prefixes:
            if prefix < at.get("prefix", ""):
                continue
            after = at.get("after", "") if prefix == at.get("prefix") else ""
            for page in _pages(self.ground.store.listed(prefix, after=after)):
                yield self._step({"prefix": prefix, "after": page[-1].key}, page)
        yield self._leftovers(prefixes)

    def _prefixes(self) -> list[str]:
        """Return how the keys begin that are looked through, none within another."""
        question, scope = self.ground.question, self.ground.question.scope
        found = self.ground.reads.folders(_FOLDERS) | set(PROBES)
        if question.ours and scope.site is not None:
            found.add(f"{scope.site}/" if scope.camera is None else f"{scope.site}/{scope.camera}/")
        elif question.ours and scope.camera is None:
            return [""]
        kept: list[str] = []
        for prefix in sorted(found):
            if not kept or not prefix.startswith(kept[-1]):
                kept.append(prefix)
        return kept

    def _step(self, cursor: Any, page: Sequence[ListedFile]) -> Step:
        ground = self.ground
        settled = [one for one in page if self._is_settled(one)]
        known = Known.of(ground, settled)
        findings, notices = [], []
        for one in settled:
            if known.refers_to(one):
                continue
            if not self._is_ours(one.key, known) or self._is_outside(one):
                notices.append((NoticeKind.FILES_OF_OTHERS, one.key))
            elif ground.archive is None and ground.reads.archive_root() is not None:
                notices.append((NoticeKind.ARCHIVE_NEEDED, one.key))
            elif not is_archived(ground, one) and not Known.of(ground, [one]).refers_to(one):
                findings.append(self._unknown(one))
        return Step(
            cursor=cursor,
            examined=len(page),
            findings=tuple(findings),
            notices=tuple(notices),
        )

    def _is_settled(self, one: ListedFile) -> bool:
        """Return whether a file is old enough to be judged; no journal knows who probes."""
        is_probe = one.key.startswith(PROBES)
        probed = one.modified + (_PROBING if is_probe else timedelta())
        return self.ground.is_settled(one.modified) and probed < self.ground.clock()

    def _is_ours(self, key: str, known: Known) -> bool:
        is_claimed = self.ground.question.ours or key.startswith(PROBES)
        return is_claimed or key in known.keys

    def _is_outside(self, one: ListedFile) -> bool:
        since = self.ground.question.scope.since
        return since is not None and one.modified < since

    def _unknown(self, one: ListedFile) -> Finding:
        store = self.ground.store
        version = one.version_key or one.sha256
        which = "published by another tool" if version is None else f"version {version}"
        return self.ground.finding(
            FaultKind.OBJECT_UNKNOWN,
            one.key,
            f"{one.size} bytes, {which}, written {one.modified:%Y-%m-%dT%H:%M:%SZ}; neither "
            "records, nor ingestions, nor the archive refer to it",
            {
                "key": one.key,
                "version_key": one.version_key,
                "sha256": one.sha256,
                "size": one.size,
                "modified": one.modified.isoformat(),
                "store": repr(store),
            },
        )

    def _leftovers(self, prefixes: Sequence[str]) -> Step:
        ground = self.ground
        found = [one for one in ground.store.leftovers() if ground.is_settled(one.began)]
        rows = ground.journal.of_names({basename_of(one.key) for one in found})
        live = {row.key for row in rows if row.is_live}
        names = {basename_of(one.key) for one in found}
        keys = {row.key for row in rows} | {row.key for row in ground.journal.objects(names)}
        findings, notices = [], []
        for one in found:
            if one.key in live or not (one.key == "" or one.key.startswith(tuple(prefixes))):
                continue
            if one.key not in keys and one.key != "" and not ground.question.ours:
                notices.append((NoticeKind.FILES_OF_OTHERS, one.key))
            elif one in list(ground.store.leftovers(one.key)):  # seen twice
                findings.append(self._unfinished(one))
        return Step(
            cursor={"leftovers": True},
            examined=len(found),
            findings=tuple(findings),
            notices=tuple(notices),
        )

    def _unfinished(self, one: Leftover) -> Finding:
        return self.ground.finding(
            FaultKind.UPLOAD_UNFINISHED,
            one.key or one.name,
            f"{one.kind} {one.name}, begun {one.began:%Y-%m-%dT%H:%M:%SZ} and never finished",
            {
                "kind": str(one.kind),
                "key": one.key,
                "name": one.name,
                "began": one.began.isoformat(),
                "store": repr(self.ground.store),
            },
        )


@dataclass(frozen=True, slots=True)
class Known:
    """What records and ingestions know of some files.

    Attributes
    ----------
    ground : AuditGround
        Where they are.
    rows : list of JournalRow
        Ingestions of these names.
    objects : list of ObjectRow
        Recorded versions of these names or version keys.
    """

    ground: AuditGround
    rows: Sequence[JournalRow]
    objects: Sequence[ObjectRow]

    @classmethod
    def of(cls, ground: AuditGround, files: Collection[ListedFile]) -> Known:
        """Return what is known of files; the ingestions are asked for first.

        An ingestion that ends meanwhile is found as a record then.
        """
        names = {basename_of(one.key) for one in files}
        versions = {one.version_key for one in files if one.version_key is not None}
        rows = ground.journal.of_names(names)
        return cls(ground, rows, ground.journal.objects(names, versions))

    @property
    def keys(self) -> set[str | None]:
        """The keys that these names are or were stored under."""
        return {*(row.key for row in self.rows), *(row.key for row in self.objects)}

    def refers_to(self, one: ListedFile, md5: str | None = None) -> bool:
        """Return whether a record refers to a file, or an ingestion may still come to it.

        Parameters
        ----------
        one : ListedFile
            The file.
        md5 : str, optional
            What its bytes are, where that is known already.
        """
        if any(row.is_unfinished and row.key == one.key for row in self.rows):
            return True
        if any(self._is_of_lost_record(row, one) for row in self.rows):
            return True
        if one.version_key is not None:
            return any(row.version_key == one.version_key for row in self.objects)
        return self._has_its_bytes(one, md5)

    def _is_of_lost_record(self, row: JournalRow, one: ListedFile) -> bool:
        """Return whether a file may be all that is left of a frame that was recorded once."""
        if not row.is_recorded or row.key != one.key:
            return False
        if any(_is_recorded_as(row, known) for known in self.objects):
            return False
        if one.version_key is not None:
            return row.version_key == one.version_key
        return one.sha256 in {None, row.sha256}

    def _has_its_bytes(self, one: ListedFile, md5: str | None) -> bool:
        """Return whether the bytes of a file are those of a record of this name."""
        name = basename_of(one.key)
        unsure = []
        for row in self.objects:
            if row.basename != name:
                continue
            if None not in {row.sha256, one.sha256}:
                if row.sha256 == one.sha256:
                    return True
            elif row.size in {None, one.size} and (row.md5 or row.version_key):
                unsure.append(row)
        is_quick = md5 is None and self.ground.question.depth is AuditDepth.QUICK
        if not unsure or is_quick:
            return bool(unsure)
        try:
            found = md5 or self.ground.store.digest_of(one).md5
        except StoredFileNotFoundError:
            return True  # it is gone, and nothing is wrong with that
        return any((row.md5 or row.version_key) == found for row in unsure)


def _is_recorded_as(row: JournalRow, known: ObjectRow) -> bool:
    """Return whether a record is of what was ingested, and says so in full."""
    is_same = (known.basename, known.md5) == (row.basename, row.md5)
    return is_same and known.sha256 in {None, row.sha256}


def basename_of(key: str) -> str:
    """Return the name of the frame whose file is stored under a key."""
    return split_filename(key)[0]


def is_archived(ground: AuditGround, one: ListedFile) -> bool:
    """Return whether the archive refers to a file; False where there is none to ask.

    Raises
    ------
    ArchiveError
        If it cannot be asked.
    FileStoreError
        If the file has to be read for it, and cannot be.
    """
    name = basename_of(one.key)
    if ground.archive is None or not name:
        return False
    frame = find_named(ground.archive, name)
    if frame is None or not frame.versions:
        return False
    if one.version_key is not None:
        return any(version.version_key == one.version_key for version in frame.versions)
    try:
        digest = ground.store.digest_of(one)
    except StoredFileNotFoundError:
        return True
    return frame.version_with(digest.md5) is not None


def _pages(files: Iterable[ListedFile]) -> Iterator[list[ListedFile]]:
    """Yield files in pages that end where a key does, so that one can go on behind it."""
    page: list[ListedFile] = []
    for one in chain(files, (None,)):
        if page and (one is None or (len(page) >= _PAGE and one.key != page[-1].key)):
            yield page
            page = []
        if one is not None:
            page.append(one)
