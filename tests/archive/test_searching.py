"""Our words are sent as the archive's, and what it would pass over is refused."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest
from astropy.time import Time

from calrecords.archive.searching import FILTERS, ORDERINGS
from calrecords.errors import ArchiveRefusedError

WRITTEN = {
    "start": ("2026-01-01", "start", "2026-01-01T00:00:00.000000Z"),
    "end": (
        datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=-7))),
        "end",
        "2026-01-02T10:00:00.000000Z",
    ),
    "dateobs": (Time("2026-01-01T02:03:04.567"), "DATE_OBS", "2026-01-01T02:03:04.567000Z"),
    "dayobs": ("20260101", "dayobs", "2026-01-01"),
    "basename": ("bias-a", "basename_exact", "bias-a"),
    "basename_contains": ("AS-", "basename", "AS-"),
    "object": ("M 31 & co", "target_name_exact", "M 31 & co"),
    "object_contains": ("m 31", "target_name", "m 31"),
    "has_object": (True, "empty_target_name", "false"),
    "public": (False, "public", "false"),
    "public_date": ("2026-01-01T02:03:04.567", "L1PUBDAT", "2026-01-01T02:03:04.567000Z"),
    "min_exposure_time": (0.1, "exposure_time", "0.1"),
    "obstype": ("bias", "configuration_type", "BIAS"),
    "obstypes": (["dark", "BIAS"], "include_configuration_type", ["BIAS", "DARK"]),
    "exclude_obstypes": ({"GUIDE"}, "exclude_configuration_type", "GUIDE"),
    "exclude_calibrations": (True, "exclude_calibrations", "true"),
    "proposal": ("calibrate", "proposal_id", "calibrate"),
    "camera": ("kb70", "instrument_id", "kb70"),
    "site": ("cpt", "site_id", "cpt"),
    "telescope": ("1m0a", "telescope_id", "1m0a"),
    "filter": ("rp", "primary_optical_element", "rp"),
    "reduction_level": (0, "reduction_level", "0"),
    "observation_id": (1234, "observation_id", "1234"),
    "request_id": (2**40, "request_id", str(2**40)),
    "submitter": ("ingester", "submitter", "ingester"),
    "covers": ((10.5, 10.3), "covers", "POINT(10.5 10.3)"),
    "intersects": ("POINT(1 2)", "intersects", "POINT(1.0 2.0)"),
}


def sent(server):
    return [
        {name: v[0] if len(v) == 1 else v for name, v in parse_qs(urlsplit(path).query).items()}
        for path in (seen.path for seen in server.seen)
    ]


@pytest.fixture
def empty(server, replies, page):
    return server.will(replies.json(200, page()))


def test_every_filter_has_its_case_here():
    assert WRITTEN.keys() == FILTERS.keys()


@pytest.mark.parametrize("word", WRITTEN)
def test_a_word_is_sent_under_the_archives_name(empty, client, word):
    value, name, written = WRITTEN[word]
    assert list(client.search(**{word: value})) == []
    assert sent(empty) == [
        {
            name: written,
            "ordering": "id",
            "include_related_frames": "false",
            "limit": "1000",
            "offset": "0",
        }
    ]


def test_all_words_are_sent_together(empty, client):
    list(client.search(**{word: value for word, (value, _, _) in WRITTEN.items()}))
    (seen,) = sent(empty)
    assert {name: seen[name] for _, name, _ in WRITTEN.values()} == {
        name: written for _, name, written in WRITTEN.values()
    }


@pytest.mark.parametrize("word", ["OBSTYPE", "Obstype", "type", "md5", "frame_id", "limit", ""])
def test_an_unknown_word_is_refused_with_the_known_ones(empty, client, word):
    with pytest.raises(ArchiveRefusedError, match=r"only by basename, basename_contains, camera"):
        client.search(**{word: "BIAS"})
    assert empty.seen == []


@pytest.mark.parametrize("value", ["", "  ", None])
def test_an_empty_value_is_refused_for_it_would_find_everything(empty, client, value):
    for word in FILTERS:
        with pytest.raises(ArchiveRefusedError, match=rf"^{word}=.* empty value"):
            client.search(**{word: value})
    assert empty.seen == []


WRONG = (
    ("start", "yesterday"),
    ("start", datetime(2026, 1, 1)),  # noqa: DTZ001 - a naive time is what is refused
    ("end", "2026-13-01"),
    ("dayobs", "2026-1-1"),
    ("dayobs", datetime(2026, 1, 1, tzinfo=UTC)),
    ("basename", " bias"),
    ("basename", "a\0"),
    ("basename", "x" * 1001),
    ("basename", 5),
    ("object", b"M31"),
    ("has_object", "yes"),
    ("public", 1),
    ("min_exposure_time", math.nan),
    ("min_exposure_time", math.inf),
    ("min_exposure_time", -1),
    ("min_exposure_time", "5"),
    ("min_exposure_time", True),
    ("obstype", ["BIAS"]),
    ("obstypes", "BIAS"),
    ("obstypes", []),
    ("obstypes", ["BIAS", ""]),
    ("obstypes", [None]),
    ("exclude_obstypes", 5),
    ("exclude_calibrations", "true"),
    ("reduction_level", "91"),
    ("reduction_level", True),
    ("reduction_level", 91.0),
    ("observation_id", -1),
    ("request_id", 2**63),
    ("covers", "junk"),
    ("intersects", {"type": "Point"}),
)


def test_a_value_that_the_archive_would_misread_is_refused(empty, client):
    for word, value in WRONG:
        with pytest.raises(ArchiveRefusedError, match=rf"^{word}=.* not asked") as caught:
            client.search(**{word: value})
        assert caught.value.__context__ is None
    assert empty.seen == []


@pytest.mark.parametrize(
    ("ordering", "written"),
    [
        (None, "id"),
        ([], "id"),
        ("frame_id", "id"),
        ("-frame_id", "-id"),
        ("dateobs", "observation_date,id"),
        ("-dateobs", "-observation_date,id"),
        (["camera", "-exposure_time"], "instrument_id,-exposure_time,id"),
        (("obstype", "-frame_id"), "configuration_type,-id"),
    ],
)
def test_an_ordering_is_sent_so_that_it_is_whole(empty, client, ordering, written):
    list(client.search(ordering=ordering))
    assert sent(empty)[0]["ordering"] == written


@pytest.mark.parametrize("ordering", ["", "id", "observation_date", "site", "--dateobs", ["-"]])
def test_an_ordering_that_the_archive_would_pass_over_is_refused(empty, client, ordering):
    with pytest.raises(ArchiveRefusedError, match=f"only by {sorted(ORDERINGS)[0]}"):
        client.search(ordering=ordering)
    assert empty.seen == []


def test_related_frames_are_asked_for_where_they_are_wanted(empty, client):
    list(client.search(with_related=True))
    assert "include_related_frames" not in sent(empty)[0]


MISMATCHES = {
    "start": ("2026-01-01T02:03:04.568", "2026-01-01T02:03:04.567"),
    "end": ("2026-01-01T02:03:04.566", "2026-01-01T02:03:04.567"),
    "dateobs": ("2026-01-01", "2026-01-01T02:03:04.567"),
    "dayobs": (date(2026, 1, 2), date(2026, 1, 1)),
    "basename": ("bias", "bias-a"),
    "basename_contains": ("dark", "AS-A"),
    "object": ("m 31", "M 31"),
    "object_contains": ("ngc", "m 3"),
    "has_object": (False, True),
    "public_date": ("2026-01-02", "2027-01-01"),
    "min_exposure_time": (30.5, 30),
    "obstype": ("DARK", "BIAS"),
    "obstypes": (["DARK"], ["DARK", "BIAS"]),
    "exclude_obstypes": (["BIAS"], ["DARK"]),
    "proposal": ("other", "calibrate"),
    "camera": ("kb71", "kb70"),
    "site": ("coj", "cpt"),
    "telescope": ("2m0a", "1m0a"),
    "filter": ("gp", "rp"),
    "reduction_level": (91, 0),
    "observation_id": (1, 1234),
    "request_id": (1, 7),
}
UNSEEN = {"public", "exclude_calibrations", "submitter", "covers", "intersects"}


@pytest.fixture
def answered(server, replies, page, frame_row):
    row = frame_row(
        5,
        observation_day="2026-01-01",
        target_name="M 31",
        public_date="2027-01-01T00:00:00Z",
        exposure_time=30.0,
        proposal_id="calibrate",
        instrument_id="kb70",
        site_id="cpt",
        telescope_id="1m0a",
        primary_optical_element="rp",
        reduction_level=0,
        observation_id=1234,
        request_id=7,
    )
    return server.will(replies.json(200, page(row)), replies.json(200, page()))


def test_every_filter_is_compared_with_what_comes_or_cannot_be():
    assert MISMATCHES.keys() | UNSEEN == FILTERS.keys()
    assert {word for word, asked in FILTERS.items() if asked.agrees is None} == UNSEEN


@pytest.mark.parametrize("word", MISMATCHES)
def test_a_frame_that_was_not_asked_for_is_noticed(answered, client, word):
    wrong, _ = MISMATCHES[word]
    with pytest.raises(ArchiveRefusedError, match=rf"asked for {word}=.* does not filter"):
        list(client.search(**{word: wrong}))


@pytest.mark.parametrize("word", MISMATCHES)
def test_a_frame_that_was_asked_for_is_given(answered, client, word):
    _, right = MISMATCHES[word]
    assert [frame.frame_id for frame in client.search(**{word: right})] == [5]


def test_a_frame_that_lacks_the_field_was_not_asked_for(server, client, replies, page):
    server.will(replies.json(200, page({"id": 5, "basename": "x", "version_set": []})))
    for word in MISMATCHES.keys() - {"basename_contains", "exclude_obstypes"}:
        _, right = MISMATCHES[word]
        with pytest.raises(ArchiveRefusedError, match=f"asked for {word}="):
            list(client.search(**{word: right}))
