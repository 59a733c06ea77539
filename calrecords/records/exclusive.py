"""Versions of one configuration that would be valid at the same time."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.frames import CalibrationFrame
from calrecords.matching import MatchSet
from calrecords.records import reading
from calrecords.records.match_fields import KeyMaker
from calrecords.records.models import IndexRow, Version
from calrecords.records.selection_index import facts_of
from calrecords.vocabulary import Verdict


def valid_at_the_same_time(
    connection: Connection,
    version: int,
    match_set: MatchSet,
    good_after: datetime | None,
    good_until: datetime | None,
) -> list[CalibrationFrame]:
    """Return the other current versions that are valid at some time of a range.

    Those that are marked bad do not count, since no rule takes them; one that nobody
    restricted is valid at any time.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    version : int
        Number of the version whose validity is to change.
    match_set : MatchSet
        A registered set: what makes versions ones of the same configuration.
    good_after, good_until : datetime or None
        The range it is to have, UTC; None is open.

    Returns
    -------
    list of CalibrationFrame
        Earliest validity first.
    """
    facts = facts_of(connection, version)
    keys = KeyMaker([match_set]).keys(facts["obstype"], facts, facts["attributes"])
    if not keys or facts["dateobs"] is None:
        return []
    statement = (
        sa.select(Version.id)
        .join_from(IndexRow, Version, Version.id == IndexRow.version_id)
        .where(IndexRow.match_key == keys[0], IndexRow.known_until.is_(None))
        .where(Version.id != version, Version.verdict != Verdict.BAD.value)
        .order_by(Version.good_after.asc().nulls_first(), Version.id)
    )
    if good_until is not None:
        statement = statement.where(
            sa.or_(Version.good_after.is_(None), Version.good_after < good_until)
        )
    if good_after is not None:
        statement = statement.where(
            sa.or_(Version.good_until.is_(None), Version.good_until > good_after)
        )
    found = connection.scalars(statement).all()
    return [reading.get_version(connection, other) for other in found]
