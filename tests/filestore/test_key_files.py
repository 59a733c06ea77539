"""The files of one key, where the file system does not do all that is asked of it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from calrecords.filestore import FileSystemStore

KEY = "a/b.fits"
PROTECTED = Path("/proc/sys/fs/protected_hardlinks")

# Linux lets nobody link to another user's file that he may not write: so links are refused.
PUBLISH_AS_NOBODY = """
import io, os, sys
from pathlib import Path
from calrecords.filestore import FileSystemStore
from calrecords.frames import digest_stream
os.umask(0)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
store = FileSystemStore(Path(sys.argv[1]))
for data in (b"first", b"second", b"second"):
    stored = store.find("a/b.fits", digest_stream(io.BytesIO(data)))
    store.publish(stored)
    print((store.root / "a/b.fits").read_text(), (store.root / "a/b.fits").stat().st_nlink)
store.delete(stored)
print((store.root / "a/b.fits").exists())
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or not PROTECTED.exists() or PROTECTED.read_text().strip() != "1",
    reason="needs root, to act as two users, on Linux with fs.protected_hardlinks = 1",
)
def test_copies_where_links_are_impossible(put, files_below):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        store = FileSystemStore(Path(folder) / "store")
        first, _ = put(store, KEY, b"first"), put(store, KEY, b"second")
        for path in (store.root, *store.root.rglob("*")):
            if path.is_dir():
                path.chmod(0o777)
        result = subprocess.run(
            [sys.executable, "-c", PUBLISH_AS_NOBODY, str(store.root)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (result.stdout, result.stderr) == ("first 1\nsecond 1\nsecond 1\nFalse\n", "")
        assert files_below(store.root) == [f".calrecords/versions/{KEY}/{first.sha256}"]
