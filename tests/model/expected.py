"""The archive, the store and the records of two pipelines, as they should be: all in memory.

It says what must be true after each call, whatever befell it, and knows of no database, no
HTTP and no files. Moments are whole numbers that grow.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from samples import Sample
from troubles import ENDS, AwayError, CutError, Raised, RefusedError, SourceGoneError

from calrecords.vocabulary import IngestionState, Verdict
from calrecords.workflows.results import IngestOutcome, IngestStep

UNFINISHED = (IngestionState.INTENDED, IngestionState.STORED, IngestionState.ARCHIVED)
SPOOLED = "a copy in the spool"


@dataclass
class ArchivedFrame:
    """A frame in the archive; when each version came, oldest first."""

    camera: str
    versions: dict[Sample, int] = field(default_factory=dict)

    @property
    def newest(self):
        return max(self.versions, key=self.versions.get)


class Shared:
    """What all pipelines share: time, the archive, and the file store."""

    def __init__(self, key_of):
        self.key_of = key_of
        self.ticks = count(1)
        self.archive: dict[str, ArchivedFrame] = {}
        self.kept: set[Sample] = set()
        self.published: dict[str, Sample] = {}

    def register(self, sample):
        frame = self.archive.setdefault(sample.name, ArchivedFrame(sample.camera))
        frame.versions.setdefault(sample, next(self.ticks))

    def archived_at(self, sample):
        frame = self.archive.get(sample.name)
        return None if frame is None else frame.versions.get(sample)

    def publish(self, sample):
        self.published[self.key_of(sample)] = sample

    def is_downloadable(self, sample):
        """Return whether the archive's one address for a frame leads to this version."""
        frame = self.archive.get(sample.name)
        if frame is None or sample not in frame.versions:
            return False
        return self.published.get(self.key_of(frame.newest)) == sample


@dataclass
class Version:
    """A recorded version."""

    sample: Sample
    recorded_at: int
    archived_at: int | None
    dateobs: datetime
    binning: str
    is_whole: bool = True
    verdict: Verdict = Verdict.UNKNOWN
    good_after: datetime | None = None
    good_until: datetime | None = None

    @property
    def place(self):
        return self.archived_at or self.recorded_at, self.recorded_at


@dataclass
class Frame:
    """A recorded frame."""

    camera: str
    has_id: bool = False
    versions: dict[Sample, Version] = field(default_factory=dict)

    def newest_first(self):
        return sorted(self.versions.values(), key=lambda version: version.place, reverse=True)

    @property
    def current(self):
        return self.newest_first()[0]


@dataclass
class Row:
    """A row of the journal."""

    sample: Sample
    is_for_archive: bool
    source: str
    state: IngestionState = IngestionState.INTENDED
    archived_at: int | None = None
    error: type | None = None

    @property
    def is_unfinished(self):
        return self.state in UNFINISHED


class Pipeline:
    """The records of one pipeline, and what its verbs make of them and of what is shared."""

    def __init__(self, shared):
        self.shared = shared
        self.frames: dict[str, Frame] = {}
        self.rows: dict[Sample, Row] = {}
        self.lost_sources: set[str] = set()

    def version(self, sample):
        frame = self.frames.get(sample.name)
        return None if frame is None else frame.versions.get(sample)

    def versions(self):
        return [one for frame in self.frames.values() for one in frame.versions.values()]

    def recorded(self):
        return [one.sample for one in self.versions()]

    def unfinished(self):
        return [row for row in self.rows.values() if row.is_unfinished]

    def ingest(self, sample, source, call):
        version = self.version(sample)
        if version is not None and version.archived_at and self.frames[sample.name].has_id:
            version.is_whole = True
            return IngestOutcome.ALREADY_THERE
        return self._begin(Row(sample, True, source), call)

    def register(self, sample, source, call):
        version = self.version(sample)
        if version is not None:
            version.is_whole = True
            return IngestOutcome.ALREADY_THERE
        return self._begin(Row(sample, False, source), call)

    def resume(self, call, name=None):
        """Take up what is unfinished, of one frame or of all; return the end of each."""
        rows = [row for row in self.rows.values() if name in (None, row.sample.name)]
        for row in rows:
            if row.error is SourceGoneError and row.sample in self.shared.kept:
                row.state, row.error = IngestionState.INTENDED, None
        ends = []
        for row in [row for row in rows if row.is_unfinished]:
            try:
                self._carry_out(row, call)
            except ENDS as error:
                ends.append((row.sample.basename, type(error)))
            else:
                ends.append((row.sample.basename, None))
        return ends

    def adopt(self, name, call):
        call.ask()
        archived = self.shared.archive[name]
        version = self.version(archived.newest)
        if version is not None and version.archived_at and self.frames[name].has_id:
            return IngestOutcome.ALREADY_THERE
        call.ask()
        archived_at = archived.versions[archived.newest]
        self.record(archived.newest, archived_at, is_whole=False)
        return IngestOutcome.ADOPTED

    def demand_identity(self, sample):
        frame = self.frames.get(sample.name)
        if frame is not None and frame.camera != sample.camera:
            raise RefusedError

    def _begin(self, intent, call):
        sample = intent.sample
        self.demand_identity(sample)
        for older in self.unfinished():
            if older.sample.name == sample.name and older.sample != sample:
                with suppress(*ENDS):
                    self._carry_out(older, call)
        self.demand_identity(sample)
        row = self.rows.setdefault(sample, intent)
        is_taken_up = row is not intent and row.is_unfinished
        row.source = intent.source
        if row.state is IngestionState.STORED:
            row.is_for_archive = intent.is_for_archive
        elif row.state is not IngestionState.ARCHIVED:
            self.rows[sample] = intent
            row = intent
        return self._carry_out(row, call, is_taken_up=is_taken_up)

    def _carry_out(self, row, call, *, is_taken_up=True):
        work = Ingestion(self, row, call, is_taken_up=is_taken_up)
        try:
            return work.carry_out()
        except CutError:
            if isinstance(call.trouble, Raised) and row.is_unfinished:
                work.write_down()
            raise
        except AwayError:
            work.write_down()
            raise
        except (RefusedError, SourceGoneError) as error:
            if row.state is not IngestionState.ARCHIVED:
                row.state, row.error = IngestionState.FAILED, type(error)
            raise

    def record(self, sample, archived_at, *, is_whole):
        self.demand_identity(sample)
        frame = self.frames.setdefault(sample.name, Frame(sample.camera))
        frame.has_id |= archived_at is not None
        version = frame.versions.get(sample)
        if version is None:
            now = next(self.shared.ticks)
            version = Version(sample, now, archived_at, sample.dateobs, sample.binning, is_whole)
            frame.versions[sample] = version
        version.archived_at = version.archived_at or archived_at
        version.is_whole |= is_whole


