"""Every notebook runs from its first cell to its last, and is stored without output."""

from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
SAID = {
    "choosing-calibrations": [
        "19 recorded",
        "lsc-fa01-20260309-skyflat-rp.fits.fz by rule skyflat",
        "filter: none of the 5 frames left has ip; there is gp, rp",
        "missing BPM",
        "now:    lsc-fa01-20260313-skyflat-rp.fits.fz",
        "before: lsc-fa01-20260309-skyflat-rp.fits.fz",
        "streaks of twilight clouds",
        "stale after 2 d",
        "did you mean 'binning'?",
    ],
    "first-steps": ["already there", "new version"],
}
"""What each notebook must say when it runs."""


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == list(SAID)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_output(path):
    cells = nbformat.read(path, as_version=4).cells
    assert [cell.outputs for cell in cells if cell.cell_type == "code" and cell.outputs] == []


@pytest.mark.filterwarnings("default")  # of the notebook's own machinery
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    printed = "\n".join(out.get("text") or out["data"]["text/plain"] for out in outputs)
    assert [said for said in SAID[path.stem] if said not in printed] == []
