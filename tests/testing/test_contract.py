"""The archive on loopback answers as the recorded pairs of science-archive 2.7.2 do.

Each pair is replayed, in the order in which it was recorded, and the whole answer is
compared: status, the headers a client may act on, and every value of the body. Frame and
version identifiers differ between two archives and are held to one consistent renumbering;
of a URL the path and the version key count, of an address of the archive what follows its
root, of a time of creation only its form, and an estimated count may be another estimate,
unless it is 1 or -1, which lie.
"""

import json
import re
import sqlite3
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest

from calrecords.testing import ScienceArchive

REPLAYED = {
    "000-root": "the map of the API",
    "001-health-anon": "health is open to anybody",
    "010-versions-md5-miss-STOCK": "the md5 filter is ignored: all versions, a true count",
    "011-versions-md5-hit-STOCK": "and a hit looks the same as a miss",
    "012-versions-md5-miss-FIXED": "with the filter mended a miss is empty",
    "013-versions-md5-hit-FIXED": "and a hit is one row, which names no frame",
    "014-versions-md5-empty-FIXED": "an empty md5 is no filter, even when mended",
    "015-versions-anon": "401 and WWW-Authenticate",
    "016-versions-badtoken": "401 for a token that is not known",
    "017-versions-plain-user": "403 for who is not staff",
    "018-versions-staff-not-superuser": "staff may ask for versions",
    "019-versions-superuser-not-staff": "a superuser who is not staff may not",
    "020-versions-detail": "one version",
    "021-versions-post-405": "versions are not posted",
    "022-versions-delete-405": "nor deleted",
    "023-versions-no-slash": "301 keeps the query",
    "100-post-frame-201": "a frame is created; related names become placeholders",
    "101-get-frame": "a frame is read, with the upper-case twins",
    "102-get-frame-include_related_frames-false": "without related frames",
    "103-get-frame-include_thumbnails": "with thumbnails",
    "104-get-frame-anon-public": "a public frame is open to anybody",
    "105-get-frame-placeholder-404": "a placeholder has an id and is not found",
    "106-get-frame-missing-404": "no such frame",
    "107-get-frame-nonint": "an id that is no number",
    "108-get-frame-huge-id": "an id that is too large",
    "109-get-frame-no-slash-301": "301 with an address relative to the host",
    "110-get-frame-json-suffix": "the .json suffix",
    "111-headers": "the headers as posted",
    "112-related": "placeholders are left out",
    "113-head": "HEAD has the headers of GET",
    "115-get-frame-accept-html": "a page for people (its text is not compared)",
    "116-get-frame-accept-fits": "406",
    "120-post-same-record-again": "400 on key and md5",
    "121-post-same-md5-new-key": "400 on md5",
    "122-post-same-md5-other-basename": "400 on md5 under another basename",
    "123-post-same-key-new-md5": "400 on key",
    "124-post-same-basename-new-md5": "an update in place, a version added in front",
    "125-get-after-second-version": "the older version is listed with the new path",
    "126-headers-after-second-version": "headers are replaced as a whole",
    "130-post-missing-area": "required",
    "130-post-missing-basename": "required",
    "130-post-missing-configuration_type": "required",
    "130-post-missing-exposure_time": "optional",
    "130-post-missing-headers": "required",
    "130-post-missing-instrument_id": "optional, and the path has a hole",
    "130-post-missing-observation_date": "201, without a URL",
    "130-post-missing-observation_day": "required",
    "130-post-missing-observation_id": "optional",
    "130-post-missing-primary_optical_element": "optional",
    "130-post-missing-proposal_id": "optional",
    "130-post-missing-public_date": "optional",
    "130-post-missing-reduction_level": "optional, 0",
    "130-post-missing-related_frame_filenames": "required",
    "130-post-missing-request_id": "optional",
    "130-post-missing-site_id": "optional",
    "130-post-missing-target_name": "optional",
    "130-post-missing-telescope_id": "optional",
    "130-post-missing-version_set": "500, not 400",
    "131-post-empty-object": "500, not 400",
    "132-post-version_set-empty": "201, a frame without file",
    "133-post-obstype-BPM": "the closed list of observation types",
    "134-post-site-too-long": "3 characters",
    "135-post-telescope-too-long": "4 characters",
    "136-post-key-36-chars": "32 characters, less than a UUID",
    "137-post-bad-date": "times are ISO",
    "138-post-not-json": "the parser's own words",
    "139-post-text-plain": "415",
    "140-post-form": "500 for a form",
    "141-post-observation_id-string": "a number in a text is taken",
    "142-post-observation_id-UNSPECIFIED": "a word is not",
    "143-post-observation_id-null": "null is",
    "144-post-observation_id-negative": "from 0",
    "145-post-observation_id-too-big": "to 2147483647",
    "146-post-exposure-null": "null is taken",
    "147-post-obsdate-null": "null is taken, as if it were missing",
    "148-post-basename-empty": "not blank",
    "148a-get-after-201-without-observation_date": "404 for ever",
    "148b-list-after-201-without-observation_date": "and in no list",
    "148c-list-frame-without-version": "nor is a frame without version",
    "149-post-md5-33": "32 characters",
    "150-post-md5-UPPER": "the form of an md5 is not checked",
    "151-post-extra-fields": "unknown fields are ignored",
    "152-post-two-versions": "the last is the newest",
    "153-post-area-polygon": "numbers come back as floats",
    "154-post-area-bad": "a polygon is closed",
    "155-post-rlevel-str": "an integer",
    "156-post-rlevel-null": "not null",
    "157-post-filter-null": "not null",
    "158-post-extension-missing-dot": "500 after the commit",
    "160-post-anon": "401",
    "161-post-badtoken": "401",
    "162-post-plain": "403",
    "163-post-staffonly": "403 for staff",
    "164-post-superonly": "201 for a superuser who is not staff",
    "165-post-no-slash": "301 for POST too",
    "166-post-no-slash-followed": "which, followed as GET, is a list",
    "167-get-bearer": "500: the portal is not there",
    "168-get-badtoken": "401 for reading too",
    "169-get-plain": "500: a plain user's proposals are with the portal",
    "200-list-limit50-with-poisoned-frame": "one unknown extension fails the list",
    "201-versions-limit50-with-poisoned-frame": "and the list of versions",
    "202-get-poisoned": "and its frame",
    "203-delete-poisoned": "which cannot be deleted",
    "204-patch-poisoned": "nor mended",
    "210-list-basename_exact": "an exact count",
    "211-list-basename_exact-miss": "an empty page",
    "212-list-unknown-param": "unknown filters are ignored",
    "213-list-lowercase-filter-wrong-case": "names are case-sensitive",
    "214-list-filters": "a week or less is counted",
    "215-list-filters-new-names": "the newer names of the filters",
    "216-list-limit0": "0 is the default limit",
    "217-list-limit5000": "at most 1000, and an estimate that lies",
    "218-list-default-limit": "force_count counts",
    "219-list-offset-beyond": "an empty page behind the end",
    "220-list-offset-beyond-exact": "and where the count is exact",
    "221-list-cursor": "the address of the next page by cursor",
    "222-list-ordering": "by id, descending",
    "223-list-start-bad": "400 for a time that is none",
    "224-list-start-end-bad": "400 for a time that is none",
    "225-list-start-tz-mixed": "500 for one aware and one naive time",
    "226-list-start-date-only": "a date is a time",
    "227-list-by-id": "there is no filter on id",
    "228-list-by-md5": "nor on md5",
    "229-list-dayobs": "by night",
    "230-list-dayobs-compact": "400 for a night without dashes",
    "231-list-anon": "anybody sees what is public",
    "232-list-rlevel": "count 1, next null, and more rows",
    "235-list-count-not-small": "an estimate without dates",
    "233-list-covers": "search by sky area",
    "234-list-covers-bad": "500 for what is no area",
    "236-list-basename-icontains": "part of a name, in any case",
    "238-list-include-type": "a filter that may be repeated",
    "241-list-fits-basename-with-ext": "a basename has no extension",
    "242-offset-negative": "a negative offset is 0",
    "243-list-INSTRUME-empty": "an empty value is no filter",
    "244-list-FILTER-empty": "so no filter wheel cannot be asked for",
    "300-post-for-mutation": "a frame to change",
    "301-patch": "a plain field is changed",
    "302-patch-with-headers": "headers are not",
    "303-patch-with-version_set": "nor versions",
    "304-patch-plain": "403",
    "305-put": "500 always",
    "306-get-after": "nothing was changed",
    "307-patch-basename": "a new name, and so a new path",
    "308-delete-anon": "401",
    "309-delete-plain": "403",
    "310-delete": "500 for a young frame",
    "311-get-deleted": "which is still there",
    "312-delete-again": "500 again",
    "313-version-of-deleted": "its version too",
    "314-repost-after-delete": "and its md5 is taken",
    "320-frame-without-version": "201 for a frame without file",
    "321-get-frame-without-version": "url and filename are null",
    "322-related-of-frame-without-version": "an empty list",
    "323-headers-of-placeholder": "404",
    "331-profile": "who I am",
    "332-profile-anon": "nobody",
    "340-delete-young-frame": "500 for a young frame",
    "341-get-young-frame-still-there": "nothing was deleted",
    "342-delete-old-frame": "204 for an old one",
    "343-get-deleted": "404 after that",
    "350-old-version-url-broken": "the older version's URL leads to the new path",
    "351-get-after-reingest": "two versions, newest first",
    "400-local-get-frame": "URLs of a file-system store",
    "401-local-get-frame-after-second-version": "both versions share one URL",
    "500-throttled-anon": "429 and Retry-After (injected; the loopback archive counts nobody)",
    "501-throttled-health": "health is not throttled",
    "502-staff-not-throttled": "nor is staff",
    "503-badtoken-while-throttled": "401 comes before 429",
    "510-plain-with-profile-portal-down": "500: the portal is not there",
    "516-basic-auth": "basic authentication is ignored",
    "517-token-lowercase": "`token` will do; a new table counts -1; no date, no URL",
    "519-post-private": "a frame of the far future",
    "520-get-private-anon-404": "is not found by anybody",
    "521-get-private-super": "but by a superuser",
    "523-unknown-path-404-html": "HTML outside the API",
    "524-get-with-If-None-Match": "no validators",
    "600-post-frame-with-amqp": "the answer where messages are sent",
    "601-post-frame-noversion-amqp": "without version",
    "603-post-with-broker-down": "and where the broker is down",
    "700-post-basename-1001": "500 over 1000 characters",
    "701-post-header-NUL": "500 for a NUL character",
    "702-post-NaN": "400 for NaN",
    "703-post-tz-offset": "offsets are converted, microseconds of 0 left out",
    "704-post-nanoseconds": "digits past the microsecond are cut",
    "705-post-date-only": "a date is a time",
    "706-post-day-iso": "a day may have dashes",
    "707-post-related-a": "a frame",
    "708a-post-related-blank": "no blank names; recorded before 708, whose version it brings",
    "708-post-related-b": "another that names it twice",
    "709-get-related-is-symmetric": "related both ways",
    "710-related-a": "the related frame as a whole",
    "711-repost-a-without-related": "an update that names nobody",
    "712-get-related-after": "takes no relation away",
    "713-post-related-with-extension": "extensions are not cut",
    "714-post-related-self": "nobody is related to itself",
    "715-post-missing-fields-in-update": "what is left out keeps its value",
    "716-get-after-715": "as one can read",
    "717-options-superuser": "fields, limits and choices",
    "718-options-anon": "only what is open to all",
}

