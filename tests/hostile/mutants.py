"""Broken and hostile files without end, each made from real ones by its number alone."""

import random
from dataclasses import dataclass

import fits_harms
import packed_harms

MOST_SOURCE_BYTES = 200_000
"""Larger frames say no more in their headers, and take longer to write."""
MOST_BYTES = 4 << 20
"""What would make a file longer is not done to it."""
KINDS = {".fits": 35, ".fits.fz": 30, ".fits.gz": 12, ".tar.gz": 13, ".tar": 10}
"""How many in a hundred are of each kind."""
_RARELY = 0.01


@dataclass(frozen=True)
class Mutant:
    """A file that somebody may hand in.

    Attributes
    ----------
    number : int
        Makes the same one again.
    extension : str
        What kind of file its name says it is.
    harms : tuple of str
        What was done to it.
    data : bytes
        Its content.
    """

    number: int
    extension: str
    harms: tuple
    data: bytes

    @property
    def filename(self):
        return f"mutant-{self.number:06d}{self.extension}"


class Mutator:
    """Makes mutants of the frames in a folder.

    Parameters
    ----------
    folder : Path
        Real frames.
    seed : int
        Other mutants for another seed.
    """

    def __init__(self, folder, seed=0):
        self._seed = seed
        self._sources = {
            extension: [
                path.read_bytes()
                for path in sorted(folder.glob(f"*{extension}"))
                if path.stat().st_size <= MOST_SOURCE_BYTES
            ]
            for extension in (".fits", ".fits.fz")
        }
        assert all(self._sources.values()), f"no small frames in {folder}"

    def make(self, number):
        """Return the mutant of this number."""
        rng = random.Random(f"{self._seed}-{number}")
        (extension,) = rng.choices(list(KINDS), KINDS.values())
        harms = []
        if extension in {".tar.gz", ".tar"}:
            data = self._tar(rng, harms)
        else:
            kind = ".fits.fz" if extension == ".fits.fz" else ".fits"
            least = 0 if extension == ".fits.gz" else 1
            data = self._frame(rng, kind, harms, least=least)
        if extension.endswith(".gz"):
            data = self._gzip(rng, data, harms)
        return Mutant(number, extension, tuple(harms), bytes(data))

    def _frame(self, rng, kind, harms, *, least):
        data = bytearray(rng.choice(self._sources[kind]))
        if rng.random() < 0.02:
            harms.append("concatenated")
            data += rng.choice(self._sources[rng.choice(list(self._sources))])
        if rng.random() < 0.9:
            fits_harms.unsummed(data)
        for _ in range(rng.choice((least, 1, 1, 1, 2, 4))):
            data = _harmed(rng, data, fits_harms.COMMON, fits_harms.RARE, harms)
        return data

    def _tar(self, rng, harms):
        frames = []
        for _ in range(rng.choice((0, 1, 2, 2, 3, 6))):
            kind = rng.choice(list(self._sources))
            if rng.random() < 0.3:
                frames.append(bytes(self._frame(rng, kind, harms, least=0)))
            else:
                frames.append(rng.choice(self._sources[kind]))
        data = packed_harms.tar_of(rng, frames)
        for _ in range(rng.choice((0, 0, 1, 2))):
            data = _harmed(rng, data, packed_harms.TAR, (), harms)
        if rng.random() < 0.2:
            data = _harmed(rng, data, (fits_harms.bits_flipped, fits_harms.cut), (), harms)
        return data

    def _gzip(self, rng, data, harms):
        data = packed_harms.packed(rng, data)
        for _ in range(rng.choice((0, 1, 1, 2))):
            data = _harmed(rng, data, packed_harms.GZIP, packed_harms.RARE, harms)
        return data


def _harmed(rng, data, usual, rare, harms):
    if not data:
        return data
    harm = rng.choice(rare if rare and rng.random() < _RARELY else usual)
    harmed = harm(rng, bytearray(data))
    if len(harmed) > MOST_BYTES:
        return data
    harms.append(harm.__name__)
    return harmed
