"""Whatever of calrecords is printed, pickled or shown in a notebook holds no secret."""

import copy
import pickle
from types import ModuleType

import pytest

import calrecords
from calrecords.archive import ArchiveClient, ObservationPortal
from calrecords.archive.models import ArchiveVersion
from calrecords.archive.origins import OriginTokenAuth
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.records import RecordDatabase
from calrecords.records.banzai import BanzaiDatabase
from calrecords.testing import LoopbackS3, ScienceArchive
from calrecords.workflows.settings import Settings

PASSWORD, KEY, PORTAL_TOKEN = "canary-password", "canary-secret-key", "canary-portal-token"
SIGNATURE = "canary-signature"


def reachable(start):
    """Yield every object of calrecords that hangs on one, each once."""
    pending, seen = [start], set()
    while pending:
        found = pending.pop()
        if id(found) in seen or isinstance(found, type | ModuleType):
            continue
        seen.add(id(found))
        if isinstance(found, dict):
            pending += found.values()
        elif isinstance(found, list | tuple | set | frozenset):
            pending += found
        elif type(found).__module__.startswith("calrecords"):
            yield found
            slots = [name for cls in type(found).__mro__ for name in getattr(cls, "__slots__", ())]
            pending += [getattr(found, name, None) for name in slots]
            pending += getattr(found, "__dict__", {}).values()


@pytest.fixture
def secrets(tmp_path, monkeypatch):
    """Return what must not be shown; all of it is in the settings of the environment."""
    with (
        ScienceArchive(url_for=lambda path, key: f"http://127.0.0.1:9/{path}?sig={SIGNATURE}") as a,
        LoopbackS3() as s3,
    ):
        for name, value in {
            "API_ROOT": a.root,
            "AUTH_TOKEN": a.token,
            "OBSERVATION_PORTAL_BASE_URL": "https://portal.example/",
            "OBSERVATION_PORTAL_API_TOKEN": PORTAL_TOKEN,
            "CALRECORDS_DB_URL": str(tmp_path / "records.sqlite"),
            "CALRECORDS_CACHE_DIR": str(tmp_path / "cache"),
            "FILESTORE_TYPE": "s3",
            "BUCKET": s3.bucket,
            "S3_ENDPOINT_URL": s3.endpoint_url,
            "S3_ADDRESSING_STYLE": "path",
            "AWS_SECRET_ACCESS_KEY": KEY,
            "HOME": str(tmp_path),
        }.items():
            monkeypatch.setenv(name, value)
        yield (a.token, PASSWORD, KEY, PORTAL_TOKEN, SIGNATURE)


def given(secrets):
    """Yield what users have in their hands, and what hangs on it."""
    url = f"postgresql://reader:{PASSWORD}@db.example/records?sslpassword={PASSWORD}"
    with calrecords.connect() as cal:
        frame = cal.ingest(write_synthetic_frame(cal.cache.folder.parent), is_master=True).frame
        yield from (cal, cal.query(), frame, cal.lookup(1), cal.lookup(1).version)
        yield from reachable(cal)
    yield from reachable(Settings({"db_url": url, "s3_endpoint_url": url}))
    yield from reachable(RecordDatabase(url))
    yield from reachable(BanzaiDatabase(url))
    yield from reachable(ArchiveClient("https://archive.example/", secrets[0]))
    yield from reachable(ObservationPortal("https://portal.example/", PORTAL_TOKEN))


def test_nothing_that_is_printed_holds_a_secret(secrets):
    kinds = set()
    for found in given(secrets):
        kinds.add(type(found).__name__)
        shown = f"{found!r} {found}"
        assert [secret for secret in secrets if secret in shown] == [], type(found)
    assert {"CalibrationRecords", "Settings", "Value", "ArchiveClient", "S3Store"} <= kinds
    assert {"Transport", "OriginTokenAuth", "RecordDatabase", "BanzaiDatabase"} <= kinds
    assert {"ObservationPortal", "ArchiveFrame", "ArchiveVersion", "FileCache"} <= kinds


def test_nothing_that_is_pickled_holds_a_secret(secrets):
    pickled = set()
    for found in given(secrets):
        try:
            data = pickle.dumps(found)
        except (TypeError, AttributeError, pickle.PicklingError):
            continue
        pickled.add(type(found).__name__)
        assert [secret for secret in secrets if secret.encode() in data] == [], type(found)
    assert {"CalibrationFrame", "ArchiveFrame", "ArchiveVersion"} <= pickled


def test_a_version_is_pickled_and_copied_without_its_address():
    version = ArchiveVersion(1, "key", "a" * 32, ".fits", None, f"https://h/?sig={SIGNATURE}")
    for again in (pickle.loads(pickle.dumps(version)), copy.deepcopy(version)):
        assert (again, again.url) == (version, None)


@pytest.mark.parametrize(
    "made",
    [
        lambda: OriginTokenAuth("canary", ("https", "h", 443)),
        lambda: BanzaiDatabase(f"postgresql://u:{PASSWORD}@h/d"),
        lambda: Settings({"auth_token": "canary"}),
        lambda: Settings({"auth_token": "canary"}).values(),
    ],
)
def test_what_holds_a_secret_is_not_pickled(made):
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(made())
