"""Ingestions by many processes that are killed at random, from an archive and a store that fail.

Then what was interrupted is resumed, and everything is counted. Run it for the figure of the
README:

    python tests/chaos/run.py --ingestions 10000 --kills 3000
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connecting import connect
from counting import FIGURES, judge, look
from killing import Monitor, ingesting, resuming
from planning import Plan, Resumption
from serving import servers

from calrecords.records import RecordDatabase

RESUMERS = 3
ROUNDS = 30
FLAKY = 0.04


def resume_all(cal, asked):
    """Let several processes resume at once until nothing is left; return how often they had to."""
    journal = cal._journal
    rounds = 0
    while journal.unfinished() and rounds < ROUNDS:
        rounds += 1
        monitor = Monitor(resuming(cal), asked.resumers)
        toll = monitor.run([Resumption(number) for number in range(asked.resumers)])
        if asked.progress:
            print([told.end for told in toll.told], len(journal.unfinished()), file=sys.stderr)
        if toll.died:
            break
    return rounds


def run(folder, asked):
    """Return what came out, as it is printed."""
    began = time.monotonic()
    (folder / "frames").mkdir()
    with servers(folder, with_s3=asked.store == "S3", rate=asked.faults, seed=asked.seed) as served:
        db = asked.db or str(folder / "records.sqlite")
        if asked.db:
            RecordDatabase(db).upgrade()
        plan = Plan(folder / "frames", asked.ingestions, asked.kills, asked.seed)
        with connect(folder, served, db, FLAKY) as cal:
            cal.store.rate = 0.0
            cal.ingest(plan.first.path, is_master=True)  # what is learned once is inherited
            cal.store.rate = FLAKY
            served.break_things()
            cuts = Cuts(asked.db)
            took = {"preparation": time.monotonic() - began}
            toll = Monitor(ingesting(cal, plan, asked.seed), asked.workers).run(
                plan.tasks, progress_of(plan, asked, cuts)
            )
            told = [one for one in toll.told if not isinstance(one.task, Resumption)]
            took["ingestions"] = time.monotonic() - began - sum(took.values())
            interrupted = Counter(str(one.state) for one in cal._journal.unfinished())
            rounds = resume_all(cal, asked)
            took["resuming"] = time.monotonic() - began - sum(took.values())
            served.mend()
        with connect(folder, served, db, 0.0) as cal:
            resume_all(cal, asked)
            found = look(folder, served, db)
            verdict = judge(plan.contents, found, told, audited(cal))
            took["counting"] = time.monotonic() - began - sum(took.values())
            again = [cal.ingest(one.path, is_master=True).frame_id for one in verdict.never_begun]
            found = look(folder, served, db)
            whole = judge(plan.contents, found, told, audited(cal))
            whole.wrong["lost"] += [str(one) for one in whole.never_begun]
            took["the rest"] = time.monotonic() - began - sum(took.values())
            assert len(again) == len(verdict.never_begun)
        met = served.met()
        if asked.db:
            met["PostgreSQL"] = {"connection ended": cuts.count}
    return figures(asked, plan, toll, told, interrupted, rounds, verdict, whole, met, took)


CUT_EVERY_S = 0.1
CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1
"""


class Cuts:
    """Ends one connection to a server of records after the other, wherever it is at work.

    Parameters
    ----------
    db : str or None
        The records; of a file there is no connection to end.
    """

    def __init__(self, db):
        self.count = 0
        self._db = db
        self._last = time.monotonic()

    def make(self):
        """End one connection, if the last was ended some time ago."""
        if self._db is None or time.monotonic() - self._last < CUT_EVERY_S:
            return
        import psycopg

        with psycopg.connect(self._db, autocommit=True) as connection:
            self.count += len(connection.execute(CUT).fetchall())
        self._last = time.monotonic()


def audited(cal):
    """Return the report of an audit of everything, two hours later."""
    later = datetime.now(UTC) + timedelta(hours=2)
    return cal.audit(depth="full", ours=True, anew=True, clock=lambda: later)


def progress_of(plan, asked, cuts):
    """Return what is done while others work: cut, and say how far it is if that is asked for."""
    said = [0.0]

    def progress(toll):
        cuts.make()
        if asked.progress and time.monotonic() - said[0] > 5:
            said[0] = time.monotonic()
            print(f"{len(toll.told)} of {len(plan.tasks)}, {toll.kills} kills", file=sys.stderr)

    return progress


