import gzip
import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from calrecords import IngestOutcome
from calrecords.errors import (
    ConfigurationError,
    DataFileNotFoundError,
    InvalidFrameError,
)
from calrecords.testing import ScienceArchive
from calrecords.workflows.results import IngestStep
from calrecords.workflows.spool import Spool, filename_of, path_behind, spool_folder


def one():
    return io.BytesIO(b"1")


@pytest.fixture
def spool(tmp_path, monkeypatch):
    monkeypatch.setenv("CALRECORDS_SPOOL_DIR", str(tmp_path / "spool"))
    return tmp_path / "spool"


def kept(spool):
    return sorted(path.name for path in spool.rglob("*") if path.is_file())


def test_a_file_object_is_ingested_like_the_file_and_nothing_stays(world, make_frame, spool):
    path = make_frame()
    with world.connect() as cal:
        result = cal.ingest(io.BytesIO(path.read_bytes()), filename=path.name, is_master=True)
        assert result.outcome is IngestOutcome.INGESTED
        assert kept(spool) == []
        assert cal.ingest(path, is_master=True).outcome is IngestOutcome.ALREADY_THERE
        assert cal.fetch(result, source="store").read_bytes() == path.read_bytes()


def test_an_open_file_is_read_where_it_is(world, make_frame, spool):
    path = make_frame()
    with world.connect() as cal, path.open("rb") as file:
        file.seek(100)
        result = cal.ingest(file, is_master=True)
        assert result.path == str(path)
        assert not spool.exists()


def test_an_interrupted_ingestion_finds_the_bytes_again(world, make_frame, spool):
    path = make_frame()

    def die(step):
        if step is IngestStep.INTENDED:
            raise KeyboardInterrupt

    with world.connect(on_step=die) as cal, pytest.raises(KeyboardInterrupt):
        cal.ingest(io.BytesIO(path.read_bytes()), filename=path.name, is_master=True)
    assert kept(spool) == [path.name]
    with world.connect() as cal:
        [result] = cal.resume()
        assert result.error is None
        assert cal.fetch(result, source="store").read_bytes() == path.read_bytes()
    assert kept(spool) == []


def test_a_refused_file_object_leaves_nothing(world, spool):
    with world.connect() as cal, pytest.raises(InvalidFrameError):
        cal.ingest(io.BytesIO(b"not FITS"), filename="a.fits")
    assert kept(spool) == []


@pytest.mark.parametrize("name", ["", "..", ".", "a/b.fits", "/etc/passwd", "a\0.fits"])
def test_a_name_that_leaves_the_spool_is_refused(tmp_path, name):
    spool = Spool(tmp_path / "spool")
    with pytest.raises(DataFileNotFoundError, match="no file name"), spool.keep(one(), name):
        pass
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize("thing", [io.StringIO("text"), object(), 3])
def test_what_is_no_binary_file_is_refused_clearly(tmp_path, thing):
    spool = Spool(tmp_path / "spool")
    with pytest.raises(DataFileNotFoundError, match="'rb'"), spool.keep(thing, "a.fits"):
        pass
    assert kept(tmp_path) == []


def test_a_device_is_not_copied(tmp_path):
    with (
        Path(os.devnull).open("rb") as device,
        pytest.raises(InvalidFrameError, match="is a device"),
        Spool(tmp_path / "spool").keep(device, "x.fits"),
    ):
        pass
    assert kept(tmp_path / "spool") == []


def test_a_spool_that_cannot_be_written_names_its_setting(tmp_path):
    (tmp_path / "spool").write_text("a file")
    spool = Spool(tmp_path / "spool")
    refused = pytest.raises(ConfigurationError, match="CALRECORDS_SPOOL_DIR")
    with refused, spool.keep(one(), "a.fits"):
        pass


def test_a_name_too_long_for_the_spool_leaves_nothing(tmp_path):
    spool = Spool(tmp_path / "spool")
    with pytest.raises(ConfigurationError, match="too long"), spool.keep(one(), "a" * 300):
        pass
    assert list((tmp_path / "spool").iterdir()) == []


def test_discards_what_nobody_uses_and_no_other_file(tmp_path):
    spool, other = Spool(tmp_path / "spool"), tmp_path / "b.fits"
    other.write_bytes(b"2")
    with spool.keep(one(), "a.fits") as left:
        pass
    with spool.keep(io.BytesIO(b"2"), "a.fits") as of_others:
        pass
    with spool.keep(one(), "a.fits") as mine:
        for path in (other, tmp_path / "spool" / "c.fits"):
            spool.discard_unused(path, list)
        spool.discard_unused(mine, lambda: [str(left)])
        assert {mine, left, of_others} == set((tmp_path / "spool").rglob("*.fits"))
    spool.discard_unused(mine, list)
    assert set((tmp_path / "spool").iterdir()) == {of_others.parent}
    assert kept(tmp_path) == ["a.fits", "b.fits"]


