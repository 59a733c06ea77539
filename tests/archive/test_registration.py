"""A version is registered exactly once, whatever happens to the request or its answer."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from calrecords.archive.models import parse_frame
from calrecords.errors import (
    ArchiveRefusedError,
    ArchiveUnavailableError,
    FrameNotFoundError,
    VersionExistsError,
)

MD5 = "fcfcaad16f900856cb8b143f3d948a56"
VERSION = {"version_key": "key-1", "md5": MD5, "extension": ".fits"}
MD5_EXISTS = {"version_set": [{"md5": ["version with this md5 already exists."]}]}
BOTH_EXIST = {
    "version_set": [
        {
            "key": ["version with this key already exists."],
            "md5": ["version with this md5 already exists."],
        }
    ]
}
KEY_EXISTS = {"version_set": [{"key": ["version with this key already exists."]}]}
POST = "POST /frames/"
FIND = "GET /frames/?basename_exact=bias-a"
LIST = f"GET /versions/?md5={MD5}&limit=100"


@pytest.fixture
def row(frame_row, version_row):
    return frame_row(276, versions=[version_row(MD5)])


@pytest.fixture
def created(replies, row):
    return replies.json(201, row)


@pytest.fixture
def found(replies, page, row):
    return replies.json(200, page(row))


@pytest.fixture
def nothing(replies, page):
    return replies.json(200, page())


def test_registers_with_one_request(server, client, replies, record, pair, shared_data):
    sent = pair("100-post-frame-201")["request"]["json"]
    (version,) = sent.pop("version_set")
    server.will(replies.recorded(shared_data, "100-post-frame-201"))
    frame = client.create_frame(
        sent, version_key=version["key"], md5=version["md5"], extension=version["extension"]
    )
    assert frame == parse_frame(pair("100-post-frame-201")["response"]["json"])
    assert frame.frame_id == 276
    assert server.calls == [POST]
    assert server.seen[0].json == {**sent, "version_set": [version]}
    assert server.seen[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize("body", [BOTH_EXIST, MD5_EXISTS])
def test_a_version_that_is_already_there_is_returned(
    server, client, replies, record, found, row, body
):
    server.will(replies.json(400, body), found)
    assert client.create_frame(record, **VERSION) == parse_frame(row)
    assert server.calls == [POST, FIND]


def test_the_callers_key_tells_whose_version_is_there(
    server, client, replies, record, frame_row, version_row, page
):
    theirs = frame_row(276, versions=[version_row(MD5.upper(), key="key-2")])
    server.will(replies.json(400, MD5_EXISTS), replies.json(200, page(theirs)))
    frame = client.create_frame(record, **VERSION)
    assert frame.version_with(MD5).version_key == "key-2"


REGISTERED = {
    "id": 9,
    "basename": "bias-a",
    "version_set": [{"id": 1, "key": "key-1", "md5": MD5, "extension": ".fits"}],
}
UNKNOWN = {
    "500": lambda r: r.html(500),
    "502": lambda r: r.html(502),
    "503": lambda r: r.json(503, {"detail": "later"}),
    "408": lambda r: r.json(408, {"detail": "slow"}),
    "reset": lambda r: r.reset(),
    "hang up": lambda r: r.hang_up(),
    "silence": lambda r: r.silence(),
    "login page": lambda r: r.html(200),
    "list of frames": lambda r: r.json(200, {"count": 0, "results": []}),
    "201 of a page": lambda r: r.html(201),
    "201 cut short": lambda r: r.raw(201, b'{"id": 276', length=999, then="close"),
    "201 without id": lambda r: r.json(201, {"basename": "bias-a", "version_set": []}),
    "201 with text id": lambda r: r.json(201, {"id": "276", "basename": "a", "version_set": []}),
    "201 without version": lambda r: r.json(
        201, {"id": 276, "basename": "bias-a", "version_set": []}
    ),
    "200 of the frame": lambda r: r.json(200, REGISTERED),
    "202 of the frame": lambda r: r.json(202, REGISTERED),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_looks_first_where_it_is_not_known_what_happened(
    server, make_client, replies, record, found, row, name
):
    client = make_client(server.root, read_timeout_s=0.3)
    server.will(UNKNOWN[name](replies), found)
    assert client.create_frame(record, **VERSION) == parse_frame(row)
    assert server.calls == [POST, FIND]


@pytest.mark.parametrize("name", UNKNOWN)
def test_sends_again_only_what_is_not_there(
    server, make_client, replies, record, nothing, created, row, name
):
    client = make_client(server.root, read_timeout_s=0.3)
    server.will(UNKNOWN[name](replies), nothing, created)
    assert client.create_frame(record, **VERSION) == parse_frame(row)
    assert server.calls == [POST, FIND, POST]


def test_a_frame_of_that_name_with_other_bytes_is_not_ours(
    server, client, replies, record, page, frame_row, version_row, created
):
    older = replies.json(200, page(frame_row(276, versions=[version_row("0" * 32)])))
    server.will(replies.html(500), older, created)
    client.create_frame(record, **VERSION)
    assert server.calls == [POST, FIND, POST]


def test_a_lagging_replica_is_waited_for(
    server, client, replies, record, page, nothing, found, row, version_row
):
    listed = replies.json(200, page(version_row(MD5, url="http://s3/raw/bias-a.fits?sig=x")))
    server.will(replies.reset(), nothing, replies.json(400, BOTH_EXIST), nothing, listed, found)
    assert client.create_frame(record, **VERSION) == parse_frame(row)
    assert server.calls == [POST, FIND, POST, FIND, LIST, FIND]


def test_a_replica_that_lags_for_long_leaves_it_to_be_resumed(
    server, client, replies, record, page, nothing, version_row
):
    listed = page(version_row(MD5, url="http://s3/raw/bias-a.fits.fz"))
    server.will(
        replies.json(400, BOTH_EXIST),
        lambda seen: replies.json(200, listed) if "versions" in seen.path else nothing,
    )
    with pytest.raises(ArchiveUnavailableError, match="does not show it yet"):
        client.create_frame(record, **VERSION)
    assert server.calls == [POST, *[FIND, LIST] * 3]


def test_the_same_bytes_under_another_basename_are_named(
    server, client, replies, record, page, nothing, version_row
):
    listed = page(
        version_row("0" * 32, url="http://s3/raw/bias-x.fits"),
        version_row(MD5, url="http://s3/raw/bias%20b.fits.fz?X-Amz-Signature=SECRET"),
    )
    server.will(replies.json(400, MD5_EXISTS), nothing, replies.json(200, listed))
    with pytest.raises(VersionExistsError, match="another basename, bias b") as caught:
        client.create_frame(record, **VERSION)
    assert server.calls == [POST, FIND, LIST]
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("status", [403, 500])
def test_the_same_bytes_under_a_basename_that_cannot_be_listed(
    server, client, replies, record, nothing, status
):
    server.will(
        replies.json(400, MD5_EXISTS),
        lambda seen: replies.json(status, {"detail": "no"}) if "versions" in seen.path else nothing,
    )
    with pytest.raises(VersionExistsError, match="another basename has the same bytes"):
        client.create_frame(record, **VERSION)
    assert server.calls == [POST, *[FIND, LIST] * 3], "the POST is not repeated"


def test_an_archive_that_goes_down_after_a_refusal_is_unavailable(server, client, replies, record):
    server.will(replies.json(400, MD5_EXISTS), replies.html(500))
    with pytest.raises(ArchiveUnavailableError):
        client.create_frame(record, **VERSION)


def test_a_key_that_other_bytes_have_is_refused(server, client, replies, record, nothing):
    server.will(replies.json(400, KEY_EXISTS), nothing)
    with pytest.raises(ArchiveRefusedError, match="two file stores") as caught:
        client.create_frame(record, **VERSION)
    assert caught.value.status == 400


def test_gives_up_without_knowing_and_says_when_to_come_back(
    server, client, replies, record, nothing
):
    busy = replies.json(503, {"detail": "later"}, retry_after="30")
    server.will(lambda seen: busy if seen.method == "POST" else nothing)
    with pytest.raises(ArchiveUnavailableError, match="later") as caught:
        client.create_frame(record, **VERSION)
    assert caught.value.retry_after_s == 30.0
    assert server.calls == [POST, FIND, POST, FIND, POST]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_names_the_setting(
    server, make_server, client, replies, record, status
):
    other = make_server(replies.json(200, []))
    server.will(replies.raw(status, location=other.root + "frames/?t=SECRET"))
    with pytest.raises(ArchiveRefusedError, match="API_ROOT") as caught:
        client.create_frame(record, **VERSION)
    assert caught.value.status == status
    assert (len(server.seen), other.seen) == (1, [])
    assert "SECRET" not in str(caught.value)


REFUSED = {
    "130-post-missing-area": "area: This field is required.",
    "133-post-obstype-BPM": 'configuration_type: "BPM" is not a valid choice.',
    "134-post-site-too-long": "site_id: Ensure this field has no more than 3 characters.",
    "136-post-key-36-chars": "version_set.0.key: Ensure this field has no more than 32 characters.",
    "138-post-not-json": "JSON parse error",
    "139-post-text-plain": "Unsupported media type",
    "708a-post-related-blank": "related_frame_filenames.1: This field may not be blank.",
    "162-post-plain": "AUTH_TOKEN needs the superuser right",
    "163-post-staffonly": "AUTH_TOKEN needs the superuser right",
    "161-post-badtoken": "set AUTH_TOKEN",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_keeps_the_archives_words(
    server, client, replies, record, shared_data, pair, name, token
):
    server.will(replies.recorded(shared_data, name))
    with pytest.raises(ArchiveRefusedError) as caught:
        client.create_frame(record, **VERSION)
    assert REFUSED[name] in str(caught.value)
    assert caught.value.status == pair(name)["response"]["status"]
    assert server.calls == [POST]
    assert token not in str(caught.value)


FORBIDDEN = {"detail": "You do not have permission to perform this action."}
BAD_FIELD = {"area": ["This field is required."]}


@pytest.mark.parametrize(
    ("status", "body", "nothing_taken"),
    [
        (400, BAD_FIELD, True),
        (403, FORBIDDEN, True),
        (400, {**BAD_FIELD, **MD5_EXISTS}, False),
        (400, KEY_EXISTS, False),
        (301, {}, False),
    ],
)
def test_says_whether_the_archive_can_refer_to_what_was_sent(
    server, client, replies, record, nothing, status, body, nothing_taken
):
    server.will(replies.json(status, body), nothing)
    with pytest.raises(ArchiveRefusedError) as caught:
        client.create_frame(record, **VERSION)
    assert caught.value.nothing_taken is nothing_taken


def test_after_an_unknown_answer_no_refusal_is_certain(server, client, replies, record, nothing):
    server.will(replies.html(500), nothing, replies.json(403, FORBIDDEN))
    with pytest.raises(ArchiveRefusedError) as caught:
        client.create_frame(record, **VERSION)
    assert caught.value.nothing_taken is False


@pytest.mark.parametrize(
    ("body", "key", "error", "nothing_taken"),
    [
        (MD5_EXISTS, "key-1", VersionExistsError, True),
        (BOTH_EXIST, MD5, VersionExistsError, False),
        (BOTH_EXIST, "key-1", ArchiveUnavailableError, None),
    ],
    ids=["another key", "a key that says nothing", "our key"],
)
def test_a_hidden_version_with_our_key_is_ours(
    server, client, replies, record, nothing, body, key, error, nothing_taken
):
    server.will(
        replies.json(400, body),
        lambda seen: replies.json(403, FORBIDDEN) if "versions" in seen.path else nothing,
    )
    with pytest.raises(error) as caught:
        client.create_frame(record, **{**VERSION, "version_key": key})
    assert getattr(caught.value, "nothing_taken", None) is nothing_taken


def test_a_hidden_version_after_a_lost_answer_may_be_ours(server, client, replies, record, nothing):
    refused = replies.json(400, BOTH_EXIST)
    server.will(
        replies.reset(),
        lambda seen: {"POST": refused}.get(
            seen.method, replies.json(403, FORBIDDEN) if "versions" in seen.path else nothing
        ),
    )
    with pytest.raises(ArchiveUnavailableError, match="does not show it yet"):
        client.create_frame(record, **{**VERSION, "version_key": MD5})


def test_a_known_checksum_does_not_hide_another_refusal(server, client, replies, record):
    server.will(replies.json(400, {**MD5_EXISTS, "area": ["This field is required."]}))
    with pytest.raises(ArchiveRefusedError, match="area: This field is required"):
        client.create_frame(record, **VERSION)
    assert server.calls == [POST]


def test_another_frames_answer_is_not_ours(
    server, client, replies, record, frame_row, version_row, found
):
    server.will(replies.json(201, frame_row(9, "bias-z", [version_row(MD5)])), found)
    assert client.create_frame(record, **VERSION).frame_id == 276


def test_a_frame_that_would_never_be_shown_is_not_sent(server, client, record):
    del record["observation_date"]
    with pytest.raises(ArchiveRefusedError, match="observation date"):
        client.create_frame(record, **VERSION)
    assert server.seen == []


class TestAtAWholeArchive:
    """The answers that lie, at an archive that answers as the real one does."""

    @pytest.fixture
    def archive(self, tmp_path):
        from calrecords.testing import ScienceArchive

        with ScienceArchive(files=tmp_path) as archive:
            yield archive

    @pytest.fixture
    def client(self, make_client, archive):
        return make_client(archive.root, archive.token, read_timeout_s=0.5)

    @pytest.fixture
    def record(self, record):
        return {**record, "site_id": "cpt", "instrument_id": "kb70", "reduction_level": 92}

    def posts(self, archive):
        return [path for method, path in archive.requests if method == "POST"]

    @pytest.mark.parametrize("fault", ["500-after-commit", "lost-answer", "delay-after-commit"])
    def test_what_was_stored_before_the_failure_is_not_stored_twice(
        self, archive, client, record, fault
    ):
        archive.faults.add(fault, method="POST", path="/frames/", seconds=1)
        frame = client.create_frame(record, **VERSION)
        assert [(v["md5"], v["key"]) for v in archive.versions()] == [(MD5, "key-1")]
        assert client.frame(frame.frame_id) == frame
        assert self.posts(archive) == ["/frames/"]

    @pytest.mark.parametrize("fault", ["500", "503", "429", "reset", "login-page", "not-json"])
    def test_what_was_not_stored_is_sent_again(self, archive, client, record, fault):
        archive.faults.add(fault, method="POST", path="/frames/")
        frame = client.create_frame(record, **VERSION)
        assert [v["md5"] for v in archive.versions()] == [MD5]
        assert client.frame(frame.frame_id) == frame
        assert len(self.posts(archive)) == 2

    def test_a_redirected_post_stores_nothing_and_says_so(self, archive, client, record):
        archive.faults.add("redirect", method="POST", location="/frames/")
        with pytest.raises(ArchiveRefusedError, match="API_ROOT"):
            client.create_frame(record, **VERSION)
        assert archive.frames() == []

    def test_the_same_record_again_is_the_same_frame(self, archive, client, record):
        assert client.create_frame(record, **VERSION) == client.create_frame(record, **VERSION)

    @pytest.mark.parametrize("works", [True, False])
    def test_the_same_bytes_under_another_basename_are_named(self, archive, client, record, works):
        archive.md5_filter_works = works
        client.create_frame(record, **VERSION)
        with pytest.raises(VersionExistsError, match="another basename, bias-a"):
            client.create_frame(
                {**record, "basename": "bias-b"}, **{**VERSION, "version_key": "key-2"}
            )

    def test_many_that_register_the_same_version_get_the_same_frame(self, archive, client, record):
        with ThreadPoolExecutor(8) as pool:
            calls = [pool.submit(client.create_frame, record, **VERSION) for _ in range(8)]
            frames = {call.result() for call in calls}
        assert len(frames) == 1
        assert [v["md5"] for v in archive.versions()] == [MD5]

    def test_a_second_version_comes_in_front(self, archive, client, record):
        first = client.create_frame(record, **VERSION)
        second = client.create_frame(
            record, version_key="key-2", md5="0" * 32, extension=".fits.fz"
        )
        assert second.frame_id == first.frame_id
        assert [v.version_key for v in second.versions] == ["key-2", "key-1"]

    def test_a_placeholder_has_an_id_and_is_no_frame(self, archive, client, record):
        record = {**record, "related_frame_filenames": ["bias-not-yet"]}
        frame = client.create_frame(record, **VERSION)
        (placeholder,) = frame.related_frame_ids
        with pytest.raises(FrameNotFoundError, match="placeholder"):
            client.frame(placeholder)

    @pytest.mark.parametrize(("works", "said"), [(True, False), (False, None)])
    def test_a_list_that_does_not_filter_says_nothing(self, archive, client, record, works, said):
        archive.md5_filter_works = works
        client.create_frame(record, **VERSION)
        assert (client.has_version(MD5), client.has_version("0" * 32)) == (True, said)

    def test_knows_what_it_takes(self, archive, client):
        assert "SKYFLAT" in client.observation_types()
        assert "BPM" not in client.observation_types()
