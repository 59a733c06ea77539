"""An archive that lies can make calrecords refuse a frame, and no more than that."""

import pytest
from lying_archive import LyingArchive

import calrecords
from calrecords.archive import ArchiveClient, default_retrying
from calrecords.errors import (
    ArchiveError,
    ArchiveUnavailableError,
    FileStoreError,
    InvalidKeywordError,
    InvalidRecordError,
    RecordError,
    StoredFileNotFoundError,
    UnsafeKeyError,
)

LIES = {
    "a checksum that is a path": (
        {"version": {"md5": "{folder}/victims"}, "frame": {"basename": "precious"}},
        InvalidRecordError,
        "says its md5 is",
    ),
    "a checksum that climbs": (
        {"version": {"md5": "../../../victims"}, "frame": {"basename": "precious"}},
        InvalidRecordError,
        "says its md5 is",
    ),
    "no checksum": ({"version": {"md5": ""}}, InvalidRecordError, "says its md5 is ''"),
    "half a checksum": ({"version": {"md5": "d41d8cd9"}}, InvalidRecordError, "says its md5 is"),
    "NULs as a checksum": ({"version": {"md5": "\0" * 32}}, InvalidRecordError, "says its md5 is"),
    "a name that climbs": (
        {"frame": {"basename": "../../precious"}},
        UnsafeKeyError,
        "no file can",
    ),
    "a name that is a path": (
        {"frame": {"basename": "{folder}/precious"}},
        UnsafeKeyError,
        "no file can",
    ),
    "an extension that climbs": (
        {"version": {"extension": "/../../../victims/precious.fits"}},
        UnsafeKeyError,
        "no file can",
    ),
    "a folder as a name": (
        {"frame": {"basename": "."}, "version": {"extension": "."}},
        UnsafeKeyError,
        "no file can",
    ),
    "a name with a NUL": ({"frame": {"basename": "a\0b"}}, UnsafeKeyError, "no file can"),
    "a name of half a letter": ({"frame": {"basename": "a\ud800"}}, UnsafeKeyError, "no file can"),
    "an endless name": ({"frame": {"basename": "x" * 5_000}}, UnsafeKeyError, "no file can"),
    "an endless key": ({"version": {"key": "x" * 5_000}}, InvalidRecordError, "too long"),
    "a key with a NUL": ({"version": {"key": "a\0"}}, InvalidRecordError, "NUL"),
    "a site with a NUL": ({"frame": {"site_id": "\0"}}, InvalidRecordError, "NUL"),
    "an endless site": ({"frame": {"site_id": "x" * 500}}, InvalidRecordError, "too long"),
    "a number beyond any": (
        {"frame": {"exposure_time": 10**400}},
        ArchiveUnavailableError,
        "'exposure_time' holds a value that cannot be read",
    ),
    "a level beyond any": ({"frame": {"reduction_level": 10**40}}, InvalidRecordError, "32 bits"),
    "a header with a number for a time": (
        {"header": {"DATE-OBS": 5}},
        InvalidKeywordError,
        "DATE-OBS is 5",
    ),
    "a header with a million letters": (
        {"header": {"DATE-OBS": "9" * 1_000_000}},
        InvalidKeywordError,
        "DATE-OBS is '999",
    ),
    "another frame's number": ({"frame": {"id": 2}}, ArchiveError, "2"),
    "no versions": ({"frame": {"version_set": []}}, StoredFileNotFoundError, "no file"),
}
LIES_ABOUT_PLACES = {
    "a file of ours": ("file:///etc/passwd", StoredFileNotFoundError),
    "another protocol": ("ftp://127.0.0.1/x", StoredFileNotFoundError),
    "no address": ("http://[bad", StoredFileNotFoundError),
    "no port": ("http://127.0.0.1:999999/x", StoredFileNotFoundError),
    "nobody there": ("http://127.0.0.1:9/x", ArchiveUnavailableError),
    "text for a terminal": ("{root}\x00\x1b[2J", FileStoreError),
    "no text": ("", StoredFileNotFoundError),
}


