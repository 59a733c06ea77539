"""What is ingested, in which order, and who is killed when: all of it from one seed."""

import io
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import md5
from pathlib import Path

from astropy.io import fits

from calrecords.datafiles.synthetic import write_synthetic_frame

CAMERAS = (("lsc", "fa01"), ("cpt", "fa16"), ("elp", "kb70"), ("ogg", "kb27"))
NIGHTS = 3
NUMBER = b"'00000000'"
"""Where each content of one template differs."""

NEW_VERSIONS = 0.06
"""Which share of the ingestions brings other bytes under a basename that came before."""
AT_ONCE = 0.06
"""Which share brings what another process is at, or has been at just before."""
FROM_MEMORY = 0.1
"""Which share comes as a file object, which is spooled."""
RESUMED_AFTER = 400
"""After so many ingestions somebody begins to resume, and is killed as well."""


@dataclass(frozen=True)
class Content:
    """One file that is to end as one version of one frame."""

    number: int
    basename: str
    path: Path
    md5: str


@dataclass(frozen=True)
class Task:
    """One ingestion.

    Attributes
    ----------
    number : int
        Its place in the plan.
    content : Content
        What is ingested.
    from_memory : bool
        Whether the library gets a file object rather than a path.
    kill_after : float or None
        When its process is killed, as a part of what an ingestion usually takes; None if it
        is not. What takes longer or shorter is struck wherever it is then.
    """

    number: int
    content: Content
    from_memory: bool
    kill_after: float | None


@dataclass(frozen=True)
class Resumption:
    """What resumes all that is unfinished, and may be killed; as a `Task`, but of no content."""

    number: int
    kill_after: float | None = None


class Templates:
    """Small frames of several cameras and nights, of which each copy has a number of its own."""

    def __init__(self, folder):
        self._made = [self._template(folder, camera, night) for camera, night in self._kinds]

    @cached_property
    def _kinds(self):
        return [(camera, night) for camera in CAMERAS for night in range(NIGHTS)]

    def _template(self, folder, camera, night):
        dateobs = datetime(2026, 1, 2, 3, tzinfo=UTC) + timedelta(days=night)
        path = write_synthetic_frame(
            folder,
            site=camera[0],
            camera=camera[1],
            dateobs=dateobs,
            shape=(8, 8),
            extra={"CHAOS": "00000000"},
        )
        with fits.open(path) as hdus:
            for name in ("CHECKSUM", "DATASUM"):
                del hdus[0].header[name]
            buffer = io.BytesIO()
            hdus.writeto(buffer)
        path.unlink()
        assert buffer.getvalue().count(NUMBER) == 1
        return buffer.getvalue()

    def bytes_of(self, number, kind):
        """Return the bytes of one content."""
        return self._made[kind % len(self._made)].replace(NUMBER, b"'%08d'" % number)


class Plan:
    """All ingestions of a run.

    Parameters
    ----------
    folder : Path
        Where the files are written.
    ingestions : int
        How many there are.
    kills : int
        How many of them see their process killed.
    seed : int
        The same number gives the same plan.

    Attributes
    ----------
    contents : list of Content
        All files.
    first : Content
        One that is ingested in peace, before all others.
    tasks : list of Task and Resumption
        All that is done else, by number.
    """

    def __init__(self, folder, ingestions, kills, seed):
        draw = random.Random(seed)
        killed = set(draw.sample(range(ingestions), kills))
        self._templates = Templates(folder)
        self._folder = folder
        self.contents = []
        self.first = self._made(0, "chaos-000000", kind=0)
        self.contents.append(self.first)
        self.tasks = []
        for ingestion in range(ingestions):
            task = Task(
                number=len(self.tasks),
                content=self._content(draw),
                from_memory=draw.random() < FROM_MEMORY,
                kill_after=draw.uniform(0.0, 1.6) if ingestion in killed else None,
            )
            self.tasks.append(task)
            if ingestion % RESUMED_AFTER == RESUMED_AFTER - 1:
                self.tasks.append(Resumption(len(self.tasks), draw.uniform(0.0, 10.0)))

    def _content(self, draw):
        kind = draw.random()
        if kind < AT_ONCE:
            return self.contents[-draw.randint(1, min(4, len(self.contents)))]
        number = len(self.contents)
        older = number
        if number > 8 and kind < AT_ONCE + NEW_VERSIONS:
            # at random from all, so that some come while the older is at work or was killed
            older = self.contents[-1 - min(int(draw.expovariate(0.2)), number - 1)].number
            older = int(self.contents[older].basename.rpartition("-")[2])
        made = self._made(number, f"chaos-{older:06d}", kind=older)
        self.contents.append(made)
        return made

    def _made(self, number, basename, kind):
        data = self._templates.bytes_of(number, kind)
        path = self._folder / f"{number:06d}" / f"{basename}.fits"
        path.parent.mkdir()
        path.write_bytes(data)
        return Content(number, basename, path, md5(data).hexdigest())
