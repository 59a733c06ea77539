"""Many files at once, with doubles for what takes them and with a whole world."""

import threading
import time
from pathlib import Path

import pytest

from calrecords import IngestOutcome, IngestResult
from calrecords.datafiles import FitsFile
from calrecords.errors import (
    ConfigurationError,
    DataFileNotFoundError,
    DoNotRetryError,
    InvalidFrameError,
)
from calrecords.workflows.many import take_many


def takes(one):
    return IngestResult(str(one), IngestOutcome.INGESTED)


def test_each_result_is_found_by_its_input_as_given_in_the_order_of_the_inputs():
    given = ["b.fits", Path("a.fits"), "a.fits", "b.fits"]
    results = take_many(given, takes, workers=3)
    assert list(results.items()) == [(one, takes(one)) for one in dict.fromkeys(given)]
    assert [type(one) for one in results] == [str, type(Path()), str]


def test_one_path_alone_is_one_input():
    assert take_many("a.fits", takes) == {"a.fits": takes("a.fits")}


def test_nothing_in_gives_nothing_out():
    assert take_many([], takes) == {}


def test_a_failure_is_the_outcome_of_its_own_input_alone():
    def fails(one):
        if one == "2.fits":
            raise InvalidFrameError("it is broken")
        if one == "4.fits":
            raise AttributeError("a class of the user's is at fault")
        return takes(one)

    results = take_many([f"{n}.fits" for n in range(6)], fails, workers=2)
    assert [(one, str(r.outcome)) for one, r in results.items()] == [
        ("0.fits", "ingested"),
        ("1.fits", "ingested"),
        ("2.fits", "failed"),
        ("3.fits", "ingested"),
        ("4.fits", "failed"),
        ("5.fits", "ingested"),
    ]
    assert isinstance(results["2.fits"].error, InvalidFrameError)
    assert isinstance(results["4.fits"].error, DoNotRetryError)
    assert str(results["4.fits"].error) == (
        "4.fits: AttributeError: a class of the user's is at fault"
    )


def test_several_are_worked_on_at_once_and_no_more_than_asked_for():
    at_work, most, lock = set(), [], threading.Lock()
    together = threading.Barrier(3, timeout=10)

    def work(one):
        with lock:
            at_work.add(one)
            most.append(len(at_work))
        together.wait()
        with lock:
            at_work.remove(one)
        return takes(one)

    take_many([f"{n}.fits" for n in range(9)], work, workers=3)
    assert max(most) == 3


def test_files_of_one_basename_are_taken_in_order_one_after_the_other():
    at_work, order = set(), []

    def work(one):
        assert not at_work
        at_work.add(one)
        time.sleep(0.005)
        at_work.remove(one)
        order.append(one)
        return takes(one)

    given = [f"{n}/a.fits{'.fz' * (n % 2)}" for n in range(6)]
    take_many(given, work, workers=4)
    assert order == given


def test_progress_is_told_of_each_result_in_the_calling_thread():
    told, threads = [], set()

    def progress(result):
        told.append(result)
        threads.add(threading.get_ident())

    results = take_many([f"{n}.fits" for n in range(20)], takes, workers=4, progress=progress)
    assert sorted(told, key=str) == sorted(results.values(), key=str)
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interruption_begins_no_further_file_and_lets_those_begun_finish(interruption):
    begun, finished = [], []
    interrupted = threading.Event()

    def work(one):
        begun.append(one)
        if len(begun) > 1:
            interrupted.wait(60)
        finished.append(one)
        return takes(one)

    def progress(_result):
        interrupted.set()
        raise interruption

    with pytest.raises(interruption):
        take_many([f"{n}.fits" for n in range(50)], work, workers=2, progress=progress)
    assert sorted(begun) == sorted(finished)
    assert len(begun) <= 6
    time.sleep(0.05)
    assert sorted(begun) == sorted(finished)


def test_an_interruption_in_a_worker_ends_all():
    def work(one):
        if one == "0.fits":
            raise KeyboardInterrupt
        time.sleep(0.01)
        return takes(one)

    with pytest.raises(KeyboardInterrupt):
        take_many([f"{n}.fits" for n in range(50)], work, workers=2)


@pytest.mark.parametrize("workers", [0, -1, 1.5, "4", True, None])
def test_a_number_of_workers_that_is_none_is_refused(workers):
    with pytest.raises(ConfigurationError, match="workers"):
        take_many(["a.fits"], takes, workers=workers)


def test_what_is_no_file_is_refused_before_anything_is_begun():
    begun = []
    with pytest.raises(ConfigurationError, match="17"):
        take_many(["a.fits", 17], begun.append)
    assert begun == []


def test_a_whole_night_is_ingested_and_each_failure_is_its_own(world, make_frame, tmp_path):
    good = [make_frame(basename=f"bias-{n}", seed=n) for n in range(8)]
    broken = make_frame(basename="broken")
    broken.write_bytes(broken.read_bytes()[:-1000])
    nowhere = str(tmp_path / "nowhere.fits")
    opened = FitsFile(make_frame(basename="opened", seed=77))
    told = []
    with world.connect() as cal:
        given = [*good[:4], nowhere, *map(str, good[4:]), broken, opened, good[0]]
        results = cal.ingest_many(given, is_master=None, progress=told.append)
        assert list(results) == given[:-1]
        errors = {one: type(r.error) for one, r in results.items() if r.error}
        assert errors == {nowhere: DataFileNotFoundError, broken: InvalidFrameError}
        for path in good:
            result = results.get(path) or results[str(path)]
            assert result.outcome is IngestOutcome.INGESTED
            assert cal.fetch(result).read_bytes() == path.read_bytes()
        assert results[opened].frame == cal.get(basename="opened")
        assert len(told) == len(results)
        assert cal.resume() == []
    assert len({frame_id for frame_id, _, _ in world.archived()}) == 9
    assert world.strays() == []


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_versions_of_one_frame_among_many_come_in_their_order(world, make_frame):
    versions = [make_frame(f"night-{n}", seed=n) for n in range(5)]
    assert len({path.name for path in versions}) == 1
    with world.connect() as cal:
        results = cal.ingest_many(versions, workers=4)
        assert {str(r.outcome) for r in results.values()} == {"ingested", "new version"}
        newest_first = [one.version.md5 for one in cal.versions(versions[0].name)]
        assert newest_first == [results[path].frame.version.md5 for path in reversed(versions)]


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_what_was_interrupted_among_many_can_be_resumed(world, make_frame):
    paths = [make_frame(basename=f"bias-{n}", seed=n) for n in range(12)]

    def interrupt(_result):
        raise KeyboardInterrupt

    with world.connect() as cal:
        with pytest.raises(KeyboardInterrupt):
            cal.ingest_many(paths, workers=2, progress=interrupt)
        done = len(cal.query())
        assert 1 <= done < len(paths)
        assert cal.resume() == []
        results = cal.ingest_many(paths, workers=2)
        assert [r.error for r in results.values()] == [None] * len(paths)
        outcomes = [r.outcome for r in results.values()]
        assert outcomes.count(IngestOutcome.ALREADY_THERE) == done
