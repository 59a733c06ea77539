"""Audits and repairs as an operator runs them, with the exit codes that say what to do."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import calrecords
from calrecords.cli import exit_codes
from calrecords.cli.app import main


@dataclass
class Typed:
    """What a verb printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def run(environment, monkeypatch, capsys):
    """Return a function that runs a verb in this process, on records of the test's own."""

    def typed(*words, **more):
        for name, value in {**environment, **more}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        printed = capsys.readouterr()
        return Typed(ended.value.code, printed.out, printed.err)

    return typed


@pytest.fixture
def masters(run, archive, make_frame):
    """Return the paths of three ingested frames."""
    paths = [make_frame(basename=f"bias-{number}", seed=number) for number in range(3)]
    assert run("ingest", "--master", *paths).code == exit_codes.OK
    return paths


def versions_in(folder):
    return [path for path in (folder / "store" / ".calrecords").rglob("*") if path.is_file()]


def lose_one(folder):
    """Take one frame's file away, and return its name."""
    store = folder / "store"
    path = versions_in(folder)[0]
    path.unlink()
    (store / path.parent.relative_to(store / ".calrecords" / "versions")).unlink()
    return path.parent.name


def test_a_healthy_place_is_clean(run, masters):
    done = run("audit", "--grace", "0")
    assert (done.code, done.err) == (exit_codes.OK, "")
    assert done.out.splitlines() == [
        "audit 1 (quick, finished): 3 recorded frames, no fault",
        "  journal: done, 0 examined",
        "  archive: done, 3 examined",
        "  store: done, 3 examined",
        "  objects: done, 3 examined",
        "  cache: done, 0 examined",
    ]
    assert run("repair").out == "plan to repair what audit 1 found: nothing\n"
    assert run("repair", "--apply").code == exit_codes.OK


def test_a_fault_is_found_planned_and_mended(run, masters, tmp_path):
    for path in masters:
        run("fetch", path.name)
    name = lose_one(tmp_path)
    done = run("audit", "--grace", "0")
    assert done.code == exit_codes.AT_FAULT
    assert "object missing: 1; repair: store the bytes again" in done.out
    assert f"  {name}: recorded as lsc/fa01/" in done.out
    found = run("audit", "--grace", "0", "--json").json
    assert [(one["kind"], one["name"]) for one in found["findings"]] == [("object missing", name)]
    planned = run("repair", "1")
    assert planned.code == exit_codes.OK
    assert f"  {name}: planned: store the bytes again, from the cache or from a copy" in planned.out
    assert len(versions_in(tmp_path)) == 2
    refused = run("repair", "--apply")
    assert (refused.code, "33.3%" in refused.err) == (exit_codes.CONFIGURATION, True)
    assert len(versions_in(tmp_path)) == 2
    applied = run("repair", "--apply", "--force", "--json")
    assert applied.code == exit_codes.OK
    assert [(a["state"], a["name"]) for a in applied.json["actions"]] == [("done", name)]
    assert len(versions_in(tmp_path)) == 3
    assert run("audit", "--grace", "0").code == exit_codes.OK


def test_what_stays_at_fault_has_a_code_of_its_own(run, masters, tmp_path):
    lose_one(tmp_path)
    assert run("audit", "--grace", "0", "--part", "store").code == exit_codes.AT_FAULT
    done = run("repair", "--apply", "--force")
    assert done.code == exit_codes.AT_FAULT
    assert "left: its bytes cannot be had any more" in done.out
    only = run("repair", "--apply", "--force", "--only", "frame ID missing")
    assert (only.code, only.out) == (exit_codes.OK, "repair what audit 1 found: nothing\n")
    unknown = run("repair", "--only", "no such kind")
    assert (unknown.code, "object missing" in unknown.err) == (exit_codes.CONFIGURATION, True)


def test_an_audit_that_is_out_of_time_goes_on_the_next_time(run, masters):
    first = run("audit", "--for", "0s", "--json")
    assert (first.code, first.json["finished_at"]) == (exit_codes.TRY_LATER, None)
    states = [(part["part"], part["state"]) for part in first.json["parts"]]
    assert states[0] == ("journal", "stopped")
    second = run("audit", "--json")
    assert (second.code, second.json["audit"]) == (exit_codes.OK, 1)
    assert run("audit", "--json").json["audit"] == 2
    assert run("audit", "--new", "--json").json["audit"] == 3