class Ingestion:
    """The steps of one ingestion, and how far they would be written down."""

    def __init__(self, pipeline, row, call, *, is_taken_up):
        self._pipeline = pipeline
        self._shared = pipeline.shared
        self._row = row
        self._call = call
        self._is_taken_up = is_taken_up
        self.state = row.state
        self._archived_at = row.archived_at

    def write_down(self):
        """Note in the journal how far it came, as what ends without a kill does."""
        self._row.state, self._row.archived_at = self.state, self._archived_at

    def carry_out(self):
        row, sample, call = self._row, self._row.sample, self._call
        outcome = IngestOutcome.INGESTED if row.is_for_archive else IngestOutcome.REGISTERED
        self._pipeline.demand_identity(sample)
        if self.state is IngestionState.INTENDED:
            call.reach(IngestStep.INTENDED)
        if row.is_for_archive and self.state is not IngestionState.ARCHIVED:
            outcome = self._look()
        if self.state is IngestionState.INTENDED:
            self._put()
        if row.is_for_archive and self.state is IngestionState.STORED:
            call.ask(lambda: self._shared.register(sample))
            self._archived()
        elif row.is_for_archive and row.state is IngestionState.ARCHIVED:
            call.ask()
        if self._is_to_be_seen():
            self._shared.publish(sample)
        call.reach(IngestStep.PUBLISHED)
        self._pipeline.record(sample, self._archived_at, is_whole=True)
        row.state = IngestionState.RECORDED
        call.reach(IngestStep.RECORDED)
        return outcome

    def _look(self):
        self._call.ask()
        sample = self._row.sample
        frame = self._shared.archive.get(sample.name)
        if frame is None:
            return IngestOutcome.INGESTED
        if frame.camera != sample.camera:
            raise RefusedError
        if sample not in frame.versions:
            return IngestOutcome.NEW_VERSION
        self._archived()
        return IngestOutcome.INGESTED if self._is_taken_up else IngestOutcome.ALREADY_THERE

    def _put(self):
        sample, shared = self._row.sample, self._shared
        if self._row.source in self._pipeline.lost_sources and sample not in shared.kept:
            raise SourceGoneError
        shared.kept.add(sample)
        self._call.reach(IngestStep.PUT)
        self.state = IngestionState.STORED
        self._call.reach(IngestStep.STORED)

    def _archived(self):
        self._call.reach(IngestStep.REGISTERED)
        self.state = IngestionState.ARCHIVED
        self._archived_at = self._shared.archived_at(self._row.sample)
        self._call.reach(IngestStep.ARCHIVED)

    def _is_to_be_seen(self):
        """Return whether readers of the store should find this version from now on.

        Where the archive has a frame, they find the newest that it has.
        """
        name = self._row.sample.name
        if self._row.is_for_archive:
            return self._shared.archive[name].newest == self._row.sample
        recorded = self._pipeline.frames.get(name)
        return recorded is None or not any(one.archived_at for one in recorded.versions.values())
