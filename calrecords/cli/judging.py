"""`calrecords mark`, `calrecords validity` and `calrecords correct`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from calrecords.cli import exit_codes
from calrecords.cli.options import as_json, connected, connection_options
from calrecords.cli.output import describe_frame, plain, print_json, say
from calrecords.cli.querying import named
from calrecords.frames import CalibrationFrame

_F = TypeVar("_F", bound=Callable[..., Any])

author = click.option("--author", help="Who says so; by default your user name.")
md5 = click.option("--md5", help="Which version, by its checksum; by default the current one.")


@click.command(epilog=exit_codes.EPILOG)
@click.argument("verdict", type=click.Choice(["good", "bad", "unknown"]))
@click.argument("frame")
@click.option("--reason", default="", help="Why; a bad verdict needs it.")
@author
@md5
@as_json
@connection_options
def mark(
    verdict: str,
    frame: str,
    reason: str,
    author: str | None,
    md5: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Call FRAME, a frame ID or a basename, good or bad; unknown takes that back."""
    if verdict == "bad" and not reason.strip():
        msg = "a bad verdict needs a reason: --reason TEXT"
        raise click.UsageError(msg)
    with connected(options) as cal:
        verbs: dict[str, Callable[..., CalibrationFrame]] = {
            "good": cal.mark_good,
            "bad": cal.mark_bad,
            "unknown": cal.clear_verdict,
        }
        marked = verbs[verdict](cal.recorded(named(frame), md5=md5), reason=reason, author=author)
    return _say(marked, f"{marked.verdict}", as_json=as_json)


@click.command(epilog=exit_codes.EPILOG)
@click.argument("frame")
@click.option("--after", "good_after", help="First moment it is valid, UTC; by default open.")
@click.option("--until", "good_until", help="First moment it is no longer; by default open.")
@click.option("--reason", required=True, help="Why.")
@author
@md5
@as_json
@connection_options
def validity(
    frame: str,
    good_after: str | None,
    good_until: str | None,
    reason: str,
    author: str | None,
    md5: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Say for which times FRAME, a frame ID or a basename, may be used.

    The end does not belong to the range. With neither --after nor --until it is valid always.
    """
    with connected(options) as cal:
        recorded = cal.recorded(named(frame), md5=md5)
        changed = cal.set_validity(recorded, good_after, good_until, reason=reason, author=author)
    start, end = plain(changed.good_after) or "open", plain(changed.good_until) or "open"
    return _say(changed, f"valid [{start}, {end})", as_json=as_json)


@click.command(epilog=exit_codes.EPILOG)
@click.argument("frame")
@click.option(
    "--set",
    "facts",
    multiple=True,
    required=True,
    metavar="NAME=VALUE",
    help="The right value of a fact; may be repeated. Nothing after = means not known.",
)
@click.option("--reason", required=True, help="Why.")
@author
@md5
@as_json
@connection_options
def correct(
    frame: str,
    facts: Sequence[str],
    reason: str,
    author: str | None,
    md5: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Mend wrong facts of FRAME, a frame ID or a basename, for example --set filter=rp.

    What was recorded before stays in the history. Attributes are attributes.NAME, and their
    values are numbers, true, false or text.
    """
    given = dict(map(_fact, facts))
    attributes = {
        name.removeprefix("attributes."): _attribute(value)
        for name, value in given.items()
        if name.startswith("attributes.")
    }
    own: dict[str, Any] = {
        name: value for name, value in given.items() if not name.startswith("attributes.")
    }
    with connected(options) as cal:
        recorded = cal.recorded(named(frame), md5=md5)
        for name in set(own) & set(recorded.attributes) - _OURS:
            own[name] = _attribute(own[name])
        mended = cal.correct(recorded, reason=reason, author=author, attributes=attributes, **own)
    return _say(mended, "corrected", as_json=as_json)


_OURS = frozenset(CalibrationFrame.__dataclass_fields__)


def _fact(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name.strip():
        msg = f"--set {word!r}: write NAME=VALUE, for example filter=rp"
        raise click.UsageError(msg)
    if name.strip() in {"reason", "author", "frame", "self", "attributes"}:
        msg = f"--set {word!r}: {name.strip()} is no fact; an attribute is attributes.NAME"
        raise click.UsageError(msg)
    return name.strip(), value


def _attribute(value: str) -> Any:
    """Return a number, a truth value or nothing where the text is one in JSON, else the text."""
    if not value:
        return None
    try:
        read = json.loads(value)
    except ValueError:
        return value
    return value if isinstance(read, str | dict | list) else read


def _say(frame: CalibrationFrame, what: str, *, as_json: bool) -> int:
    if as_json:
        print_json(describe_frame(frame))
    else:
        say(f"{frame.filename}: {what}")
    return exit_codes.OK
