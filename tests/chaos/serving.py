"""The archive, and a bucket if one is wanted, in a process of their own that nobody kills."""

import multiprocessing
import traceback
from contextlib import ExitStack, contextmanager

from calrecords.testing import Fault, LoopbackS3, ScienceArchive

ARCHIVE_FAULTS = (
    Fault("500"),
    Fault("500-after-commit"),
    Fault("503", seconds=0.5),
    Fault("429", seconds=0.5),
    Fault("403"),
    Fault("reset"),
    Fault("lost-answer"),
    Fault("lost-answer", method="POST"),
    Fault("delay", seconds=1.5),
    Fault("delay-after-commit", seconds=1.5),
    Fault("drip", seconds=0.002),
    Fault("login-page"),
    Fault("not-json"),
    Fault("truncated"),
    Fault("unannounced-end"),
    Fault("redirect", location="/frames/?limit=1"),
    Fault("stale", seconds=1.0, method="GET"),
    Fault("stale", seconds=1.0, method="GET"),
)
"""All but a byte changed on the way, which the archive's answers have no checksum against."""

S3_FAULTS = (
    Fault("500"),
    Fault("500-after-commit"),
    Fault("503"),
    Fault("reset"),
    Fault("lost-answer"),
    Fault("lost-answer", method="PUT"),
    Fault("delay", seconds=1.5),
    Fault("delay-after-commit", seconds=1.5),
)


@contextmanager
def servers(folder, *, with_s3, rate, seed):
    """Give a handle of servers that run in a process of their own until the block ends.

    To be entered before this process has threads, since it forks.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, ours, folder, with_s3, rate, seed))
    process.start()
    theirs.close()
    try:
        yield Servers(ours)
    finally:
        ours.close()
        process.join(30)
        if process.is_alive():
            process.kill()
            process.join()


class Servers:
    """What can be asked of them."""

    def __init__(self, pipe):
        self._pipe = pipe
        self.root, self.token, self.endpoint_url, self.bucket = self._ask("places")

    def _ask(self, question):
        self._pipe.send(question)
        answer = self._pipe.recv()
        if isinstance(answer, str) and answer.startswith("Traceback"):
            raise RuntimeError(answer)
        return answer

    def break_things(self):
        """Let a share of all requests meet faults from now on."""
        self._ask("break")

    def mend(self):
        """Answer every request as it should be from now on."""
        self._ask("mend")

    def met(self):
        """Return how many requests each kind of fault has hit, at the archive and at S3."""
        return self._ask("met")

    def archived(self):
        """Return (frame ID, basename, ((md5, key), ...) newest first) of the archive's frames."""
        return self._ask("archived")

    def objects(self):
        """Return the md5 of every object version in the bucket, by its key and version key."""
        return self._ask("objects")


def _serve(pipe, other_end, folder, with_s3, rate, seed):
    other_end.close()  # else the end of whom it serves would not be heard
    with ExitStack() as opened:
        s3 = opened.enter_context(LoopbackS3()) if with_s3 else None
        served = {"files": folder / "store"} if s3 is None else {"url_for": _no_url}
        archive = opened.enter_context(ScienceArchive(**served))
        answers = _Answers(archive, s3, rate, seed)
        while True:
            try:
                question = pipe.recv()
            except EOFError:
                return
            try:
                answer = getattr(answers, f"_{question}")()
            except Exception:
                answer = traceback.format_exc()
            pipe.send(answer)


def _no_url(key, _version_key):
    return f"http://127.0.0.1:9/{key}"


class _Answers:
    """What the servers' process says."""

    def __init__(self, archive, s3, rate, seed):
        self._archive, self._s3, self._rate, self._seed = archive, s3, rate, seed

    def _places(self):
        s3 = (self._s3.endpoint_url, self._s3.bucket) if self._s3 else (None, None)
        return self._archive.root, self._archive.token, *s3

    def _break(self):
        self._archive.faults.scatter(ARCHIVE_FAULTS, rate=self._rate, seed=self._seed)
        if self._s3:
            self._s3.faults.scatter(S3_FAULTS, rate=self._rate / 2, seed=self._seed)

    def _mend(self):
        self._archive.faults.clear()
        if self._s3:
            self._s3.faults.clear()

    def _met(self):
        met = {"archive": self._archive.faults.met()}
        return met | ({"S3": self._s3.faults.met()} if self._s3 else {})

    def _archived(self):
        return [
            (frame["id"], frame["basename"], tuple((v["md5"], v["key"]) for v in frame["versions"]))
            for frame in self._archive.frames()
        ]

    def _objects(self):
        pages = self._s3.client().get_paginator("list_object_versions")
        return {
            (one["Key"], one["VersionId"]): one["ETag"].strip('"')
            for page in pages.paginate(Bucket=self._s3.bucket)
            for one in page.get("Versions", [])
        }