LEFT_OUT = {
    "237-list-exclude": "its rows are of a state that was not recorded",
    "239-aggregate": "statistics: the client asks for none",
    "240-aggregate-filter": "statistics",
    "330-api-token-auth-wrong": "tokens by password: the client is given its token",
    "333-openapi": "description of the API: broken there, absent here",
    "352-download-s3": "answered by the object store",
    "353-download-s3-range": "answered by the object store",
    "354-download-s3-head-of-get-url": "answered by the object store",
    "355-download-with-Authorization-header": "answered by the object store",
    "402-local-aggregate": "statistics",
    "511-plain-with-profile": "needs an observation portal",
    "512-portal-api-token": "needs an observation portal",
    "513-bearer-good": "needs an observation portal",
    "514-bearer-bad": "needs an observation portal",
    "515-private-frame-plain": "needs an observation portal",
    "522-funpack-private-anon": "unpacking: the client asks for none",
    "602-amqp-archived_fits": "a message, not an answer",
}

HEADERS = ("Content-Type", "Allow", "WWW-Authenticate", "Location", "Retry-After", "Vary")
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")


@dataclass
class Renumbering:
    """Which identifier here stands for which there; both ways one to one."""

    pairs: dict = field(default_factory=dict)

    def agree(self, kind, there, here):
        known = self.pairs.setdefault((kind, there), here)
        back = self.pairs.setdefault((kind, "back", here), there)
        return known == here and back == there

    def here(self, kind, there):
        return self.pairs.get((kind, there), there)


