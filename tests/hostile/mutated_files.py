"""Lets calrecords open, read and register files that were harmed, and says what came of it.

Run it for the figure of the README:

    python tests/hostile/mutated_files.py --count 20000
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from children import BYTES, SECONDS, Child
from mutants import Mutator

import calrecords

SOURCES = Path(__file__).resolve().parents[3] / "shared" / "data" / "lco"
VERBS = ("read", "register")
FITS_VERBS = (*VERBS, "look")


@dataclass
class Figure:
    """What came out."""

    files: int = 0
    uses: int = 0
    registered: int = 0
    refused: int = 0
    faults: list = field(default_factory=list)
    left_behind: list = field(default_factory=list)
    measured_again: int = 0
    slowest_s: float = 0.0
    slowest: str = ""
    most_bytes: int = 0
    kinds: Counter = field(default_factory=Counter)
    harms: Counter = field(default_factory=Counter)
    outcomes: Counter = field(default_factory=Counter)
    took_s: float = 0.0

    @property
    def is_perfect(self):
        return not (self.faults or self.left_behind) and self.slowest_s <= SECONDS

    def add(self, mutant, used):
        """Count what came of one file."""
        self.files += 1
        self.kinds[mutant.extension] += 1
        self.harms.update(set(mutant.harms) or {"none"})
        for one in used:
            self.uses += 1
            self.outcomes[f"{one.verb}: {one.outcome}"] += 1
            self.most_bytes = max(self.most_bytes, one.peak_bytes)
            if one.seconds > self.slowest_s:
                self.slowest_s, self.slowest = one.seconds, f"{mutant.filename}, {one.verb}"
            self.faults += [
                f"{mutant.filename} ({', '.join(mutant.harms)}), {one.verb}: {fault}"
                for fault in one.faults
            ]
            if one.verb == "register":
                self.registered += one.outcome == "taken"
                self.refused += one.outcome != "taken"


def places(folder):
    return {"db": str(folder / "records.sqlite"), "store": str(folder / "store")} | {
        "cache": str(folder / "cache")
    }


def measure(folder, sources, numbers, seed, *, keep=None):
    """Return what came of the mutants of these numbers, made and used in an empty folder."""
    figure, mutator, began = Figure(), Mutator(sources, seed), time.monotonic()
    incoming = folder / "incoming"
    incoming.mkdir()
    with Child(folder, places(folder)) as child:
        for number in numbers:
            mutant = mutator.make(number)
            path = incoming / mutant.filename
            path.write_bytes(mutant.data)
            verbs = VERBS if "tar" in mutant.extension else FITS_VERBS
            used = child.use(path, verbs)
            if any(one.seconds > SECONDS for one in used) and not any(one.faults for one in used):
                used = used_again(child, path, verbs, figure)
            figure.add(mutant, used)
            if path.read_bytes() != mutant.data:
                figure.left_behind.append(f"{path.name} was changed")
            if keep is not None and any(one.faults for one in used):
                (keep / mutant.filename).write_bytes(mutant.data)
            path.unlink()
    figure.left_behind += left_behind(folder)
    figure.took_s = time.monotonic() - began
    return figure


def used_again(child, path, verbs, figure):
    """Return what came of a copy: a machine that is busy or stopped is slow only now and then."""
    figure.measured_again += 1
    copy = path.with_name(
        f"{path.name.partition('.')[0]}-again{figure.measured_again}{''.join(path.suffixes)}"
    )
    copy.write_bytes(path.read_bytes())
    used = child.use(copy, verbs)
    copy.unlink()
    return used


def left_behind(folder):
    """Return what is in a folder, store or journal that should not be."""
    expected = {"incoming", "store", "tmp"} | {"cache"}
    left = [
        str(path.relative_to(folder))
        for path in folder.iterdir()
        if path.name not in expected and not path.name.startswith("records.sqlite")
    ]
    for name in ("incoming", "tmp", "cache"):
        left += [str(path.relative_to(folder)) for path in (folder / name).rglob("*")]
    with calrecords.connect(**places(folder)) as cal:
        left += [f"audit: {finding.kind} {finding.name}" for finding in cal.audit().findings]
        left += [f"ingestion: {failed.filename}" for failed in cal.failed_ingestions()]
    return left


def said(figure, seed):
    """Yield the lines of a figure."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in figure.kinds.most_common())
    yield f"{figure.files} harmed files ({kinds}), seed {seed}: {figure.uses} uses"
    yield (
        f"registered {figure.registered}, refused {figure.refused}; faults {len(figure.faults)}, "
        f"left behind {len(figure.left_behind)}"
    )
    yield (
        f"slowest {figure.slowest_s:.2f} s of {SECONDS:g} ({figure.slowest}), most memory "
        f"{figure.most_bytes >> 20} MiB of {BYTES >> 20}; measured again "
        f"{figure.measured_again}; all took {figure.took_s:.0f} s"
    )
    yield "outcomes: " + ", ".join(f"{n} {name}" for name, n in figure.outcomes.most_common())
    yield "harms: " + ", ".join(f"{n} {name}" for name, n in figure.harms.most_common())
    yield from (f"fault: {fault}" for fault in figure.faults)
    yield from (f"left behind: {one}" for one in figure.left_behind)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sources", type=Path, default=SOURCES, help="a folder of real frames")
    parser.add_argument("--keep", type=Path, help="a folder for files that lead to a fault")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    numbers = range(asked.first, asked.first + asked.count)
    with tempfile.TemporaryDirectory() as folder:
        figure = measure(Path(folder), asked.sources, numbers, asked.seed, keep=asked.keep)
    if asked.json:
        print(json.dumps({**vars(figure), "is_perfect": figure.is_perfect}, indent=2))
    else:
        print(*said(figure, asked.seed), sep="\n")
    sys.exit(0 if figure.is_perfect else 1)


if __name__ == "__main__":
    main()
