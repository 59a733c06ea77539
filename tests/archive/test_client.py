"""The client's promises, against answers as recorded and against answers that lie."""

import pickle
import threading
from datetime import UTC, date, datetime

import pytest

import calrecords.archive
from calrecords.archive import ArchiveClient, ArchiveFrame, ArchiveVersion
from calrecords.errors import (
    ArchiveRefusedError,
    ArchiveUnavailableError,
    ConfigurationError,
    FrameNotFoundError,
)

MD5 = "fcfcaad16f900856cb8b143f3d948a56"
OTHER_MD5 = "6b8c86bd2243d3f7834ddd6d20f234c4"


def test_reads_a_frame_as_the_archive_wrote_it(server, client, replies, shared_data):
    server.will(replies.recorded(shared_data, "101-get-frame"))
    assert client.frame(276) == ArchiveFrame(
        frame_id=276,
        basename="contract-05f3a462",
        obstype="BIAS",
        site="cpt",
        telescope="1m0a",
        camera="kb70",
        filter="",
        reduction_level=92,
        dateobs=datetime(2026, 1, 1, 2, 3, 4, 567000, tzinfo=UTC),
        dayobs=date(2026, 1, 1),
        exposure_time=0.0,
        proposal="calibrate",
        object="",
        public_date=datetime(2026, 1, 1, 2, 3, 4, 567000, tzinfo=UTC),
        observation_id=1234,
        request_id=None,
        versions=(
            ArchiveVersion(
                id=264,
                version_key="b50fa526c0dfcb8d8aa86acbd951ddbe",
                md5=MD5,
                extension=".fits.fz",
                created=datetime(2026, 11, 22, 5, 39, 40, 903073, tzinfo=UTC),
            ),
        ),
        related_frame_ids=(277, 278),
    )
    assert server.calls == ["GET /frames/276/"]


@pytest.mark.parametrize("end", ["api", "api/", "api//"])
def test_a_root_means_the_same_with_and_without_its_slash(
    server, make_client, replies, frame_row, end
):
    server.will(replies.json(200, frame_row(5)))
    client = make_client(server.root + end)
    client.frame(5)
    assert (client.root, server.calls) == (server.root + "api/", ["GET /api/frames/5/"])


@pytest.mark.parametrize(
    "name",
    ["105-get-frame-placeholder-404", "106-get-frame-missing-404", "520-get-private-anon-404"],
)
def test_a_frame_that_the_archive_does_not_show_is_not_found(
    server, client, replies, shared_data, name
):
    server.will(replies.recorded(shared_data, name))
    with pytest.raises(FrameNotFoundError, match="placeholder"):
        client.frame(277)
    assert len(server.seen) == 1


def test_another_servers_page_is_not_taken_for_a_missing_frame(
    server, client, replies, shared_data
):
    server.will(replies.recorded(shared_data, "523-unknown-path-404-html"))
    with pytest.raises(ArchiveRefusedError, match="API_ROOT") as caught:
        client.frame(277)
    assert caught.value.status == 404


@pytest.mark.parametrize("frame_id", [-1, 2**63, 10**30])
def test_an_id_that_no_archive_has_is_not_asked_for(server, client, frame_id):
    with pytest.raises(FrameNotFoundError):
        client.frame(frame_id)
    assert server.seen == []


@pytest.mark.parametrize("frame_id", ["276", "../x", 2.0, True, None])
def test_an_id_is_a_whole_number(server, client, frame_id):
    with pytest.raises(TypeError):
        client.frame(frame_id)
    assert server.seen == []


def test_another_frame_than_asked_for_is_no_answer(server, client, replies, frame_row):
    server.will(replies.json(200, frame_row(5)))
    with pytest.raises(ArchiveUnavailableError, match="describes frame 5, not 6"):
        client.frame(6)


def test_reads_the_headers(server, client, replies, shared_data):
    server.will(replies.recorded(shared_data, "111-headers"))
    assert client.headers(276) == {"CCDSUM": "2 2", "FILTER": "", "USERID": "x", "OBSTYPE": "BIAS"}
    assert server.calls == ["GET /frames/276/headers/"]


