"""Fetches frames in many processes that are killed, from an archive on which nothing is sure.

Run it for the figure of the README:

    python tests/downloads/broken_fetches.py --fetches 10000
"""

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from monitoring import HUNG_S, Monitor
from serving import make_ground, served


@dataclass
class Figure:
    """What came out."""

    fetches: int = 0
    returned: int = 0
    wrong: list = field(default_factory=list)
    gone: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    messages: dict = field(default_factory=dict)
    foreign: list = field(default_factory=list)
    ways: Counter = field(default_factory=Counter)
    damages: Counter = field(default_factory=Counter)
    met: Counter = field(default_factory=Counter)
    kills: int = 0
    killed_in_a_fetch: int = 0
    died: list = field(default_factory=list)
    hung: list = field(default_factory=list)
    slowest_s: float = 0.0
    strays: int = 0
    strays_left: list = field(default_factory=list)
    not_had_at_last: list = field(default_factory=list)
    took_s: float = 0.0

    @property
    def is_perfect(self):
        # who may not write cannot mark what it uses, and others then let go of it
        gone = set(self.gone) - {"read-only"}
        bad = (self.wrong, gone, self.foreign, self.died, self.hung)
        return not any((*bad, self.strays_left, self.not_had_at_last))

    def add(self, said):
        """Count what a process said of one fetch."""
        self.fetches += 1
        self.ways[said["way"]] += 1
        self.slowest_s = max(self.slowest_s, said["took_s"])
        if "error" in said:
            self.refused[said["error"]] += 1
            self.messages.setdefault(said["error"], said["message"])
        elif "foreign" in said:
            self.foreign.append(said["foreign"])
        else:
            self.returned += 1
            if said["found"] == "gone":
                self.gone[said["way"]] += 1
            elif not said["is_right"]:
                self.wrong.append(said)


def strays(ground):
    """Return what is in the cache and among temporary files that is no frame."""
    names = {f"{basename}.fits" for basename in ground.md5s}
    files = [path for path in ground.cache.rglob("*") if path.is_file() and path.name not in names]
    return [str(path.relative_to(ground.folder)) for path in files] + [
        str(path.relative_to(ground.folder)) for path in ground.temporary.rglob("*")
    ]


def look_after(ground, figure):
    """Clean the cache, and fetch everything once more while nothing breaks."""
    figure.strays = len(strays(ground))
    tempfile.tempdir = str(ground.temporary)
    with ground.client() as client, ground.connect("away", client) as cal:
        cal.cache.verify()
        figure.strays_left = strays(ground)
        assert cal.cache.verify() == []
        for basename, md5 in ground.md5s.items():
            if hashlib.md5(cal.fetch(basename).read_bytes()).hexdigest() != md5:
                figure.not_had_at_last.append(basename)
        figure.strays_left += strays(ground)


def measure(folder, fetches, *, with_s3=False, seed=0, workers=4, kill_every_s=0.25):
    """Return what comes of so many fetches; records, cache and store are made in a folder."""
    figure, began = Figure(), time.monotonic()
    with served(folder, with_s3=with_s3) as servers:
        ground = make_ground(folder, servers)
        servers.break_things(seed)
        monitor = Monitor(ground, figure, seed=seed, workers=workers, kill_every_s=kill_every_s)
        monitor.run(fetches)
        figure.met.update(servers.mend())
        look_after(ground, figure)
    figure.took_s = time.monotonic() - began
    return figure


def said(figure):
    """Yield the lines of a figure."""

    def counted(counter):
        return ", ".join(f"{count} {name}" for name, count in counter.most_common())

    yield (
        f"{figure.fetches} fetches, {figure.kills} kills, {figure.killed_in_a_fetch} of them in a "
        f"fetch; {figure.met.total()} faults met, {figure.damages.total()} damages to the cache"
    )
    yield (
        f"returned {figure.returned}, wrong {len(figure.wrong)}, gone before it was read "
        f"{counted(figure.gone) or 0}"
    )
    yield f"hung {len(figure.hung)}, slowest {figure.slowest_s:.1f} s of {HUNG_S:g}"
    yield (
        f"errors {figure.refused.total()}, not ours {len(figure.foreign)}; strays {figure.strays}, "
        f"left after cleaning {len(figure.strays_left)}; all took {figure.took_s:.0f} s"
    )
    yield f"ways: {counted(figure.ways)}"
    yield f"faults: {counted(figure.met)}"
    yield f"damages: {counted(figure.damages)}"
    yield f"errors: {counted(figure.refused)}"
    yield from (f"for example {name}: {one}" for name, one in figure.messages.items())
    for name in ("wrong", "foreign", "died", "hung", "strays_left", "not_had_at_last"):
        yield from (f"{name}: {one}" for one in getattr(figure, name))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fetches", type=int, default=10_000)
    parser.add_argument("--store", choices=["file system", "S3"], default="file system")
    parser.add_argument("--workers", type=int, default=4, help="processes at a time")
    parser.add_argument("--kill-every", type=float, default=0.25, help="seconds, on average")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figure = measure(
            Path(folder),
            asked.fetches,
            with_s3=asked.store == "S3",
            seed=asked.seed,
            workers=asked.workers,
            kill_every_s=asked.kill_every,
        )
    if asked.json:
        print(json.dumps({**vars(figure), "is_perfect": figure.is_perfect}, indent=2))
    else:
        print(*said(figure), sep="\n")
    sys.exit(0 if figure.is_perfect else 1)


if __name__ == "__main__":
    main()
