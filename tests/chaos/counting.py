"""What is left when all is over, seen behind the back of calrecords, and what is wrong with it."""

import hashlib
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

FIGURES = (
    "lost",
    "unrecorded",
    "doubled",
    "wrong_id",
    "referenced_but_missing",
    "not_published",
    "stray_local_files",
    "unreferenced_not_found",
    "false_alarms",
)
"""What must all be 0."""


@dataclass(frozen=True)
class Record:
    """One recorded version, as the database has it."""

    basename: str
    frame_id: int | None
    md5: str
    key: str | None
    version_key: str | None
    is_current: bool


@dataclass
class Found:
    """Everything there is.

    Attributes
    ----------
    records : list of Record
        What the database holds.
    journal : dict
        State of each ingestion, by basename and md5.
    archived : list
        Frame ID, basename and versions, newest first, of what the archive has.
    objects : dict
        The md5 of every object version of the store, by its key and its version key, which
        in a folder is the md5 that it should have.
    published : dict or None
        The md5 of what readers of a folder find at each key.
    strays : list of str
        Local files that nobody should have left.
    """

    records: list
    journal: dict
    archived: list
    objects: dict
    published: dict | None
    strays: list


def look(folder, servers, db):
    """Return everything there is."""
    with_s3 = servers.bucket is not None
    return Found(
        records=[Record(*row) for row in _rows(db, _RECORDS)],
        journal={(row[0], row[1]): row[2] for row in _rows(db, _JOURNAL)},
        archived=[frame for frame in servers.archived() if frame[2]],
        objects=servers.objects() if with_s3 else _versions(folder / "store"),
        published=None if with_s3 else _published(folder / "store"),
        strays=_strays(folder),
    )


_RECORDS = """
    SELECT basename, frame_id, md5, key, version_key, is_current FROM frame_versions
    JOIN calibration_frames ON calibration_frames.id = calibration_frame_id
"""
_JOURNAL = "SELECT basename, md5, state FROM ingestions"


def _rows(db, statement):
    if db.startswith("postgresql"):
        import psycopg

        with psycopg.connect(db) as connection:
            return connection.execute(statement).fetchall()
    with closing(sqlite3.connect(db, timeout=60)) as connection:
        return connection.execute(statement).fetchall()


def _md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def _versions(store):
    """Return the md5 of every version by its key and the md5 of a whole one."""
    aside = store / ".calrecords" / "versions"
    found = {}
    for path in aside.rglob("*"):
        if path.is_file() and len(path.name) == 64:
            data = path.read_bytes()
            is_whole = hashlib.sha256(data).hexdigest() == path.name
            md5 = hashlib.md5(data).hexdigest()
            key = path.parent.relative_to(aside).as_posix()
            found[key, md5] = md5 if is_whole else "damaged"
    return found


def _published(store):
    return {
        path.relative_to(store).as_posix(): _md5(path)
        for path in store.rglob("*")
        if path.is_file() and ".calrecords" not in path.parts
    }


def _strays(folder):
    """Return what is neither records, nor a version in the store, nor published."""
    aside = folder / "store" / ".calrecords"
    kept = [path for path in aside.rglob("*") if path.is_file() and len(path.name) != 64]
    spooled = [path for path in (folder / "spool").rglob("*") if path.is_file()]
    cached = [path for path in (folder / "cache").rglob("*.part*")]
    return sorted(str(path.relative_to(folder)) for path in (*kept, *spooled, *cached))


@dataclass
class Verdict:
    """What is wrong, by the names of `FIGURES`; each is a list that must be empty."""

    recorded: int = 0
    never_begun: list = field(default_factory=list)
    unreferenced: list = field(default_factory=list)
    wrong: dict = field(default_factory=lambda: {name: [] for name in FIGURES})

    @property
    def is_perfect(self):
        return not any(self.wrong.values())


def judge(contents, found, told, audit):
    """Return what is wrong.

    Parameters
    ----------
    contents : iterable of Content
        What was to be ingested.
    found : Found
        What there is.
    told : iterable of Told
        What callers were told of their ingestions.
    audit : AuditReport
        What an audit of everything says, after its grace.
    """
    verdict = Verdict()
    archived = {
        (basename, md5): (frame_id, key)
        for frame_id, basename, versions in found.archived
        for md5, key in versions
    }
    recorded = {(one.basename, one.md5): one for one in found.records}
    verdict.recorded = len(recorded)
    told = list(told)
    _judge_contents(verdict, contents, found, recorded, archived, told)
    _judge_doubles(verdict, found)
    _judge_ids(verdict, found, archived, told)
    _judge_objects(verdict, found, archived)
    _judge_published(verdict, found)
    verdict.wrong["stray_local_files"] = found.strays
    _judge_audit(verdict, audit, found)
    return verdict