@pytest.fixture
def connect(tmp_path):
    """Return a function that connects to an archive, with files nearby that are not its own."""
    (tmp_path / "victims").mkdir()
    for place in ("victims", "."):
        (tmp_path / place / "precious.fits").write_bytes(b"precious")
    made = []

    def connect(archive):
        policy = default_retrying(attempts=2).copy(sleep=lambda _seconds: None)
        client = ArchiveClient(archive.root, "0" * 40, retrying=policy, total_timeout_s=5.0)
        places = {"db": tmp_path / "records.sqlite", "store": tmp_path / "store"}
        made.append(calrecords.connect(archive=client, cache=tmp_path / "a" / "cache", **places))
        return made[-1]

    yield connect
    for one in made:
        one.close()
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    named = {str(path) for path in written if not path.name.startswith("records.sqlite")}
    assert named <= {"precious.fits", "victims/precious.fits"}
    assert (tmp_path / "precious.fits").read_bytes() == b"precious"
    assert (tmp_path / "victims" / "precious.fits").read_bytes() == b"precious"
    outside = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert outside <= {"victims", "a", "store"}
    assert {path.name for path in (tmp_path / "a").glob("*")} <= {"cache"}


def told(lie, **known):
    """Return a lie with what it needs to know filled in."""
    return {
        name: {key: filled(value, **known) for key, value in fields.items()}
        for name, fields in lie.items()
    }


def filled(value, **known):
    return value.format(**known) if isinstance(value, str) and "{" in value else value


@pytest.mark.parametrize("name", LIES)
def test_a_frame_with_a_lie_about_it_is_not_recorded(name, connect, tmp_path):
    lie, error, says = LIES[name]
    with LyingArchive(**told(lie, folder=tmp_path)) as archive:
        cal = connect(archive)
        with pytest.raises(error, match=says) as raised:
            cal.adopt(1)
        assert len(str(raised.value)) < 6_000
        assert str(raised.value).isprintable()
        assert len(cal.query()) == 0


@pytest.mark.parametrize("name", LIES_ABOUT_PLACES)
def test_a_file_that_is_said_to_be_elsewhere_is_not_had(name, connect):
    url, error = LIES_ABOUT_PLACES[name]
    with LyingArchive() as archive:
        archive.frame["version_set"][0]["url"] = filled(url, root=archive.root)
        cal = connect(archive)
        cal.adopt(1)
        for ask in (lambda: cal.fetch(1), lambda: cal.fetch(1, source="archive")):
            with pytest.raises(error) as raised:
                ask()
            assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["a checksum that is a path", "a checksum that climbs"])
def test_a_frame_recorded_without_a_checksum_gets_no_wrong_one(name, connect, tmp_path):
    with LyingArchive(**told(LIES[name][0], folder=tmp_path)) as archive:
        cal = connect(archive)
        row = {"basename": "precious", "filename": "precious.fits", "frame_id": 1}
        row |= {"obstype": "BIAS", "site": "lsc", "camera": "fa01", "instrument": "fa01"}
        row |= {"dateobs": "2026-01-01T00:00:00", "is_master": True}
        cal.import_records([row])
        with pytest.raises(RecordError, match="says its md5 is"):
            cal.fetch(1)


def test_the_truth_is_taken(tmp_path):
    policy = default_retrying(attempts=2).copy(sleep=lambda _seconds: None)
    with (
        LyingArchive() as archive,
        ArchiveClient(archive.root, "0" * 40, retrying=policy) as client,
        calrecords.connect(
            archive=client,
            db=tmp_path / "records.sqlite",
            store=tmp_path / "store",
            cache=tmp_path / "cache",
        ) as cal,
    ):
        cal.adopt(1)
        assert cal.fetch(1).read_bytes() == b""