class Comparison:
    """Every difference between a recorded document and ours."""

    def __init__(self, numbers, root):
        self.numbers = numbers
        self.root = root
        self.differences = []

    def note(self, place, there, here):
        self.differences.append(f"{place}: recorded {there!r}, here {here!r}")

    def documents(self, there, here, place="", kind="frame"):
        if isinstance(there, dict) and isinstance(here, dict):
            self.mappings(there, here, place, kind)
        elif isinstance(there, list) and isinstance(here, list):
            if len(there) != len(here):
                self.note(f"{place} length", len(there), len(here))
            for index, (one, other) in enumerate(zip(there, here, strict=False)):
                self.documents(one, other, f"{place}[{index}]", kind)
        elif self.plain(there) != self.plain(here) or type(there) is not type(here):
            self.note(place, there, here)

    def mappings(self, there, here, place, kind):
        if there.keys() != here.keys():
            self.note(f"{place} keys", sorted(there), sorted(here))
        is_page = "count_estimated" in there
        for name in there.keys() & here.keys():
            at = f"{place}.{name}"
            one, other = there[name], here[name]
            if name == "id" and isinstance(one, int):
                if not self.numbers.agree(kind, one, other):
                    self.note(at, one, other)
            elif name == "related_frames" and isinstance(one, list):
                ours = [self.numbers.here("frame", number) for number in one]
                fresh = [number for number in one if ("frame", number) not in self.numbers.pairs]
                if not fresh and ours != other:
                    self.note(at, one, other)
                elif fresh:
                    self.documents(
                        [{"id": number} for number in one], [{"id": n} for n in other], at
                    )
            elif name == "created" and isinstance(one, str):
                if not (TIME.fullmatch(one) and TIME.fullmatch(other)):
                    self.note(at, one, other)
            elif name == "url" and isinstance(one, str):
                self.urls(one, other, at)
            elif name == "count" and is_page and there["count_estimated"]:
                if not isinstance(other, int) or (one != other and min(one, other) <= 1):
                    self.note(at, one, other)
            elif name == "username":
                if bool(one) != bool(other):
                    self.note(at, one, other)
            elif name == "choices":
                self.documents(
                    sorted(one, key=lambda choice: choice["value"]),
                    sorted(other, key=lambda choice: choice["value"]),
                    at,
                )
            else:
                is_version = name == "version_set" or (name == "results" and kind == "version")
                self.documents(one, other, at, "version" if is_version else kind)

    def urls(self, there, here, at):
        if not isinstance(here, str):
            self.note(at, there, here)
        elif locate(there) != locate(here):
            self.note(at, locate(there), locate(here))

    def plain(self, value):
        if not isinstance(value, str):
            return value
        for root in ("http://127.0.0.1:8000/", "http://127.0.0.1:8003/", self.root):
            value = value.removeprefix(root)
        return value


