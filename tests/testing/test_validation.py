import json

import pytest

NOT_NULL = ["This field may not be null."]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"basename": None}, {"basename": NOT_NULL}),
        ({"basename": ["a"]}, {"basename": ["Not a valid string."]}),
        ({"basename": "  "}, {"basename": ["This field may not be blank."]}),
        ({"basename": "a\0b"}, {"basename": ["Null characters are not allowed."]}),
        ({"headers": None}, {"headers": NOT_NULL}),
        ({"site_id": True}, {"site_id": ["Not a valid string."]}),
        (
            {"instrument_id": "x" * 65},
            {"instrument_id": ["Ensure this field has no more than 64 characters."]},
        ),
        ({"configuration_type": None}, {"configuration_type": NOT_NULL}),
        ({"configuration_type": "bias"}, {"configuration_type": ['"bias" is not a valid choice.']}),
        ({"reduction_level": 1.5}, {"reduction_level": ["A valid integer is required."]}),
        ({"reduction_level": True}, {"reduction_level": ["A valid integer is required."]}),
        (
            {"reduction_level": 32768},
            {"reduction_level": ["Ensure this value is less than or equal to 32767."]},
        ),
        ({"request_id": "9" * 5000}, {"request_id": ["String value too large."]}),
        ({"exposure_time": "long"}, {"exposure_time": ["A valid number is required."]}),
        ({"exposure_time": "nan"}, {"exposure_time": ["A valid number is required."]}),
        ({"area": {"type": "Point"}}, {"area": ["Invalid polygon: {'type': 'Point'}"]}),
        ({"area": "sky"}, {"area": ["Invalid polygon: sky"]}),
        (
            {"area": {"type": "Polygon", "coordinates": []}},
            {"area": ["Invalid polygon: {'type': 'Polygon', 'coordinates': []}"]},
        ),
        (
            {"related_frame_filenames": "flat"},
            {"related_frame_filenames": ['Expected a list of items but got type "str".']},
        ),
        (
            {"related_frame_filenames": ["flat", None]},
            {"related_frame_filenames": {"1": NOT_NULL}},
        ),
        (
            {"version_set": {}},
            {
                "version_set": {
                    "non_field_errors": ['Expected a list of items but got type "dict".']
                }
            },
        ),
        (
            {"version_set": ["x"]},
            {
                "version_set": [
                    {"non_field_errors": ["Invalid data. Expected a dictionary, but got str."]}
                ]
            },
        ),
        (
            {"version_set": [{"key": "", "md5": None}]},
            {
                "version_set": [
                    {
                        "key": ["This field may not be blank."],
                        "md5": NOT_NULL,
                        "extension": ["This field is required."],
                    }
                ]
            },
        ),
        (
            {"site_id": "abcd", "public_date": "soon", "observation_day": "20261301"},
            {
                "site_id": ["Ensure this field has no more than 3 characters."],
                "public_date": [
                    "Datetime has wrong format. Use one of these formats instead:"
                    " YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
                ],
                "observation_day": [
                    "Date has wrong format. Use one of these formats instead: YYYYMMDD, YYYY-MM-DD."
                ],
            },
        ),
    ],
)
def test_says_of_every_field_what_is_wrong(archive, client, record, changes, refusal):
    answer = client("POST", "/frames/", record(**changes))
    assert (answer.status, answer.json) == (400, refusal)
    assert archive.frames() == []


@pytest.mark.parametrize(
    ("changes", "stored"),
    [
        ({"basename": 12}, {"basename": "12"}),
        ({"basename": " a "}, {"basename": "a"}),
        ({"reduction_level": "-32768"}, {"reduction_level": -32768}),
        ({"observation_id": 2147483647}, {"observation_id": 2147483647}),
        ({"observation_id": 7.0}, {"observation_id": 7}),
        ({"exposure_time": "1.5"}, {"exposure_time": 1.5}),
        ({"observation_date": "2026-01-01 02:03"}, {"observation_date": "2026-01-01T02:03:00Z"}),
        ({"public_date": "0999-01-01"}, {"public_date": "0999-01-01T00:00:00Z"}),
        ({"basename": "x" * 1000}, {"basename": "x" * 1000}),
        ({"target_name": "Ä ☆"}, {"target_name": "Ä ☆"}),
    ],
)
def test_stores_what_it_takes(client, record, changes, stored):
    answer = client("POST", "/frames/", record(**changes))
    assert answer.status == 201, answer.body
    assert {name: answer.json[name] for name in stored} == stored


@pytest.mark.parametrize(
    "body",
    ["", "[]", "null", '"text"', "[" * 100_000, '{"version_set": [], "basename": "\\ud800"}'],
)
def test_fails_where_the_archive_does_not_refuse(archive, client, body):
    json_type = {"Content-Type": "application/json"}
    answer = client("POST", "/frames/", body=body, headers=json_type)
    assert answer.status in (400, 500)
    assert archive.frames() == []


def test_stores_nothing_where_one_post_brings_one_md5_twice(archive, client, record):
    posted = record(related_frame_filenames=["flat"])
    posted["version_set"].append({**posted["version_set"][0], "key": "other"})
    assert client("POST", "/frames/", posted).status == 500
    assert archive.frames() == []


def test_takes_a_long_header(client, record):
    headers = {f"KEY{number}": "x" * 70 for number in range(30_000)}
    posted = record(headers=headers)
    assert 2_000_000 < len(json.dumps(posted)) < 10_000_000
    frame_id = client("POST", "/frames/", posted).json["id"]
    assert client("GET", f"/frames/{frame_id}/headers/").json["data"] == headers


def test_patches_what_it_would_take(client, record):
    frame_id = client("POST", "/frames/", record("a")).json["id"]
    client("POST", "/frames/", record("b"))
    path = f"/frames/{frame_id}/"
    assert client("PATCH", path, {"site_id": "abcd"}).status == 400
    assert client("PATCH", path, {"basename": "b"}).status == 500
    assert client("PATCH", path, {}).json["basename"] == "a"
    assert client("PATCH", path, {"site_id": "coj"}).json["site_id"] == "coj"
