"""A world with frames in it, every kind of fault to put into it, and what an audit must find.

Run it for the figure of the README:

    python tests/reliability/injected_faults.py --frames 1000
"""

import argparse
import io
import itertools
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.frames import digest_stream
from calrecords.records import RecordDatabase
from calrecords.testing import LoopbackS3, ScienceArchive
from calrecords.workflows.audit_faults import FaultKind

START = datetime(2026, 1, 1, tzinfo=UTC)
CAMERAS = ("fa01", "fa02", "kb70", "kb71")
HOUR = timedelta(hours=1)

INGEST_AND_DIE = """
import json, os, signal, sys
import calrecords

def die(step):
    if step == "stored":
        os.kill(os.getpid(), signal.SIGKILL)

with calrecords.connect(**json.loads(sys.argv[1]), on_step=die) as cal:
    for path in sys.argv[2:]:
        if os.fork() == 0:
            cal.ingest(path, is_master=True)
        os.wait()
"""
PUT_AND_DIE = """
import os, signal, sys
from pathlib import Path
from calrecords.filestore import FileSystemStore
from calrecords.frames import ContentDigest

class Dies:
    def read(self, size=-1):
        if self.__dict__.setdefault("calls", []):
            os.kill(os.getpid(), signal.SIGKILL)
        self.calls.append(1)
        return b"half of it"

FileSystemStore(Path(sys.argv[1])).put(sys.argv[2], Dies(), ContentDigest("0" * 32, "1" * 64, 99))
"""
UPLOAD_AND_DIE = """
import io, os, signal, sys
from calrecords.filestore import S3Store, make_s3_client
from calrecords.frames import ContentDigest

MIB = 1 << 20

class Dies(io.BytesIO):
    def read(self, size=-1):
        if self.tell() >= 6 * MIB:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(size)

client = make_s3_client(endpoint_url=sys.argv[1], region="us-west-2", addressing_style="path")
store = S3Store(client, sys.argv[2], single_put_bytes=MIB, part_bytes=5 * MIB)
data = bytes(11 * MIB)
store.put(sys.argv[3], Dies(data), ContentDigest("0" * 32, "1" * 64, len(data)))
"""