def locate(url):
    """Return path inside the store and version key, which is all that two stores share."""
    parts = urlsplit(url)
    path = re.sub(r"^/(ocs-archive-test|bucket|files)/", "", parts.path).removeprefix("/")
    return path, parse_qs(parts.query).get("versionId")


def read_cut(text):
    """Return what can be read of a recorded page that was cut short."""
    text = text.partition("cut) ")[2]
    head, found, rows = text.partition('"results":[')
    if not found:
        return None, []
    page = json.loads(head.rstrip(",") + "}")
    decoder, whole = json.JSONDecoder(), []
    while rows:
        try:
            row, end = decoder.raw_decode(rows)
        except ValueError:
            break
        whole.append(row)
        rows = rows[end:].lstrip(",")
    return page, whole


class Replay:
    """Replays recorded pairs against archives in the state that each needs."""

    def __init__(self, folder, stock, local, fresh, client_class, record):
        self.pairs = {
            path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))
        }
        self.stock, self.local, self.fresh = stock, local, fresh
        self.record = record
        self.clients = {name: client_class(getattr(self, name)) for name in self.archives}
        self.numbers = {name: Renumbering() for name in self.archives}
        self.tokens = {
            "plain": stock.add_user(is_staff=False, is_superuser=False),
            "staffonly": stock.add_user(is_staff=True, is_superuser=False),
            "superonly": stock.add_user(is_staff=False, is_superuser=True),
        }
        self.differences = {}

    archives = ("stock", "local", "fresh")

    def close(self):
        for client in self.clients.values():
            client.close()

    def archive_of(self, name):
        number = name[:3]
        if number == "517":
            return "fresh"
        return "local" if number[0] == "4" or "500" <= number <= "503" else "stock"

    def post(self, archive, document):
        token = getattr(self, archive).token
        sent = {"Authorization": f"Token {token}"}
        answer = self.clients[archive]("POST", "/frames/", document, headers=sent)
        assert answer.status == 201, answer.body
        return answer.json["id"]

    def run(self):
        self.fill()
        for name in REPLAYED:
            prepare = getattr(self, f"before_{name[:3]}", None)
            if prepare:
                prepare(name)
            if name != "350-old-version-url-broken":
                self.differences[name] = self.compare(name, self.pairs[name])

    def bias(self, basename, **changes):
        """Return the record of the real bias that was ingested under many names."""
        return self.record(
            basename,
            reduction_level=0,
            observation_day="20151221",
            observation_date="2015-12-21T15:48:03.963",
            public_date="2015-12-21T15:48:04",
            target_name="Output from MAKEBIAS",
            primary_optical_element="Y",
            observation_id="74180136",
            related_frame_filenames=["original", "second"],
            **changes,
        )

    def fill(self):
        """Put in what the archive held when the first pair was recorded."""
        first = self.pairs["020-versions-detail"]["response"]["json"]
        name = "bias_kb70_20151221_bin2x2"
        self.post("stock", self.bias(name, version_set=[self.version(first)]))
        again = self.record()["version_set"][0] | {"extension": ".fits"}
        self.post("stock", self.bias(name, version_set=[again]))
        coj = self.bias("coj1m011-kb05-20150219-0125-e90", configuration_type="EXPOSE")
        self.post("stock", coj | {"related_frame_filenames": []})
        _, rows = read_cut(self.pairs["014-versions-md5-empty-FIXED"]["response"]["json"])
        for number in range(4, 264 - len(rows)):
            # eight names come twice, so that frames and versions are as many as recorded
            self.post("stock", self.bias(f"filler-{number if number > 19 else number // 2}"))
        for row in reversed(rows):
            path, _ = locate(row["url"])
            basename = path.rpartition("/")[2].removesuffix(".fits")
            self.post("stock", self.bias(basename, version_set=[self.version(row)]))

    @staticmethod
    def version(row):
        return {name: row[name] for name in ("key", "md5", "extension")}

    def before_012(self, name):
        self.stock.md5_filter_works = True

    before_013 = before_014 = before_012

    def before_015(self, name):
        self.stock.md5_filter_works = False

    def alias(self, number, basename, archive="stock"):
        """Learn which frame of ours a number is that no recorded answer to a POST tells."""
        found = {frame["basename"]: frame["id"] for frame in getattr(self, archive).frames()}
        assert self.numbers[archive].agree("frame", number, found[basename])

    def before_202(self, name):
        self.alias(301, "contract-911046ba")

    def before_210(self, name):
        """Remove the poisoned frame as it had to be removed: behind the archive's back."""
        with sqlite3.connect(self.database) as database:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("DELETE FROM frames WHERE basename = 'contract-911046ba'")
        database.close()

    def before_340(self, name):
        self.learn_bias("stock", 275, "one3")

    def learn_bias(self, archive, number, basename):
        for known, found in ((number, basename), (2, "original"), (3, "second")):
            self.alias(known, found, archive)

    def before_342(self, name):
        self.stock.backdate(self.numbers["stock"].here("frame", 275), seconds=3600)

    def before_350(self, name):
        raw = self.bias("coj1m011-kb05-20150219-0125-e90")
        raw |= {"site_id": "coj", "instrument_id": "kb05", "observation_day": "20150219"}
        raw["version_set"][0]["extension"] = ".fits"
        self.post("stock", raw)
        reduced = {**raw, "reduction_level": 90, "version_set": self.record()["version_set"]}
        frame_id = self.post("stock", reduced)
        sent = {"Authorization": f"Token {self.stock.token}"}
        answer = self.clients["stock"]("GET", f"/frames/{frame_id}/", headers=sent).json
        ours = [(row["extension"], locate(row["url"])[0]) for row in answer["version_set"][:2]]
        recorded = [(row["ext"], locate(row["path"])[0]) for row in self.pairs[name]["versions"]]
        self.differences[name] = [] if ours == recorded else [f"{recorded} {ours}"]

    def before_351(self, name):
        self.post_versions("stock", "reingest", self.pairs[name])

    def post_versions(self, archive, basename, pair):
        rows = list(reversed(pair["response"]["json"]["version_set"]))
        for row in rows:
            self.post(archive, self.bias(basename, version_set=[self.version(row)]))
        self.learn_bias(archive, pair["response"]["json"]["id"], basename)

    def before_400(self, name):
        self.post_versions("local", "loc1", self.pairs[name])

    def before_401(self, name):
        pair = self.pairs[name]
        newest = pair["response"]["json"]["version_set"][0]
        self.post("local", self.bias("loc1", version_set=[self.version(newest)]))

    def before_500(self, name):
        self.local.faults.add("429", path="/frames/*", seconds=86355)

    def before_517(self, name):
        row = self.pairs[name]["response"]["json"]["results"][0]
        undated = self.bias("undated", version_set=[self.version(row)])
        self.post("fresh", undated | {"observation_date": None})

    def send(self, name, pair):
        archive = self.archive_of(name)
        asked = pair["request"]
        sent = {
            key: value
            for key, value in asked["headers"].items()
            if key in ("Accept", "Authorization", "Content-Type", "If-None-Match")
        }
        token = self.tokens.get(pair["as_user"], getattr(self, archive).token)
        if "Authorization" in sent:
            sent["Authorization"] = sent["Authorization"].replace("<TOKEN>", token)
        path = self.path(archive, name, asked["path"])
        body = asked["body"] if asked["json"] is None else json.dumps(asked["json"])
        client = self.clients[archive]
        answer = client(asked["method"], path, body=body, headers=sent)
        for hop in pair["redirects"]:
            assert (answer.status, answer.headers["Location"]) == (hop["status"], hop["location"])
            del sent["Content-Type"]
            answer = client("GET", answer.headers["Location"], headers=sent)
        return answer

    def path(self, archive, name, path):
        renamed = {
            "148a": "/frames/281/",
            "148b": "/frames/?basename_exact=contract-631e2059",
            "148c": "/frames/?basename_exact=contract-16fc1625",
        }
        numbers = self.numbers[archive]
        path = renamed.get(name.partition("-")[0], path).replace(" ", "%20")
        for kind in ("frame", "version"):
            path = re.sub(
                rf"(?<=^/{kind}s/)\d+",
                lambda match, kind=kind: str(numbers.here(kind, int(match[0]))),
                path,
            )
        return path

    def compare(self, name, pair):
        answer = self.send(name, pair)
        archive = self.archive_of(name)
        comparison = Comparison(self.numbers[archive], getattr(self, archive).root)
        recorded = pair["response"]
        if answer.status != recorded["status"]:
            comparison.note("status", recorded["status"], answer.status)
            return [*comparison.differences, answer.body[:500]]
        for header in HEADERS:
            there, here = recorded["headers"].get(header), answer.headers.get(header)
            if header == "Location" and there and here:
                there = self.path(archive, name, there)
            if there != here:
                comparison.note(header, there, here)
        self.compare_bodies(name, pair["request"]["path"], recorded, answer, comparison)
        return comparison.differences

    def compare_bodies(self, name, path, recorded, answer, comparison):
        there = recorded["json"]
        kind = "version" if path.startswith("/versions/") else "frame"
        if isinstance(there, str) and "cut) " in there:
            self.compare_cut(there, answer.json, comparison, kind)
        elif there is not None:
            here = answer.json
            if isinstance(here, dict) and here.get("results") and kind == "frame":
                here = self.with_recorded_rows(path, there, here)
            comparison.documents(there, here, kind=kind)
        elif name != "115-get-frame-accept-html" and answer.body.decode() != recorded["text"]:
            comparison.note("text", recorded["text"], answer.body)

    def with_recorded_rows(self, path, there, here):
        """Let rows of equal date be in the order in which the recorded archive chose them."""
        rows = []
        for one, other in zip(there["results"], here["results"], strict=False):
            tie = [row["observation_date"] for row in (one, other)]
            if one["basename"] != other["basename"] and tie[0] == tie[1]:
                sent = {"Authorization": f"Token {self.stock.token}"}
                asked = f"{path}&basename_exact={one['basename']}"
                rows += self.clients["stock"]("GET", asked, headers=sent).json["results"]
            else:
                rows.append(other)
        return {**here, "results": rows + here["results"][len(rows) :]}

    def compare_cut(self, text, here, comparison, kind):
        page, rows = read_cut(text)
        if page is None:
            comparison.differences += [] if "id" in here else ["no frame"]
            return
        estimated = here.get("count_estimated", False)
        ours = {name: here[name] for name in page}
        comparison.documents(
            page | {"count_estimated": estimated}, {**ours, "count_estimated": estimated}
        )
        for one, other in zip(rows, here["results"], strict=False):
            comparison.documents(one, other, "row", kind)


@pytest.fixture(scope="module")
def replay(shared_data, tmp_path_factory, client_class, record):
    folder = tmp_path_factory.mktemp("contract")
    database = folder / "archive.db"

    def url_for(path, key):
        return f"http://store.test/bucket/{path}?versionId={key}"

    with (
        ScienceArchive(url_for=url_for, database=database) as stock,
        ScienceArchive(files=folder) as local,
        ScienceArchive(url_for=url_for) as fresh,
    ):
        replay = Replay(shared_data / "contract", stock, local, fresh, client_class, record)
        replay.database = database
        try:
            replay.run()
            yield replay
        finally:
            replay.close()


def test_says_of_every_recorded_pair_whether_it_is_replayed(replay):
    assert not REPLAYED.keys() & LEFT_OUT.keys()
    assert REPLAYED.keys() | LEFT_OUT.keys() == replay.pairs.keys()


@pytest.mark.parametrize("name", REPLAYED)
def test_answers_as_recorded(replay, name):
    assert replay.differences[name] == []