def test_reads_related_frames_as_the_archive_wrote_them(server, client, replies, shared_data):
    server.will(replies.recorded(shared_data, "710-related-a"))
    (frame,) = client.related(727)
    assert (frame.frame_id, frame.basename, frame.related_frame_ids, frame.version.id) == (
        728,
        "contract-3bf072b5",
        (727,),
        981,
    )
    server.will(replies.recorded(shared_data, "112-related"))
    assert client.related(276) == ()
    assert server.calls == ["GET /frames/727/related/", "GET /frames/276/related/"]


def test_related_frames_are_a_list_and_nothing_else(server, client, replies, page):
    server.will(replies.json(200, page()))
    with pytest.raises(ArchiveUnavailableError, match="a list of frames was due"):
        client.related(5)
    server.will(replies.json(404, {"detail": "Not found."}))
    with pytest.raises(FrameNotFoundError):
        client.related(5)


def test_finds_a_frame_by_its_exact_basename(server, client, replies, shared_data):
    server.will(replies.recorded(shared_data, "210-list-basename_exact"))
    frame = client.find("contract-05f3a462")
    assert (frame.frame_id, [v.md5 for v in frame.versions]) == (
        276,
        ["e1d9ec16375d331872142c1a52c0a420", MD5],
    )
    assert frame.version.md5 == "e1d9ec16375d331872142c1a52c0a420"
    assert frame.version_with(MD5.upper()).id == 264
    assert server.calls == ["GET /frames/?basename_exact=contract-05f3a462"]


def test_finds_nothing_where_the_archive_has_nothing(server, client, replies, shared_data):
    server.will(replies.recorded(shared_data, "211-list-basename_exact-miss"))
    assert client.find("nope") is None


def test_compares_the_basename_itself(server, client, replies, page, frame_row):
    server.will(replies.json(200, page(frame_row(1, "bias-ab"), frame_row(2, "bias-a"))))
    assert client.find("bias-a").frame_id == 2


def test_does_not_say_none_where_the_filter_was_ignored(server, client, replies, page, frame_row):
    server.will(replies.json(200, page(frame_row(1, "bias-ab"))))
    with pytest.raises(ArchiveRefusedError, match="does not filter"):
        client.find("bias-a")


def test_a_basename_is_sent_whole(server, client, replies, page):
    server.will(replies.json(200, page()))
    assert client.find("a b&limit=1#x") is None
    assert server.calls == ["GET /frames/?basename_exact=a+b%26limit%3D1%23x"]


@pytest.mark.parametrize("basename", ["", "a\0b", "x" * 1001])
def test_a_basename_that_would_match_everything_is_not_asked_for(server, client, basename):
    with pytest.raises(ArchiveRefusedError):
        client.find(basename)
    assert server.seen == []


@pytest.mark.parametrize(
    ("name", "md5", "said"),
    [
        ("010-versions-md5-miss-STOCK", "f" * 32, None),
        ("011-versions-md5-hit-STOCK", OTHER_MD5, None),
        ("011-versions-md5-hit-STOCK", "7e3ccbb61ea51d3e8015ce7cc7bc5c92", True),
        ("012-versions-md5-miss-FIXED", "f" * 32, False),
        ("013-versions-md5-hit-FIXED", OTHER_MD5, True),
        ("013-versions-md5-hit-FIXED", OTHER_MD5.upper(), True),
    ],
)
def test_believes_a_list_of_versions_only_where_the_checksum_is_in_it(
    server, client, replies, shared_data, name, md5, said
):
    server.will(replies.recorded(shared_data, name))
    assert client.has_version(md5) is said
    assert server.calls == [f"GET /versions/?md5={md5.lower()}&limit=2"]


@pytest.mark.parametrize("md5", ["", "abc", "g" * 32, "a" * 33])
def test_what_is_no_checksum_is_not_asked_for(server, client, md5):
    with pytest.raises(ArchiveRefusedError, match="no md5"):
        client.has_version(md5)
    assert server.seen == []


def test_a_superuser_that_is_not_staff_is_told_which_right_is_missing(
    server, client, replies, shared_data
):
    server.will(replies.recorded(shared_data, "019-versions-superuser-not-staff"))
    with pytest.raises(ArchiveRefusedError, match=r"AUTH_TOKEN needs the staff right") as caught:
        client.has_version(MD5)
    assert caught.value.status == 403


