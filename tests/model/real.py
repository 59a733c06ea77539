"""The real thing beside the model: archive, store, records, and looks at them from behind."""

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

from killed_children import ends_of, opened
from samples import Sample
from troubles import Hiccup, Killed, Nothing, Outage, Raised

import calrecords
from calrecords.archive import ArchiveClient, default_retrying
from calrecords.errors import CalRecordsError
from calrecords.records import FrameFilter, RecordDatabase
from calrecords.testing import ScienceArchive

CUT = "cut"
_FOR_EVER = 10**6


class PowerCutError(BaseException):
    """What nothing should catch."""


class Databases:
    """Fresh records databases: copies of one SQLite file, or databases of a server."""

    def __init__(self, folder, server=None):
        self._server = server
        self._template = folder / "template.sqlite"
        if server is None:
            template = RecordDatabase(str(self._template))
            template.upgrade()
            template.close()

    def new(self, path):
        if self._server is not None:
            return self._server.migrated()
        shutil.copy(self._template, path)
        return str(path)

    def discard(self, place):
        if self._server is not None:
            self._server.give_back(place)

    def sql(self, place, statement):
        if self._server is not None:
            return self._server.sql(place, statement)
        with closing(sqlite3.connect(place)) as connection:
            return connection.execute(statement).fetchall()


