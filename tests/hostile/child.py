"""Uses one hostile file after another, and says of each what came of it and what it cost.

Run by `children`. Reads a line of JSON for each file from standard input, and prints one.
"""

import contextlib
import json
import logging
import os
import pickle
import resource
import sys
import tempfile
import threading
import time
import traceback
import warnings
from pathlib import Path

import calrecords
from calrecords.datafiles import DataFileFactory, TarWithFitsFile, check_archivable, open_hdu_list
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.errors import CalRecordsError, ConfigurationError
from calrecords.testing.science_archive import DEFAULT_OBSERVATION_TYPES

MOST_ADDRESS_BYTES = 2 << 30
"""What a bomb may ask for before the machine suffers."""
LONGEST_MESSAGE = 1_000

_CHANGES = {"os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.link", "os.symlink", "os.chmod"}
_BEYOND = {"subprocess.Popen", "os.exec", "os.fork", "os.posix_spawn", "os.system"} | {
    "socket.connect",
    "socket.getaddrinfo",
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """Notes what is written outside of a folder, started, or asked over a network.

    Parameters
    ----------
    folder : Path
        Where everything may be written.
    archive : str, optional
        Address of the only server that may be asked.
    """

    def __init__(self, folder, archive=None):
        self._folder = os.path.realpath(folder)
        self._server = f"{archive}".removeprefix("http://").strip("/")
        self.noted = []

    def __call__(self, event, arguments):
        if event in _BEYOND:
            asked = arguments[1] if event == "socket.connect" else arguments[:2]
            if ":".join(map(str, asked)) != self._server:
                self.noted.append(f"{event} {arguments!r:.200}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
            self._look_at(event, arguments[:1])
        elif event in _CHANGES:
            self._look_at(event, arguments[:2])

    def _look_at(self, event, paths):
        for path in paths:
            if isinstance(path, str | bytes | os.PathLike):
                place = os.path.realpath(os.fsdecode(path))
                if place != os.devnull and not f"{place}/".startswith(f"{self._folder}/"):
                    self.noted.append(f"{event} {place}")


def factory():
    return DataFileFactory({".tar": TarWithFitsFile})


def read(cal, path):
    """Open a file, and read all that an ingestion would say of it."""
    data_file = factory().open(path)
    record = data_file.archive_record()
    json.dumps(record, allow_nan=False).encode()
    assert not {"..", "", "."} & set(data_file.store_key.split("/")), data_file.store_key
    data_file.digest()
    check_archivable(data_file, DEFAULT_OBSERVATION_TYPES)


def register(cal, path):
    """Store and record it."""
    result = cal.register(factory().open(path))
    assert result.frame.version.size == path.stat().st_size


def ingest(cal, path):
    """Store it, register it with the archive and record it."""
    assert cal.ingest(factory().open(path)).frame_id is not None


def look(cal, path):
    """Open it with astropy, as `open` does with the frames that it fetched."""
    with open_hdu_list(path) as hdus:
        assert hdus[0] is not None


VERBS = {verb.__name__: verb for verb in (read, register, ingest, look)}


def fault_of(error, path):
    """Return what is wrong with an error; nothing if it is as ours should be."""
    if not isinstance(error, CalRecordsError):
        said = "".join(traceback.format_exception(error))
        return f"it is not ours: {said[-2_000:]}"
    message = str(error)
    if not message.replace(path.name, "").isprintable():
        return f"its message cannot be printed: {message!r:.200}"
    if len(message) > LONGEST_MESSAGE:
        return f"its message has {len(message)} characters: {message:.200}"
    if path.name.partition(".")[0] not in message:
        return f"its message does not name the file: {message}"
    if str(pickle.loads(pickle.dumps(error))) != message:
        return f"it is another one once it was pickled: {message}"
    return None


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").glob("*"))  # none where there is no such folder


def use(verb, cal, path, watch):
    """Return what came of one use of a file."""
    before = descriptors(), threading.active_count()
    watch.noted.clear()
    outcome, message, faults = "taken", "", []
    began, began_cpu = time.perf_counter(), time.process_time()
    try:
        VERBS[verb](cal, path)
    except Exception as error:
        seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
        outcome, message = type(error).__name__, str(error)
        faults = [fault_of(error, path)]
    else:
        seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    faults += [f"it did {one}" for one in watch.noted]
    after = descriptors(), threading.active_count()
    if any(now > was for now, was in zip(after, before, strict=True)):
        faults.append(f"it left open {before} -> {after}")
    return {
        "verb": verb,
        "outcome": outcome,
        "message": message[:LONGEST_MESSAGE],
        "faults": [fault for fault in faults if fault],
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_bytes": peak_bytes(),
    }


def peak_bytes():
    """Return the most that this process had in memory; what its parent had counts in getrusage."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def warm_up(cal):
    """Let be loaded and opened what stays so, with a frame that nobody harmed."""
    with tempfile.TemporaryDirectory() as folder:
        number = os.getpid()  # another frame than that of the process before
        path = write_synthetic_frame(folder, basename=f"sound-{number}", shape=(8, 8), seed=number)
        for verb in VERBS.values():
            with contextlib.suppress(ConfigurationError):  # there may be no archive to ingest to
                verb(cal, path)


def main():
    folder, places = Path(sys.argv[1]), json.loads(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESS_BYTES, MOST_ADDRESS_BYTES))
    logging.disable()
    warnings.simplefilter("ignore")
    watch = Watch(folder, places.get("archive"))
    with calrecords.connect(**places) as cal:
        warm_up(cal)
        sys.addaudithook(watch)
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            path = Path(asked["path"])
            used = [use(verb, cal, path, watch) for verb in asked["verbs"]]
            print(json.dumps(used), flush=True)
        sys.stdin.close()


if __name__ == "__main__":
    main()
