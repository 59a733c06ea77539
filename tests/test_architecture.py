"""A part imports from itself and from lower levels; never up, never sideways."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "calrecords"
LEVELS = {
    "errors": 0,
    "vocabulary": 0,
    "frames": 0,
    "matching": 0,
    "bounded_reader": 0,
    "forking": 0,
    "garbage": 0,
    "datafiles": 1,
    "filestore": 1,
    "archive": 1,
    "records": 1,
    "selection": 2,
    "workflows": 3,
    "worker": 4,
    "explore": 4,
    "testing": 4,
    "compat": 4,
    "cli": 5,
    "__init__": 6,
    "__main__": 6,
}
CONFINED = {
    "astropy": {"datafiles", "explore", "workflows"},
    "astropy.io.fits": {"datafiles", "explore"},
    "requests": {"archive"},
    "tenacity": {"archive"},
    "boto3": {"filestore"},
    "botocore": {"filestore"},
    "sqlalchemy": {"records"},
    "alembic": {"records"},
    "psycopg": {"records"},
}


def part_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_imports_only_from_itself_and_from_lower_levels(path):
    part = part_of(path)
    assert part in LEVELS, f"{part} has no level"
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "calrecords":
            other = rest.partition(".")[0]
            if other in LEVELS and other != part:
                ground = LEVELS[part] == LEVELS[other] == 0  # modules of one part
                assert ground or LEVELS[other] < LEVELS[part], f"{path} imports {name}"
        for library, parts in CONFINED.items():
            if name == library or name.startswith(library + "."):
                assert part in parts, f"{path} imports {name}"
