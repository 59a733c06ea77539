"""The few files that a model run plays with, made once, and what is true of each."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from calrecords.datafiles import DataFileFactory, HeaderMapping
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.frames import ContentDigest

NIGHT = datetime(2026, 1, 2, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = ("a", "b", "c")
CAMERAS = ("fa01", "fa02")
CONTENTS = (0, 1, 2)

_STARTS_H = {"a": 0, "b": 24, "c": 24}
"""Hours after `NIGHT`; two names at one time, so that ties are met."""


@dataclass(frozen=True, order=True)
class Sample:
    """One file: of a frame, with a camera in its header, and the number of its content.

    Content 1 is content 0 made again, by its header a day earlier; content 2 has another time,
    another binning, and so another place in the store.
    """

    name: str
    camera: str
    content: int

    def __repr__(self):
        return f"Sample({self.name!r}, {self.camera!r}, {self.content})"

    @property
    def basename(self):
        return f"bias-{self.name}"

    @property
    def dateobs(self):
        return NIGHT + (_STARTS_H[self.name] + 36 * (self.content == 2)) * HOUR

    @property
    def created(self):
        return self.dateobs + (-12 if self.content == 1 else 12) * HOUR

    @property
    def binning(self):
        return "1x1" if self.content == 2 else "2x2"


ALL = tuple(Sample(*one) for one in ((n, c, k) for n in NAMES for c in CAMERAS for k in CONTENTS))


@dataclass(frozen=True)
class Made:
    """A sample on disk."""

    path: Path
    data: bytes
    digest: ContentDigest
    key: str

    @property
    def md5(self):
        return self.digest.md5


class Pool:
    """Every sample, written when it is first wanted.

    Parameters
    ----------
    folder : Path
        Where they are; nobody changes them.
    """

    def __init__(self, folder):
        self._folder = folder
        self._factory = DataFileFactory()

    @cache  # noqa: B019 - there is one pool in a run
    def __getitem__(self, sample):
        path = write_synthetic_frame(
            self._folder / f"{sample.camera}-{sample.content}",
            basename=sample.basename,
            camera=sample.camera,
            dateobs=sample.dateobs,
            binning=sample.binning,
            seed=ALL.index(sample),
            shape=(4, 4),
            extra={"DATE": sample.created.replace(tzinfo=None).isoformat()},
        )
        opened = self._factory.open(path, mapping=HeaderMapping())
        return Made(path, path.read_bytes(), opened.digest(), opened.store_key)

    @cache  # noqa: B019 - as above
    def named(self, md5):
        """Return the sample with this checksum; None if it is none of them."""
        return next((sample for sample in ALL if self[sample].md5 == md5), None)
