"""What a user installs: the wheel, in a clean environment, away from the checkout."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


def run(*words, cwd):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CALRECORDS_")}
    environment["PYTHONPATH"] = ""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "dist", "build")
    shutil.copytree(CHECKOUT, source, ignore=ignored)
    run(sys.executable, "-m", "build", "--outdir", folder / "dist", source, cwd=folder)
    [built] = (folder / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_the_package_its_types_and_its_migrations(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / "calrecords").rglob("*")
        if path.suffix in {".py", ".toml"} or path.name == "py.typed"
    }
    migrations = {
        "calrecords/_migrations/" + path.relative_to(CHECKOUT / "migrations").as_posix()
        for path in (CHECKOUT / "migrations").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    info = {name for name in names if ".dist-info/" in name}
    assert names - info == package | migrations
    assert any(name.endswith("licenses/LICENSE") for name in info)


def test_the_wheel_works_in_a_clean_environment_from_an_empty_folder(wheel, tmp_path):
    clean = tmp_path / "clean"
    venv.create(clean, with_pip=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    run(clean / "bin" / "python", "-m", "pip", "install", "--quiet", wheel, cwd=empty)
    calrecords = clean / "bin" / "calrecords"
    shown = run(calrecords, "db", "upgrade", "--db", "records.sqlite", cwd=empty)
    assert shown.strip().endswith("schema 0003, needed 0003")
    run(calrecords, "db", "check", "--db", "records.sqlite", cwd=empty)
    shown = run(calrecords, "demo", cwd=empty)
    assert "All frames came back with the checksums they went in with." in shown
    assert sorted(path.name for path in empty.iterdir()) == ["records.sqlite"]