@dataclass
class World:
    """Where everything is, and ways to change it behind the back of calrecords."""

    folder: Path
    archive: ScienceArchive
    s3: LoopbackS3 | None
    db: str
    clock: timedelta = 2 * HOUR
    made: itertools.count = field(default_factory=itertools.count)

    @property
    def places(self):
        return {
            "db": self.db,
            "archive": self.archive.root,
            "token": self.archive.token,
            "store": f"s3://{self.s3.bucket}" if self.s3 else str(self.folder / "store"),
            "cache": str(self.folder / "cache"),
        }

    def now(self):
        return datetime.now(UTC) + self.clock

    def connect(self, **named):
        return calrecords.connect(**{**self.places, **named})

    def make_frame(self, **details):
        """Write a made-up frame that no other is like, and return its path."""
        number = next(self.made)
        usual = {
            "basename": f"bias-{number:05d}",
            "camera": CAMERAS[number % len(CAMERAS)],
            "dateobs": START + number // 3 * HOUR,
            "seed": number,
            "shape": (8, 8),
        }
        return write_synthetic_frame(self.folder / "frames", **{**usual, **details})

    def records(self, *statements):
        """Run statements in the records database; each is text with its values."""
        if self.db.startswith("postgresql"):
            import psycopg

            with psycopg.connect(self.db) as connection:
                for text, *values in statements:
                    connection.execute(text.replace("?", "%s"), values)
            return
        with closing(sqlite3.connect(self.db)) as connection, connection:
            for text, *values in statements:
                connection.execute(text, values)

    def archived(self, *statements):
        """Run statements in the archive's own database."""
        with closing(sqlite3.connect(self.folder / "archive.db", timeout=30)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            with connection:
                for text, *values in statements:
                    connection.execute(text, values)

    def version_file(self, frame):
        """Return where a file system store keeps a version aside."""
        version = frame.version
        return self.folder / "store" / ".calrecords" / "versions" / version.key / version.sha256

    def published_file(self, frame):
        return self.folder / "store" / frame.version.key

    def damage_object(self, frame):
        """Put other bytes of the same length in the place of a stored version."""
        if self.s3 is None:
            path = self.version_file(frame)
            path.chmod(0o644)
            path.write_bytes(b"x" * frame.version.size)
            return
        from moto.s3.models import s3_backends

        for account in s3_backends.values():
            for backend in account.values():
                if self.s3.bucket in backend.buckets:
                    keys = backend.buckets[self.s3.bucket].keys
                    for version in keys.getlist(frame.version.key):
                        if version.version_id == frame.version.version_key:
                            version.value = b"x" * frame.version.size


@contextmanager
def make_world(folder, *, with_s3=False, db=None):
    """Give an empty world in a folder; with records in SQLite unless a URL is given."""
    folder = Path(folder)
    with ExitStack() as opened:
        s3 = opened.enter_context(LoopbackS3()) if with_s3 else None
        served = {"files": folder / "store"}
        if s3 is not None:
            client = s3.client()
            served = {
                "url_for": lambda key, version: client.generate_presigned_url(
                    "get_object", {"Bucket": s3.bucket, "Key": key, "VersionId": version}
                )
            }
        archive = opened.enter_context(ScienceArchive(database=folder / "archive.db", **served))
        world = World(folder, archive, s3, db or str(folder / "records.sqlite"))
        settings = {"CALRECORDS_SPOOL_DIR": str(folder / "spool")}
        if s3 is not None:
            settings |= {"S3_ENDPOINT_URL": s3.endpoint_url, "S3_ADDRESSING_STYLE": "path"}
            settings |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
            settings |= {"AWS_DEFAULT_REGION": "us-west-2"}
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            yield world
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name)
                else:
                    os.environ[name] = value


@dataclass(frozen=True)
class Fault:
    """One way to break things.

    Attributes
    ----------
    name : str
        Of this way.
    inject : callable
        Given the world, a connection and frames, breaks each and returns the names that an
        audit must give them.
    kinds : tuple of FaultKind
        What must be found for each.
    after : tuple of FaultKind
        What must still be found once all is repaired that can be.
    cached : bool
        Whether the frames must be in the cache before.
    stores : tuple of str
        For which stores.
    """

    name: str
    inject: object
    kinds: tuple
    after: tuple = ()
    cached: bool = False
    stores: tuple = ("file system", "S3")


def filenames(frames):
    return [frame.filename for frame in frames]


def lose_frame_ids(world, cal, frames):
    for frame in frames:
        name = frame.basename
        world.records(
            ("UPDATE calibration_frames SET frame_id = NULL WHERE basename = ?", name),
            (
                "UPDATE frame_versions SET archived_at = NULL WHERE calibration_frame_id = "
                "(SELECT id FROM calibration_frames WHERE basename = ?)",
                name,
            ),
        )
    return filenames(frames)


def wrong_frame_ids(world, cal, frames):
    for number, frame in enumerate(frames):
        world.records(
            (
                "UPDATE calibration_frames SET frame_id = ? WHERE basename = ?",
                900_000 + number,
                frame.basename,
            )
        )
    return filenames(frames)


def change_versions(world, frames, column):
    for frame in frames:
        world.records(
            (
                f"UPDATE frame_versions SET {column} = ? WHERE calibration_frame_id = "
                "(SELECT id FROM calibration_frames WHERE basename = ?)",
                secrets.token_hex(16),
                frame.basename,
            )
        )
    return filenames(frames)


def wrong_checksums(world, cal, frames):
    return change_versions(world, frames, "md5")


def wrong_version_keys(world, cal, frames):
    return change_versions(world, frames, "version_key")


