"""Every environment variable of the Observatory Control System has its effect, or is refused."""

import pytest

from calrecords.datafiles import OCS_SETTINGS, FitsFile, HeaderMapping
from calrecords.filestore import FileSystemStore, make_s3_client
from calrecords.frames import StoredFile
from calrecords.workflows.ocs_variables import OTHER_DEFAULTS, REFUSED, refused_in
from calrecords.workflows.parts import (
    make_archive,
    make_factory,
    make_mapping,
    make_portal,
    make_store,
)
from calrecords.workflows.settings import MASK, Settings

OCS_ARCHIVE = [
    "BUCKET",
    "S3_SIGNATURE_VERSION",
    "S3_ENDPOINT_URL",
    "S3_DAYS_TO_IA_STORAGE",
    "S3_ADDRESSING_STYLE",
    "AWS_DEFAULT_REGION",
    "FILESTORE_TYPE",
    "FILESYSTEM_STORAGE_ROOT_DIR",
    "FILESYSTEM_STORAGE_BASE_URL",
    "OBSERVATION_PORTAL_BASE_URL",
    "OBSERVATION_PORTAL_API_TOKEN",
    "PRIVATE_PROPOSAL_TAGS",
    "PUBLIC_PROPOSAL_TAGS",
    "FILETYPE_MAPPING_OVERRIDES",
    "IGNORED_CHARS",
    "HEADER_BLACKLIST",
    "REQUIRED_HEADERS",
    "REQUIRED_THUMBNAIL_METADATA",
    "NULL_HEADER_VALUES",
    "CALIBRATION_TYPES",
    "PUBLIC_PROPOSALS",
    "DAYS_UNTIL_PUBLIC",
    "PRIVATE_PROPOSALS",
    "PRIVATE_FILE_TYPES",
    "OBSERVATION_DATE_KEY",
    "OBSERVATION_DAY_KEY",
    "OBSERVATION_END_TIME_KEY",
    "REDUCTION_LEVEL_KEY",
    "EXPOSURE_TIME_KEY",
    "INSTRUMENT_ID_KEY",
    "SITE_ID_KEY",
    "TELESCOPE_ID_KEY",
    "OBSERVATION_ID_KEY",
    "CONFIGURATION_ID_KEY",
    "PRIMARY_OPTICAL_ELEMENT_KEY",
    "TARGET_NAME_KEY",
    "REQUEST_ID_KEY",
    "REQUESTGROUP_ID_KEY",
    "CONFIGURATION_TYPE_KEY",
    "PROPOSAL_ID_KEY",
    "CATALOG_TARGET_FRAME_KEY",
    "PUBLIC_DATE_KEY",
    "RELATED_FRAME_KEYS",
    "THUMBNAIL_FRAME_BASENAME_KEY",
    "THUMBNAIL_SIZE_KEY",
    "RADIUS_KEY",
    "RA_KEY",
    "DEC_KEY",
]
OCS_INGESTER = ["API_ROOT", "AUTH_TOKEN", "SUBMIT_METRICS_ASYNCHRONOUSLY", "INGESTER_PROCESS_NAME"]
OPENTSDB = ["OPENTSDB_PYTHON_METRICS_TEST_MODE", "OPENTSDB_HOSTNAME", "OPENTSDB_PORT"]
BOTO = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
EVERY = [*OCS_ARCHIVE, *OCS_INGESTER, *OPENTSDB, *BOTO]

PLACE = StoredFile("a/b.fits", "0" * 32)


def s3(environment):
    return make_store(
        Settings({}, {"FILESTORE_TYPE": "s3", "BUCKET": "usual-frames", **environment})
    )


def s3_client(environment):
    return s3(environment)._client


def signed(environment):
    return s3(environment).url(PLACE)


def credentials(_environment):
    found = make_s3_client(region="us-west-2")._request_signer._credentials
    return found.access_key, found.secret_key


def portal(environment):
    url = {"OBSERVATION_PORTAL_BASE_URL": "http://127.0.0.1:1/"}
    return make_portal(Settings({}, {**url, **environment}))


def archive(environment):
    return make_archive(Settings({}, {"API_ROOT": "http://127.0.0.1:1/", **environment}))


