import json
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from calrecords.cli import exit_codes
from calrecords.cli.app import calrecords
from calrecords.workflows.cache_locks import only_one
from calrecords.workflows.results import IngestStep

README = Path(__file__).parents[2] / "README.md"
GROUPS = {
    "db": ["upgrade", "downgrade", "current", "check"],
    "config": ["show"],
    "rules": ["check", "show", "test"],
    "cache": ["list", "where", "verify", "evict"],
    "override": ["set", "list", "withdraw"],
}


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def commands():
    for verb in calrecords.list_commands(None):
        yield [verb]
        yield from ([verb, part] for part in GROUPS.get(verb, []))


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_verb_has_help_that_says_what_exit_codes_mean(words, run):
    done = run(*words, "--help")
    assert done.code == exit_codes.OK
    assert done.out.startswith(f"Usage: calrecords {' '.join(words)}")
    assert "Exit codes: 0 done" in done.out


def test_every_verb_is_in_the_readme():
    text = README.read_text()
    missing = [verb for verb in calrecords.list_commands(None) if f"calrecords {verb}" not in text]
    assert missing == []


def test_an_unknown_verb_is_wrong_usage(run):
    done = run("injest")
    assert (done.code, "injest" in done.err) == (exit_codes.USAGE, True)


def test_a_frame_goes_in_and_comes_out(run, archive, make_frame, tmp_path):
    bias, dark = make_frame(obstype="BIAS"), make_frame(obstype="DARK", exposure_time=300.0)
    done = run("ingest", "--master", bias, dark)
    assert (done.code, done.err) == (exit_codes.OK, "")
    assert done.out.splitlines() == [
        f"{bias}: ingested, frame ID 1",
        f"{dark}: ingested, frame ID 2",
    ]
    again = run("ingest", "--master", bias, "--json")
    [result] = again.json
    assert (result["outcome"], result["frame_id"], result["error"]) == ("already there", 1, None)
    assert result["frame"]["binning"] == "2x2"

    rows = run("query", "--obstype", "dark", "--json").json
    assert [(row["frame_id"], row["filename"], row["exposure_time"]) for row in rows] == [
        (2, dark.name, 300.0)
    ]
    listed = run("query", "--start", "2020-01-01", "--end", "2030-01-01").out.splitlines()
    assert [line.split()[1] for line in listed[2:]] == [bias.name, dark.name] or [
        line.split()[1] for line in listed[2:]
    ] == [dark.name, bias.name]

    shown = run("show", "1", "--json").json
    assert (shown["filename"], shown["is_master"]) == (bias.name, True)
    assert shown == run("show", bias.name, "--json").json
    assert [one["version"] for one in run("show", "1", "--versions", "--json").json] == [
        shown["version"]
    ]
    assert shown["version"]["md5"] in run("show", "1").out

    fetched = run("fetch", "1", dark.name, "--output", tmp_path / "out")
    paths = [Path(line) for line in fetched.out.splitlines()]
    assert [path.read_bytes() for path in paths] == [bias.read_bytes(), dark.read_bytes()]
    assert [path.parent for path in paths] == [tmp_path / "out"] * 2
    assert run("fetch", "1", "--from", "archive", "--json").json[0]["error"] is None


def test_one_bad_file_does_not_keep_the_others_from_their_outcome(run, archive, make_frame):
    good = make_frame()
    done = run("ingest", "--master", "nowhere.fits", good, "--json")
    assert done.code == exit_codes.NOT_FOUND
    assert [(Path(r["path"]).name, r["outcome"]) for r in done.json] == [
        ("nowhere.fits", "failed"),
        (good.name, "ingested"),
    ]
    assert done.json[0]["error"]["error"] == "DataFileNotFoundError"


