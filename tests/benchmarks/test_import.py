"""How fast a million records are taken over, against the bare `sqlite3` module in the same run.

The bare module writes the same values, ready as they are needed, into the same tables with the
same indexes, in transactions of the same size, but checks nothing, looks nothing up and fills no
selection index. The figures leave out making the rows.

Run with: python -m pytest tests/benchmarks/test_import.py --benchmark-enable
"""

import gc
import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice

import pytest

from calrecords.matching import MatchSet
from calrecords.records import RecordDatabase
from calrecords.records.importing import CHUNK_ROWS, Importer, ImportOrder
from calrecords.records.match_sets import register_match_sets

LEAST_ROWS_PER_SECOND = 10_000
MOST_TIMES_THE_BARE_MODULE = 7

_WHERE = ("camera", "is_master", "site")
_MODE = (*_WHERE, "binning", "configuration_mode")
MATCH_SETS = [
    MatchSet(tuple(sorted(_MODE)), "BIAS"),
    MatchSet(tuple(sorted(_MODE)), "BPM"),
    MatchSet(tuple(sorted((*_MODE, "ccd_temperature"))), "DARK"),
    MatchSet(tuple(sorted((*_MODE, "filter"))), "SKYFLAT"),
    MatchSet(tuple(sorted((*_WHERE, "binning", "fiber0_lit", "fiber1_lit", "fiber2_lit"))), "ARC"),
]
OPEN = {datetime(1000, 1, 1), datetime(3000, 1, 1)}  # noqa: DTZ001 - as they are in the rows
OURS = ("configuration_mode", "binning", "filter", "ccd_temperature")


def in_our_words(row):
    attributes = row["attributes"]
    return {
        "filename": row["filename"],
        "frame_id": row["frameid"],
        "obstype": row["type"],
        "site": row["site"],
        "camera": row["camera"],
        "instrument": row["instrument"],
        "is_master": row["is_master"],
        "dateobs": row["dateobs"].isoformat(),
        "created": row["datecreated"].isoformat(),
        "verdict": "bad" if row["is_bad"] else None,
        **{
            name: None if row[name] in OPEN else row[name].isoformat()
            for name in ("good_after", "good_until")
        },
        **{name: attributes.pop(name, None) for name in OURS},
        "attributes": attributes,
    }


class Timed:
    """Passes rows on, and keeps the seconds that making them took."""

    def __init__(self, rows):
        self._rows = iter(rows)
        self.seconds = 0.0

    def __iter__(self):
        number = 0
        while True:
            began = time.perf_counter()
            made = [in_our_words(row) for row in islice(self._rows, 1000)]
            self.seconds += time.perf_counter() - began
            if not made:
                return
            for row in made:
                number += 1
                yield number, row


def import_into(place, rows):
    """Return the seconds that importing rows takes."""
    database = RecordDatabase(place)
    database.open()
    with database.write_rows() as connection:
        register_match_sets(connection, MATCH_SETS, datetime.now(UTC))
    order = ImportOrder(source="rows", reason="benchmark", author="benchmark")
    timed = Timed(rows)
    gc.collect()
    began = time.perf_counter()
    report = Importer(database, order).run(timed)
    seconds = time.perf_counter() - began - timed.seconds
    database.close()
    assert report.recorded == report.rows > 0
    return seconds, report.rows


FRAME = ("id", "basename", "frame_id", "obstype", "is_master", "instrument_id", "recorded_at")
VERSION = (
    *("id", "calibration_frame_id", "is_current", "extension", "configuration_mode", "filter"),
    *("binning", "ccd_temperature", "dateobs", "created", "good_after", "good_until"),
    *("verdict", "attributes", "recorded_at"),
)
RECORDED_AT = "2026-01-01 00:00:00.000000"


def ready(number, row):
    """Return the values of a frame and of its version."""
    row = in_our_words(row)
    basename = row["filename"].removesuffix(".fits.fz")
    times = [row[name] for name in ("dateobs", "created", "good_after", "good_until")]
    mode, temperature = row["configuration_mode"] or "default", row["ccd_temperature"]
    return (
        (number, basename, row["frame_id"], row["obstype"], 1, 1, RECORDED_AT),
        (
            *(number, number, 1, ".fits.fz", mode, row["filter"], row["binning"]),
            None if temperature is None else float(temperature),
            *[None if text is None else text.replace("T", " ") for text in times],
            *(row["verdict"] or "unknown", json.dumps(row["attributes"]), RECORDED_AT),
        ),
    )


def write_bare(place, rows):
    """Return the seconds that writing the values alone takes."""
    RecordDatabase(place).upgrade()
    inserts = [
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        for table, names in (("calibration_frames", FRAME), ("frame_versions", VERSION))
    ]
    spent = 0.0
    pending = (ready(number, row) for number, row in enumerate(rows, 1))
    with closing(sqlite3.connect(place, isolation_level=None)) as connection:
        connection.executescript(
            "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;"
            "INSERT INTO sites VALUES (1, 'lsc');"
            "INSERT INTO instruments VALUES (1, 1, 'fa15', 'fa15')"
        )
        while made := list(islice(pending, CHUNK_ROWS)):
            began = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            for insert, values in zip(inserts, zip(*made, strict=True), strict=True):
                connection.executemany(insert, values)
            connection.execute("COMMIT")
            spent += time.perf_counter() - began
    return spent


@pytest.mark.parametrize("count", [10_000, 100_000, 1_000_000])
def test_sqlite_takes_a_million_records_over_at_ten_thousand_a_second(
    count, generator, tmp_path, tell, benchmark, is_enabled
):
    count = count if is_enabled else count // 1000
    seconds, rows = import_into(tmp_path / "ours.sqlite", generator.generate(count))
    bare = write_bare(tmp_path / "bare.sqlite", generator.generate(count))
    benchmark.extra_info.update(rows_per_second=rows / seconds, ratio=seconds / bare)
    benchmark.pedantic(lambda: None, rounds=1)
    if is_enabled:
        tell(
            "importing",
            database="SQLite",
            records=f"{count:,}",
            rows_a_second=f"{rows / seconds:,.0f}",
            times_the_bare_module=f"{seconds / bare:.1f}",
        )
        assert rows / seconds >= LEAST_ROWS_PER_SECOND
        assert seconds / bare <= MOST_TIMES_THE_BARE_MODULE


@pytest.mark.parametrize("count", [10_000, 100_000])
def test_postgresql_takes_records_over_too(
    count, generator, postgresql_server, tell, benchmark, is_enabled
):
    place = postgresql_server.migrated()
    seconds, rows = import_into(place, generator.generate(count if is_enabled else 10))
    postgresql_server.drop(place)
    benchmark.extra_info.update(rows_per_second=rows / seconds)
    benchmark.pedantic(lambda: None, rounds=1)
    if is_enabled:
        tell(
            "importing",
            database="PostgreSQL",
            records=f"{count:,}",
            rows_a_second=f"{rows / seconds:,.0f}",
            times_the_bare_module="",
        )