def mark_no_version(world, cal, frames):
    for frame in frames:
        world.records(
            (
                "UPDATE frame_versions SET is_current = (1 = 0) WHERE calibration_frame_id = "
                "(SELECT id FROM calibration_frames WHERE basename = ?)",
                frame.basename,
            )
        )
    return filenames(frames)


def mark_older_versions(world, cal, frames):
    """Bring a newer version of each frame in, and have the older one called current."""
    for frame in frames:
        same = {"basename": frame.basename, "camera": frame.camera, "dateobs": frame.dateobs}
        cal.ingest(world.make_frame(**same), is_master=True)
    mark_no_version(world, cal, frames)
    for frame in frames:
        world.records(
            (
                "UPDATE frame_versions SET is_current = (1 = 1) WHERE md5 = ?",
                frame.version.md5,
            )
        )
    return filenames(frames)


def another_camera_in_archive(world, cal, frames):
    for frame in frames:
        world.archived(
            ("UPDATE frames SET instrument_id = 'xx99' WHERE basename = ?", frame.basename)
        )
    return filenames(frames)


def lose_archived_frames(world, cal, frames):
    for frame in frames:
        world.archived(("DELETE FROM frames WHERE basename = ?", frame.basename))
    return filenames(frames)


def lose_archived_versions(world, cal, frames):
    for frame in frames:
        world.archived(("DELETE FROM versions WHERE md5 = ?", frame.version.md5))
    return filenames(frames)


def archive_names_a_lost_version(world, cal, frames):
    for frame in frames:
        world.archived(
            (
                "UPDATE versions SET key = ? WHERE md5 = ?",
                secrets.token_hex(16),
                frame.version.md5,
            )
        )
    return filenames(frames)


def lose_objects(world, cal, frames):
    for frame in frames:
        cal.store.delete(frame.version.stored())
    return filenames(frames)


def damage_objects(world, cal, frames):
    for frame in frames:
        world.damage_object(frame)
    return filenames(frames)


def shorten_objects(world, cal, frames):
    for frame in frames:
        path = world.version_file(frame)
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1])
    return filenames(frames)


def unpublish(world, cal, frames):
    for frame in frames:
        world.published_file(frame).unlink()
    return filenames(frames)


def overwrite_published(world, cal, frames):
    """Let another tool write other bytes where readers look, as it did before."""
    for frame in frames:
        path = world.published_file(frame)
        path.unlink()
        path.write_bytes(b"of another tool")
    return [*filenames(frames), *(frame.version.key for frame in frames)]


def lose_records(world, cal, frames):
    of_frame = "(SELECT id FROM calibration_frames WHERE basename = ?)"
    of_version = f"(SELECT id FROM frame_versions WHERE calibration_frame_id = {of_frame})"
    for frame in frames:
        name = frame.basename
        world.records(
            (f"DELETE FROM frame_inputs WHERE version_id IN {of_version}", name),
            (f"DELETE FROM frame_versions WHERE calibration_frame_id = {of_frame}", name),
            ("DELETE FROM calibration_frames WHERE basename = ?", name),
        )
    return [frame.basename for frame in frames]


def lose_records_of_masks(world, cal, frames):
    """Lose the records of frames that no archive was ever told of."""
    paths = [world.make_frame(obstype="BPM") for _ in frames]
    masks = [cal.register(path, is_master=True).frame for path in paths]
    return lose_records(world, cal, masks)


def newer_versions_of_another_pipeline(world, cal, frames):
    with world.connect(db=str(world.folder / "another.sqlite")) as another:
        for frame in frames:
            path = world.make_frame(
                basename=frame.basename, camera=frame.camera, dateobs=frame.dateobs
            )
            another.ingest(path, is_master=True)
    return filenames(frames)


def put_objects(world, cal, frames):
    """Leave a version under a key of ours that nobody came to refer to."""
    for frame in frames:
        data = io.BytesIO(f"left by a race for {frame.basename}".encode())
        digest = digest_stream(data)
        data.seek(0)
        cal.store.put(frame.version.key, data, digest)
    return [frame.version.key for frame in frames]