def figures(asked, plan, toll, told, interrupted, rounds, verdict, whole, met, took):
    wrong = {name: sorted({*verdict.wrong[name], *whole.wrong[name]}) for name in FIGURES}
    wrong["other_errors"] = [
        f"task {one.task.number}, {one.task.content.basename}: {one.end}" for one in toll.foreign
    ]
    wrong["stuck"] = [str(one) for one in (*toll.stuck, *toll.died)]
    return {
        "seed": asked.seed,
        "store": asked.store,
        "database": "PostgreSQL" if asked.db else "SQLite",
        "ingestions": asked.ingestions,
        "contents": len(plan.contents),
        "frames": len({one.basename for one in plan.contents}),
        "kills": toll.kills,
        "faults": sum(sum(kinds.values()) for kinds in met.values()),
        "met": met,
        "told": {end: n for end, n in sorted(_counted(told).items())},
        "interrupted": interrupted,
        "rounds": rounds,
        "recorded_after_resume": verdict.recorded,
        "never_begun": len(verdict.never_begun),
        "recorded": whole.recorded,
        "unreferenced": len(whole.unreferenced),
        "wrong": wrong,
        "histories": histories(wrong, told),
        "seconds": {name: round(value, 1) for name, value in took.items()},
    }


def _last_line(text):
    return text.strip().rpartition("\n")[2]


def _counted(told):
    ends = {}
    for one in told:
        end = _last_line(one.end)
        ends[end] = ends.get(end, 0) + 1
    return ends


def histories(wrong, all_told):
    """Return what happened to each frame that something is wrong with."""
    said = "\n".join(one for some in wrong.values() for one in some)
    first = min((one.began for one in all_told), default=0.0)
    return [
        f"{one.began - first:8.3f} s: task {one.task.number}, {one.task.content.path.name}, "
        f"md5 {one.task.content.md5}, from memory: {one.task.from_memory}: {_last_line(one.end)} "
        f"after {one.took_s * 1e3:.1f} ms"
        for one in sorted(all_told, key=lambda told: told.began)
        if one.task.content.basename in said
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ingestions", type=int, default=10_000)
    parser.add_argument("--kills", type=int, help="by default three tenths of the ingestions")
    parser.add_argument("--workers", type=int, default=8, help="processes at once")
    parser.add_argument("--resumers", type=int, default=RESUMERS, help="processes that resume")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=float, default=0.08, help="share of requests that fail")
    parser.add_argument("--store", choices=["file system", "S3"], default="file system")
    parser.add_argument("--db", help="an empty PostgreSQL database; by default a SQLite file")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--progress", action="store_true", help="say how far it is")
    parser.add_argument("--keep", type=Path, help="an empty folder that stays, to look into")
    asked = parser.parse_args()
    if asked.kills is None:
        asked.kills = asked.ingestions * 3 // 10
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as temporary:
        came_out = run((asked.keep or Path(temporary)).absolute(), asked)
    is_perfect = not any(came_out["wrong"].values())
    print(json.dumps(came_out, indent=2) if asked.json else text_of(came_out))
    sys.stdout.flush()
    os._exit(0 if is_perfect else 1)


def text_of(came_out):
    """Return the figures as a page."""
    wrong = came_out["wrong"]
    lines = [
        f"seed {came_out['seed']}, store: {came_out['store']}, records: {came_out['database']}",
        f"{came_out['ingestions']} ingestions of {came_out['contents']} files of "
        f"{came_out['frames']} frames, {came_out['kills']} kills, {came_out['faults']} faults",
        f"interrupted: {dict(came_out['interrupted'])}",
        f"recorded after resume {came_out['recorded_after_resume']}, never begun "
        f"{came_out['never_begun']}; recorded when those were ingested again "
        f"{came_out['recorded']}",
        f"unreferenced objects {came_out['unreferenced']}, of which an audit did not find "
        f"{len(wrong['unreferenced_not_found'])}",
        ", ".join(
            f"{name.replace('_', ' ')} {len(some)}"
            for name, some in wrong.items()
            if name != "unreferenced_not_found"
        ),
        "seconds: " + ", ".join(f"{name} {took}" for name, took in came_out["seconds"].items()),
        *(f"{name}: {one}" for name, some in wrong.items() for one in some),
        *came_out["histories"],
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