def test_same_bytes_at_once_end_as_one_frame_and_nothing_stays(world, make_frame, spool):
    path = make_frame()
    content, together = path.read_bytes(), threading.Barrier(6)

    with world.connect() as cal, ThreadPoolExecutor(6) as pool:

        def ingest(_number):
            together.wait()
            return cal.ingest(io.BytesIO(content), filename=path.name, is_master=True).outcome

        outcomes = list(pool.map(ingest, range(6)))
    assert sorted(outcomes) == [IngestOutcome.ALREADY_THERE] * 5 + [IngestOutcome.INGESTED]
    assert kept(spool) == []


def test_a_copy_whose_process_died_goes_with_the_next_of_the_same_bytes(world, make_frame, spool):
    path = make_frame()

    def die(step):
        if step is IngestStep.INTENDED:
            raise KeyboardInterrupt

    with world.connect(on_step=die) as cal, pytest.raises(KeyboardInterrupt):
        cal.ingest(io.BytesIO(path.read_bytes()), filename=path.name, is_master=True)
    with world.connect() as cal:
        cal.ingest(io.BytesIO(path.read_bytes()), filename=path.name, is_master=True)
    assert kept(spool) == []


def test_what_was_killed_before_it_intended_anything_goes_with_the_next_resume(
    world, make_frame, spool
):
    path = make_frame()
    with world.connect() as cal:
        folder = spool_folder(spool, cal._database.place)
        with Spool(folder).keep(io.BytesIO(path.read_bytes()), path.name) as alive:
            with Spool(folder).keep(one(), "killed.fits"):
                pass
            (folder / f"{'0' * 32}.new").mkdir()
            (folder / f"{'1' * 32}.new").mkdir()
            (folder / f"{'1' * 32}.new" / "half.fits").write_bytes(b"half")
            assert len(kept(spool)) == 3
            assert cal.resume() == []
            assert list(folder.iterdir()) == [alive.parent]
        cal.resume()
        assert list(folder.iterdir()) == []


def test_another_records_database_does_not_take_away_what_one_still_needs(
    world, make_frame, spool, tmp_path
):
    path = make_frame()

    def die(step):
        if step is IngestStep.INTENDED:
            raise KeyboardInterrupt

    def give(cal):
        return cal.ingest(io.BytesIO(path.read_bytes()), filename=path.name, is_master=True)

    with world.connect(on_step=die) as cal, pytest.raises(KeyboardInterrupt):
        give(cal)
    with ScienceArchive() as staging:
        places = {"db": tmp_path / "s.sqlite", "store": tmp_path / "s", "archive": staging.root}
        with world.connect(**places, token=staging.token) as other:
            give(other)
            other.resume()
    with world.connect() as cal:
        [result] = cal.resume()
        assert result.outcome is IngestOutcome.INGESTED
        assert cal.fetch(result, source="store").read_bytes() == path.read_bytes()
    assert kept(spool) == []


def test_a_sweep_and_copies_that_are_made_at_once_do_not_disturb_each_other(tmp_path):
    spool = Spool(tmp_path)
    done = threading.Event()

    def sweep():
        while not done.is_set():
            spool.sweep(lambda _copy: ())

    with ThreadPoolExecutor(2) as pool:
        sweeping = [pool.submit(sweep) for _ in range(2)]
        try:
            for number in range(200):
                data = str(number).encode()
                with spool.keep(io.BytesIO(data), "a.fits") as copy:
                    assert copy.read_bytes() == data
        finally:
            done.set()
        assert [one.result() for one in sweeping] == [None, None]
    spool.sweep(lambda _copy: ())
    assert list(tmp_path.iterdir()) == []


def test_the_name_is_the_given_one_or_its_own(tmp_path):
    with (tmp_path / "a.fits").open("w+b") as file:
        assert filename_of(file, "x/b.fits") == "b.fits"
        assert filename_of(file, tmp_path / "c.fits") == "c.fits"
        assert filename_of(file) == "a.fits"
    with pytest.raises(DataFileNotFoundError, match="no name"):
        filename_of(io.BytesIO(b"1"))


def test_a_file_that_was_replaced_is_not_taken_for_the_open_one(tmp_path):
    path = tmp_path / "a.fits"
    with path.open("w+b") as file:
        assert path_behind(file, "a.fits") == path
        assert path_behind(file, "b.fits") is None
        path.unlink()
        assert path_behind(file, "a.fits") is None
        path.write_bytes(b"another")
        assert path_behind(file, "a.fits") is None
    assert path_behind(file, "a.fits") is None
    assert path_behind(io.BytesIO(b"1"), "a.fits") is None


def test_what_was_written_to_an_open_file_is_on_disk_before_it_is_read_there(tmp_path):
    with (tmp_path / "a.fits").open("w+b") as file:
        file.write(b"written")
        assert path_behind(file, "a.fits").read_bytes() == b"written"


def test_a_file_that_unpacks_as_it_is_read_is_not_read_behind_its_back(tmp_path):
    path = tmp_path / "a.fits"
    path.write_bytes(gzip.compress(b"1"))
    with gzip.open(path) as file, path.open() as text:
        assert path_behind(file, "a.fits") is None
        assert path_behind(text, "a.fits") is None
        with Spool(tmp_path / "spool").keep(file, "a.fits") as copy:
            assert copy.read_bytes() == b"1"
