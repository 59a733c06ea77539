"""A file that was made to do harm ends in the right error, soon, and leaves nothing behind."""

import pytest
from attacks import ATTACKS
from children import Child

from calrecords.testing import ScienceArchive


@pytest.fixture(scope="module")
def archive():
    with ScienceArchive() as archive:
        yield archive


@pytest.fixture(scope="module")
def child(archive, tmp_path_factory):
    """Return a process that uses files, with a limit of time and memory for each."""
    folder = tmp_path_factory.mktemp("hostile")
    places = {"db": str(folder / "records.sqlite"), "store": str(folder / "store")}
    places |= {"cache": str(folder / "cache"), "archive": archive.root, "token": archive.token}
    with Child(folder, places) as child:
        child.start()
        yield child


@pytest.mark.parametrize("name", ATTACKS)
def test_a_file_made_to_do_harm_does_none(name, child, archive, tmp_path):
    attack = ATTACKS[name]
    path = attack.make(tmp_path)
    before = sorted(tmp_path.iterdir())
    frames, stored = archive.frames(), sorted((child.temporary.parent / "store").rglob("*"))
    used = child.use(path, ["read", "register", "ingest"])
    assert [(one.outcome, one.faults) for one in used] == [(attack.outcome, [])] * 3, used
    assert all(attack.says in one.message for one in used), used
    assert sorted(tmp_path.iterdir()) == before
    assert list(child.temporary.iterdir()) == []
    if attack.outcome != "taken":
        assert archive.frames() == frames
        assert sorted((child.temporary.parent / "store").rglob("*")) == stored