EFFECTS = {
    "BUCKET": ("frames", lambda e: repr(s3(e))),
    "S3_SIGNATURE_VERSION": ("s3", signed),
    "S3_ENDPOINT_URL": ("http://127.0.0.1:9/", lambda e: s3_client(e).meta.endpoint_url),
    "S3_DAYS_TO_IA_STORAGE": ("7", lambda e: s3(e)._ia_after),
    "S3_ADDRESSING_STYLE": ("path", lambda e: signed(e).partition("?")[0]),
    "AWS_DEFAULT_REGION": ("eu-west-1", lambda e: s3_client(e).meta.region_name),
    "FILESTORE_TYPE": ("dummy", lambda e: type(make_store(Settings({}, e)))),
    "FILESYSTEM_STORAGE_ROOT_DIR": ("/elsewhere", lambda e: make_store(Settings({}, e)).root),
    "FILESYSTEM_STORAGE_BASE_URL": (
        "http://files/",
        lambda e: make_store(
            Settings({}, {"FILESYSTEM_STORAGE_BASE_URL": "http://usual/", **e})
        ).url(PLACE),
    ),
    "FILETYPE_MAPPING_OVERRIDES": (
        "{'.new': 'ocs_archive.input.fitsfile.FitsFile'}",
        lambda e: make_factory(Settings({}, e)).extensions,
    ),
    "API_ROOT": ("https://archive.example", lambda e: make_archive(Settings({}, e)) is not None),
    "AUTH_TOKEN": ("0" * 40, lambda e: archive(e)._has_token),
    "OBSERVATION_PORTAL_BASE_URL": (
        "https://portal.example",
        lambda e: make_factory(Settings({}, e), make_portal(Settings({}, e)))._proposal_tags,
    ),
    "OBSERVATION_PORTAL_API_TOKEN": ("0" * 40, lambda e: portal(e)._transport._token),
    "AWS_ACCESS_KEY_ID": ("another", credentials),
    "AWS_SECRET_ACCESS_KEY": ("another", credentials),
}


def mapped(variable):
    field = OCS_SETTINGS[variable]
    return lambda environment: getattr(make_mapping(Settings({}, environment)), field)


@pytest.mark.parametrize("variable", [name for name in EVERY if name not in REFUSED])
def test_a_changed_value_has_its_effect(variable, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    if variable in EFFECTS:
        value, effect = EFFECTS[variable]
    else:
        value, effect = "17", mapped(variable)
    usual = effect({})
    monkeypatch.setenv(variable, value)  # for what boto3 reads itself
    assert effect({variable: value}) != usual


@pytest.mark.parametrize("variable", list(REFUSED))
def test_what_is_refused_is_known_and_says_why(variable, tmp_path):
    assert variable in EVERY
    assert refused_in({variable: "x"}) == {variable: REFUSED[variable]}
    assert refused_in({variable: ""}) == {}
    usual = Settings({}, {}, tmp_path)
    changed = Settings({}, {variable: "x"}, tmp_path)
    assert [v.value for v in changed.values()] == [v.value for v in usual.values()]


def test_where_a_default_differs_it_is_said(tmp_path):
    settings = Settings({}, {}, tmp_path)
    known = {value.setting.variable for value in settings.values()}
    assert set(OTHER_DEFAULTS) <= known
    assert not set(OTHER_DEFAULTS) & set(REFUSED)


def test_defaults_that_do_not_differ_are_those_of_the_originals(tmp_path):
    from ocs_archive.settings import settings as originals

    mapping = HeaderMapping()
    for variable, field in OCS_SETTINGS.items():
        ours, theirs = getattr(mapping, field), getattr(originals, variable)
        assert ours == (tuple(theirs) if isinstance(theirs, list | tuple) else theirs), variable
    settings = Settings({}, {}, tmp_path)
    for variable in ("S3_SIGNATURE_VERSION", "S3_ADDRESSING_STYLE", "S3_DAYS_TO_IA_STORAGE"):
        assert settings[variable.lower()] == getattr(originals, variable)


def test_what_is_secret_is_not_shown(tmp_path):
    environment = {"AUTH_TOKEN": "s3cret", "OBSERVATION_PORTAL_API_TOKEN": "s3cret"}
    settings = Settings({}, environment, tmp_path)
    assert "s3cret" not in repr(settings)
    assert repr(settings).count(MASK) == 2


def test_a_class_of_the_originals_means_ours(tmp_path):
    _, effect = EFFECTS["FILETYPE_MAPPING_OVERRIDES"]
    overrides = {"FILETYPE_MAPPING_OVERRIDES": EFFECTS["FILETYPE_MAPPING_OVERRIDES"][0]}
    assert ".new" in effect(overrides)
    assert make_factory(Settings({}, overrides, tmp_path)).class_for("a.new") is FitsFile


def test_the_store_of_a_folder_is_where_the_originals_have_it(tmp_path):
    environment = {"FILESTORE_TYPE": "local", "FILESYSTEM_STORAGE_ROOT_DIR": str(tmp_path)}
    assert isinstance(make_store(Settings({}, environment)), FileSystemStore)
