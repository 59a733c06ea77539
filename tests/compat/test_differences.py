"""What is said to differ from the OCS ingester 3.2.0 does, and what is not said does not."""

import datetime as dt
import gzip
import tarfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

import calrecords
from calrecords.compat import ocs_ingester
from calrecords.datafiles.synthetic import write_synthetic_frame

VERBS = {
    "exists": "frame_exists",
    "record": "validate_fits_and_create_archive_record",
    "upload": "upload_file_to_file_store",
    "ingest": "upload_file_and_ingest_to_archive",
}
ABOUT_THE_FILE = ("record", "upload", "ingest")
PDF, JPG = b"%PDF-1.4\n%%EOF\n", b"\xff\xd8\xff\xe0 "
METADATA = {
    "PROPID": "calib",
    "DATE-OBS": "2026-01-01T00:00:00",
    "DAY-OBS": "20260101",
    "INSTRUME": "kb70",
    "SITEID": "cpt",
    "TELID": "1m0a",
    "OBSTYPE": "BIAS",
    "BLKUID": 1,
}
PICTURE = {**METADATA, "frame_basename": "a-e91", "size": "small"}
REFUSED, THERE = "DoNotRetryError", "NonFatalDoNotRetryError"


@dataclass
class Case:
    """A file, what is said of it, and how the answers of both differ."""

    name: str
    cards: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] | None = None
    content: bytes | None = None
    path: str | None = None
    given: dict[str, Any] = field(default_factory=dict)
    theirs: Any = None
    ours: Any = None

    def write(self, folder, number):
        target = folder / str(number) / self.name
        target.parent.mkdir()
        if self.content is not None:
            target.write_bytes(self.content + str(number).encode())
            return target
        made = write_synthetic_frame(folder / "made", is_master=False, seed=number)
        with fits.open(made) as hdus:
            for keyword, value in self.cards.items():
                if value is None:
                    del hdus[0].header[keyword]
                else:
                    hdus[0].header[keyword] = value
            for keyword in ("CHECKSUM", "DATASUM"):
                hdus[0].header.pop(keyword, None)
            hdus.writeto(target if target.suffix == ".fits" else made, overwrite=True)
        if self.name.endswith(".tar.gz"):
            with tarfile.open(target, "w:gz") as archive:
                archive.add(made, made.name)
        elif target.suffix != ".fits":
            target.write_bytes(made.read_bytes())
        return target


ALIKE = [
    Case("plain.fits"),
    Case("numbers.fits", {"BLKUID": "N/A", "REQNUM": "NONE", "MOLUID": "00012"}),
    Case("nulls.fits", {"OBJECT": "N/A", "FILTER": "UNKNOWN"}),
    Case("related.fits", {"L1IDBIAS": "b.fits.fz", "L1IDFLAT": "N/A", "ORIGNAME": "m"}),
    Case("field.fits", {"RADIUS": 900.0, "RA": "12:30:00", "DEC": "-30:00:00"}),
    Case("private.fits", {"PROPID": "LCOEngineering", "OBSTYPE": "EXPOSE"}),
    Case("day.fits", {"DATE-OBS": "2026-01-01"}),
    Case("level.fits", {"RLEVEL": None}),
    Case("overruled.fits", metadata={"OBJECT": "by hand", "NEW": 5}),
    Case("tmpname.fits", path="/data/renamed.fits"),
    Case("pack.tar.gz"),
    Case("document.pdf", content=PDF, metadata=METADATA),
    Case("picture.jpg", content=JPG, metadata=PICTURE),
    Case("nullpicture.jpg", content=JPG, metadata={**PICTURE, "OBJECT": "N/A", "BLKUID": "N/A"}),
    Case("dropped.fits", given={"blacklist_headers": ["GAIN"]}),
    Case("fewer.fits", {"BLKUID": None}, given={"required_headers": ["PROPID"]}),
    Case("required.fits", given={"required_headers": ["NOTHERE"]}),
    Case("lacks.fits", {"PROPID": None}),
    Case("bare.pdf", content=PDF),
    Case("bare.jpg", content=JPG),
    Case("broken.tar.gz", content=b"\x1f\x8b"),
    Case("garbage.fits", content=b"garbage"),
    Case("UPPER.FITS"),
    Case("noextension"),
    Case("other.xyz", content=b"1"),
]
DIFFERENT = [
    Case("a.b.fits", theirs=REFUSED, ours={"basename": "a.b"}),
    Case(
        "c.fits",
        {"L1IDDARK": "d.e.fits"},
        theirs={"related_frame_filenames": ["d"]},
        ours={"related_frame_filenames": ["d.e"]},
    ),
    Case("with blank.fits", theirs={"basename": "with blank"}, ours=REFUSED),
    Case("noPDF.pdf", content=b"1", metadata=METADATA, theirs={"size": ""}, ours=REFUSED),
    Case("said.fits", content=b"1", metadata=METADATA, theirs={"size": ""}, ours=REFUSED),
    Case(
        "dashed.fits",
        {"DAY-OBS": "2026-01-01"},
        theirs={"observation_day": "2026-01-01"},
        ours={"observation_day": "20260101"},
    ),
    Case(
        "text.fits",
        {"EXPTIME": "30"},
        theirs={"exposure_time": "30"},
        ours={"exposure_time": 30.0},
    ),
    Case("night.fits", {"DAY-OBS": 20260101}, theirs="TypeError", ours={"exposure_time": 0.0}),
    Case("list.fits", metadata={"A": [1]}, theirs={"size": ""}, ours=REFUSED),
    Case(
        "named.pdf",
        content=PDF,
        metadata={**METADATA, "L1IDARC": "x.fits.fz"},
        theirs={"related_frame_filenames": ["x.fits.fz"]},
        ours={"related_frame_filenames": ["x"]},
    ),
    Case(
        "null.pdf",
        content=PDF,
        metadata={**METADATA, "REQNUM": "N/A", "OBJECT": "N/A"},
        theirs=REFUSED,
        ours={"request_id": None, "target_name": ""},
    ),
]