def put_twice(world, cal, frames):
    """Leave the same bytes a second time, as two processes do of which one stood still."""
    for frame in frames:
        client = world.s3.client()
        named = {"Bucket": world.s3.bucket, "Key": frame.version.key}
        body = client.get_object(**named)["Body"].read()
        client.put_object(**named, Body=body)
    return [frame.version.key for frame in frames]


def begin_uploads(world, cal, frames):
    for frame in frames:
        world.s3.client().create_multipart_upload(Bucket=world.s3.bucket, Key=frame.version.key)
    return [frame.version.key for frame in frames]


def kill_writers(world, cal, frames):
    for frame in frames:
        script = [sys.executable, "-c", PUT_AND_DIE, str(world.folder / "store")]
        done = subprocess.run([*script, frame.version.key], check=False)
        assert done.returncode == -signal.SIGKILL
    return [frame.version.key for frame in frames]


def kill_uploads(world, cal, frames):
    """Kill uploads of large files once S3 has their first part."""
    for frame in frames:
        script = [sys.executable, "-c", UPLOAD_AND_DIE, world.s3.endpoint_url, world.s3.bucket]
        done = subprocess.run([*script, frame.version.key], check=False)
        assert done.returncode == -signal.SIGKILL
    return [frame.version.key for frame in frames]


def leave_probes(world, cal, frames):
    """Leave what the checks of a store try it with, as a killed one does."""
    names = []
    for _ in frames:
        name = f"calrecords-probe/{secrets.token_hex(8)}"
        if world.s3 is None:
            part = world.folder / "store" / ".calrecords" / f"check.{secrets.token_hex(8)}.part"
            part.write_bytes(b"calrecords")
            name = part.relative_to(world.folder / "store").as_posix()
        else:
            world.s3.client().put_object(Bucket=world.s3.bucket, Key=name, Body=b"")
        names.append(name)
    return names


def leave_intents(world, cal, frames):
    paths = [world.make_frame() for _ in frames]
    script = [sys.executable, "-c", INGEST_AND_DIE, json.dumps(world.places)]
    subprocess.run([*script, *map(str, paths)], check=True)
    return [path.name for path in paths]


def damage_cached(world, cal, frames):
    for frame in frames:
        path = cal.cache.path_of(frame)
        path.write_bytes(b"x" * path.stat().st_size)
    return filenames(frames)


