"""What a repair should leave behind, of what an audit found."""

from contextlib import suppress

from expected_answers import faults_of_frame
from troubles import ENDS, Call, Nothing

from calrecords.workflows.audit_faults import FaultKind

_SUFFIX = ".fits"


def repair(pipeline, found, cached):
    """Mend the model as a repair mends the records, in its order.

    Nothing is ever deleted: no two audits of a run are a day apart.

    Parameters
    ----------
    pipeline : Pipeline
        Whose records were audited.
    found : set of (FaultKind, str)
        What the audit found.
    cached : dict of Sample to bool
        What the cache holds, and whether that is whole.
    """
    for kind in FaultKind:
        names = sorted(name for one, name in found if one is kind)
        if kind in _MENDED_BY:
            for name in names:
                _MENDED_BY[kind](pipeline, name.removeprefix("bias-").removesuffix(_SUFFIX))
    for sample, is_whole in cached.items():
        if not is_whole:
            cached[sample] = True
            pipeline.version(sample).is_whole = True


def _resume(pipeline, name):
    if any(row.sample.name == name for row in pipeline.unfinished()):
        pipeline.resume(Call(Nothing()), name)


def _fill_in(pipeline, name):
    frame, archived = pipeline.frames[name], pipeline.shared.archive[name]
    if _is_busy(pipeline, name) or frame.has_id:
        return
    frame.has_id = True
    for sample, version in frame.versions.items():
        if sample in archived.versions:
            version.archived_at = archived.versions[sample]


def _adopt(pipeline, name):
    if not _is_busy(pipeline, name):
        with suppress(*ENDS):
            pipeline.adopt(name, Call(Nothing()))


def _publish(pipeline, name):
    frame = pipeline.frames[name]
    is_still_so = FaultKind.OBJECT_NOT_PUBLISHED in faults_of_frame(pipeline, name, frame)
    if is_still_so and not _is_busy(pipeline, name):
        pipeline.shared.publish(frame.current.sample)


def _is_busy(pipeline, name):
    return any(row.sample.name == name for row in pipeline.unfinished())


_MENDED_BY = {
    FaultKind.INTENT_STALE: _resume,
    FaultKind.FRAME_ID_MISSING: _fill_in,
    FaultKind.OBJECT_NOT_PUBLISHED: _publish,
    FaultKind.FRAME_NOT_RECORDED: _adopt,
    FaultKind.VERSION_NOT_RECORDED: _adopt,
}
