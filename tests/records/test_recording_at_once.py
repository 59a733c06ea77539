"""Threads and processes that record at the same time lose nothing and double nothing."""

import threading

import pytest

TABLES = ("sites", "instruments", "calibration_frames", "frame_versions", "frame_inputs")


def test_threads_that_record_one_version_make_one(record, make_version, sql):
    failures = []

    def work():
        try:
            for _ in range(5):
                record(make_version(frame_id=7))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    counts = {name: sql(f"SELECT count(*) FROM {name}")[0][0] for name in TABLES}
    assert counts == dict(zip(TABLES, (1, 1, 1, 1, 3), strict=True))


RECORD = """
import sys
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256
from calrecords.frames import ContentDigest, FrameFacts
from calrecords.records import NewVersion, RecordDatabase
from calrecords.records.recording import record_version

place, worker, same = sys.argv[1:]
database = RecordDatabase(place)
database.count()
#READY
start = datetime(2026, 1, 1, tzinfo=UTC)
for frame in range(15):
    data = f"{frame} {'' if same == 'same' else worker}".encode()
    digest = ContentDigest(md5(data).hexdigest(), sha256(data).hexdigest(), len(data))
    facts = FrameFacts(obstype="BIAS", site=f"s{frame % 3}", camera=f"c{frame % 5}")
    new = NewVersion(
        basename=f"bias-{frame}", extension=".fits", facts=facts, digest=digest,
        frame_id=frame, archived_at=start + timedelta(seconds=int(worker)),
    )
    with database.write() as session:
        record_version(session, new, datetime.now(UTC))
database.close()
"""


@pytest.mark.parametrize(("kind", "versions"), [("same", 15), ("different", 90)])
def test_processes_that_record_at_once_lose_and_double_nothing(
    place, database, together, sql, kind, versions
):
    together(RECORD, *[(place, str(worker), kind) for worker in range(6)])
    frames = sql("SELECT basename, frame_id FROM calibration_frames ORDER BY frame_id")
    assert frames == [(f"bias-{number}", number) for number in range(15)]
    current = sql(
        "SELECT count(*), max(archived_at), min(archived_at) FROM frame_versions WHERE is_current"
    )
    assert current[0][0] == 15
    assert sql("SELECT count(*) FROM frame_versions") == [(versions,)]
    if kind == "different":
        assert str(current[0][1])[:19] == str(current[0][2])[:19] == "2026-01-01 00:00:05"
