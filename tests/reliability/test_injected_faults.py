"""An audit finds every fault that is put into a world, and nothing else; a repair mends them.

The figure for a thousand frames: python tests/reliability/injected_faults.py --frames 1000
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "injected_faults.py"
spec = importlib.util.spec_from_file_location("injected_faults", SCRIPT)
faults = importlib.util.module_from_spec(spec)
sys.modules["injected_faults"] = faults  # its dataclasses look their own module up
spec.loader.exec_module(faults)

# Among many frames each is put into S3 as well, which takes longer.
EVERY = [(fault, fault.stores[0]) for fault in faults.FAULTS]


def named(case):
    return f"{case[0].name}-{case[1]}"


@pytest.fixture(params=EVERY, ids=named)
def case(request, tmp_path):
    fault, store = request.param
    with faults.make_world(tmp_path, with_s3=store == "S3") as world:
        yield fault, world


def test_every_kind_of_fault_can_be_put_in():
    assert {kind for fault in faults.FAULTS for kind in fault.kinds} == set(faults.FaultKind)


def test_each_fault_alone_is_found_and_mended_if_it_can_be(case):
    fault, world = case
    with world.connect() as cal:
        frames = faults.ingest(world, cal, 4)
        names = faults.break_frames(world, cal, fault, frames[:2])
        first = cal.audit(depth="full", clock=world.now)
        assert first.is_finished, str(first)
        assert faults.seen(first) == faults.expected(names, fault.kinds)
        assert all(one.name and one.found and one.remedy for one in first.findings)
        cal.repair(first, apply=True, force=True, clock=world.now)
        world.clock += 25 * faults.HOUR
        second = cal.audit(depth="full", clock=world.now)
        cal.repair(second, apply=True, force=True, clock=world.now)
        last = cal.audit(depth="full", clock=world.now)
        assert faults.seen(last) == faults.expected(names, fault.after)
        assert all(faults.is_unharmed(cal, frame) for frame in frames[2:])


@pytest.mark.parametrize(
    ("store", "database"),
    [("file system", "sqlite"), ("S3", "sqlite"), ("file system", "postgresql")],
)
def test_faults_of_every_kind_among_many_frames_are_all_found(store, database, request):
    command = [sys.executable, str(SCRIPT), "--frames", "80", "--each", "1", "--store", store]
    if database == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        place = server.empty()
        request.addfinalizer(lambda: server.drop(place))
        command += ["--db", place]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    figure = json.loads(done.stdout or f'"{done.stderr}"')
    troubles = ("missed", "false_alarms", "left", "harmed")
    assert {name: figure[name] for name in troubles} == {name: [] for name in troubles}
    assert figure["found"] == figure["injected"] >= len(faults.FaultKind)
    assert done.returncode == 0
