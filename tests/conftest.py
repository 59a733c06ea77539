"""What every test may use."""

import os
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def unavailable(reason):
    """Skip on a user's machine; fail where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data():
    """Return the folder of real frames and recorded answers."""
    if not SHARED_DATA.is_dir():
        unavailable("the real frames are not here; put them in ../shared/data beside the checkout")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def no_real_cloud(monkeypatch):
    """Let no test reach a real cloud, whatever this machine's settings are."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
