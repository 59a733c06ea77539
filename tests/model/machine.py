"""The rules of the game: each does one thing to the library and to the model, and compares."""

from datetime import UTC, datetime, timedelta
from functools import partial

from expected import SPOOLED, Pipeline, Shared
from expected_answers import TARGETS, best, faults
from expected_repairs import repair
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from invariants import check_everything
from real import CUT
from samples import CONTENTS, HOUR, NIGHT, Sample
from troubles import (
    CARRIED_OUT,
    PASSING,
    AwayError,
    Call,
    CutError,
    Hiccup,
    Killed,
    Nothing,
    Outage,
    Raised,
    RefusedError,
    SourceGoneError,
)

from calrecords.errors import CalRecordsError, NoCalibrationError
from calrecords.vocabulary import Verdict
from calrecords.workflows.results import IngestStep

NAMED = {
    AwayError: "ArchiveUnavailableError",
    RefusedError: "DuplicateRecordError",
    SourceGoneError: "DataFileNotFoundError",
}

steps = st.sampled_from(IngestStep)
samples = st.builds(
    Sample,
    st.sampled_from("aaabbc"),
    st.sampled_from(8 * ["fa01"] + ["fa02"]),
    st.sampled_from(CONTENTS),
)
storms = st.one_of(
    st.builds(Hiccup, st.sampled_from(PASSING + CARRIED_OUT), st.integers(0, 2)),
    st.builds(Outage, st.integers(0, 3), st.booleans()),
)
kills = st.builds(Killed, steps)
raised = st.builds(Raised, steps)
troubles = st.one_of(st.just(Nothing()), storms, raised, kills)
ways = st.sampled_from(["path", "path", "bytes"])
hours = st.one_of(st.none(), st.sampled_from([-2, 0, 12, 24, 30, 60]))


def drawn_from(choices):
    """Return a strategy that draws from what the machine has then."""
    return st.runner().flatmap(lambda machine: st.sampled_from(choices(machine)))


recorded = drawn_from(lambda machine: sorted(machine.expected.recorded()))
archived = drawn_from(lambda machine: sorted(machine.shared.archive))
cached = drawn_from(lambda machine: sorted(machine.cached))
remembered = drawn_from(lambda machine: range(len(machine.moments)))
has_records = precondition(lambda machine: machine.expected.frames)
has_archived = precondition(lambda machine: machine.shared.archive)
has_cached = precondition(lambda machine: machine.cached)
has_unfinished = precondition(lambda machine: machine.expected.unfinished())


def once(name):
    """Let a rule that only looks do so once after each change."""
    return precondition(lambda machine: machine.looked.get(name) != machine.changes)


