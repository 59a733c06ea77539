"""Each thing that can be wrong in the end is seen, and what is right is not called wrong."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

spec = importlib.util.spec_from_file_location("counting", Path(__file__).parent / "counting.py")
counting = importlib.util.module_from_spec(spec)
sys.modules["counting"] = counting  # its dataclasses look their own module up
spec.loader.exec_module(counting)

KEY = "lsc/fa01/20260101/processed/a.fits"
CONTENT = SimpleNamespace(basename="a", md5="m1")
RECORD = counting.Record("a", 7, "m1", KEY, "m1", is_current=True)
TOLD = SimpleNamespace(task=SimpleNamespace(content=CONTENT), frame_id=7, is_success=True)
FOUND = counting.Found(
    records=[RECORD],
    journal={("a", "m1"): "recorded"},
    archived=[(7, "a", (("m1", "m1"),))],
    objects={(KEY, "m1"): "m1"},
    published={KEY: "m1"},
    strays=[],
)
TWICE = {"doubled": 2, "wrong_id": 2}
"""Two frames of one basename with one version: the frame and the version are there twice."""
CLEAN = SimpleNamespace(findings=[], is_finished=True)


def wrong(found=FOUND, told=TOLD, audit=CLEAN):
    """Return what is wrong, by name, and how often."""
    verdict = counting.judge([CONTENT], found, [told], audit)
    return {name: len(some) for name, some in verdict.wrong.items() if some}


def finding(key, kind="object unknown", **what):
    return SimpleNamespace(kind=kind, what={"key": key, **what})


def test_nothing_is_wrong_where_all_is_as_it_must_be():
    assert wrong() == {}
    never = counting.judge([CONTENT, SimpleNamespace(basename="b", md5="m2")], FOUND, [], CLEAN)
    assert ([one.basename for one in never.never_begun], never.is_perfect) == (["b"], True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"records": []}, {"lost": 1, "unrecorded": 1, "not_published": 1}),
        (
            {"records": [], "archived": [], "objects": {}, "published": {}},
            {"lost": 1, "wrong_id": 1},
        ),
        ({"records": [replace(RECORD, frame_id=None)]}, {"unrecorded": 1, "wrong_id": 1}),
        ({"records": [replace(RECORD, frame_id=8)]}, {"wrong_id": 1}),
        (
            {"records": [replace(RECORD, version_key="x")]},
            {"wrong_id": 1, "referenced_but_missing": 1},
        ),
        ({"records": [RECORD, RECORD]}, {"doubled": 2}),
        ({"archived": [(7, "a", (("m1", "m1"), ("m1", "m1")))]}, {"doubled": 1}),
        ({"archived": [(7, "a", (("m1", "m1"),)), (8, "a", (("m1", "m1"),))]}, TWICE),
        ({"objects": {}}, {"referenced_but_missing": 2}),
        ({"objects": {(KEY, "m1"): "damaged"}}, {"referenced_but_missing": 2}),
        ({"objects": {(KEY, "m1"): "m1", (KEY, "m2"): "m2"}}, {"unreferenced_not_found": 1}),
        ({"published": {}}, {"not_published": 1}),
        ({"published": {KEY: "m2"}}, {"not_published": 1}),
        ({"published": {KEY: "m1", "b": "m2"}}, {"not_published": 1}),
        ({"strays": ["spool/a.fits"]}, {"stray_local_files": 1}),
    ],
)
def test_each_fault_has_its_name(changes, expected):
    assert wrong(replace(FOUND, **changes)) == expected


def test_a_caller_who_was_told_another_number_is_counted():
    assert wrong(told=SimpleNamespace(**{**vars(TOLD), "frame_id": 8})) == {"wrong_id": 1}


def test_a_newer_version_that_is_not_current_is_wrong():
    second = replace(RECORD, md5="m2", version_key="m2", is_current=False)
    found = replace(
        FOUND,
        records=[RECORD, second],
        archived=[(7, "a", (("m2", "m2"), ("m1", "m1")))],
        objects={(KEY, "m1"): "m1", (KEY, "m2"): "m2"},
    )
    assert wrong(found) == {"wrong_id": 1}


def test_an_audit_must_find_what_is_unreferenced_and_nothing_else():
    found = replace(FOUND, objects={(KEY, "m1"): "m1", (KEY, "m2"): "m2"})
    seen = finding(KEY, version_key="m2")
    assert wrong(found, audit=SimpleNamespace(findings=[seen], is_finished=True)) == {}
    for findings in ([seen, finding(KEY, version_key="m1")], [seen, finding(KEY, "another")]):
        audit = SimpleNamespace(findings=findings, is_finished=True)
        assert wrong(found, audit=audit) == {"false_alarms": 1}
    stopped = SimpleNamespace(findings=[], is_finished=False)
    assert wrong(audit=stopped) == {"false_alarms": 1}