def test_asks_for_the_observation_types_once(server, client, replies, shared_data):
    server.will(replies.recorded(shared_data, "717-options-superuser"))
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.observation_types()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = frozenset(
        [
            "BIAS",
            "DARK",
            "EXPOSE",
            "SPECTRUM",
            "LAMPFLAT",
            "SKYFLAT",
            "STANDARD",
            "TRAILED",
            "GUIDE",
            "EXPERIMENTAL",
            "CATALOG",
        ]
    )
    assert answers == [known] * 8
    assert server.calls == ["OPTIONS /frames/"]


def test_a_token_without_the_right_to_post_learns_no_observation_types(
    server, client, replies, shared_data
):
    server.will(replies.recorded(shared_data, "718-options-anon"))
    with pytest.raises(ArchiveRefusedError, match=r"AUTH_TOKEN needs the superuser right"):
        client.observation_types()


def test_is_well_where_the_archive_says_so(server, client, replies, shared_data):
    server.will(replies.recorded(shared_data, "001-health-anon"))
    assert client.health() is None
    assert server.calls == ["GET /health/"]


def test_something_else_that_answers_is_not_well(server, client, replies):
    server.will(replies.json(200, {"status": "ok"}))
    with pytest.raises(ArchiveUnavailableError, match="health"):
        client.health()


def test_tells_how_far_the_clocks_are_apart(server, client, replies):
    server.will(replies.json(200, "ok", date="Sun, 22 Nov 2020 05:38:48 GMT"))
    expected = (datetime.now(UTC) - datetime(2020, 11, 22, 5, 38, 48, tzinfo=UTC)).total_seconds()
    assert client.clock_skew_s() == pytest.approx(expected, abs=5)
    server.will(replies.json(200, "ok"))
    assert client.clock_skew_s() is None


def test_repeats_what_may_pass_and_then_succeeds(server, client, replies, frame_row):
    server.will(replies.html(502), replies.reset(), replies.json(200, frame_row(5)))
    assert client.frame(5).frame_id == 5
    assert len(server.seen) == 3


def test_a_policy_of_the_callers_decides(server, make_client, replies, at_once):
    from tenacity import stop_after_attempt

    server.will(replies.html(500))
    client = make_client(server.root, retrying=at_once.copy(stop=stop_after_attempt(1)))
    with pytest.raises(ArchiveUnavailableError):
        client.frame(5)
    assert len(server.seen) == 1


def test_a_policy_that_does_not_reraise_lets_no_foreign_error_out(
    server, make_client, replies, at_once
):
    server.will(replies.html(500))
    client = make_client(server.root, retrying=at_once.copy(reraise=False))
    with pytest.raises(ArchiveUnavailableError):
        client.frame(5)


def test_one_client_serves_many_threads(server, client, replies, frame_row):
    server.will(lambda seen: replies.json(200, frame_row(int(seen.path.split("/")[2]))))
    answers = {}
    threads = [
        threading.Thread(target=lambda i=i: answers.update({i: client.frame(i).frame_id}))
        for i in range(24)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {i: i for i in range(24)}


def test_shows_its_root_and_nothing_else(make_client, token):
    client = make_client("https://archive.example/api", token)
    assert repr(client) == "ArchiveClient('https://archive.example/api/')"
    assert token not in str(vars(client))


def test_a_token_crosses_no_network_unencrypted():
    with pytest.raises(ConfigurationError, match="allow_plain_http"):
        ArchiveClient("http://archive.example/", "secret")


def test_answers_can_be_pickled_and_hide_the_address(server, client, replies, shared_data):
    server.will(replies.recorded(shared_data, "101-get-frame"))
    frame = client.frame(276)
    assert pickle.loads(pickle.dumps(frame)) == frame
    assert frame.version.url.startswith("http://127.0.0.1:5005/")
    assert "Amz" not in repr(frame)


def test_the_part_offers_five_names():
    assert dir(calrecords.archive) == [
        "ArchiveClient",
        "ArchiveFrame",
        "ArchiveVersion",
        "ObservationPortal",
        "default_retrying",
    ]
    with pytest.raises(AttributeError):
        calrecords.archive.requests  # noqa: B018 - the look-up itself is what is tested
