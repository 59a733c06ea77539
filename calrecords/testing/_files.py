"""Files of a file-system store, served as the web server beside an archive serves them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from calrecords.testing._answers import Answer, FileBody, Request, not_found_page

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_TYPES = {".fz": "image/fits", ".fits": "image/fits", ".pdf": "application/pdf"}


def file_answer(root: Path, request: Request, path: str) -> Answer:
    """Return the file at a quoted slash path under a folder, or the part that is asked for.

    Hidden files and folders, and what lies outside the folder, are not found.
    """
    file = _inside(root, unquote(path))
    if file is None:
        return not_found_page()
    status = file.stat()
    size = status.st_size
    validator = f'"{status.st_mtime_ns:x}-{size:x}"'
    headers = (
        ("Content-Type", _TYPES.get(file.suffix, "application/octet-stream")),
        ("Accept-Ranges", "bytes"),
        ("ETag", validator),
    )
    wanted = request.headers.get("Range")
    if wanted is None or request.headers.get("If-Range") not in (None, validator):
        return Answer(200, FileBody(file, 0, size), headers)
    span = _span(wanted, size)
    if span is None:
        return Answer(200, FileBody(file, 0, size), headers)
    if not span:
        return Answer(416, b"", (*headers, ("Content-Range", f"bytes */{size}")))
    part = ("Content-Range", f"bytes {span.start}-{span.stop - 1}/{size}")
    return Answer(206, FileBody(file, span.start, len(span)), (*headers, part))


def _inside(root: Path, path: str) -> Path | None:
    names = [name for name in path.split("/") if name]
    if not names or "\0" in path or any(name.startswith(".") for name in names):
        return None
    file = root.joinpath(*names).resolve()
    if not file.is_relative_to(root.resolve()) or not file.is_file():
        return None
    return file


def _span(wanted: str, size: int) -> range | None:
    """Return the bytes that a Range header asks for; empty if there are none, None if unread."""
    match = _RANGE.fullmatch(wanted.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    return range(int(first), min(size, int(last) + 1) if last else size)
