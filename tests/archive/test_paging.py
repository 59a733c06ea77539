"""A list is read to its true end, whatever the archive says of it and does to it meanwhile."""

import hashlib
import itertools
import logging
from urllib.parse import parse_qs, urlsplit

import pytest

from calrecords.archive.paging import BrokenPageError
from calrecords.errors import ArchiveRefusedError, ArchiveUnavailableError
from calrecords.testing import ScienceArchive


class Listing:
    """An archive's list of frames, by their IDs, which can change between two pages."""

    def __init__(self, replies, page, frame_row, ids, *, cap=1000):
        self.ids = list(ids)
        self.cap = cap
        self.asked = []
        self.broken = set()
        self.before = {}
        self._make = lambda rows: replies.json(200, page(*(frame_row(i, f"f{i}") for i in rows)))
        self._fail = lambda: replies.html(500)

    def __call__(self, seen):
        query = parse_qs(urlsplit(seen.path).query)
        limit, offset = int(query["limit"][0]), int(query["offset"][0])
        self.before.pop(len(self.asked), lambda: None)()
        self.asked.append((offset, limit))
        rows = self.ids[offset : offset + min(limit, self.cap)]
        return self._fail() if self.broken & set(rows) else self._make(rows)


@pytest.fixture
def listing(server, replies, page, frame_row):
    def make(ids, **options):
        listing = Listing(replies, page, frame_row, ids, **options)
        server.will(listing)
        return listing

    return make


def ids(frames):
    return [frame.frame_id for frame in frames]


