"""Three lines of data are enough to choose from."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from calrecords.frames import CalibrationFrame, FrameVersion
from calrecords.selection import load_rules, make_target
from calrecords.selection.case_files import run_cases
from calrecords.selection.rule_set_reading import read_rule_set
from calrecords.vocabulary import Binning, Verdict

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def make_frame():
    def make(basename="frame", hours=0.0, **facts):
        values = {
            "frame_id": None,
            "basename": basename,
            "obstype": "BIAS",
            "is_master": True,
            "reduction_level": 91,
            "site": "lsc",
            "camera": "fa01",
            "instrument": "fa01",
            "filter": None,
            "binning": Binning(1, 1),
            "configuration_mode": "default",
            "exposure_time": None,
            "ccd_temperature": None,
            "dateobs": NOON + timedelta(hours=hours),
            "dayobs": None,
            "created": None,
            "verdict": Verdict.UNKNOWN,
            "good_after": None,
            "good_until": None,
            "attributes": {},
            "version": FrameVersion(None, None, None, None, ".fits", None),
        }
        return CalibrationFrame(**{**values, **facts})

    return make


@pytest.fixture
def target():
    def make(**values):
        given = {"site": "lsc", "camera": "fa01", "binning": "1x1", "dateobs": NOON}
        return make_target({**given, **values})

    return make


@pytest.fixture
def rule():
    """Return a maker of rules from what a file would say."""

    def make(attributes=None, tables=None, **keys):
        document = {
            "name": "test",
            "attributes": {"word": "text", "number": "number", **(attributes or {})},
            "tables": tables or {},
            "rule": [{"name": "only", "caltype": "BIAS", **keys}],
        }
        return read_rule_set(document, "test.toml").rules[0]

    return make


@pytest.fixture
def run(tmp_path):
    """Return a runner of a file of cases with what it is given."""

    def run_these(document, rules="lco"):
        path = tmp_path / "cases.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return list(run_cases(load_rules(rules), path))

    return run_these
