"""The part as it is imported."""

import subprocess
import sys

import pytest

import calrecords.filestore


def test_every_name_is_there():
    assert {
        name: getattr(calrecords.filestore, name).__name__ for name in calrecords.filestore.__all__
    } == {name: name for name in calrecords.filestore.__all__}
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = calrecords.filestore.Nothing


def test_importing_it_loads_nothing_heavy():
    script = (
        "import sys, calrecords.filestore; calrecords.filestore.FileSystemStore;"
        "print(sorted({'boto3', 'botocore', 'moto', 'astropy', 'requests'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"