class RecordsMachine(RuleBasedStateMachine):
    """Two pipelines that share an archive and a store: ours, and another that only ingests."""

    def __init__(self, make_world):
        super().__init__()
        self.world = make_world()
        pool = self.world.pool
        self.shared = Shared(lambda sample: pool[sample].key)
        self.expected, self.others = Pipeline(self.shared), Pipeline(self.shared)
        self.cached = {}
        self.moments = []
        self.frame_ids = {}
        self.changes = 0
        self.looked = {}

    def teardown(self):
        self.world.close()

    def both(self, trouble, verb, modelled, *given):
        """Do one thing to the library and to the model, and demand the same end."""
        self.changes += 1
        try:
            expected = modelled(Call(trouble))
        except CutError:
            expected = CUT
        except tuple(NAMED) as error:
            expected = NAMED[type(error)]
        if isinstance(expected, list):
            expected = [[name, error and NAMED[error]] for name, error in expected]
        assert self.world.do(trouble, verb, *given) == expected

    @rule(sample=samples, how=ways)
    def ingest(self, sample, how):
        self.take("ingest", self.expected.ingest, sample, how, Nothing())

    @rule(sample=samples, how=ways, trouble=storms)
    def ingest_in_a_storm(self, sample, how, trouble):
        self.take("ingest", self.expected.ingest, sample, how, trouble)

    @rule(sample=samples, how=ways, trouble=raised)
    def ingest_and_raise(self, sample, how, trouble):
        self.take("ingest", self.expected.ingest, sample, how, trouble)

    @rule(sample=samples, how=ways, trouble=kills)
    def ingest_and_die(self, sample, how, trouble):
        self.take("ingest", self.expected.ingest, sample, how, trouble)

    @rule(sample=samples, trouble=troubles)
    def register(self, sample, trouble):
        self.take("register", self.expected.register, sample, "path", trouble)

    def take(self, verb, modelled, sample, how, trouble):
        path = self.world.source(sample)
        self.expected.lost_sources.discard(str(path))
        source = str(path) if how == "path" else SPOOLED
        self.both(trouble, verb, partial(modelled, sample, source), (how, path))

    @has_unfinished
    @rule(trouble=troubles)
    def resume(self, trouble):
        self.both(trouble, "resume", self.expected.resume)

    @has_unfinished
    @rule()
    def resume_in_peace(self):
        self.both(Nothing(), "resume", self.expected.resume)
        assert self.expected.unfinished() == []
        assert self.world.spooled() == []

    @once("reconnect")
    @rule()
    def reconnect(self):
        self.looked["reconnect"] = self.changes
        self.world.reconnect()

    @rule(sample=samples)
    def lose_source(self, sample):
        path = self.world.source(sample)
        path.unlink()
        self.expected.lost_sources.add(str(path))

    @rule(sample=samples)
    def another_pipeline_ingests(self, sample):
        self.changes += 1
        path = self.world.pool[sample].path
        try:
            expected = self.others.ingest(sample, str(path), Call(Nothing()))
        except RefusedError:
            expected = NAMED[RefusedError]
        try:
            found = self.world.theirs.ingest(path).outcome
        except CalRecordsError as error:
            found = type(error).__name__
        assert found == expected

    @has_archived
    @rule(name=archived, trouble=st.one_of(st.just(Nothing()), storms))
    def adopt(self, name, trouble):
        frame_id = self.world.frame_ids()[f"bias-{name}"]
        self.both(trouble, "adopt", partial(self.expected.adopt, name), ("path", frame_id))

    def frame(self, sample):
        md5 = self.world.pool[sample].md5
        return self.world.ours.get(basename=sample.basename, md5=md5)

    @has_records
    @rule(sample=recorded, verdict=st.sampled_from(Verdict))
    def judge(self, sample, verdict):
        self.changes += 1
        cal, frame = self.world.ours, self.frame(sample)
        if verdict is Verdict.BAD:
            judged = cal.mark_bad(frame, reason="stripes")
        elif verdict is Verdict.GOOD:
            judged = cal.mark_good(frame)
        else:
            judged = cal.clear_verdict(frame)
        self.expected.version(sample).verdict = verdict
        assert judged.verdict == verdict

    @has_records
    @rule(sample=recorded, after=hours, until=hours)
    def set_validity(self, sample, after, until):
        self.changes += 1
        if None not in {after, until} and until <= after:
            after, until = until, after + 1
        version = self.expected.version(sample)
        version.good_after, version.good_until = (
            None if one is None else NIGHT + one * HOUR for one in (after, until)
        )
        self.world.ours.set_validity(
            self.frame(sample), version.good_after, version.good_until, reason="a test of it"
        )

    @has_records
    @rule(sample=recorded, binning=st.sampled_from(["1x1", "2x2"]), moved=st.integers(0, 2))
    def correct(self, sample, binning, moved):
        self.changes += 1
        version = self.expected.version(sample)
        version.binning, version.dateobs = binning, sample.dateobs + moved * 12 * HOUR
        facts = {"binning": binning, "dateobs": version.dateobs}
        self.world.ours.correct(self.frame(sample), reason="a wrong header", **facts)

    def answer(self, target, **asked):
        try:
            chosen = self.world.ours.best(target.described(), "BIAS", **asked)
        except NoCalibrationError:
            return None
        return self.world.pool.named(chosen.frame.version.md5)

    @once("choose")
    @rule()
    def choose(self):
        """Choose for every target, and remember what was chosen now."""
        self.looked["choose"] = self.changes
        answers = {target: best(self.expected, target) for target in TARGETS}
        assert {target: self.answer(target) for target in TARGETS} == answers
        for target in TARGETS:
            expected = best(self.expected, target, include_bad=True)
            assert self.answer(target, include_bad=True) == expected
        self.moments.append((datetime.now(UTC), answers))

    @precondition(lambda machine: machine.moments)
    @rule(number=remembered)
    def choose_as_of(self, number):
        moment, answers = self.moments[number]
        assert {target: self.answer(target, as_of=moment) for target in TARGETS} == answers

    @has_records
    @rule(
        sample=recorded,
        source=st.sampled_from([None, "store", "archive"]),
        trouble=st.one_of(st.just(Nothing()), storms),
    )
    def fetch(self, sample, source, trouble):
        self.changes += 1
        version, frame = self.expected.version(sample), self.frame(sample)
        is_asked = source is not None or not self.cached.get(sample)
        must_come = source != "archive" or (
            trouble == Nothing()
            and self.expected.frames[sample.name].has_id
            and self.shared.is_downloadable(sample)
        )
        with self.world.befallen(trouble):
            try:
                path = self.world.ours.fetch(frame, source=source)
            except CalRecordsError:
                assert not must_come
                return
        assert path.read_bytes() == self.world.pool[sample].data
        self.cached[sample] = True
        version.is_whole |= is_asked

    @has_cached
    @rule(sample=cached)
    def evict(self, sample):
        self.changes += 1
        [gone] = self.world.ours.cache.evict(self.frame(sample))
        assert gone.filename == self.world.pool[sample].path.name
        del self.cached[sample]

    @has_cached
    @rule(sample=cached)
    def damage_cached(self, sample):
        self.changes += 1
        path = self.world.ours.cache.path_of(self.frame(sample))
        data = self.world.pool[sample].data
        path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
        self.cached[sample] = False

    @has_cached
    @rule()
    def verify_cache(self):
        self.changes += 1
        damaged = {self.world.pool.named(one.md5) for one in self.world.ours.cache.verify()}
        assert damaged == {sample for sample, is_whole in self.cached.items() if not is_whole}
        self.cached = {sample: True for sample, is_whole in self.cached.items() if is_whole}

    @once("audit")
    @rule()
    def audit(self):
        self.looked["audit"] = self.changes
        report = self.world.ours.audit(depth="full", clock=later)
        assert report.is_finished, str(report)
        found = {(one.kind, one.name) for one in report.findings}
        assert found == faults(self.expected, self.cached), str(report)

    @precondition(lambda machine: faults(machine.expected, machine.cached))
    @rule()
    def repair(self):
        self.changes += 1
        cal = self.world.ours
        found = faults(self.expected, self.cached)
        cal.repair(cal.audit(depth="full", clock=later), apply=True, force=True, clock=later)
        repair(self.expected, found, self.cached)

    @invariant()
    def all_is_as_it_should_be(self):
        check_everything(self)


def later():
    """Return what time it is once nothing is too young to be looked at any more."""
    return datetime.now(UTC) + timedelta(hours=2)