def leave_cached_parts(world, cal, frames):
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    names = []
    for frame in frames:
        path = cal.cache.path_of(frame)
        part = path.with_name(f"{path.name}.{ended.pid}-{secrets.token_hex(4)}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b"half")
        names.append(part.name)
    return names


K = FaultKind
ON_DISK = ("file system",)
IN_S3 = ("S3",)
FAULTS = (
    Fault("an ingestion was killed", leave_intents, (K.INTENT_STALE,)),
    Fault("frame IDs were lost", lose_frame_ids, (K.FRAME_ID_MISSING,)),
    Fault("frame IDs are wrong", wrong_frame_ids, (K.FRAME_ID_WRONG,)),
    Fault("checksums are wrong", wrong_checksums, (K.CHECKSUM_WRONG,)),
    Fault("version keys are wrong", wrong_version_keys, (K.VERSION_KEY_WRONG,), stores=ON_DISK),
    Fault(
        "version keys are wrong in S3",
        wrong_version_keys,
        (K.VERSION_KEY_WRONG, K.OBJECT_MISSING),
        stores=IN_S3,
    ),
    Fault("older versions are current", mark_older_versions, (K.CURRENT_VERSION_WRONG,)),
    Fault("no version is current", mark_no_version, (K.CURRENT_VERSION_WRONG,)),
    Fault(
        "the archive has another camera",
        another_camera_in_archive,
        (K.ANOTHER_FRAME,),
        after=(K.ANOTHER_FRAME,),
    ),
    Fault("objects were lost", lose_objects, (K.OBJECT_MISSING,), cached=True, stores=ON_DISK),
    Fault(
        "objects were lost in S3",
        lose_objects,
        (K.OBJECT_MISSING,),
        after=(K.ARCHIVED_FILE_GONE,),
        cached=True,
        stores=IN_S3,
    ),
    Fault(
        "objects were lost and are nowhere",
        lose_objects,
        (K.OBJECT_MISSING,),
        after=(K.OBJECT_MISSING,),
    ),
    Fault("objects rotted", damage_objects, (K.OBJECT_DAMAGED,), cached=True, stores=ON_DISK),
    Fault("objects were cut", shorten_objects, (K.OBJECT_DAMAGED,), cached=True, stores=ON_DISK),
    Fault(
        "objects rotted in S3",
        damage_objects,
        (K.OBJECT_DAMAGED,),
        after=(K.ARCHIVED_FILE_GONE,),
        cached=True,
        stores=IN_S3,
    ),
    Fault("objects are not published", unpublish, (K.OBJECT_NOT_PUBLISHED,), stores=ON_DISK),
    Fault("the archive lost frames", lose_archived_frames, (K.FRAME_NOT_ARCHIVED,)),
    Fault("the archive lost versions", lose_archived_versions, (K.VERSION_NOT_ARCHIVED,)),
    Fault(
        "the archive names lost versions",
        archive_names_a_lost_version,
        (K.ARCHIVED_FILE_GONE,),
        after=(K.ARCHIVED_FILE_GONE,),
        stores=IN_S3,
    ),
    Fault("records were lost", lose_records, (K.FRAME_NOT_RECORDED,)),
    Fault("records of local masks were lost", lose_records_of_masks, (K.FRAME_NOT_RECORDED,)),
    Fault(
        "another pipeline brought newer versions",
        newer_versions_of_another_pipeline,
        (K.VERSION_NOT_RECORDED,),
    ),
    Fault("cached files rotted", damage_cached, (K.CACHED_FILE_DAMAGED,), cached=True),
    Fault("downloads were killed", leave_cached_parts, (K.CACHED_FILE_UNFINISHED,)),
    Fault("objects that nobody refers to", put_objects, (K.OBJECT_UNKNOWN,)),
    Fault("objects that are there twice", put_twice, (K.OBJECT_UNKNOWN,), stores=IN_S3),
    Fault("uploads were never completed", begin_uploads, (K.UPLOAD_UNFINISHED,), stores=IN_S3),
    Fault("uploads were killed", kill_uploads, (K.UPLOAD_UNFINISHED,), stores=IN_S3),
    Fault("writers were killed", kill_writers, (K.UPLOAD_UNFINISHED,), stores=ON_DISK),
    Fault("checks were killed", leave_probes, (K.UPLOAD_UNFINISHED,), stores=ON_DISK),
    Fault("probes were left in S3", leave_probes, (K.OBJECT_UNKNOWN,), stores=IN_S3),
)


def faults_for(world):
    store = "file system" if world.s3 is None else "S3"
    return [fault for fault in FAULTS if store in fault.stores]


def seen(report):
    """Return what a report says, as it can be compared."""
    return sorted((str(one.kind), one.name) for one in report.findings)


def expected(names, kinds):
    return sorted((str(kind), name) for name in names for kind in kinds)


def ingest(world, cal, frames):
    """Bring frames in, and return them as they are recorded."""
    paths = [world.make_frame() for _ in range(frames)]
    results = cal.ingest_many(paths, workers=4, is_master=True)
    assert all(result.error is None for result in results.values())
    return [results[path].frame for path in paths]


def break_frames(world, cal, fault, frames):
    if fault.cached:
        for frame in frames:
            cal.fetch(frame)
    return fault.inject(world, cal, frames)


@dataclass
class Figure:
    """What came out."""

    frames: int
    kinds: int = 0
    injected: int = 0
    found: int = 0
    missed: list = field(default_factory=list)
    false_alarms: list = field(default_factory=list)
    repairable: int = 0
    left: list = field(default_factory=list)
    harmed: list = field(default_factory=list)
    seconds: dict = field(default_factory=dict)

    @property
    def is_perfect(self):
        return not (self.missed or self.false_alarms or self.left or self.harmed)


def audit(world, cal, figure, name):
    began = time.monotonic()
    report = cal.audit(depth="full", clock=world.now)
    figure.seconds[name] = round(time.monotonic() - began, 1)
    assert report.is_finished, str(report)
    return report


def compare(figure, found, wanted):
    figure.missed += [one for one in wanted if one not in found]
    figure.false_alarms += [one for one in found if one not in wanted]


def measure(world, frames, each):
    """Break `each` frames in every way, among many, and return what audit and repair make of it."""
    figure = Figure(frames)
    with world.connect() as cal:
        whole = ingest(world, cal, frames)
        compare(figure, seen(audit(world, cal, figure, "clean audit")), [])
        wanted, after = [], []
        pool = iter(whole)
        for fault in faults_for(world):
            names = break_frames(world, cal, fault, list(itertools.islice(pool, each)))
            wanted += expected(names, fault.kinds)
            after += expected(names, fault.after)
        figure.injected = len(wanted)
        figure.kinds = len({kind for kind, _ in wanted})
        report = audit(world, cal, figure, "first audit")
        compare(figure, seen(report), sorted(wanted))
        figure.found = len(wanted) - len(figure.missed)
        began = time.monotonic()
        cal.repair(report, apply=True, force=True, clock=world.now)
        world.clock += 25 * HOUR
        second = audit(world, cal, figure, "audit a day later")
        cal.repair(second, apply=True, force=True, clock=world.now)
        figure.seconds["repairs"] = round(time.monotonic() - began, 1)
        last = seen(audit(world, cal, figure, "last audit"))
        figure.repairable = len(wanted) - len(after)
        compare_after(figure, last, sorted(after))
        figure.harmed = [one.filename for one in pool if not is_unharmed(cal, one)]
    return figure


def compare_after(figure, found, wanted):
    figure.left = [one for one in found if one not in wanted]
    figure.missed += [one for one in wanted if one not in found]


def is_unharmed(cal, frame):
    """Return whether a frame that nobody broke is as it was, and its bytes come back."""
    same = cal.get(basename=frame.basename) == frame
    return same and cal.fetch(frame, source="store").stat().st_size == frame.version.size


def run(folder, frames, each, store, db=None):
    place = db
    with make_world(folder, with_s3=store == "S3", db=place) as world:
        if place is not None:
            RecordDatabase(place).upgrade()
        return measure(world, frames, each)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--each", type=int, default=10, help="how many frames to break in each way")
    parser.add_argument("--store", choices=["file system", "S3"], default="file system")
    parser.add_argument("--db", help="an empty PostgreSQL database; by default a SQLite file")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figure = run(folder, asked.frames, asked.each, asked.store, asked.db)
    if asked.json:
        print(json.dumps({**vars(figure), "is_perfect": figure.is_perfect}, indent=2))
    else:
        print(
            f"{figure.frames} frames, {figure.injected} faults of {figure.kinds} kinds, store: "
            f"{asked.store}\nfound {figure.found}, missed {len(figure.missed)}, false alarms "
            f"{len(figure.false_alarms)}\nrepaired {figure.repairable - len(figure.left)} of "
            f"{figure.repairable} that can be; frames harmed {len(figure.harmed)}"
        )
        print("seconds:", ", ".join(f"{name} {took}" for name, took in figure.seconds.items()))
        for name in ("missed", "false_alarms", "left", "harmed"):
            for one in getattr(figure, name):
                print(f"{name}: {one}")
    sys.exit(0 if figure.is_perfect else 1)


if __name__ == "__main__":
    main()
