"""The README's Python is run as it stands, on a real frame and a loopback archive."""

import json
import re
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

import calrecords
from calrecords.compat.ocs_ingester import close_connections
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.testing import ScienceArchive

TEXT = (Path(__file__).parents[1] / "README.md").read_text()
FRAME_ID = "276"


def blocks():
    heading = ""
    for match in re.finditer(
        r"^## ([^\n]+)$|^\*\*(.+?)\.\*\*|^```python\n(.*?)^```", TEXT, re.M | re.S
    ):
        if match[3]:
            yield heading, match[3]
        heading = match[1] or match[2] or heading


BLOCKS = dict(blocks())


@pytest.fixture
def at_home(tmp_path, monkeypatch, shared_data):
    shutil.copy(shared_data / "lco" / "bias_kb70_20151221_bin2x2.fits", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALRECORDS_DB_URL", str(tmp_path / "records.sqlite"))
    monkeypatch.setenv("CALRECORDS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("FILESYSTEM_STORAGE_ROOT_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("CALRECORDS_SPOOL_DIR", str(tmp_path / "spool"))
    with ScienceArchive(files=tmp_path / "store") as archive:
        monkeypatch.setenv("API_ROOT", archive.root)
        monkeypatch.setenv("AUTH_TOKEN", archive.token)
        yield archive


def test_the_readme_has_these_examples():
    assert list(BLOCKS) == [
        "For the astronomer",
        "Two archives in one process",
        "From the OCS ingester",
        "Tenacity around it",
        "Many files at once",
        "Many processes",
        "Documents, pictures and archives",
        "Bytes without a file",
        "What the archive has already",
        "Search the archive",
        "An older version of a frame",
        "The best calibration",
        "A bad frame, or a wrong fact",
        "What was made with a frame",
        "What an edit would change",
        "Another observatory's headers",
        "A pipeline's own tests",
    ]


def test_the_astronomers_example_runs(at_home, capsys):
    names = {}
    exec(BLOCKS["For the astronomer"], names)
    names["cal"].close()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"ingested {names['result'].frame_id}"
    assert names["path"].read_bytes() == Path("bias_kb70_20151221_bin2x2.fits").read_bytes()


def test_the_recipes_run(at_home, capsys):
    names = {"calrecords": calrecords, "n": "0" * 40, "s": "1" * 40}
    exec(BLOCKS["Two archives in one process"], names)
    assert names["north"].archive.root != names["south"].archive.root
    names["north"].close()
    names["south"].close()
    exec(BLOCKS["For the astronomer"], names)
    capsys.readouterr()
    recipe = BLOCKS["An older version of a frame"]
    exec(recipe.replace(FRAME_ID, str(names["result"].frame_id)), names)
    names["cal"].close()
    assert capsys.readouterr().out.split() == [names["frame"].version.md5, str(names["path"])]
    exec(BLOCKS["Another observatory's headers"], names)
    assert names["OurFitsFile"].__mro__[1] is names["FitsFile"]


def test_the_recipe_for_processes_runs(at_home):
    paths = [str(write_synthetic_frame(Path(), basename=f"bias-{n}", seed=n)) for n in range(4)]
    Path("work.py").write_text(
        "import json, multiprocessing, calrecords\n"
        f"paths = {paths}\n{BLOCKS['Many processes']}        print(json.dumps(frame_ids))\n"
    )
    done = subprocess.run([sys.executable, "work.py"], capture_output=True, check=False)
    assert done.stderr == b""
    named = {f"bias-{n}": frame_id for n, frame_id in enumerate(json.loads(done.stdout))}
    assert {frame["basename"]: frame["id"] for frame in at_home.frames()} == named


def test_the_recipe_for_choosing_runs(at_home, capsys):
    with calrecords.connect() as cal:
        names = {"cal": cal}
        exec(BLOCKS["The best calibration"], names)
    assert names["chosen"].frame == names["then"].frame == names["after"].frame
    assert names["before"].frame.filename == "bias-08.fits"
    assert names["needed"].is_complete is False
    assert list(names["table"]["caltype"]) == ["BIAS", "DARK"] * 3
    printed = capsys.readouterr().out
    assert "bias-11.fits 1 day, 0:00:00 bias" in printed
    assert "['bias-08.fits']" in printed


def test_the_recipes_for_judging_and_following_run(at_home, capsys):
    with calrecords.connect() as cal:
        frame_id = str(cal.ingest("bias_kb70_20151221_bin2x2.fits", is_master=True).frame_id)
        names = {"cal": cal}
        recipes = ("What was made with a frame", "What an edit would change")
        for recipe in ("A bad frame, or a wrong fact", *recipes):
            exec(BLOCKS[recipe].replace(FRAME_ID, frame_id), names)
        events = list(cal.history(int(frame_id))["kind"])
        assert events == ["recorded", "verdict", "validity", "correction"]
    printed = capsys.readouterr().out
    assert "bias_kb70_20151221_bin2x2 > cpt1m010-kb70-20151221-0120-e91" in printed
    assert "called bad, 0 of 1 recorded uses would change; 1 cannot be judged" in printed


def test_the_recipes_for_the_ocs_ingester_run(at_home, capsys):
    names = {}
    exec(BLOCKS["From the OCS ingester"], names)
    frame = at_home.frames()[0]
    assert capsys.readouterr().out.split() == [str(frame["id"]), frame["versions"][0]["md5"]]
    exec(BLOCKS["Tenacity around it"], names)
    assert names["ingest"]("bias_kb70_20151221_bin2x2.fits") is None
    close_connections()


def test_the_recipes_for_other_ways_in_run(at_home, capsys):
    path = Path("bias_kb70_20151221_bin2x2.fits")
    Path("summary.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    with calrecords.connect() as cal, path.open("rb") as fileobj:
        names = {"cal": cal, "paths": [path, "no.fits"], "fileobj": BytesIO(fileobj.read())}
        names["header"] = {**cal.open_file(path).header, "OBSTYPE": "LAMPFLAT"}
        exec(BLOCKS["Many files at once"], names)
        assert list(names["failures"]) == ["no.fits"]
        exec(BLOCKS["Documents, pictures and archives"], names)
        assert cal.get(basename="summary").obstype == "LAMPFLAT"
        exec(BLOCKS["Bytes without a file"], names)
        frame_id = str(cal.get(basename=path.stem).frame_id)
        exec(BLOCKS["What the archive has already"].replace(FRAME_ID, frame_id), names)
        assert names["frame"].frame_id == int(frame_id)
        capsys.readouterr()
        exec(BLOCKS["Search the archive"].replace(FRAME_ID, frame_id), names)
    assert capsys.readouterr().out.split()[0] == frame_id