# Root may read anything, so a process without any right tries it; it has all modules by then.
AS_NOBODY = """
import os, sys
from calrecords.cli.app import main
def register(place, *paths):
    os.environ["CALRECORDS_DB_URL"] = f"{place}.sqlite"
    os.environ["FILESYSTEM_STORAGE_ROOT_DIR"] = f"{place}.store"
    try:
        main(["register", *paths])
    except SystemExit as ended:
        return ended.code
good, closed = sys.argv[1:]
assert register("warm", good) == 0
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.exit(register("records", closed, good))
"""


def test_a_file_that_may_not_be_read_does_not_keep_the_others_from_their_outcome(
    make_frame, environment
):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        good, closed = (
            Path(shutil.copy(make_frame(obstype="BPM", basename=name), folder))
            for name in ("good", "closed")
        )
        closed.chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(good), str(closed)],
            cwd=folder,
            env={**environment, "HOME": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    said = f"cannot read {closed}: Permission denied; check its rights and its disk"
    assert done.stderr == f"{closed}: failed: {said}\n"
    assert (done.returncode, done.stdout) == (exit_codes.NOT_FOUND, f"{good}: registered\n" * 2)


def test_several_workers_give_each_file_its_own_outcome(run, archive, make_frame):
    paths = [make_frame(basename=f"bias-{n}", seed=n) for n in range(5)]
    done = run("ingest", "--workers", "4", *paths, "nowhere.fits", "--json")
    assert done.code == exit_codes.NOT_FOUND
    assert [(Path(r["path"]).name, r["outcome"]) for r in done.json] == [
        *((path.name, "ingested") for path in paths),
        ("nowhere.fits", "failed"),
    ]
    assert run("ingest", "--workers", "0", paths[0]).code == exit_codes.USAGE


def test_what_the_archive_has_is_adopted_and_fetched(run, archive, make_frame, tmp_path):
    path = make_frame()
    run("ingest", "--master", path, "--db", tmp_path / "elsewhere.sqlite")
    done = run("adopt", "1", "--metadata", "FILTER=rp", "4711")
    assert done.code == exit_codes.NOT_FOUND
    assert done.out == f"{path.name}: adopted, frame ID 1\n"
    assert "frame 4711: failed" in done.err
    assert run("adopt", "1", "--json").json[0]["outcome"] == "already there"
    shown = run("show", "1", "--json").json
    assert (shown["filter"], shown["version"]["size"]) == ("rp", None)
    assert Path(run("fetch", "1").out.strip()).read_bytes() == path.read_bytes()
    assert run("show", "1", "--json").json["version"]["size"] == path.stat().st_size


def test_the_cache_is_listed_verified_and_emptied(run, make_frame, tmp_path):
    masks = [make_frame(obstype="BPM", basename=f"mask-{n}", seed=n) for n in range(3)]
    run("register", "--master", *masks)
    cached = [Path(line) for line in run("fetch", *(m.name for m in masks)).out.splitlines()]
    assert run("cache", "where").out == f"{tmp_path / 'cache'}\n"
    assert [file["path"] for file in run("cache", "list", "--json").json] == list(map(str, cached))
    assert run("cache", "list").out.splitlines()[-1].startswith("3 files, ")
    cached[0].write_bytes(b"damaged")
    verified = run("cache", "verify")
    assert (verified.code, verified.out) == (exit_codes.FAILED, "3 files, 1 damaged\n")
    assert verified.err == f"{cached[0]}: damaged, and removed\n"
    cached[0].mkdir(parents=True)
    verified = run("cache", "verify")
    assert (verified.code, verified.out) == (exit_codes.FAILED, "3 files, 1 damaged\n")
    assert verified.err.endswith(f"{cached[0]}: damaged, and still there\n")
    cached[0].rmdir()
    assert run("cache", "verify", "--json").json == {"files": 2, "damaged": []}
    assert run("cache", "evict", "mask-1").out.startswith("1 files removed")
    assert run("cache", "evict", "--to", "much").code == exit_codes.USAGE
    assert run("cache", "evict").code == exit_codes.USAGE
    assert run("cache", "evict", "--to", "1GB", "--json").json == []
    [left] = [path for path in cached if path.is_file()]
    with only_one(left, 0):
        held = run("cache", "evict", "--all")
    assert (held.code, held.out) == (exit_codes.TRY_LATER, "0 files removed, 0 bytes\n")
    assert held.err.startswith(f"{left.stat().st_size} bytes too many stay")
    assert len(run("cache", "evict", "--all", "--json").json) == 1
    assert [path.exists() for path in cached] == [False] * 3
    assert run("fetch", "mask-0").code == exit_codes.OK


def test_offline_only_what_is_at_hand_is_used(run, archive, make_frame, tmp_path):
    path = make_frame()
    run("ingest", "--master", path)
    away = {"CALRECORDS_OFFLINE": "true"}
    assert Path(run("fetch", "1", **away).out.strip()).read_bytes() == path.read_bytes()
    refused = run("adopt", "1", **away)
    assert (refused.code, "CALRECORDS_OFFLINE" in refused.err) == (exit_codes.CONFIGURATION, True)
    assert run("config", "show", INGESTER_PROCESS_NAME="x").err.startswith("INGESTER_PROCESS_NAME")


def test_a_killed_ingestion_is_finished_by_resume(run, archive, make_frame, environment, tmp_path):
    path = make_frame()
    script = (
        "import os, signal, sys, calrecords\n"
        "def die(step):\n"
        f"    if step == {str(IngestStep.REGISTERED)!r}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "calrecords.connect(on_step=die).ingest(sys.argv[1], is_master=True)\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=tmp_path, env=environment, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert run("query", "--json").json == []
    [result] = run("resume", "--json").json
    assert (result["outcome"], result["frame_id"]) == ("ingested", 1)
    assert run("resume").out == "nothing to resume\n"
    assert [row["frame_id"] for row in run("query", "--json").json] == [1]


def test_a_registered_mask_needs_no_archive(run, make_frame):
    mask = make_frame(obstype="BPM")
    done = run("register", "--master", mask)
    assert (done.code, done.out) == (exit_codes.OK, f"{mask}: registered\n")
    assert run("query", "--json").json[0]["frame_id"] is None
    assert Path(run("fetch", mask.name).out.strip()).read_bytes() == mask.read_bytes()


@pytest.mark.parametrize("verb", ["show", "fetch"])
def test_what_is_not_recorded_is_not_found(verb, run):
    done = run(verb, "4711")
    assert (done.code, "4711" in done.err) == (exit_codes.NOT_FOUND, True)
    as_json = run(verb, "4711", "--json")
    assert as_json.code == exit_codes.NOT_FOUND
    assert "RecordNotFoundError" in json.dumps(as_json.json)


def test_metadata_overrules_the_header(run, archive, make_frame):
    path = make_frame()
    assert run("ingest", path, "--metadata", "FILTER=rp").code == exit_codes.OK
    assert run("query", "--filter", "rp", "--json").json[0]["filename"] == path.name
    assert run("ingest", path, "--metadata", "FILTER").code == exit_codes.USAGE


def test_the_schema_goes_up_and_down(run, environment):
    place = Path(environment["CALRECORDS_DB_URL"])
    assert run("db", "check").code == exit_codes.CONFIGURATION
    assert run("db", "current", "--json").json["revision"] is None
    assert not place.exists()
    assert run("db", "upgrade", "--json").json["revision"] == "0003"
    assert run("db", "check").code == exit_codes.OK
    assert run("db", "downgrade", "base", "--yes", "--json").json["revision"] is None
    assert run("query").code == exit_codes.CONFIGURATION
    assert run("db", "downgrade", "9999", "--yes").code == exit_codes.CONFIGURATION


def test_settings_are_shown_with_their_source_and_secrets_masked(run, tmp_path):
    (tmp_path / "calrecords.toml").write_text('bucket = "frames"\n')
    token = "0123456789abcdef" * 2
    rows = {row["variable"]: row for row in run("config", "show", "--json", AUTH_TOKEN=token).json}
    assert (rows["BUCKET"]["value"], rows["BUCKET"]["source"]) == (
        "frames",
        str(tmp_path / "calrecords.toml"),
    )
    assert (rows["AUTH_TOKEN"]["value"], rows["AUTH_TOKEN"]["source"]) == (
        "********",
        "environment AUTH_TOKEN",
    )
    assert token not in run("config", "show", AUTH_TOKEN=token).out


def test_the_doctor_finds_a_healthy_place_healthy(run, archive, tmp_path):
    run("db", "upgrade")
    done = run("doctor", "--json")
    assert done.code == exit_codes.OK
    assert {f["subject"]: f["health"] for f in done.json} == {
        "settings": "ok",
        "data files": "ok",
        "records": "ok",
        "database": "ok",
        "file systems": "ok",
        "file store": "ok",
        "archive": "ok",
        "archive's clock": "ok",
        "archive's token": "ok",
        "cache": "ok",
    }
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_the_doctor_says_what_is_wrong(run, archive, tmp_path):
    (tmp_path / "file").touch()
    done = run(
        "doctor",
        "--json",
        AUTH_TOKEN="0" * 40,
        FILESYSTEM_STORAGE_ROOT_DIR=str(tmp_path / "file" / "store"),
        CALRECORDS_CACHE_DIR=str(tmp_path / "file" / "cache"),
    )
    assert done.code == exit_codes.FAILED
    assert {f["subject"] for f in done.json if f["health"] == "failure"} == {
        "file store",
        "archive",
        "cache",
    }


def test_the_demo_runs_the_main_job_and_leaves_nothing(run, tmp_path):
    before = names_in(tmp_path)
    done = run("demo", "--json")
    assert done.code == exit_codes.OK
    assert {row["checksum_equal"] for row in done.json} == {True}
    assert {(row["outcome"], row["again"]) for row in done.json} == {("ingested", "already there")}
    assert names_in(tmp_path) == before


def test_the_demo_can_be_kept_in_a_new_folder_only(run, tmp_path):
    assert run("demo", "--keep", "kept").code == exit_codes.OK
    kept = names_in(tmp_path / "kept")
    assert kept == ["cache", "frames", "records.sqlite", "store"]
    records = (tmp_path / "kept" / "records.sqlite").read_bytes()
    assert run("demo", "--keep", "kept").code == exit_codes.USAGE
    assert run("demo", "--keep", "/dev/null/x").code == exit_codes.USAGE
    assert (tmp_path / "kept" / "records.sqlite").read_bytes() == records


def test_failures_are_listed_and_said(run, archive, tmp_path):
    (tmp_path / "empty.fits").touch()
    done = run("ingest", "empty.fits", "~nosuchuser/x.fits")
    assert (done.code, done.out) == (exit_codes.FAILED, "")
    assert [line.split(":")[1] for line in done.err.splitlines()] == [" failed", " failed"]
    assert run("resume", "--failed").out == "nothing failed\n"


def test_a_copy_that_cannot_be_written_is_an_error_of_ours(run, make_frame, tmp_path):
    mask = make_frame(obstype="BPM")
    run("register", "--master", mask)
    (tmp_path / "file").touch()
    done = run("fetch", mask.name, "--output", tmp_path / "file" / "sub")
    assert (done.code, "--output" in done.err) == (exit_codes.CONFIGURATION, True)
    assert done.out == ""


def test_an_empty_option_is_no_setting(run, make_frame, tmp_path):
    assert run("register", make_frame(), "--store", "", "--cache", "").code == exit_codes.OK
    assert names_in(tmp_path) == ["frames", "home", "records.sqlite", "store"]
