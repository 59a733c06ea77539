"""Whether the local copies are what they are called, and whether anything is left half-written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from calrecords.workflows.audit_faults import FaultKind, Finding
from calrecords.workflows.audit_question import AuditDepth
from calrecords.workflows.audit_steps import Part, Step
from calrecords.workflows.cache_files import CachedFile, is_whole, stray_files

_MANY = 50


class CachePart(Part):
    """Looks at every file of the cache; reads it whole if that is asked for."""

    def steps(self, cursor: Any) -> Iterator[Step]:
        """Yield a step for each few files."""
        at = cursor or {}
        if "done" in at:
            return
        after = at.get("after", "")
        files = sorted(self.ground.cache.files(), key=lambda file: str(file.path))
        left = [file for file in files if str(file.path) > after]
        for start in range(0, len(left), _MANY):
            some = left[start : start + _MANY]
            findings = tuple(self._damaged(some))
            yield Step(cursor={"after": str(some[-1].path)}, examined=len(some), findings=findings)
        yield Step(cursor={"done": True}, findings=tuple(self._strays()))

    def _damaged(self, files: Sequence[CachedFile]) -> Iterator[Finding]:
        for file in files:
            said = self._fault_of(file)
            if said is not None and file.path.exists():
                yield self.ground.finding(
                    FaultKind.CACHED_FILE_DAMAGED,
                    file.filename,
                    f"{file.path}: {said}",
                    {"path": str(file.path), "md5": file.md5},
                )

    def _fault_of(self, file: CachedFile) -> str | None:
        sizes = {frame.version.size for frame in self.ground.database.with_md5(file.md5)} - {None}
        if sizes and file.size not in sizes:
            return f"{file.size} bytes long, and {', '.join(map(str, sizes))} are recorded"
        is_read = self.ground.question.depth is AuditDepth.FULL
        if is_read and not is_whole(file):
            return f"its md5 is not {file.md5}, which its folder is named after"
        return None

    def _strays(self) -> Iterator[Finding]:
        for path in stray_files(self.ground.cache.folder):
            try:
                began = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            except OSError:
                continue
            if self.ground.is_settled(began):
                yield self.ground.finding(
                    FaultKind.CACHED_FILE_UNFINISHED,
                    path.name,
                    f"{path}: half-written since {began:%Y-%m-%dT%H:%M:%SZ}, and nobody is at it",
                    {"path": str(path), "began": began.isoformat()},
                )
