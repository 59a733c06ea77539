from urllib.parse import urlsplit

import pytest

from calrecords.testing import ScienceArchive

CONTENT = bytes(range(256)) * 4096
PATH = "cpt/kb70/20260101/processed/master-bias.fits.fz"


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "store"
    file = root / PATH
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    (root / ".calrecords").mkdir()
    (root / ".calrecords" / "staged").write_bytes(b"hidden")
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "way-out").symlink_to(tmp_path / "secret")
    return root


@pytest.fixture
def served(folder, connect):
    with ScienceArchive(files=folder) as archive:
        yield connect(archive)


def test_serves_the_file_of_a_version(served, record):
    url = served("POST", "/frames/", record()).json["version_set"][0]["url"]
    assert url == f"{served.archive.root}files/{PATH}"
    answer = served("GET", urlsplit(url).path)
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["Content-Length"] == str(len(CONTENT))


def test_serves_files_to_anybody(served, connect):
    assert connect(served.archive, None)("GET", f"/files/{PATH}").body == CONTENT


def test_gives_both_versions_one_url(served, record):
    served("POST", "/frames/", record())
    frame = served("POST", "/frames/", record()).json
    assert {version["url"] for version in frame["version_set"]} == {frame["url"]}


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=1000-", (1000, None)),
        ("bytes=-7", (-7, None)),
        ("bytes=10-99999999999", (10, None)),
    ],
)
def test_serves_a_part(served, asked, span):
    answer = served("GET", f"/files/{PATH}", headers={"Range": asked})
    part = CONTENT[slice(*span)]
    start = len(CONTENT) + span[0] if span[0] < 0 else span[0]
    assert (answer.status, answer.body) == (206, part)
    last = start + len(part) - 1
    assert answer.headers["Content-Range"] == f"bytes {start}-{last}/{len(CONTENT)}"


def test_refuses_a_part_behind_the_end(served):
    answer = served("GET", f"/files/{PATH}", headers={"Range": f"bytes={len(CONTENT)}-"})
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")


@pytest.mark.parametrize("asked", ["bytes=-", "bytes=1-2,4-5", "lines=1-2"])
def test_serves_the_whole_where_it_cannot_read_the_part(served, asked):
    assert served("GET", f"/files/{PATH}", headers={"Range": asked}).status == 200


def test_resumes_only_what_has_not_changed(served, folder):
    whole = served("GET", f"/files/{PATH}")
    resume = {"Range": "bytes=10-", "If-Range": whole.headers["ETag"]}
    assert served("GET", f"/files/{PATH}", headers=resume).body == CONTENT[10:]
    (folder / PATH).write_bytes(b"other")
    assert served("GET", f"/files/{PATH}", headers=resume).body == b"other"


def test_sends_no_body_for_head(served):
    answer = served("HEAD", f"/files/{PATH}")
    assert (answer.body, answer.headers["Content-Length"]) == (b"", str(len(CONTENT)))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "cpt",
        "missing.fits",
        "../secret",
        "%2e%2e/secret",
        "..%2fsecret",
        "cpt/../../secret",
        "way-out",
        ".calrecords/staged",
        "%2ecalrecords/staged",
        "a%00b",
        "/etc/passwd",
    ],
)
def test_does_not_find_what_is_not_a_file_of_the_store(served, path):
    answer = served("GET", f"/files/{path}")
    assert answer.status == 404
    assert b"secret" not in answer.body


def test_answers_a_file_without_holding_the_next_request(served):
    assert served("GET", f"/files/{PATH}").body == CONTENT
    assert served("GET", "/health/").status == 200
