"""Whether conditions can hold together, against values that are tried at random."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calrecords.selection.branches import ALWAYS, AllOf, AnyOf
from calrecords.selection.implications import can_hold
from calrecords.selection.terms import Ends, Nulls, OfTarget, Operator, Term

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
WORDS = ["", "a", "b", "ab", "ba", "aba", "c", "\x00", None]
NUMBERS = [None, *(number / 2 for number in range(-8, 18))]

nulls = st.sampled_from(Nulls)
text_terms = st.one_of(
    st.builds(
        Term,
        field=st.just("word"),
        operator=st.sampled_from(
            [
                *(Operator.EQUAL, Operator.NOT_EQUAL, Operator.CONTAINS),
                *(Operator.STARTS_WITH, Operator.ENDS_WITH),
            ]
        ),
        value=st.sampled_from(["a", "b", "ab"]),
        nulls=nulls,
    ),
    st.builds(
        Term,
        field=st.just("word"),
        operator=st.sampled_from([Operator.ONE_OF, Operator.NOT_ONE_OF]),
        value=st.sampled_from([("a", "b"), ("b", "c"), ("ab",)]),
        nulls=nulls,
    ),
    st.builds(Term, field=st.just("word"), operator=st.just(Operator.PRESENT), value=st.booleans()),
)
number_terms = st.one_of(
    st.builds(
        Term,
        field=st.just("wave"),
        operator=st.sampled_from(
            [Operator.ABOVE, Operator.AT_LEAST, Operator.BELOW, Operator.AT_MOST, Operator.EQUAL]
        ),
        value=st.integers(0, 4),
        nulls=st.sampled_from([Nulls.SKIP, Nulls.NEVER]),
    ),
    st.builds(
        Term,
        field=st.just("wave"),
        operator=st.just(Operator.WITHIN),
        value=st.integers(0, 2),
        around=st.integers(0, 4),
        ends=st.sampled_from(Ends),
    ),
)
terms = st.one_of(text_terms, number_terms)
conditions = st.recursive(
    terms,
    lambda parts: st.one_of(
        st.builds(AnyOf, st.lists(parts, min_size=1, max_size=3).map(tuple)),
        st.builds(AllOf, st.lists(parts, max_size=3).map(tuple)),
    ),
    max_leaves=4,
)
lists = st.lists(conditions, max_size=2)


@settings(max_examples=200, deadline=None)
@given(lists, lists)
def test_what_cannot_hold_holds_for_no_value_and_what_can_for_one(wanted, unwanted):
    holds = any(
        all(one.holds_for(values) for one in wanted)
        and not any(one.holds_for(values) for one in unwanted)
        for word, wave in itertools.product(WORDS, NUMBERS)
        for values in [{"word": word, "wave": wave}]
    )
    if holds:
        assert can_hold(wanted, unwanted)
    elif can_hold(wanted, unwanted):
        # only a text that is none of these few can be it
        assert not can_hold([*wanted, one_of("word", *WORDS[:-1], nulls=Nulls.SKIP)], unwanted)


def one_of(field, *words, nulls=Nulls.NEVER):
    return Term(field=field, operator=Operator.ONE_OF, value=words, nulls=nulls)


def term(operator, value, field="moment", **more):
    return Term(field=field, operator=operator, value=value, **more)


DAY = timedelta(days=1)
LATER = NOON + DAY


@pytest.mark.parametrize(
    ("wanted", "unwanted", "expected"),
    [
        ([], [], True),
        ([], [ALWAYS], False),
        ([term(Operator.ABOVE, NOON), term(Operator.BELOW, LATER)], [], True),
        ([term(Operator.ABOVE, LATER), term(Operator.BELOW, NOON)], [], False),
        ([term(Operator.WITHIN, 3600, around=NOON), term(Operator.ABOVE, LATER)], [], False),
        ([term(Operator.WITHIN, 1e6, around=NOON), term(Operator.ABOVE, LATER)], [], True),
        ([term(Operator.ABOVE, LATER)], [term(Operator.ABOVE, NOON)], False),
        ([term(Operator.ABOVE, NOON)], [term(Operator.ABOVE, LATER)], True),
        (
            [term(Operator.EQUAL, True), term(Operator.EQUAL, False)],
            [],
            False,
        ),
        (
            [],
            [
                term(Operator.EQUAL, True),
                term(Operator.EQUAL, False),
                term(Operator.PRESENT, False),
            ],
            False,
        ),
        ([term(Operator.ABOVE, 1), term(Operator.BELOW, 2)], [], True),
        ([term(Operator.ABOVE, 2)], [term(Operator.AT_LEAST, 2.5)], True),
        ([term(Operator.HAS, "a"), term(Operator.HAS, "b")], [], True),
        ([term(Operator.EQUAL, "A", ignores_case=True), term(Operator.EQUAL, "a")], [], True),
        ([term(Operator.EQUAL, OfTarget("other")), term(Operator.PRESENT, False)], [], True),
        ([term(Operator.PRESENT, True)], [term(Operator.EQUAL, OfTarget("other"))], True),
    ],
)
def test_times_flags_lists_and_what_is_not_known(wanted, unwanted, expected):
    assert can_hold(wanted, unwanted) is expected


def test_of_too_much_it_is_not_told():
    fields = [f"field{number}" for number in range(6)]
    many = [AnyOf(tuple(one_of(field, str(word)) for word in range(20))) for field in fields]
    assert not can_hold(many[:2], many[:2])
    assert can_hold(many, many)
