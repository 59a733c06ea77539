"""What every endpoint asks of a request first: who asks, in which format, with what body."""

from __future__ import annotations

import json
from typing import Any

from calrecords.testing._answers import HTML, JSON, CrashError, RefusalError, Request
from calrecords.testing._frames import FrameStore, User

SAFE = ("GET", "HEAD", "OPTIONS")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_CHALLENGE = ("WWW-Authenticate", "Token")


def authenticated(request: Request, store: FrameStore) -> User | None:
    """Return who asks, or None for anybody.

    Raises
    ------
    RefusalError
        With status 401 for a token that is not known.
    CrashError
        For a bearer token: the archive would ask the observation portal, and here is none.
    """
    scheme, _, key = (request.headers.get("Authorization") or "").strip().partition(" ")
    if scheme.lower() == "bearer":
        raise CrashError
    if scheme.lower() != "token":
        return None
    if not key:
        said = "Invalid token header. No credentials provided."
        raise RefusalError.detail(401, said, _CHALLENGE)
    if " " in key:
        said = "Invalid token header. Token string should not contain spaces."
        raise RefusalError.detail(401, said, _CHALLENGE)
    user = store.user(key)
    if user is None:
        raise RefusalError.detail(401, "Invalid token.", _CHALLENGE)
    return user


def require(user: User | None, *, allowed: bool) -> None:
    """Refuse a user who lacks a right, with 401 where nobody has said who asks."""
    if allowed:
        return
    if user is None:
        said = "Authentication credentials were not provided."
        raise RefusalError.detail(401, said, _CHALLENGE)
    raise RefusalError.detail(403, "You do not have permission to perform this action.")


def accepted_type(request: Request) -> str:
    """Return the media type of the answer: JSON unless a page is asked for by name.

    Raises
    ------
    RefusalError
        With status 406 if neither will do.
    """
    accept = request.headers.get("Accept") or "*/*"
    wanted = {item.partition(";")[0].strip().lower() for item in accept.split(",")}
    for names, media_type in (
        ({"application/json"}, JSON),
        ({"text/html"}, HTML),
        ({"application/*"}, JSON),
        ({"text/*"}, HTML),
        ({"*/*", ""}, JSON),
    ):
        if wanted & names:
            return media_type
    raise RefusalError.detail(406, "Could not satisfy the request Accept header.")


def json_object(request: Request) -> dict[str, Any]:
    """Return the JSON object that a request brings.

    Raises
    ------
    RefusalError
        With status 415 for another media type, 400 for what is not JSON.
    CrashError
        For a form, and for JSON that is no object.
    """
    content_type = request.headers.get("Content-Type") or ""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in _FORMS:
        raise CrashError
    if media_type and media_type != JSON:
        said = f'Unsupported media type "{content_type}" in request.'
        raise RefusalError.detail(415, said)
    try:
        document = json.loads(request.body.decode(), parse_constant=_refuse_constant)
    except ValueError as error:
        if not request.body:
            raise CrashError from None
        raise RefusalError.detail(400, f"JSON parse error - {error}") from None
    if not isinstance(document, dict):
        raise CrashError
    return document


def _refuse_constant(name: str) -> None:
    msg = f"Out of range float values are not JSON compliant: {name!r}"
    raise ValueError(msg)