def _judge_contents(verdict, contents, found, recorded, archived, told):
    named = {key for key, _ in found.objects}
    promised = {(one.task.content.basename, one.task.content.md5) for one in told if one.is_success}
    stored = {(_basename(key), md5) for (key, _), md5 in found.objects.items()}
    assert len(named) >= len({name for name, _ in stored})
    for content in contents:
        identity = (content.basename, content.md5)
        if identity in recorded:
            continue
        state = found.journal.get(identity)
        traces = state or identity in archived or identity in stored or identity in promised
        if traces:
            verdict.wrong["lost"].append(f"{identity}: {state}")
        else:
            verdict.never_begun.append(content)
    verdict.wrong["unrecorded"] = [
        f"{identity}: frame {archived[identity][0]}"
        for identity in archived
        if identity not in recorded or recorded[identity].frame_id is None
    ]


def _judge_doubles(verdict, found):
    counted = {
        "recorded": Counter((one.basename, one.md5) for one in found.records),
        "recorded under two names": Counter(
            {
                md5: len({r.basename for r in rows})
                for md5, rows in _by(found.records, "md5").items()
            }
        ),
        "frame ID of two frames": Counter(
            {
                number: len({record.basename for record in rows})
                for number, rows in _by(found.records, "frame_id").items()
            }
        ),
        "current twice": Counter(one.basename for one in found.records if one.is_current),
        "archived": Counter(md5 for _, _, versions in found.archived for md5, _ in versions),
        "frames in the archive": Counter(basename for _, basename, _ in found.archived),
    }
    verdict.wrong["doubled"] = [
        f"{one}: {what}, {times} times"
        for what, counter in counted.items()
        for one, times in counter.items()
        if times > 1
    ]


def _by(records, name):
    groups = defaultdict(list)
    for record in records:
        groups[getattr(record, name)].append(record)
    return groups


def _judge_ids(verdict, found, archived, told):
    wrong = verdict.wrong["wrong_id"]
    for one in found.records:
        theirs = archived.get((one.basename, one.md5))
        if theirs != (one.frame_id, one.version_key):
            wrong.append(f"{one}: the archive says {theirs}")
    for one in told:
        content = one.task.content
        theirs = archived.get((content.basename, content.md5), (None, None))[0]
        if one.is_success and one.frame_id != theirs:
            wrong.append(f"{content}: a caller was told {one.frame_id}, the archive says {theirs}")
    newest = {basename: versions[0][0] for _, basename, versions in found.archived}
    for one in found.records:
        if one.is_current and one.md5 != newest.get(one.basename):
            wrong.append(f"{one}: is current, and the archive's newest is another")


def _judge_objects(verdict, found, archived):
    missing = verdict.wrong["referenced_but_missing"]
    for one in found.records:
        if found.objects.get((one.key, one.version_key)) != one.md5:
            missing.append(f"{one}: the store has {found.objects.get((one.key, one.version_key))}")
    there = {
        (_basename(key), version_key): md5 for (key, version_key), md5 in found.objects.items()
    }
    for (basename, md5), (_, version_key) in archived.items():
        if there.get((basename, version_key)) != md5:
            missing.append(f"{basename}, {md5}: the archive's version {version_key}")
    referred = {(basename, key) for (basename, _), (_, key) in archived.items()}
    verdict.unreferenced = sorted(
        f"{key}, version {version_key}"
        for key, version_key in found.objects
        if (_basename(key), version_key) not in referred
    )


def _basename(key):
    return Path(key).name.removesuffix(".fits")


def _judge_published(verdict, found):
    if found.published is None:
        return
    current = {one.key: one.md5 for one in found.records if one.is_current}
    verdict.wrong["not_published"] = [
        f"{key}: {found.published.get(key)}, and {current.get(key)} is current"
        for key in sorted({*current, *found.published})
        if found.published.get(key) != current.get(key)
    ]


def _judge_audit(verdict, audit, found):
    seen, other = [], []
    for one in audit.findings:
        what = f"{one.what.get('key')}, version {_version_of(one, found)}"
        is_unreferenced = str(one.kind) == "object unknown" and what in verdict.unreferenced
        (seen if is_unreferenced else other).append(what if is_unreferenced else f"{one}")
    verdict.wrong["unreferenced_not_found"] = sorted(set(verdict.unreferenced) - set(seen))
    verdict.wrong["false_alarms"] = other
    if not audit.is_finished:
        verdict.wrong["false_alarms"].append(f"the audit did not end: {audit}")


def _version_of(finding, found):
    """Return the version key of an object that an audit has found."""
    if finding.what.get("version_key"):
        return finding.what["version_key"]
    key, size = finding.what.get("key"), finding.what.get("size")
    return next((md5 for name, md5 in found.objects if name == key and size), None)
