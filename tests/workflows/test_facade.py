import pickle

import numpy as np
import pytest

import calrecords
from calrecords.archive import ArchiveClient
from calrecords.errors import ConfigurationError, RecordNotFoundError
from calrecords.filestore import FileSystemStore
from calrecords.testing import ScienceArchive

pytestmark = pytest.mark.parametrize("world", ["file system"], indirect=True)


@pytest.fixture
def cal(world):
    with world.connect() as connected:
        yield connected


def test_a_frame_may_be_named_in_every_way(cal, make_frame):
    path = make_frame()
    result = cal.ingest(path, is_master=True)
    names = [
        result,
        result.frame,
        result.frame_id,
        np.int64(result.frame_id),
        path.name,
        result.frame.basename,
    ]
    assert {cal.recorded(name) for name in names} == {result.frame}
    assert cal.get(basename=path) == cal.get(basename=path.name) == result.frame
    with cal.open(np.int64(result.frame_id)) as hdus:
        assert hdus[0].header["OBSTYPE"] == "BIAS"


def test_another_process_is_told_to_connect_for_itself(cal, make_frame):
    with pytest.raises(TypeError, match=r"call calrecords\.connect\(\) there"):
        pickle.dumps(cal)
    result = cal.ingest(make_frame(), is_master=True)
    assert pickle.loads(pickle.dumps(result)) == result


def test_what_is_not_recorded_is_not_found(cal):
    for ask in (
        lambda: cal.get(basename="nowhere"),
        lambda: cal.get(frame_id=4711),
        lambda: cal.fetch("nowhere"),
        lambda: cal.open(4711),
        lambda: cal.versions("nowhere"),
    ):
        with pytest.raises(RecordNotFoundError):
            ask()


def test_what_cannot_be_asked_is_refused(cal, make_frame):
    frame = cal.ingest(make_frame(), is_master=True).frame
    for ask in (cal.get, lambda: cal.fetch(frame, source="nowhere")):
        with pytest.raises(ConfigurationError):
            ask()


def test_a_data_file_is_opened_with_all_that_is_said_of_it(cal, make_frame):
    opened = cal.open_file(make_frame(is_master=False), is_master=True)
    with pytest.raises(ConfigurationError, match="is_master"):
        cal.ingest(opened, is_master=True)
    assert cal.ingest(opened).frame.is_master is True


def test_the_first_answer_stays_and_a_contradiction_is_said(cal, make_frame, caplog):
    path = make_frame(is_master=False)
    first = cal.ingest(path)
    again = cal.ingest(path, is_master=True)
    assert (first.frame.is_master, again.frame) == (False, first.frame)
    assert "is_master=False" in caplog.text


def test_what_was_passed_in_stays_open(world, make_frame):
    path = make_frame()
    store = FileSystemStore(world.folder / "store")
    with ArchiveClient(world.archive.root, world.archive.token) as client:
        with world.connect(archive=client, store=store) as cal:
            frame_id = cal.ingest(path, is_master=True).frame_id
        assert client.frame(frame_id).frame_id == frame_id


def test_two_archives_in_one_process_do_not_meet(world, make_frame, tmp_path):
    path = make_frame()
    with ScienceArchive(files=tmp_path / "south") as archive:
        north = world.connect()
        south = calrecords.connect(
            db=tmp_path / "south.sqlite",
            archive=archive.root,
            token=archive.token,
            store=tmp_path / "south",
            cache=tmp_path / "south-cache",
        )
        with north, south:
            north.ingest(make_frame(basename="only-north", seed=5), is_master=True)
            assert north.ingest(path, is_master=True).frame_id == 2
            assert south.ingest(path, is_master=True).frame_id == 1


def test_results_can_be_sent_between_processes(cal, make_frame):
    result = cal.ingest(make_frame(), is_master=True)
    assert pickle.loads(pickle.dumps(result)) == result
    assert hash(result.frame) == hash(pickle.loads(pickle.dumps(result.frame)))


def test_nothing_shows_the_token(cal, world):
    shown = f"{cal!r} {cal.settings!r} {cal.archive!r} {cal.store!r} {cal.cache!r}"
    assert world.archive.token not in shown
