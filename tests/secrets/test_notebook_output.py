"""A notebook shows calrecords, its results and its errors, and no secret of its settings."""

import json
from urllib.parse import urlsplit

import nbclient
import nbformat
import pytest

from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.testing import ScienceArchive

CELLS = """
import logging
logging.basicConfig(level=logging.DEBUG)  # a traceback and a log are shown as well
---
import os, calrecords
cal = calrecords.connect()
cal
---
cal.settings
---
cal.settings.values()
---
cal.archive, cal.store, cal.cache
---
result = cal.ingest("frame.fits", is_master=True)
result
---
found = cal.lookup(result.frame_id)
found
---
vars(cal)
---
list(cal.archive.search())
---
cal.fetch(result.frame, source="archive")
---
cal.query()
---
report = cal.audit(grace=0)
report
---
cal.repair(report)
---
cal.lookup(4711)
---
cal.best({"site": "lsc", "camera": "fa01", "dateobs": "2026-01-01T00:00:00"}, "DARK")
---
calrecords.connect(db=os.environ["NO_SUCH_URL"])
---
print("the last cell")
"""
SIGNATURE = "canary-signature"


@pytest.mark.filterwarnings("default")  # of the notebook's own machinery
def test_nothing_that_a_notebook_shows_holds_a_secret(postgresql_server, tmp_path, monkeypatch):
    place = postgresql_server.migrated()
    write_synthetic_frame(tmp_path, basename="frame")
    url_for = f"http://127.0.0.1:9/{{}}?sig={SIGNATURE}"
    with ScienceArchive(url_for=lambda path, key: url_for.format(path)) as archive:
        for name, value in {
            "API_ROOT": archive.root,
            "AUTH_TOKEN": archive.token,
            "CALRECORDS_DB_URL": place,
            "CALRECORDS_CACHE_DIR": str(tmp_path / "cache"),
            "FILESYSTEM_STORAGE_ROOT_DIR": str(tmp_path / "store"),
            "NO_SUCH_URL": "postgresql://reader:canary-of-a-reader@127.0.0.1:1/records",
            "IPYTHONDIR": str(tmp_path / "ipython"),
        }.items():
            monkeypatch.setenv(name, value)
        cells = [nbformat.v4.new_code_cell(text.strip()) for text in CELLS.split("---\n")]
        notebook = nbformat.v4.new_notebook(cells=cells)
        client = nbclient.NotebookClient(
            notebook,
            timeout=120,
            kernel_name="python3",
            allow_errors=True,
            resources={"metadata": {"path": tmp_path}},
        )
        client.execute()
        password = urlsplit(place).password or "the server asks for none"
        secrets = (archive.token, password, SIGNATURE, "canary-of-a-reader")
    postgresql_server.drop(place)
    shown = [json.dumps(cell.outputs) for cell in cells]
    assert "the last cell" in shown[-1]
    failed = [n for n, text in enumerate(shown) if '"output_type": "error"' in text]
    assert failed == [9, 13, 14, 15], [shown[n] for n in failed]
    for secret in secrets:
        assert [text for text in shown if secret in text] == []