class World:
    """One archive and one store, with the records of two pipelines.

    Parameters
    ----------
    folder : Path
        Where all of it is.
    pool : Pool
        The files.
    databases : Databases
        Where records come from.
    children : Children
        What does things in processes that can be killed.
    """

    def __init__(self, folder, pool, databases, children):
        self.folder = folder
        self.pool = pool
        self._databases = databases
        self._children = children
        self._step = None
        folder.mkdir(parents=True)
        os.environ["CALRECORDS_SPOOL_DIR"] = str(folder / "spool")
        self.archive = ScienceArchive(files=folder / "store")
        policy = default_retrying().copy(sleep=lambda _seconds: None)
        self._client = ArchiveClient(self.archive.root, self.archive.token, retrying=policy)
        self._client.observation_types()  # asked once, so that the model need not count it
        self.places = [databases.new(folder / name) for name in ("ours.sqlite", "theirs.sqlite")]
        self.ours, self.theirs = (self._connected(place) for place in self.places)
        self._behind = [RecordDatabase(place) for place in self.places]

    def _connected(self, place):
        return calrecords.connect(
            db=place,
            archive=self._client,
            store=self.folder / "store",
            cache=self.folder / "cache",
            on_step=self._reached,
        )

    def _reached(self, step):
        if step is self._step:
            raise PowerCutError

    def close(self):
        for one in (self.ours, self.theirs, self._client, self.archive, *self._behind):
            one.close()
        for place in self.places:
            self._databases.discard(place)
        shutil.rmtree(self.folder)

    def source(self, sample):
        """Return a path with the bytes of a sample, which is the caller's to lose."""
        made = self.pool[sample]
        path = self.folder / "sources" / f"{sample.camera}-{sample.content}" / made.path.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.data)
        return path

    def do(self, trouble, verb, *given):
        """Let our pipeline do something, and return how it ended.

        Parameters
        ----------
        trouble : Nothing, Hiccup, Outage, Raised or Killed
            What befalls it.
        verb : str
            Which method.
        *given
            Its arguments, each as `killed_children.opened` takes it.
        """
        if isinstance(trouble, Killed):
            said, was_killed = self._children.do(
                places=self._named_places(),
                spool=str(self.folder / "spool"),
                verb=verb,
                given=[[how, str(one)] for how, one in given],
                step=trouble.step,
            )
            return CUT if was_killed else said
        arguments = [opened(*one) for one in given]
        with self.befallen(trouble):
            try:
                return ends_of(verb, getattr(self.ours, verb)(*arguments))
            except PowerCutError:
                return CUT
            except CalRecordsError as error:
                return type(error).__name__

    def _named_places(self):
        return {
            "db": self.places[0],
            "archive": self.archive.root,
            "token": self.archive.token,
            "store": str(self.folder / "store"),
            "cache": str(self.folder / "cache"),
        }

    def reconnect(self):
        """Go on as a new process would."""
        self.ours.close()
        self.ours = self._connected(self.places[0])

    @contextmanager
    def befallen(self, trouble):
        """Let a trouble befall what is done in the block."""
        self._befall(trouble)
        try:
            yield
        finally:
            self._step = None
            self.archive.faults.clear()

    def _befall(self, trouble):
        faults = self.archive.faults
        match trouble:
            case Raised(step):
                self._step = step
            case Hiccup(fault, after):
                faults.add(fault, skip=after)
            case Outage(after, is_carried_out):
                faults.add("lost-answer" if is_carried_out else "reset", skip=after)
                faults.add("reset", skip=after, times=_FOR_EVER)
            case _:
                assert trouble == Nothing()

    def archived(self):
        """Return camera and samples, the newest first, of each frame of the archive, by name."""
        return {
            frame["basename"].removeprefix("bias-"): (
                frame["instrument_id"],
                [self.pool.named(one["md5"]) for one in frame["versions"]],
            )
            for frame in self.archive.frames()
        }

    def frame_ids(self):
        return {frame["basename"]: frame["id"] for frame in self.archive.frames()}

    def kept(self):
        """Return the sample of every version that the store keeps; None for what is none."""
        versions = self.folder / "store" / ".calrecords" / "versions"
        return sorted(
            (self._sample_in(path), path.parent.relative_to(versions).as_posix())
            for path in versions.rglob("*")
            if path.is_file()
        )

    def published(self):
        """Return the sample that readers of the store find at each key."""
        store = self.folder / "store"
        return {
            path.relative_to(store).as_posix(): self._sample_in(path)
            for path in store.rglob("*")
            if path.is_file() and ".calrecords" not in path.parts
        }

    def cached(self):
        """Return what the cache holds, and whether each file is what it is called."""
        files = [path for path in (self.folder / "cache").glob("*/*/*") if path.suffix == ".fits"]
        return {
            self.pool.named(path.parent.name): self._sample_in(path) is not None for path in files
        }

    def spooled(self):
        return sorted(str(path) for path in (self.folder / "spool").rglob("*") if path.is_file())

    def strays(self):
        return [path for end in ("part", "link", "tmp") for path in self.folder.rglob(f"*.{end}*")]

    def _sample_in(self, path) -> Sample | None:
        return self.pool.named(hashlib.md5(Path(path).read_bytes()).hexdigest())

    def records(self, number=0):
        """Return the rows of every version, in pairs of what SQL and what the library says."""
        rows = self._databases.sql(
            self.places[number],
            "SELECT f.basename, v.md5, f.frame_id, v.is_current, v.archived_at IS NOT NULL "
            "FROM frame_versions v JOIN calibration_frames f ON f.id = v.calibration_frame_id",
        )
        found = self._behind[number].find(FrameFilter(all_versions=True))
        read = {(frame.basename, frame.version.md5): frame for frame in found}
        assert len(found) == len(read) == len(rows)
        return [(read[row[:2]], *row[2:]) for row in map(tuple, rows)]

    def frame_count(self, number=0):
        return self._databases.sql(self.places[number], "SELECT count(*) FROM calibration_frames")[
            0
        ][0]

    def versions(self, basename, number=0):
        return self._behind[number].versions(basename)

    def journal(self, number=0):
        """Return the sample, the state and the path of each ingestion, in order."""
        rows = self._databases.sql(
            self.places[number], "SELECT md5, state, path FROM ingestions ORDER BY id"
        )
        return [(self.pool.named(row[0]), *row[1:]) for row in rows]