@pytest.mark.parametrize("page_size", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("cap", [1, 4, 1000])
def test_every_frame_is_given_once_whatever_a_page_holds(listing, client, page_size, cap):
    for number in (0, 1, 2, 3, 9, 10, 11, 20, 21):
        listing(range(number), cap=cap)
        assert ids(client.search(page_size=page_size)) == list(range(number))


def test_neither_the_count_nor_the_next_page_is_believed(server, client, replies, frame_row):
    full = {"count": 1, "next": None, "results": [frame_row(1), frame_row(2, "b")]}
    rest = {"count": 0, "next": server.root + "frames/?x", "results": [frame_row(2, "b")]}
    server.will(replies.json(200, full), replies.json(200, rest))
    assert ids(client.search(page_size=2)) == [1, 2]
    assert len(server.seen) == 2


def test_a_page_that_is_shorter_than_a_full_one_is_the_last(listing, client):
    asked = listing(range(15)).asked
    assert len(list(client.search(page_size=10))) == 15
    assert asked == [(0, 10), (9, 10)]


def test_a_page_is_asked_for_when_it_is_needed(listing, client):
    asked = listing(range(100)).asked
    found = client.search(page_size=10)
    assert asked == []
    assert ids(itertools.islice(found, 10)) == list(range(10))
    assert asked == [(0, 10)]


@pytest.mark.parametrize(
    ("row_limit", "given", "pages"),
    [(1, 1, [(0, 1)]), (10, 10, [(0, 10)]), (11, 11, [(0, 10), (9, 10)]), (-1, 25, None)],
)
def test_no_more_is_asked_for_than_is_wanted(listing, client, row_limit, given, pages):
    asked = listing(range(25)).asked
    found = client.search(row_limit=row_limit, page_size=10)
    assert ids(found) == list(range(given))
    assert pages is None or asked == pages


@pytest.mark.parametrize("sizes", [{"row_limit": 0}, {"row_limit": -2}, {"page_size": 0}])
def test_a_number_of_frames_that_cannot_be_asked_for_is_refused(server, client, sizes):
    with pytest.raises(ArchiveRefusedError, match=next(iter(sizes))):
        client.search(**sizes)
    with pytest.raises(ArchiveRefusedError, match="1 to 1000"):
        client.search(page_size=1001)
    assert server.seen == []


@pytest.mark.parametrize("place", [0, 3, 9, 10, 25])
def test_a_frame_that_comes_meanwhile_hides_and_repeats_no_other(listing, client, place):
    shown = listing(range(25))
    shown.before[1] = lambda: shown.ids.insert(place, 99)
    found = ids(client.search(page_size=10))
    assert [i for i in found if i != 99] == list(range(25))
    assert found.count(99) <= 1


@pytest.mark.parametrize("gone", [(0,), (9,), (4, 5, 6), tuple(range(10)), (10,), (24,)])
def test_a_frame_that_goes_meanwhile_hides_no_other(listing, client, gone):
    shown = listing(range(25))
    shown.before[1] = lambda: [shown.ids.remove(i) for i in gone]
    found = ids(client.search(page_size=10))
    assert sorted(found) == [i for i in range(25) if i < 10 or i not in gone]
    assert len(found) == len(set(found))


def test_a_list_that_never_holds_still_is_given_up(listing, client):
    shown = listing(range(500))
    for call in range(1, 200):
        shown.before[call] = lambda: shown.ids.reverse()
    with pytest.raises(ArchiveUnavailableError, match="changes faster"):
        list(client.search(page_size=10))
    assert len(shown.asked) < 40


def test_a_server_that_answers_the_same_page_for_ever_is_given_up(
    server, client, replies, page, frame_row
):
    server.will(replies.json(200, page(frame_row(1), frame_row(2, "b"))))
    with pytest.raises(ArchiveUnavailableError, match="does not order or page"):
        list(client.search(page_size=2))


def test_a_page_that_holds_a_frame_twice_gives_it_once(server, client, replies, page, frame_row):
    server.will(
        replies.json(200, page(frame_row(1), frame_row(1), frame_row(2, "b"))),
        replies.json(200, page()),
        replies.json(200, page()),
    )
    assert ids(client.search()) == [1, 2]


def test_a_passing_failure_of_a_page_is_overcome(server, client, replies, page, frame_row):
    server.will(replies.html(500), replies.json(200, page(frame_row(1))), replies.json(200, page()))
    assert ids(client.search()) == [1]


def test_a_page_that_the_archive_cannot_show_is_named(listing, client):
    shown = listing(range(30))
    shown.broken = {17}
    found = client.search(page_size=10)
    assert ids(itertools.islice(found, 10)) == list(range(10))
    with pytest.raises(ArchiveUnavailableError, match="page of 10 frames from offset 9") as caught:
        next(found)
    assert "one frame that the archive cannot describe" in str(caught.value)
    assert len(shown.asked) == 1 + 3, "it is asked again before it is believed"


@pytest.mark.parametrize("cap", [3, 7, 1000])
@pytest.mark.parametrize("broken", [{0}, {17}, {9, 10, 11}, {29}, {0, 29}, set(range(10))])
def test_frames_that_cannot_be_shown_are_left_out_where_that_is_asked(
    listing, client, caplog, broken, cap
):
    shown = listing(range(30), cap=cap)
    shown.broken = broken
    found = client.search(page_size=8, skip_unreadable=True)
    assert ids(found) == [i for i in range(30) if i not in broken]
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert [int(text.split("offset ")[1].split(" ")[0]) for text in said] == sorted(broken)


def test_an_archive_that_shows_nothing_at_all_is_not_read_frame_by_frame(listing, client):
    shown = listing(range(1000))
    shown.broken = set(shown.ids)
    with pytest.raises(BrokenPageError):
        list(client.search(page_size=100, skip_unreadable=True))
    assert len(shown.asked) < 100


def test_a_refusal_of_the_archive_is_told_in_its_words(server, client, replies, shared_data):
    server.will(replies.recorded(shared_data, "223-list-start-bad"))
    with pytest.raises(ArchiveRefusedError, match=r"refused \(400\): start: Enter a valid date"):
        list(client.search(start="2026-01-01"))


def test_something_else_than_a_page_is_no_empty_list(server, client, replies):
    for body in ([], {"results": None}, {"count": 0}, "ok"):
        server.will(replies.json(200, body))
        with pytest.raises(ArchiveUnavailableError, match="not as a Science Archive"):
            list(client.search())


class TestAtAWholeArchive:
    """Searches at an archive that filters, and at one that holds a frame it cannot show."""

    @pytest.fixture
    def archive(self):
        with ScienceArchive() as archive:
            yield archive

    @pytest.fixture
    def client(self, make_client, archive):
        return make_client(archive.root, archive.token)

    @pytest.fixture
    def fill(self, client, record):
        def fill(number, **fields):
            for i in range(number):
                name = f"{fields.get('configuration_type', 'BIAS').lower()}-{i}"
                client.create_frame(
                    {**record, "basename": name, **fields},
                    version_key=name,
                    md5=hashlib.md5(name.encode()).hexdigest(),
                    extension=".fits",
                )

        return fill

    def test_every_filter_finds_what_is_there_and_nothing_else(self, client, fill):
        area = {"type": "Polygon", "coordinates": [[[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]]}
        flat = {
            "configuration_type": "SKYFLAT",
            "observation_date": "2026-01-03T00:00:00",
            "observation_day": "20260102",
            "target_name": "Twilight",
            "public_date": "3014-01-01T00:00:00",
            "exposure_time": 30.0,
            "proposal_id": "epo",
            "instrument_id": "kb71",
            "site_id": "coj",
            "telescope_id": "2m0a",
            "primary_optical_element": "rp",
            "reduction_level": 91,
            "observation_id": 12,
            "request_id": 7,
            "area": area,
        }
        fill(2, public_date="2026-01-01T00:00:00")
        fill(1, **flat)
        words = {
            "start": "2026-01-03",
            "dateobs": "2026-01-03",
            "dayobs": "20260102",
            "basename": "skyflat-0",
            "basename_contains": "SKY",
            "object": "Twilight",
            "object_contains": "LIGHT",
            "has_object": True,
            "public": False,
            "public_date": "3014-01-01",
            "min_exposure_time": 30,
            "obstype": "SKYFLAT",
            "obstypes": ["SKYFLAT", "DARK"],
            "exclude_obstypes": ["BIAS", "DARK"],
            "proposal": "epo",
            "camera": "kb71",
            "site": "coj",
            "telescope": "2m0a",
            "filter": "rp",
            "reduction_level": 91,
            "observation_id": 12,
            "request_id": 7,
            "covers": (1.5, 1.5),
            "intersects": "POLYGON((0 0, 1.5 0, 1.5 1.5, 0 1.5, 0 0))",
        }
        found = {word: ids(client.search(**{word: value})) for word, value in words.items()}
        assert found == {word: [3] for word in words}
        assert ids(client.search(**words)) == [3]
        assert ids(client.search(end="2026-01-02")) == [1, 2]
        assert ids(client.search(ordering=["-exposure_time", "-frame_id"])) == [3, 2, 1]

    def test_frames_are_read_as_a_look_up_reads_them(self, client, fill):
        fill(1, related_frame_filenames=["other"])
        looked_up = client.frame(1)
        (found,) = client.search(with_related=True)
        assert found == looked_up
        (quick,) = client.search()
        assert (quick.related_frame_ids, looked_up.related_frame_ids) == ((), (2,))

    def test_a_fresh_archive_whose_count_is_minus_one_is_read_whole(self, client, archive, fill):
        fill(12)
        archive.clear_requests()
        assert len(list(client.search(page_size=5))) == 12
        assert (len(archive.requests), archive.connections) == (3, 0)

    def test_related_frames_are_given_without_placeholders(self, client, archive, fill):
        fill(1, configuration_type="DARK", related_frame_filenames=["bias-0", "never"])
        fill(1)
        assert [(f.frame_id, f.basename, f.obstype) for f in client.related(1)] == [
            (2, "bias-0", "BIAS")
        ]
        assert ids(client.related(2)) == [1]
        assert archive.requests[-1] == ("GET", "/frames/2/related/")
