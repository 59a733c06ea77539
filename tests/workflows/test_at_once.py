"""Processes that share one records database: nothing lost, nothing doubled, nobody waits."""

from collections import Counter

import pytest

from calrecords import IngestOutcome
from calrecords.records import Journal, RecordDatabase
from calrecords.workflows.results import IngestStep

PROCESSES = 8
FILES = 50

pytestmark = pytest.mark.parametrize("world", ["file system"], indirect=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request, world):
    """Return a world whose records many processes use at once."""
    if request.param == "sqlite":
        yield world
        return
    server = request.getfixturevalue("postgresql_server")
    world.db = server.migrated()
    yield world
    server.give_back(world.db)


@pytest.fixture
def make_frames(make_frame):
    def make(number):
        return [
            str(make_frame(basename=f"bias-{n:02d}", seed=n, shape=(8, 8))) for n in range(number)
        ]

    return make


def turned(things, by):
    return things[by:] + things[:by]


def test_processes_that_ingest_the_same_files_get_the_same_ids(shared, make_frames):
    paths = make_frames(FILES)
    each = [{"paths": turned(paths, n * FILES // PROCESSES // 2)} for n in range(PROCESSES)]
    answers = shared.at_once("ingest_all", each)
    assert all(answer == answers[0] for answer in answers)
    assert len(set(answers[0].values())) == FILES
    assert sorted(answers[0].values()) == sorted(number for number, _, _ in shared.archived())
    assert [len(versions) for _, _, versions in shared.archived()] == [1] * FILES
    assert [len(versions) for versions in shared.stored().values()] == [1] * FILES
    assert shared.archive.count("POST") == FILES
    with shared.connect() as cal:
        frames = cal.query(row_limit=-1, all_versions=True)
        assert len(frames) == len(set(frames["filename"])) == FILES
        assert cal.resume() == []
    assert shared.strays() == []


def test_no_word_that_many_processes_say_of_one_frame_is_lost(shared, make_frames):
    [path] = make_frames(1)
    with shared.connect() as cal:
        basename = cal.ingest(path, is_master=True).frame.basename
        each = [{"basename": basename, "who": f"p{n}", "times": 10} for n in range(PROCESSES)]
        shared.at_once("judge_and_use", each)
        said = {f"p{n} {time}" for n in range(PROCESSES) for time in range(10)}
        history = cal.history(basename)
        for kind in ("verdict", "correction"):
            assert set(history["reason"][history["kind"] == kind]) == said
        assert len(cal.affected_by(basename)) == len(said)


@pytest.fixture
def interrupted(shared, make_frames):
    """Return the paths of ingestions that were interrupted, and that nobody is at."""

    class PowerCutError(BaseException):
        pass

    def cut(step):
        if step is IngestStep.PUT:
            raise PowerCutError

    paths = make_frames(40)
    with shared.connect(on_step=cut) as cal:
        for path in paths:
            with pytest.raises(PowerCutError):
                cal.ingest(path, is_master=True)
    return paths


def test_processes_that_resume_at_once_share_the_work(shared, interrupted):
    answers = shared.at_once("resume", [{}] * 4)
    outcomes = Counter(
        (path, outcome)
        for answer in answers
        for path, outcome, _ in answer
        if outcome != "in progress"
    )
    assert outcomes == Counter((path, "ingested") for path in interrupted)
    assert {error for answer in answers for _, _, error in answer} == {"None"}
    assert sum(len(answer) > 0 for answer in answers) > 1
    assert shared.archive.count("POST") == len(interrupted)
    with shared.connect() as cal:
        assert (cal.resume(), len(cal.query(row_limit=-1))) == ([], len(interrupted))


def test_who_resumes_waits_for_nobody_who_is_at_something(shared, interrupted):
    database = RecordDatabase(shared.places["db"])
    journal = Journal(database)
    held = journal.claim(next(journal.numbers()))
    with held.kept(), shared.connect() as cal:
        [*done, last] = cal.resume()
        assert [result.path for result in done] == interrupted[1:]
        assert {result.outcome for result in done} == {IngestOutcome.INGESTED}
        assert (last.path, last.outcome) == (interrupted[0], IngestOutcome.IN_PROGRESS)
    held.release()
    database.close()
    with shared.connect() as cal:
        assert [result.path for result in cal.resume()] == interrupted[:1]


def test_what_another_process_finishes_meanwhile_is_not_told_twice(shared, interrupted):
    with shared.connect() as cal, shared.connect() as other:
        others = []

        def finish_the_rest(_result):
            if not others:
                others.extend(other.resume())

        ours = []
        cal.resume(progress=lambda result: (ours.append(result), finish_the_rest(result)))
        assert [result.path for result in ours] == interrupted[:1]
        assert [result.path for result in others] == interrupted[1:]


def test_what_fails_while_another_process_passes_it_over_is_taken_up_by_it(shared, interrupted):
    database = RecordDatabase(shared.places["db"])
    journal = Journal(database)
    held = journal.claim(next(journal.numbers()))
    with shared.connect() as cal:
        results = []

        def let_go(result):
            results.append(result)
            held.release()

        cal.resume(progress=let_go)
        assert [result.path for result in results] == interrupted[1:] + interrupted[:1]
        assert {result.outcome for result in results} == {IngestOutcome.INGESTED}
    database.close()
