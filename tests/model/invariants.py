"""What must be true after every call: the real archive, store, records and cache are as modelled.

All of it is read behind the library's back, but for the facts of a version.
"""

from expected import SPOOLED

from calrecords.vocabulary import Binning


def check_everything(machine):
    """Compare all that there is with all that should be."""
    _check_archive(machine)
    _check_store(machine)
    for number, pipeline in enumerate((machine.expected, machine.others)):
        _check_records(machine, pipeline, number)
        _check_journal(machine, pipeline, number)
    _check_local_files(machine)


def _check_archive(machine):
    expected = {
        name: (frame.camera, sorted(frame.versions, key=frame.versions.get, reverse=True))
        for name, frame in machine.shared.archive.items()
    }
    assert machine.world.archived() == expected
    frame_ids = machine.world.frame_ids()
    assert len(set(frame_ids.values())) == len(frame_ids)
    assert frame_ids | machine.frame_ids == frame_ids, "a frame ID changed"
    machine.frame_ids = frame_ids


def _check_store(machine):
    shared = machine.shared
    assert machine.world.kept() == sorted((one, shared.key_of(one)) for one in shared.kept)
    assert machine.world.published() == shared.published


def _check_records(machine, pipeline, number):
    pool, world = machine.world.pool, machine.world
    assert world.frame_count(number) == len(pipeline.frames)
    found = {pool.named(row[0].version.md5): _as_found(*row) for row in world.records(number)}
    assert found == {
        one.sample: _as_expected(machine, pipeline, one) for one in pipeline.versions()
    }
    for name, frame in pipeline.frames.items():
        newest_first = [
            pool.named(one.version.md5) for one in world.versions(f"bias-{name}", number)
        ]
        assert newest_first == [one.sample for one in frame.newest_first()]


def _as_found(frame, frame_id, is_current, is_archived):
    version = frame.version
    return {
        "basename": frame.basename,
        "camera": frame.camera,
        "frame_id": frame_id,
        "seen_id": frame.frame_id,
        "is_current": bool(is_current),
        "is_archived": bool(is_archived),
        "verdict": frame.verdict,
        "validity": (frame.good_after, frame.good_until),
        "facts": (frame.binning, frame.dateobs, frame.created, frame.obstype, frame.is_master),
        "file": (version.key, version.version_key, version.extension),
        "bytes": (version.sha256, version.size),
    }


def _as_expected(machine, pipeline, version):
    sample = version.sample
    frame, made = pipeline.frames[sample.name], machine.world.pool[sample]
    frame_id = machine.frame_ids[sample.basename] if frame.has_id else None
    digest = made.digest
    return {
        "basename": sample.basename,
        "camera": sample.camera,
        "frame_id": frame_id,
        "seen_id": frame_id,
        "is_current": frame.current is version,
        "is_archived": version.archived_at is not None,
        "verdict": version.verdict,
        "validity": (version.good_after, version.good_until),
        "facts": (
            Binning.parse(version.binning),
            version.dateobs,
            sample.created,
            "BIAS",
            True,
        ),
        "file": (made.key, digest.md5, ".fits"),
        "bytes": (digest.sha256, digest.size) if version.is_whole else (None, None),
    }


def _check_journal(machine, pipeline, number):
    found = machine.world.journal(number)
    assert [(sample, state) for sample, state, _ in found] == [
        (row.sample, row.state) for row in pipeline.rows.values()
    ]
    paths = {sample: path for sample, _, path in found}
    for row in pipeline.unfinished():
        if row.source == SPOOLED:
            assert paths[row.sample] in machine.world.spooled()
        else:
            assert paths[row.sample] == row.source


def _check_local_files(machine):
    assert machine.world.cached() == machine.cached
    assert machine.world.strays() == []
