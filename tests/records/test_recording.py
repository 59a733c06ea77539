"""What is recorded is what was given, once, whoever writes it and however often."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calrecords.errors import DuplicateRecordError, InvalidRecordError
from calrecords.frames import CalibrationFrame, FrameFacts, FrameVersion
from calrecords.records.models import Frame, FrameInput, Instrument, Site, Version
from calrecords.records.recording import check_identity
from calrecords.vocabulary import Binning, Verdict

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def stored(database):
    """Return a function that reads every row of the tables that recording writes."""

    def read():
        with database.read() as connection:
            return {
                model.__tablename__: [
                    tuple(row) for row in connection.execute(sa.select(model).order_by(model.id))
                ]
                for model in (Site, Instrument, Frame, Version, FrameInput)
            }

    return read


def test_every_fact_is_recorded_as_it_was_given(database, record, make_version, full_facts):
    new = make_version(
        key="lsc/fa15/flat.fits.fz",
        version_key="v1",
        frame_id=2**63 - 1,
        archived_at=NOON,
    )
    frame = record(new, now=LATER)
    assert frame == CalibrationFrame(
        frame_id=2**63 - 1,
        basename="flat",
        obstype="SKYFLAT",
        is_master=True,
        reduction_level=91,
        site="lsc",
        camera="fa15",
        instrument="sinistro",
        filter="rp",
        binning=Binning(2, 1),
        configuration_mode="central_2k_2x2",
        exposure_time=12.345678901234567,
        ccd_temperature=-100.0,
        dateobs=full_facts.dateobs,
        dayobs=full_facts.dayobs,
        created=full_facts.created,
        verdict=Verdict.UNKNOWN,
        good_after=None,
        good_until=None,
        attributes=full_facts.attributes,
        version=FrameVersion(
            "v1",
            new.digest.md5,
            new.digest.sha256,
            new.digest.size,
            ".fits.fz",
            "lsc/fa15/flat.fits.fz",
        ),
        telescope="1m0a",
        ccd_measured_temperature=-99.87,
        public_date=full_facts.public_date,
        object="auto_focus",
        proposal="calibrate",
        pipeline_name="BANZAI",
        pipeline_version="1.36.1",
    )
    assert repr(frame.attributes) == repr(full_facts.attributes)
    with database.read() as connection:
        row = connection.execute(sa.select(Version)).one()._mapping
        inputs = connection.execute(
            sa.select(FrameInput.keyword, FrameInput.basename).order_by(FrameInput.id)
        ).all()
    same = set(row) & {field.name for field in fields(FrameFacts)} - {"binning"}
    assert {name: row[name] for name in same} == {name: getattr(full_facts, name) for name in same}
    assert len(same) == len(fields(FrameFacts)) - len(
        {"obstype", "site", "camera", "instrument", "is_master", "binning", "inputs"}
    )
    assert (row["archived_at"], row["recorded_at"], row["is_current"]) == (NOON, LATER, True)
    assert [tuple(given) for given in inputs] == list(full_facts.inputs)


def test_facts_that_are_not_known_stay_unknown(database, record, make_version):
    facts = FrameFacts(obstype="bias ", site="lsc", camera="kb70")
    frame = record(make_version("bias", facts=facts, extension=".fits"))
    unknown = {
        name for name in CalibrationFrame.__dataclass_fields__ if getattr(frame, name) is None
    }
    assert unknown == {
        *("frame_id", "reduction_level", "filter", "binning", "exposure_time"),
        *("ccd_temperature", "dateobs", "dayobs", "created", "good_after", "good_until"),
        *("telescope", "ccd_measured_temperature", "public_date", "object", "proposal"),
        *("pipeline_name", "pipeline_version"),
    }
    assert (frame.obstype, frame.instrument, frame.configuration_mode, dict(frame.attributes)) == (
        "BIAS",
        "kb70",
        "default",
        {},
    )


def test_a_second_write_changes_nothing(record, make_version, stored, sql):
    new = make_version(key="k", version_key="v1", frame_id=7, archived_at=NOON)
    record(new, now=NOON)
    sql(
        "UPDATE frame_versions SET verdict = 'bad', good_after = '2026-01-01 00:00:00.000000'",
        "SELECT 1",
    )
    before = stored()
    other = replace(
        new,
        facts=replace(new.facts, filter="gp", instrument="another", inputs=()),
        key="elsewhere",
        version_key="v2",
        frame_id=None,
        archived_at=LATER,
        extension=".fits",
    )
    assert record(other, now=LATER).verdict is Verdict.BAD
    assert record(new, now=LATER).verdict is Verdict.BAD
    assert stored() == before


def test_a_second_write_fills_in_only_what_was_missing(record, make_version, stored, sql):
    new = make_version()
    record(new, now=NOON)
    sql("UPDATE frame_versions SET sha256 = NULL, size = NULL", "SELECT 1")
    given = replace(new, key="k", version_key="v1", frame_id=7, archived_at=NOON)
    frame = record(given, now=LATER)
    assert (frame.frame_id, frame.version) == (
        7,
        FrameVersion("v1", new.digest.md5, new.digest.sha256, new.digest.size, ".fits.fz", "k"),
    )
    before = stored()
    record(replace(given, key="other", version_key="v2", archived_at=LATER))
    assert stored() == before


def test_a_size_of_nothing_is_a_size(record, make_version, sql):
    record(make_version(content=""))
    assert sql("SELECT size FROM frame_versions") == [(0,)]


@pytest.mark.parametrize("what", ["sha256", "size"])
def test_another_content_with_the_same_md5_is_refused(record, make_version, stored, what):
    new = make_version()
    record(new)
    before = stored()
    forged = replace(new.digest, **{what: "0" * 64 if what == "sha256" else 1})
    with pytest.raises(DuplicateRecordError, match="same md5 but other bytes"):
        record(replace(new, digest=forged))
    assert stored() == before


def contents_of(frames):
    return [frame.version.version_key for frame in frames]


@pytest.mark.parametrize(
    ("written", "newest_first"),
    [
        ([("a", NOON), ("b", LATER)], ["b", "a"]),
        ([("b", LATER), ("a", NOON)], ["b", "a"]),
        ([("a", NOON), ("b", NOON)], ["b", "a"]),
        ([("a", None), ("b", None)], ["b", "a"]),
        ([("b", LATER), ("a", NOON), ("c", LATER + timedelta(days=1))], ["c", "b", "a"]),
        ([("b", LATER), ("a", NOON), ("a", NOON), ("b", LATER)], ["b", "a"]),
        ([("a", None), ("b", LATER)], ["b", "a"]),
        ([("a", None), ("b", LATER), ("a", LATER + timedelta(days=1))], ["a", "b"]),
    ],
)
def test_the_version_that_the_archive_stored_last_is_current(
    database, record, make_version, written, newest_first
):
    for content, archived_at in written:
        new = make_version(content=content, version_key=content, archived_at=archived_at)
        record(new, now=NOON)
    assert contents_of(database.versions("flat")) == newest_first
    assert database.get(basename="flat").version.version_key == newest_first[0]


def test_a_new_version_has_facts_and_a_verdict_of_its_own(database, record, make_version, sql):
    record(make_version(content="1", version_key="1", frame_id=7))
    sql("UPDATE frame_versions SET verdict = 'bad'", "SELECT 1")
    record(make_version(content="2", version_key="2", frame_id=7, facts_with={"filter": "gp"}))
    found = database.versions("flat")
    assert [(f.frame_id, f.filter, f.verdict, f.version.version_key) for f in found] == [
        (7, "gp", Verdict.UNKNOWN, "2"),
        (7, "rp", Verdict.BAD, "1"),
    ]
    assert database.count() == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"site": "cpt"}, "with site 'lsc', and this file has 'cpt'"),
        ({"camera": "fa16"}, "with camera 'fa15', and this file has 'fa16'"),
        ({"obstype": "BIAS"}, "with observation type 'SKYFLAT', and this file has 'BIAS'"),
        ({"is_master": False}, "with frame 'a master', and this file has 'an individual calibr"),
    ],
)
def test_a_basename_names_one_frame(record, make_version, stored, changes, says):
    record(make_version(frame_id=7))
    before = stored()
    for content in ("bytes", "others"):
        with pytest.raises(DuplicateRecordError) as refused:
            record(make_version(content=content, facts_with=changes))
        assert says in str(refused.value)
        assert str(refused.value).endswith("so rename the file")
    assert stored() == before


def test_an_identity_is_compared_as_it_is_recorded(database, record, make_version):
    record(make_version())
    with database.write() as session:
        check_identity(session, "flat", replace(make_version().facts, obstype=" skyflat "))
        check_identity(session, "another", FrameFacts(obstype="BIAS"))


def test_another_frames_id_is_refused_with_both_names(record, make_version, stored):
    record(make_version("first", frame_id=7))
    record(make_version("second", "other"))
    before = stored()
    with pytest.raises(
        DuplicateRecordError, match=r"second: .* frame ID 7, .* recorded for first;"
    ):
        record(make_version("second", "other", frame_id=7))
    with pytest.raises(DuplicateRecordError, match=r"recorded with frame ID 7, .* says 8;"):
        record(make_version("first", frame_id=8))
    assert stored() == before


def test_two_inputs_under_one_keyword_are_both_kept(record, make_version, sql):
    inputs = (("IMCOM", "bias-1"), ("IMCOM", "bias-2"), ("IMCOM", "bias-1"))
    record(make_version(facts_with={"inputs": inputs}))
    assert sql("SELECT keyword, basename FROM frame_inputs ORDER BY id") == list(inputs[:2])


def test_one_instrument_is_one_row_and_a_second_camera_another(record, make_version, sql):
    for number, camera in enumerate(["fa15", "fa15", "fa16"]):
        record(make_version(f"flat-{number}", facts_with={"camera": camera}))
    record(make_version("flat-cpt", facts_with={"site": "cpt"}))
    asked = "SELECT s.code, i.camera, i.name FROM instruments i JOIN sites s ON s.id = i.site_id"
    assert sorted(sql(asked)) == [
        ("cpt", "fa15", "sinistro"),
        ("lsc", "fa15", "sinistro"),
        ("lsc", "fa16", "sinistro"),
    ]


def unlike(number):
    """Return text that does not compress, so that an index entry is as long as it looks."""
    return "".join(
        chr(0x4E00 + (number * 7919 + index * index * 31) % 20000) for index in range(800)
    )


@pytest.mark.parametrize("name", ["b" * 1000, unlike(1), "\U0001f52d é 'quoted' \"; DROP TABLE"])
def test_long_and_strange_names_are_recorded_alike(database, record, make_version, name):
    inputs = (("IMCOM001", name),)
    frame = record(make_version(name, facts_with={"inputs": inputs, "object": name * 5}))
    assert frame.basename == name
    assert database.get(basename=name) == frame


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        ({"basename": "b" * 1001}, {}),
        ({"frame_id": 2**63}, {}),
        ({"key": "lsc/\0"}, {}),
        ({"archived_at": datetime(2026, 1, 1)}, {}),  # noqa: DTZ001 - the fault
        ({}, {"exposure_time": float("nan")}),
        ({}, {"attributes": {"A": "\0"}}),
        ({}, {"reduction_level": 2**31}),
    ],
)
def test_what_one_database_could_not_hold_is_refused_on_both(
    record, make_version, stored, values, changes
):
    with pytest.raises(InvalidRecordError):
        record(make_version(**values, facts_with=changes))
    assert set(map(len, stored().values())) == {0}
