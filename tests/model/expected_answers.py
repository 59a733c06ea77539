"""What should be answered, by the records as they should be: choices, and what an audit finds."""

from dataclasses import dataclass

from samples import HOUR, NIGHT

from calrecords.vocabulary import IngestionState, Verdict
from calrecords.workflows.audit_faults import FaultKind


@dataclass(frozen=True)
class Target:
    """A frame that needs a bias."""

    camera: str
    binning: str
    hours: int

    @property
    def dateobs(self):
        return NIGHT + self.hours * HOUR

    def described(self):
        return {
            "site": "lsc",
            "camera": self.camera,
            "binning": self.binning,
            "configuration_mode": "full_frame",
            "obstype": "EXPOSE",
            "dateobs": self.dateobs,
        }


TARGETS = (
    *(Target("fa01", binning, hours) for binning in ("2x2", "1x1") for hours in (-1, 12, 24, 48)),
    Target("fa02", "2x2", 12),
)


def best(pipeline, target, *, include_bad=False):
    """Return the sample that is chosen, or None: the nearest in time that suits.

    Of two that are as near, the one that was taken earlier; then the one that was made later;
    then by name.
    """

    def rank(version):
        distance = abs(version.dateobs - target.dateobs)
        return distance, version.dateobs, -version.sample.created.timestamp(), version.sample.name

    suiting = [
        frame.current
        for frame in pipeline.frames.values()
        if frame.camera == target.camera
        and frame.current.binning == target.binning
        and (include_bad or frame.current.verdict is not Verdict.BAD)
        and _is_valid(frame.current, target.dateobs)
    ]
    return min(suiting, key=rank).sample if suiting else None


def _is_valid(version, moment):
    begins = version.good_after is None or version.good_after <= moment
    return begins and (version.good_until is None or moment < version.good_until)


def faults(pipeline, cached):
    """Return the kind and name of all that is wrong, as far as an audit can see it.

    Parameters
    ----------
    pipeline : Pipeline
        Whose records are audited.
    cached : mapping of Sample to bool
        What its cache holds, and whether that is as it should be.
    """
    rows = pipeline.unfinished()
    found = {(FaultKind.INTENT_STALE, f"{row.sample.basename}.fits") for row in rows}
    busy = {row.sample.name for row in rows}
    for name, frame in pipeline.frames.items():
        if name not in busy:
            found |= {
                (kind, f"bias-{name}.fits") for kind in faults_of_frame(pipeline, name, frame)
            }
    found |= {(FaultKind.FRAME_NOT_RECORDED, f"bias-{name}") for name in _unrecorded(pipeline)}
    found |= {(FaultKind.OBJECT_UNKNOWN, key) for key in _unknown(pipeline)}
    damaged = [sample for sample, is_whole in cached.items() if not is_whole]
    return found | {(FaultKind.CACHED_FILE_DAMAGED, f"{one.basename}.fits") for one in damaged}


def faults_of_frame(pipeline, name, frame):
    """Yield what is wrong with a record, beside the archive and the store."""
    archived = pipeline.shared.archive.get(name)
    newest = None if archived is None else archived.newest
    if archived is not None and archived.camera == frame.camera:
        if not frame.has_id and frame.versions.keys() & archived.versions.keys():
            yield FaultKind.FRAME_ID_MISSING
        if frame.has_id and newest not in frame.versions:
            yield FaultKind.VERSION_NOT_RECORDED
    shared, current = pipeline.shared, frame.current.sample
    is_shown = shared.published.get(shared.key_of(current)) == current
    is_anothers = archived is not None and archived.camera != frame.camera
    if not is_shown and (newest in {None, current} or is_anothers):
        yield FaultKind.OBJECT_NOT_PUBLISHED


def _unrecorded(pipeline):
    """Return the frames that we began to bring in, that the archive has, and we do not."""
    begun = {row.sample for row in pipeline.rows.values() if not row.is_unfinished}
    busy = {row.sample.name for row in pipeline.unfinished()}
    cameras = {frame.camera for frame in pipeline.frames.values()}
    for name, archived in pipeline.shared.archive.items():
        if name in busy or name in pipeline.frames or archived.camera not in cameras:
            continue
        if begun & archived.versions.keys():
            yield name


def _unknown(pipeline):
    """Return where bytes are that an ingestion of ours left, and that nobody refers to."""
    for row in pipeline.rows.values():
        sample, shared = row.sample, pipeline.shared
        is_left = row.state is IngestionState.FAILED and sample in shared.kept
        if not is_left or pipeline.version(sample) is not None:
            continue
        if shared.archived_at(sample) is None:
            yield shared.key_of(sample)