def test_the_full_audit_finds_what_sizes_do_not_show(run, masters, tmp_path):
    path = versions_in(tmp_path)[0]
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert run("audit", "--grace", "0").code == exit_codes.OK
    done = run("audit", "--grace", "0", "--full", "--json")
    assert (done.code, done.json["counts"]) == (exit_codes.AT_FAULT, {"object damaged": 1})


def test_a_token_without_rights_leaves_the_archive_out_and_says_so(run, archive, masters):
    token = archive.add_user(is_staff=False, is_superuser=False)
    done = run("audit", "--json", AUTH_TOKEN=token)
    assert done.code == exit_codes.CONFIGURATION
    parts = {part["part"]: part for part in done.json["parts"]}
    assert parts["archive"]["state"] == "refused"
    assert "AUTH_TOKEN" in parts["archive"]["why"]
    assert done.json["findings"] == []
    assert parts["store"]["state"] == parts["objects"]["state"] == "done"


def test_an_archive_that_is_away_is_asked_the_next_time(run, archive, masters):
    archive.faults.add("500", path="/frames/", times=1000)
    done = run("audit", "--json")
    assert done.code == exit_codes.TRY_LATER
    parts = {part["part"]: part["state"] for part in done.json["parts"]}
    assert (parts["archive"], parts["cache"]) == ("not reached", "done")
    archive.faults.clear()
    done = run("audit", "--json")
    assert (done.code, done.json["audit"]) == (exit_codes.OK, 1)


@pytest.mark.parametrize(
    "words",
    [
        ["audit", "--for", "soon"],
        ["audit", "--grace", "-1"],
        ["audit", "--since", "yesterday"],
        ["repair", "7"],
    ],
)
def test_what_cannot_be_meant_is_said(run, masters, words):
    done = run(*words)
    assert done.code in {exit_codes.CONFIGURATION, exit_codes.NOT_FOUND}
    assert words[-1] in done.err


def test_before_any_audit_there_is_nothing_to_repair(run, masters):
    done = run("repair")
    assert (done.code, "calrecords audit" in done.err) == (exit_codes.NOT_FOUND, True)


def test_the_interval_of_a_day_is_counted_between_audits(run, masters, environment, tmp_path):
    part = tmp_path / "store" / ".calrecords" / "check.0123.part"
    part.write_bytes(b"calrecords")
    assert run("audit", "--grace", "0").code == exit_codes.AT_FAULT
    assert run("audit", "--grace", "0").code == exit_codes.AT_FAULT
    done = run("repair", "--apply", "--force")
    assert (done.code, "less than a day before" in done.out) == (exit_codes.AT_FAULT, True)
    assert part.exists()
    with calrecords.connect(
        db=environment["CALRECORDS_DB_URL"],
        store=tmp_path / "store",
        cache=tmp_path / "cache",
        archive=environment["API_ROOT"],
        token=environment["AUTH_TOKEN"],
    ) as cal:
        cal.audit(clock=lambda: datetime.now(UTC) + timedelta(hours=25))
    done = run("repair", "--apply", "--force")
    assert (done.code, "done: deleted" in done.out) == (exit_codes.OK, True)
    assert not Path(part).exists()


def test_the_cache_says_where_a_frame_is(run, masters, tmp_path):
    path = Path(run("fetch", "bias-1").out.strip())
    done = run("cache", "where", "bias-1")
    assert (done.code, done.out) == (exit_codes.OK, f"{path}\n")
    done = run("cache", "where", "bias-1", "bias-2", "--json")
    assert done.code == exit_codes.NOT_FOUND
    assert done.json == [
        {"frame": "bias-1", "path": str(path)},
        {"frame": "bias-2", "path": None},
    ]
    assert run("cache", "where", "bias-2").err == "bias-2: not in the cache\n"
    assert run("cache", "where", "nowhere").code == exit_codes.NOT_FOUND
    assert run("cache", "where").out == f"{tmp_path / 'cache'}\n"
