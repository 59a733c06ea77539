"""A warm process that forks others for tests, which costs far less than to start them.

It reads an order as a line of JSON, lets a process for each of its arguments do the same work
at once, and writes how each ended and what it said.
"""

import json
import os
import signal
import sys
import tempfile
import traceback

import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.filestore import make_s3_client
from calrecords.testing import ScienceArchive


def ingest_all(cal, paths):
    """Return the frame ID of each path."""
    return {path: cal.ingest(path, is_master=True).frame_id for path in paths}


def resume(cal):
    """Return what was resumed."""
    return [(result.path, str(result.outcome), str(result.error)) for result in cal.resume()]


def judge_and_use(cal, basename, who, times):
    """Say several things of one frame, over and over."""
    for n in range(times):
        said = f"{who} {n}"
        cal.mark_bad(basename, reason=said)
        cal.correct(basename, reason=said, object=said)
        cal.record_use(f"target-{who}-{n}", basename, caltype="BIAS")


WORK = {function.__name__: function for function in (ingest_all, resume, judge_and_use)}


def warm_up():
    """Do once what is done for the first time only, so that no child has to."""
    with tempfile.TemporaryDirectory() as folder, ScienceArchive() as archive:
        places = {name: f"{folder}/{name}" for name in ("db", "store", "cache")}
        with calrecords.connect(**places, archive=archive.root, token=archive.token) as cal:
            cal.ingest(write_synthetic_frame(folder))
        make_s3_client(endpoint_url=archive.root, access_key="x", secret_key="x").close()


def work(order, arguments, wait):
    """Do what is ordered, once all are ready."""
    os.environ.update(order["environment"])

    def reached(step):
        if step == order.get("dies_at"):
            os.kill(os.getpid(), signal.SIGKILL)

    with calrecords.connect(**order["places"], on_step=reached) as cal:
        wait()
        return WORK[order["work"]](cal, **arguments)


def begin(order, arguments, gate):
    """Return the number of a new process, and where it says what came out."""
    told, to_us = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(gate[1])
            answer = work(order, arguments, lambda: os.read(gate[0], 1))
            with os.fdopen(to_us, "w") as pipe:
                json.dump(answer, pipe)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(to_us)
    return pid, os.fdopen(told)


def carry_out(order):
    """Return how each process ended, and what it said."""
    gate = os.pipe()
    begun = [begin(order, arguments, gate) for arguments in order["each"]]
    for end in gate:
        os.close(end)
    ends = []
    for pid, told in begun:
        with told:
            answer = told.read()
        ends.append(
            (os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), json.loads(answer or "null"))
        )
    return ends


def main():
    """Carry out orders until there are no more."""
    warm_up()
    for line in sys.stdin:
        print(json.dumps(carry_out(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
