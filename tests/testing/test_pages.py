from urllib.parse import parse_qs, urlsplit

import pytest

from calrecords.testing._pages import PageRequest, analyzed_rows


def ids(answer):
    return [row["id"] for row in answer.json["results"]]


@pytest.fixture
def fill(client, record):
    """Return a function that posts frames, a minute apart."""

    def fill(number, **changes):
        for index in range(number):
            client(
                "POST",
                "/frames/",
                record(
                    f"bias-{index:03d}",
                    observation_date=f"2026-01-01T{index // 60:02d}:{index % 60:02d}:00",
                    **changes,
                ),
            )

    return fill


@pytest.mark.parametrize(
    ("query", "limit", "offset"),
    [
        ("", 100, 0),
        ("limit=0", 100, 0),
        ("limit=-1&offset=-1", 100, 0),
        ("limit=x&offset=x", 100, 0),
        ("limit=5000&offset=7", 1000, 7),
        ("limit=1&limit=2", 2, 0),
        ("limit=99999999999999999999&offset=99999999999999999999", 100, 0),
    ],
)
def test_reads_limit_and_offset(query, limit, offset):
    page = PageRequest("http://archive/frames/", query)
    assert (page.limit, page.offset) == (limit, offset)


def test_links_follow_from_the_count_right_or_wrong():
    page = PageRequest("http://archive/frames/", "limit=2&offset=2&b=&a=1&a=2")
    assert page.document(5, ["row"], estimated=False) == {
        "count": 5,
        "next": "http://archive/frames/?a=1&a=2&b=&limit=2&offset=4",
        "previous": "http://archive/frames/?a=1&a=2&b=&limit=2",
        "results": ["row"],
        "count_estimated": False,
    }
    assert page.document(1, ["row"], estimated=True)["next"] is None


@pytest.mark.parametrize(("rows", "known"), [(0, 0), (50, 0), (51, 51), (106, 51), (107, 107)])
def test_takes_statistics_as_the_database_does(rows, known):
    assert analyzed_rows(rows) == known


def test_a_new_table_counts_minus_one(client, fill):
    fill(3)
    page = client("GET", "/frames/?limit=2").json
    assert (page["count"], page["next"], page["count_estimated"]) == (-1, None, True)
    assert len(page["results"]) == 2


def test_an_estimate_is_never_zero_and_hides_what_is_there(client, fill):
    assert client("GET", "/frames/?RLEVEL=92").json["count"] == 1
    fill(18, reduction_level=92)
    page = client("GET", "/frames/?RLEVEL=92&limit=5").json
    assert (page["count"], page["next"], len(page["results"])) == (1, None, 5)


def test_counts_every_row_of_an_older_table_placeholders_too(client, fill):
    fill(60, related_frame_filenames=["flat"])
    page = client("GET", "/frames/?limit=10&offset=10").json
    assert (page["count"], page["count_estimated"]) == (61, True)
    assert parse_qs(urlsplit(page["next"]).query) == {"limit": ["10"], "offset": ["20"]}


def test_counts_when_forced_but_not_for_nobody(archive, client, connect, fill):
    fill(3)
    assert client("GET", "/frames/?force_count=true").json["count"] == 3
    assert connect(archive, None)("GET", "/frames/?force_count=true").json["count"] == -1


def test_pages_hold_every_frame_once(client, fill):
    fill(25)
    seen = []
    for offset in range(0, 30, 10):
        seen += ids(client("GET", f"/frames/?limit=10&offset={offset}"))
    assert sorted(seen) == list(range(1, 26))


@pytest.mark.parametrize("order", ["id", "-id", "observation_date", "", "reduction_level"])
def test_cursors_lead_through_every_frame_once(client, fill, order):
    fill(25)
    path, seen = f"/frames/?pagination_style=cursor&limit=4&ordering={order}", []
    while path:
        answer = client("GET", path)
        seen += ids(answer)
        assert answer.json.keys() == {"next", "previous", "results"}
        following = answer.json["next"]
        path = following and following.removeprefix(client.archive.root.rstrip("/"))
    assert sorted(seen) == list(range(1, 26))


def test_refuses_a_cursor_it_did_not_make(client, fill):
    fill(2)
    answer = client("GET", "/frames/?pagination_style=cursor&cursor=%FF%FF")
    assert (answer.status, answer.json) == (404, {"detail": "Invalid cursor"})


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("id", "1 2 3 4"),
        ("-id", "4 3 2 1"),
        ("", "4 3 2 1"),
        ("site_id", "4 3 2 1"),
        ("reduction_level,-id", "4 2 3 1"),
        ("-reduction_level,nonsense,id", "1 3 2 4"),
        ("exposure_time,-observation_date", "3 2 1 4"),
    ],
)
def test_sorts_by_several_fields_and_passes_over_the_others(client, record, order, found):
    for number, (level, exposure) in enumerate([(91, 1), (0, 1), (91, 1), (0, 2)]):
        client(
            "POST",
            "/frames/",
            record(
                f"bias-{number}",
                reduction_level=level,
                exposure_time=float(exposure),
                observation_date=f"2026-01-0{number + 1}",
            ),
        )
    assert ids(client("GET", f"/frames/?ordering={order}")) == [int(n) for n in found.split()]
