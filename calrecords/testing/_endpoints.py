"""The endpoints of the archive's API: which request gets which answer."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from calrecords.testing import _answers, _files, _pages, _requests, _schema
from calrecords.testing._answers import Answer, CrashError, RefusalError, Request
from calrecords.testing._calls import Call, read_key
from calrecords.testing._filters import select_frames
from calrecords.testing._frames import FrameStore, StoredFrame, User, timestamp
from calrecords.testing._serialize import Serializer, header_document
from calrecords.testing._validation import check_frame

READ = "GET, HEAD, OPTIONS"
_LIST = "GET, POST, HEAD, OPTIONS"
_ONE = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"
_YOUNG = timedelta(minutes=10)
_ROUTES = (
    (re.compile(r"/"), "root", READ, "Api Root"),
    (re.compile(r"/health/"), "health", READ, "Health"),
    (re.compile(r"/profile/"), "profile", READ, "Profile"),
    (re.compile(r"/frames(?:/|\.json/?)"), "frames", _LIST, "Frame List"),
    (re.compile(r"/frames/([^/.]+)(?:/|\.json/?)"), "frame", _ONE, "Frame Instance"),
    (re.compile(r"/frames/([^/.]+)/headers/"), "headers", READ, "Headers"),
    (re.compile(r"/frames/([^/.]+)/related/"), "related", READ, "Related"),
    (re.compile(r"/versions(?:/|\.json/?)"), "versions", READ, "Version List"),
    (re.compile(r"/versions/([^/.]+)(?:/|\.json/?)"), "version", READ, "Version Instance"),
)


class Api:
    """The archive's answers, before they are sent.

    Parameters
    ----------
    store : FrameStore
        Where the frames are.
    serializer : Serializer
        Knows the URLs of files.
    observation_types : sequence of str
        The closed list.
    files : Path or None
        Folder that is served under ``/files/``.
    """

    def __init__(
        self,
        store: FrameStore,
        serializer: Serializer,
        observation_types: Sequence[str],
        files: Path | None,
    ) -> None:
        self._store = store
        self._serializer = serializer
        self._observation_types = tuple(observation_types)
        self._files = files
        self.md5_filter_works = False

    def answer(self, request: Request) -> Answer:
        """Return what the archive answers; every failure of its own is a page with status 500."""
        if self._files is not None and request.path.startswith("/files/"):
            return _files.file_answer(self._files, request, request.path.removeprefix("/files/"))
        for pattern, endpoint, allow, name in _ROUTES:
            match = pattern.fullmatch(request.path)
            if match:
                return self._api_answer(request, endpoint, allow, name, "".join(match.groups()))
            if pattern.fullmatch(f"{request.path}/"):
                query = f"?{request.query}" if request.query else ""
                return _answers.redirect(301, f"{request.path}/{query}")
        return _answers.not_found_page()

    def stale_answer(self, request: Request, seconds: float) -> Answer:
        """Return what a replica answers that lags behind; all but frames comes from the writer."""
        if request.method not in _requests.SAFE or not request.path.startswith("/frames"):
            return self.answer(request)
        with self._store.lagging(seconds):
            return self.answer(request)

    def methods(self, path: str) -> str:
        """Return the methods of the endpoint at a path, as the Allow header lists them."""
        return next((allow for pattern, _, allow, _ in _ROUTES if pattern.fullmatch(path)), READ)

    def _api_answer(
        self, request: Request, endpoint: str, allow: str, name: str, key: str
    ) -> Answer:
        try:
            media_type = _requests.accepted_type(request)
            user = _requests.authenticated(request, self._store)
            call = Call(request, allow, name, user, key)
            answer = self._permitted_answer(call, endpoint)
        except RefusalError as refusal:
            return _answers.json_answer(
                refusal.status, refusal.document, request, allow, *refusal.headers
            )
        except CrashError:
            return _answers.server_error(request)
        if media_type == _answers.HTML and endpoint != "health":
            page = _answers.html_page(answer.status, name, "")
            return page.with_headers(("Allow", allow))
        return answer

    def _permitted_answer(self, call: Call, endpoint: str) -> Answer:
        method, user = call.request.method, call.user
        if endpoint in ("versions", "version"):
            _requests.require(user, allowed=user is not None and user.is_staff)
        elif endpoint not in ("root", "health", "profile"):
            writes = method not in _requests.SAFE
            _requests.require(user, allowed=not writes or (user is not None and user.is_superuser))
        if method not in call.allow.split(", "):
            raise RefusalError.detail(405, f'Method "{method}" not allowed.')
        if method == "OPTIONS":
            return call.answer(self._description(call, endpoint))
        verb = "get" if method == "HEAD" else method.lower()
        answer: Answer = getattr(self, f"_{verb}_{endpoint}")(call)
        return answer

    def _description(self, call: Call, endpoint: str) -> dict[str, Any]:
        described = _schema.describe(call.name)
        if endpoint == "frames" and call.user is not None and call.user.is_superuser:
            posting = _schema.describe_posting(self._observation_types)
            described["actions"] = {"POST": posting}
        return described

    def _get_root(self, call: Call) -> Answer:
        names = ("frames", "versions", "thumbnails")
        return call.answer({name: f"{call.origin}/{name}/" for name in names})

    def _get_health(self, call: Call) -> Answer:
        return call.answer("ok")

    def _get_profile(self, call: Call) -> Answer:
        if call.user is None:
            return call.answer({"username": "", "profile": {}, "is_staff": False})
        profile: dict[str, Any] = {"proposals": []}
        name, staff = call.user.name, call.user.is_staff
        return call.answer({"username": name, "profile": profile, "is_staff": staff})

    def _require_known_proposals(self, user: User | None) -> None:
        """Fail for a plain user: their proposals are with the portal, and here is none."""
        if user is not None and not user.is_superuser:
            raise CrashError

    def _get_frames(self, call: Call) -> Answer:
        self._require_known_proposals(call.user)
        query = call.query
        selection = select_frames(
            query, public_only=call.user is None, with_token=call.user is not None
        )
        page = _pages.PageRequest(f"{call.origin}/frames/", call.request.query)
        order = _pages.ordering(query)
        if call.is_set("pagination_style", "cursor"):
            following, found = _pages.cursor_page(self._store, selection, page, order)
            rows = [self._read(call, frame) for frame in found]
            return call.answer({"next": following, "previous": None, "results": rows})
        count, found = _pages.frame_page(self._store, selection, page, order)
        rows = [self._read(call, frame) for frame in found]
        return call.answer(page.document(count, rows, estimated=not selection.is_small))

    def _read(self, call: Call, frame: StoredFrame) -> dict[str, Any]:
        return self._serializer.read(
            frame,
            with_related=not call.is_set("include_related_frames", "false"),
            with_thumbnails=call.is_set("include_thumbnails", "true"),
        )

    def _post_frames(self, call: Call) -> Answer:
        record = _requests.json_object(call.request)
        if "version_set" not in record:
            raise CrashError
        try:
            with self._store.writing():
                fields = check_frame(
                    record,
                    observation_types=self._observation_types,
                    taken=self._store.has_version,
                )
                frame_id = self._store.save(
                    fields, fields["version_set"], fields["related_frame_filenames"]
                )
        except sqlite3.IntegrityError:
            raise CrashError from None
        return call.answer(self._serializer.written(self._stored(frame_id)), 201)

    def _stored(self, frame_id: int) -> StoredFrame:
        return self._store.frames("id = ?", (frame_id,))[0]

    def _frame(self, call: Call) -> StoredFrame:
        self._require_known_proposals(call.user)
        where = "id = ? AND observation_date IS NOT NULL"
        values: list[Any] = [read_key(call.key)]
        if call.user is None:
            where += " AND public_date <= ?"
            values.append(timestamp(datetime.now(UTC)))
        found = self._store.frames(where, values)
        if not found:
            raise RefusalError.detail(404, "No Frame matches the given query.")
        return found[0]

    def _get_frame(self, call: Call) -> Answer:
        return call.answer(self._read(call, self._frame(call)))

    def _get_headers(self, call: Call) -> Answer:
        return call.answer(header_document(self._frame(call)))

    def _get_related(self, call: Call) -> Answer:
        related = self._frame(call).related
        marks = ", ".join("?" * len(related))
        where = f"id IN ({marks}) AND observation_date IS NOT NULL"
        frames = self._store.frames(where, related)
        return call.answer([self._serializer.written(frame) for frame in frames])

    def _patch_frame(self, call: Call) -> Answer:
        frame = self._frame(call)
        record = _requests.json_object(call.request)
        if {"headers", "version_set", "related_frame_filenames"} & record.keys():
            raise CrashError
        fields = check_frame(
            record,
            observation_types=self._observation_types,
            taken=self._store.has_version,
            partial=True,
        )
        frame_id = frame.fields["id"]
        try:
            with self._store.writing():
                self._store.update(frame_id, fields)
        except sqlite3.IntegrityError:
            raise CrashError from None
        return call.answer(self._serializer.written(self._stored(frame_id)))

    def _put_frame(self, call: Call) -> Answer:
        self._frame(call)
        raise CrashError

    def _delete_frame(self, call: Call) -> Answer:
        frame = self._frame(call)
        age = datetime.now(UTC) - datetime.fromisoformat(frame.fields["created"])
        if age < _YOUNG:
            raise CrashError
        self._serializer.written(frame)
        with self._store.writing():
            self._store.delete(frame.fields["id"])
        return _answers.empty_answer(call.request, call.allow)

    def _get_versions(self, call: Call) -> Answer:
        md5 = call.query.get("md5", [""])[-1]
        filtered = bool(md5) and self.md5_filter_works
        where, values = ("md5 = ?", (md5,)) if filtered else ("1", ())
        page = _pages.PageRequest(f"{call.origin}/versions/", call.request.query)
        exact = "md5" in call.query
        count = (
            self._store.count("versions", where, values)
            if exact
            else _pages.count_all(self._store, "versions")
        )
        tail = "ORDER BY created DESC, id DESC LIMIT ? OFFSET ?"
        found = self._store.versions(where, (*values, page.limit, page.offset), tail)
        rows = [self._version(version) for version in found]
        return call.answer(page.document(count, rows, estimated=not exact))

    def _version(self, version: dict[str, Any]) -> dict[str, Any]:
        return self._serializer.version(self._stored(version["frame_id"]), version)

    def _get_version(self, call: Call) -> Answer:
        found = self._store.versions("id = ?", (read_key(call.key),))
        if not found:
            raise RefusalError.detail(404, "No Version matches the given query.")
        return call.answer(self._version(found[0]))
