import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from calrecords.errors import ConfigurationError
from calrecords.workflows.parts import given_settings, make_mapping
from calrecords.workflows.settings import MASK, SETTINGS, Settings, header_settings

OCS_NAMES = [
    "API_ROOT",
    "AUTH_TOKEN",
    "BUCKET",
    "S3_SIGNATURE_VERSION",
    "S3_ENDPOINT_URL",
    "S3_DAYS_TO_IA_STORAGE",
    "S3_ADDRESSING_STYLE",
    "AWS_DEFAULT_REGION",
    "FILESTORE_TYPE",
    "FILESYSTEM_STORAGE_ROOT_DIR",
    "FILESYSTEM_STORAGE_BASE_URL",
    "FILETYPE_MAPPING_OVERRIDES",
    "HEADER_BLACKLIST",
    "REQUIRED_HEADERS",
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
    "RADIUS_KEY",
    "RA_KEY",
    "DEC_KEY",
]


@pytest.fixture
def read(tmp_path):
    def read_settings(given=None, environment=None, toml=None):
        if toml is not None:
            (tmp_path / "calrecords.toml").write_text(toml)
        named = {"HOME": str(tmp_path), **(environment or {})}
        return Settings(given, named, tmp_path)

    return read_settings


def value_of(settings, name):
    [value] = [value for value in settings.values() if value.setting.name == name]
    return value


def test_an_argument_beats_the_environment_which_beats_the_file_which_beats_the_default(
    read, tmp_path
):
    toml = 'bucket = "from-file"\n'
    environment = {"BUCKET": "from-environment"}
    given = {"bucket": "from-argument"}
    found = [
        value_of(settings, "bucket")
        for settings in (
            read(given, environment, toml),
            read(None, environment, toml),
            read(None, None, toml),
        )
    ]
    assert [(value.value, value.source) for value in found] == [
        ("from-argument", "argument"),
        ("from-environment", "environment BUCKET"),
        ("from-file", str(tmp_path / "calrecords.toml")),
    ]


def test_without_any_setting_nothing_is_dangerous(read):
    settings = read()
    assert settings["api_root"] is None
    assert settings["filestore_type"] == "local"
    assert settings["allow_plain_http"] is False
    assert settings["db_url"].endswith("records.sqlite")


@pytest.mark.parametrize("name", OCS_NAMES)
def test_every_name_of_the_observatory_control_system_is_read(name, read):
    settings = {setting.variable for setting in (*SETTINGS, *header_settings().values())}
    assert name in settings
    text = {"FILETYPE_MAPPING_OVERRIDES": "{'.x': 'a.B'}", "DAYS_UNTIL_PUBLIC": "7"}.get(name, "9")
    value = value_of(read(environment={name: text}), name.lower())
    assert value.source == f"environment {name}"
    assert value.value in ("9", 9, 7, ("9",), {".x": "a.B"})


def test_lists_lose_their_blanks_as_the_archives_do(read):
    settings = read(environment={"REQUIRED_HEADERS": "SITEID, TELID ,"})
    assert settings["required_headers"] == ("SITEID", "TELID")


def test_header_names_reach_the_mapping(read):
    mapping = make_mapping(read(environment={"SITE_ID_KEY": "OBSERVAT", "BINNING_KEY": "BIN"}))
    assert (mapping.site_id, mapping.binning, mapping.telescope_id) == ("OBSERVAT", "BIN", "TELID")


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("S3_DAYS_TO_IA_STORAGE", "soon", "soon"),
        ("CALRECORDS_ALLOW_PLAIN_HTTP", "perhaps", "true or false"),
        ("FILETYPE_MAPPING_OVERRIDES", "__import__('os')", "FILETYPE_MAPPING_OVERRIDES"),
        ("FILETYPE_MAPPING_OVERRIDES", "['.fits']", "mapping"),
        ("DAYS_UNTIL_PUBLIC", "1.5", "1.5"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_with_its_source(variable, text, said, read):
    with pytest.raises(ConfigurationError, match=variable) as raised:
        read(environment={variable: text})
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("bucket =", "cannot be read"),
        ('buckte = "x"', "buckte"),
        ('[archive]\nroot = "x"', "archive"),
    ],
)
def test_a_broken_file_or_an_unknown_name_is_refused(toml, said, read):
    with pytest.raises(ConfigurationError, match=r"calrecords\.toml") as raised:
        read(toml=toml)
    assert said in str(raised.value)


def test_a_named_file_must_be_there(read, tmp_path):
    with pytest.raises(ConfigurationError, match="CALRECORDS_CONFIG"):
        read(environment={"CALRECORDS_CONFIG": str(tmp_path / "nowhere.toml")})


