"""Which column, or which attribute, a field of a match set is; and its values of one version."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from calrecords.frames import FrameFacts
from calrecords.matching import MatchSet, canonical_text
from calrecords.records.models import Frame, Instrument, Site, Version
from calrecords.vocabulary import canonical_obstype

ATTRIBUTE_PREFIX = "attributes."
"""Before the name of an attribute that a column of ours has too."""

OF_IDENTITY: Mapping[str, Any] = {
    "obstype": Frame.obstype,
    "is_master": Frame.is_master,
    "basename": Frame.basename,
    "site": Site.code,
    "camera": Instrument.camera,
    "instrument": Instrument.name,
}
OF_VERSION: Mapping[str, Any] = {
    name: getattr(Version, name)
    for name in (
        *("telescope", "filter", "binning", "configuration_mode", "exposure_time"),
        *("ccd_temperature", "ccd_measured_temperature", "reduction_level", "dateobs"),
        *("dayobs", "created", "public_date", "object", "proposal", "pipeline_name"),
        *("pipeline_version", "extension"),
    )
}
COLUMNS: Mapping[str, Any] = {**OF_IDENTITY, **OF_VERSION}
"""Every fact that is a column; any other name is an attribute's."""


@lru_cache(1024)
def match_set_of(fields: str, obstype: str) -> MatchSet:
    """Return the match set that a row is."""
    return MatchSet(tuple(json.loads(fields)), obstype)


def fields_text(match_set: MatchSet) -> str:
    """Return the fields of a match set as its row has them."""
    return json.dumps(list(match_set.fields))


def columns_for(sets: Iterable[MatchSet]) -> list[Any]:
    """Return the columns with the values of these match sets, each as ``the_NAME``.

    ``attributes`` is the last one, and empty where no set needs it, since it is slow to read.
    """
    names = {name for match_set in sets for name in match_set.fields}
    wanted = [COLUMNS[name].label(f"the_{name}") for name in sorted(names & COLUMNS.keys())]
    attributes = Version.attributes if names - COLUMNS.keys() else sa.null()
    return [*wanted, attributes.label("attributes")]


def identity_of(basename: str, facts: FrameFacts) -> dict[str, Any]:
    """Return the facts by which a frame that is recorded for the first time is told apart."""
    return {
        "obstype": canonical_obstype(facts.obstype),
        "is_master": facts.is_master,
        "basename": basename,
        "site": facts.site,
        "camera": facts.camera,
        "instrument": facts.instrument or facts.camera,
    }


def value_in(columns: Mapping[str, Any], attributes: Mapping[str, Any], name: str) -> Any:
    """Return the value of a field; None where the version has none."""
    if name in COLUMNS:
        return columns.get(name)
    return attributes.get(name.removeprefix(ATTRIBUTE_PREFIX))


class KeyMaker:
    """Makes the match keys of versions; of many that are alike, each key once.

    Parameters
    ----------
    sets : iterable of MatchSet
        The sets that versions are indexed by.
    """

    def __init__(self, sets: Iterable[MatchSet]) -> None:
        self._sets = tuple(sets)
        self._by_obstype: dict[str, tuple[MatchSet, ...]] = {}
        self._known: dict[tuple[MatchSet, tuple[str | None, ...]], bytes] = {}

    def keys(
        self, obstype: str, columns: Mapping[str, Any], attributes: Mapping[str, Any]
    ) -> list[bytes]:
        """Return the keys of one version, one for each set that applies to its type.

        Parameters
        ----------
        obstype : str
            Its observation type, upper case.
        columns : mapping
            Its facts by field name; a name that lacks counts as None.
        attributes : mapping
            Its further header facts.
        """
        found = [self._key(match_set, columns, attributes) for match_set in self._applying(obstype)]
        return list(dict.fromkeys(found))

    def _applying(self, obstype: str) -> tuple[MatchSet, ...]:
        if obstype not in self._by_obstype:
            self._by_obstype[obstype] = tuple(
                match_set for match_set in self._sets if match_set.obstype in {"", obstype}
            )
        return self._by_obstype[obstype]

    def _key(
        self, match_set: MatchSet, columns: Mapping[str, Any], attributes: Mapping[str, Any]
    ) -> bytes:
        spelled = tuple(
            canonical_text(value_in(columns, attributes, name)) for name in match_set.fields
        )
        known = self._known.get((match_set, spelled))
        if known is None:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            known = match_set.key(dict(zip(match_set.fields, spelled, strict=True)))
            self._known[match_set, spelled] = known
        return known


_MOST_KNOWN = 100_000
"""Keys that are remembered at most, so that memory stays flat."""