@pytest.fixture
def local(make_local_place, monkeypatch):
    theirs, ours = make_local_place("theirs"), make_local_place("ours")
    ours.use(monkeypatch)
    return theirs, ours


def ask_us(verb, fileobj, **named):
    with fileobj.open("rb") as file:
        try:
            return getattr(ocs_ingester, VERBS[verb])(file, **named)
        except ocs_ingester.DoNotRetryError:
            return REFUSED


def arguments(verb, case):
    named = {"path": case.path, "file_metadata": case.metadata}
    if verb != "upload":
        named |= case.given
    return {name: value for name, value in named.items() if value is not None}


def without_places(answer):
    if isinstance(answer, dict):
        return {name: value for name, value in answer.items() if name not in {"url", "frameid"}}
    return answer


def test_what_is_not_said_to_differ_does_not(local, original, tmp_path):
    files = [(case.write(tmp_path, number), case) for number, case in enumerate(ALIKE, 1)]
    asked = [(verb, path, case) for path, case in files for verb in ABOUT_THE_FILE]
    answers = original.run(
        local[0].environment,
        [(verb, {"fileobj": path, **arguments(verb, case)}) for verb, path, case in asked],
    )
    for (verb, path, case), expected in zip(asked, answers, strict=True):
        answer = ask_us(verb, path, **arguments(verb, case))
        assert without_places(answer) == without_places(expected), (verb, case.name)


def test_what_is_said_to_differ_does(local, original, tmp_path):
    files = [(case.write(tmp_path, number), case) for number, case in enumerate(DIFFERENT, 1)]
    answers = original.run(
        local[0].environment,
        [("ingest", {"fileobj": path, **arguments("ingest", case)}) for path, case in files],
    )
    for (path, case), theirs in zip(files, answers, strict=True):
        ours = ask_us("ingest", path, **arguments("ingest", case))
        for answer, expected in ((theirs, case.theirs), (ours, case.ours)):
            if isinstance(expected, dict) and isinstance(answer, dict):
                assert {name: answer[name] for name in expected} == expected, case.name
            else:
                assert answer == expected, case.name


def test_a_version_that_is_registered_already_is_answered_again_or_said_to_be_there(
    local, original, tmp_path
):
    path = Case("one.fits").write(tmp_path, 1)
    outcomes = []
    for name in (None, "other.fits"):
        with path.open("rb") as file:
            record = ocs_ingester.validate_fits_and_create_archive_record(file, name)
            version = ocs_ingester.upload_file_to_file_store(file, name)
        for _again in range(2):
            outcomes.append(register(version, record))
    assert outcomes == ["one.fits", "one.fits", THERE, THERE]
    with calrecords.connect() as cal:
        assert cal.resume() == []

    [record, version] = original.run(
        local[0].environment, [("record", {"fileobj": path}), ("upload", {"fileobj": path})]
    )
    posts = [
        ("register", {"version": version, "record": {**record, "basename": name}})
        for name in ("one", "one", "other")
    ]
    theirs = original.run(local[0].environment, posts)
    assert [theirs[0]["filename"], *theirs[1:]] == ["one.fits", REFUSED, REFUSED]


def register(version, record):
    try:
        return ocs_ingester.ingest_archive_record(version, dict(record))["filename"]
    except ocs_ingester.NonFatalDoNotRetryError:
        return THERE


def test_numbers_of_numpy_and_times_may_be_among_metadata_which_stay_as_they_are(local, tmp_path):
    path = Case("a.pdf", content=PDF).write(tmp_path, 1)
    metadata = {
        **METADATA,
        "BLKUID": np.int64(7),
        "EXPTIME": np.float32(1.5),
        "DATE-OBS": dt.datetime(2026, 1, 1, 2, 3, 4),  # noqa: DTZ001 - FITS times have no zone
        "DAY-OBS": dt.date(2026, 1, 1),
        "FLAG": np.bool_(True),
    }
    given = dict(metadata)
    answer = ask_us("ingest", path, file_metadata=metadata)
    assert answer["headers"] == {
        **METADATA,
        "BLKUID": 7,
        "EXPTIME": 1.5,
        "DATE-OBS": "2026-01-01T02:03:04",
        "DAY-OBS": "2026-01-01",
        "FLAG": True,
        "L1PUBDAT": "2026-01-01T02:03:04",
    }
    assert answer["observation_day"] == "20260101"
    assert metadata == given


def test_a_file_that_is_unpacked_as_it_is_read_is_ingested_as_it_is_read(local, tmp_path):
    path = Case("a.fits").write(tmp_path, 1)
    plain = path.read_bytes()
    path.write_bytes(gzip.compress(plain))
    with gzip.open(path) as file:
        answer = ocs_ingester.upload_file_and_ingest_to_archive(file)
    [stored] = (local[1].store / "lsc").rglob("a.fits")
    assert stored.read_bytes() == plain
    assert answer["filename"] == "a.fits"