@pytest.fixture
def open_folder():
    """Return a folder that other users may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def as_another_user(ask):
    """Return what another user is answered, or an ordinary one if this is no administrator."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            answer = ask()
        except Exception as error:  # whatever it is, the test tells of it
            answer = f"{type(error).__name__}: {error}"
        os.write(told, answer.encode())
        os._exit(0)
    os.close(told)
    os.waitpid(child, 0)
    with open(heard) as answers:  # noqa: PTH123 - a pipe
        return answers.read()


def test_a_folder_that_may_not_be_entered_holds_no_settings(open_folder):
    folder = open_folder / "closed"
    folder.mkdir()
    (folder / "calrecords.toml").write_text('bucket = "from-file"')
    environment = {"HOME": "/nowhere"}

    def ask():
        return f"{Settings({}, environment, folder)['bucket']}"

    assert as_another_user(ask) == "from-file"
    folder.chmod(0)
    assert as_another_user(ask) == "None"
    named = {"config": str(folder / "calrecords.toml")}
    said = as_another_user(lambda: str(Settings(dict(named), environment, folder)))
    assert said.startswith(f"ConfigurationError: {named['config']}: cannot be read as settings: ")


def test_a_file_that_may_not_be_read_is_not_passed_over(open_folder):
    file = open_folder / "calrecords.toml"
    file.touch(0)
    said = as_another_user(lambda: str(Settings({}, {"HOME": "/nowhere"}, open_folder)))
    assert said.startswith(f"ConfigurationError: {file}: cannot be read as settings: ")


def test_secrets_are_masked_wherever_settings_are_shown(read):
    token, password = "0123456789abcdef" * 2, "hunter2"
    url = f"postgresql://me:{password}@host/records?password={password}"
    settings = read(environment={"AUTH_TOKEN": token, "CALRECORDS_DB_URL": url})
    shown = " ".join([repr(settings), *(f"{v!r} {v.shown()}" for v in settings.values())])
    assert token not in shown
    assert password not in shown
    assert MASK in shown
    assert (settings["auth_token"], settings["db_url"]) == (token, url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:/me:hunter2@host/records",
        "postgresql//me:hunter2@host/records",
        "//me:hunter2@host/records",
        "me:hunter2@host/records",
        "sslmode=require password=hunter2",
    ],
)
def test_what_is_half_a_login_is_masked_whole(read, url):
    settings = read(environment={"CALRECORDS_DB_URL": url})
    [value] = [value for value in settings.values() if value.setting.name == "db_url"]
    assert (value.shown(), settings["db_url"]) == (MASK, url)


WITHOUT_A_HOME = """
import sys
sys.modules["pwd"] = None  # as for a user of whom the system knows nothing
import calrecords
from calrecords.workflows.settings import fingerprint
assert fingerprint() == fingerprint()
try:
    with calrecords.connect():
        print("connected")
except calrecords.errors.ConfigurationError as error:
    print(error)
"""


def test_a_user_without_a_home_needs_none_who_names_all_folders(tmp_path):
    places = {
        "CALRECORDS_DB_URL": "records.sqlite",
        "CALRECORDS_CACHE_DIR": "cache",
        "CALRECORDS_SPOOL_DIR": "spool",
        "FILESYSTEM_STORAGE_ROOT_DIR": "store",
    }
    said = []
    for missing in (None, "CALRECORDS_CACHE_DIR", "CALRECORDS_DB_URL"):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_A_HOME],
            env={name: place for name, place in places.items() if name != missing},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        said.append(done.stdout + done.stderr[-200:])
    home = "there is no home folder to put into ~/calrecords"
    assert said == [
        "connected\n",
        f"{home}; change CALRECORDS_CACHE_DIR\n",
        f"{home}/records.sqlite; change CALRECORDS_DB_URL\n",
    ]


@pytest.mark.parametrize(
    ("folder", "said"), [("~nobody-of-this-name/cache", "no home folder"), ("ca\0che", "NUL")]
)
def test_a_folder_that_cannot_be_is_a_matter_of_settings(read, folder, said):
    settings = read({"cache_dir": folder})
    with pytest.raises(ConfigurationError, match=f"{said}.*; change CALRECORDS_CACHE_DIR$"):
        settings.folder("cache_dir")


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("s3://frames/", {"filestore_type": "s3", "bucket": "frames"}),
        ("/data", {"filestore_type": "local", "filesystem_storage_root_dir": "/data"}),
    ],
)
def test_a_store_is_a_bucket_or_a_folder(store, expected):
    given = {k: v for k, v in given_settings(store=store).items() if v is not None}
    assert given == expected


def test_an_empty_store_leaves_the_settings_as_they_are(read):
    settings = read(given_settings(store=""), {"FILESTORE_TYPE": "s3", "BUCKET": "frames"})
    assert (settings["filestore_type"], settings["bucket"]) == ("s3", "frames")


def test_another_kind_of_store_is_refused():
    with pytest.raises(ConfigurationError, match="ftp://host"):
        given_settings(store="ftp://host")
