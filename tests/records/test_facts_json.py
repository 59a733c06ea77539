"""Facts survive the journal whole."""

import json
from datetime import date, timedelta, timezone
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calrecords.errors import InvalidRecordError
from calrecords.frames import FrameFacts
from calrecords.records.facts_json import facts_from_json, facts_to_json
from calrecords.vocabulary import Binning

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
OFFSET = st.integers(-86399, 86399).map(lambda seconds: timezone(timedelta(seconds=seconds)))
TIME = st.datetimes(timezones=OFFSET).filter(lambda moment: 1 < moment.year < 9999)
SIDE = st.integers(1, 999)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBER | TEXT,
    lambda inside: st.lists(inside) | st.dictionaries(TEXT, inside),
    max_leaves=5,
)
BY_TYPE = {
    "str": TEXT,
    "str | None": st.none() | TEXT,
    "bool": st.booleans(),
    "int | None": st.none() | st.integers(),
    "float | None": st.none() | NUMBER,
    "datetime | None": st.none() | TIME,
    "date | None": st.none() | st.dates(),
    "Binning | None": st.none() | st.builds(Binning, SIDE, SIDE),
    "tuple[tuple[str, str], ...]": st.lists(st.tuples(TEXT, TEXT)).map(tuple),
    "Mapping[str, Any]": st.dictionaries(TEXT, JSON),
}
FACTS = st.builds(
    FrameFacts,
    **{name: BY_TYPE[field.type] for name, field in FrameFacts.__dataclass_fields__.items()},
)


@given(facts=FACTS)
def test_any_facts_come_back_from_json(facts):
    assert facts_from_json(json.loads(json.dumps(facts_to_json(facts)))) == facts


def test_facts_with_every_field_come_back_from_json(full_facts):
    document = facts_to_json(full_facts)
    assert set(document) == set(FrameFacts.__dataclass_fields__)
    assert facts_from_json(json.loads(json.dumps(document))) == full_facts


def test_the_document_is_plain():
    facts = FrameFacts(
        obstype="BIAS",
        site="lsc",
        camera="kb70",
        dayobs=date(2026, 1, 1),
        attributes=MappingProxyType({"A": (1, 2)}),
    )
    assert facts_to_json(facts) == {
        "obstype": "BIAS",
        "site": "lsc",
        "camera": "kb70",
        "instrument": "",
        "is_master": False,
        "configuration_mode": "default",
        "dayobs": "2026-01-01",
        "inputs": [],
        "attributes": {"A": [1, 2]},
    }


@pytest.mark.parametrize(
    "document",
    [
        {"of_a_later_version": 1},
        {"dateobs": "yesterday"},
        {"dateobs": 5},
        {"dayobs": "2026"},
        {"binning": "many"},
        {"inputs": [["IMCOM001"]]},
        {"inputs": 5},
    ],
)
def test_a_document_that_is_not_ours_is_told_so(document):
    with pytest.raises(InvalidRecordError, match=r"ingest the file again$"):
        facts_from_json(document)
