"""A file gives one row after the other, and a line that cannot be used harms no other one."""

import json

import pytest

from calrecords.errors import ConfigurationError, DataFileNotFoundError, InvalidRecordError
from calrecords.records.importing_files import (
    LONGEST_LINE,
    FileFormat,
    format_of,
    read_file,
)
from calrecords.records.importing_words import BadRowError


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a file with this content, errors as their text."""

    def run(content, written=FileFormat.CSV):
        path = tmp_path / f"rows.{written}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return [
            (number, str(row) if isinstance(row, BadRowError) else row)
            for number, row in read_file(path, written)
        ]

    return run


def test_json_lines_are_rows_with_the_numbers_of_their_lines(read):
    content = '\ufeff{"a": 1}\n\n  \r\n{"a": [1.5, null, "é"]}'
    assert read(content, FileFormat.JSON_LINES) == [(1, {"a": 1}), (4, {"a": [1.5, None, "é"]})]


def test_lines_that_are_no_json_are_named_and_passed_over(read):
    long = b'{"a": "' + b"x" * (3 * LONGEST_LINE) + b'"}'
    lines = [b"{", b"\xff{}", b"[" * 100_000, b"9" * 5000, long, b'{"a": NaN}']
    rows = read(b"\n".join(lines), FileFormat.JSON_LINES)
    assert [number for number, _ in rows] == [1, 2, 3, 4, 5, 6]
    said = [row for _, row in rows[:5]]
    assert said[0].startswith("the line is no JSON: ")
    assert said[1] == "the line is not UTF-8: invalid start byte"
    assert said[2].startswith("the line is no JSON: ")
    assert said[3].startswith("the line is no JSON: Exceeds the limit")
    assert said[4] == f"the line is longer than {LONGEST_LINE} bytes"
    assert list(rows[5][1]) == ["a"]


def test_csv_gives_text_and_nothing_where_a_cell_is_empty(read):
    content = (
        "filename, obstype,filter,attributes.lit,attributes.n\r\n"
        "a.fits,BIAS,,1,\r\n"
        "\r\n"
        '"b,c.fits",DARK,"r\np",,\n'
    )
    assert read(content) == [
        (2, {"filename": "a.fits", "obstype": "BIAS", "attributes": {"lit": "1"}}),
        (5, {"filename": "b,c.fits", "obstype": "DARK", "filter": "r\np"}),
    ]


def test_csv_may_have_attributes_as_json(read):
    attributes = json.dumps({"lit": 1}).replace('"', '""')
    content = f'filename,attributes\na.fits,"{attributes}"\n'
    assert read(content) == [(2, {"filename": "a.fits", "attributes": '{"lit": 1}'})]


def test_lines_that_are_no_csv_are_named_and_passed_over(read):
    big = b"x" * 200_000
    lines = [b"filename,site", b"a", b"a,b,c", b'"a"b,c', b"b," + big, b"\xff,lsc", b"c,d"]
    rows = read(b"\n".join(lines))
    assert [number for number, _ in rows] == [2, 3, 4, 5, 6, 7]
    said = [row for _, row in rows]
    assert said[0] == "the line has 1 cells, and the first one 2"
    assert said[1] == "the line has 3 cells, and the first one 2"
    assert said[2].startswith("the line is no CSV: ")
    assert said[3] == "the line is no CSV: field larger than field limit (131072)"
    assert said[4] == {"filename": "\udcff", "site": "lsc"}
    assert said[5] == {"filename": "c", "site": "d"}


@pytest.mark.parametrize(
    ("first", "says"),
    [
        ("filename,obstyp", "line 1: 'obstyp' is no word that a row uses; is obstype meant?"),
        ("filename,filename", "line 1: the column 'filename' is there twice"),
        ("attributes,attributes.lit", "line 1: attributes are given as JSON and as columns"),
        ('"filename"x,site', "line 1: "),
        ("\0", "line 1: "),
    ],
)
def test_a_first_line_that_names_no_columns_of_ours_ends_the_import(first, says, read):
    with pytest.raises(InvalidRecordError) as refused:
        read(f"{first}\na,b\n")
    assert says in str(refused.value)
    assert "rows.csv" in str(refused.value)


def test_an_empty_file_has_no_rows(read):
    assert read("") == read("", FileFormat.JSON_LINES) == read("filename,site\n") == []


def test_the_name_of_a_file_tells_how_it_is_written(tmp_path):
    for name, written in {
        "a.jsonl": FileFormat.JSON_LINES,
        "a.NDJSON": FileFormat.JSON_LINES,
        "a.json": FileFormat.JSON_LINES,
        "a.csv": FileFormat.CSV,
    }.items():
        (tmp_path / name).touch()
        assert format_of(tmp_path / name) is written
    (tmp_path / "a.csv").write_bytes(b"SQLite format 3\0...")
    assert format_of(tmp_path / "a.csv") is FileFormat.BANZAI
    (tmp_path / "a.txt").touch()
    with pytest.raises(ConfigurationError, match=r"a\.txt: is it JSON lines or CSV\?"):
        format_of(tmp_path / "a.txt")


@pytest.mark.parametrize("name", ["none.csv", ".", "a\0b.csv"])
def test_a_file_that_cannot_be_read_is_named(name, tmp_path):
    with pytest.raises(DataFileNotFoundError, match="cannot be read"):
        format_of(tmp_path / name)
    with pytest.raises(DataFileNotFoundError, match="cannot be read"):
        list(read_file(tmp_path / name, FileFormat.CSV))
