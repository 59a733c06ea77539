"""Listens to the whole suite for secrets: what a test uses as one must show up nowhere.

Tokens and signed addresses that a server on loopback is sent, the password with which tests
log in to PostgreSQL, and the made-up ones of some tests, are looked for in what each test
logs, warns of, prints and raises, in what the processes print that it starts, in the
arguments of processes that calrecords starts, and in the records that it leaves. A test
that shows one on purpose says so: ``@pytest.mark.shows_secrets``.

Registered by ``conftest.py``.
"""

import http.server
import logging
import pickle
import secrets
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from _pytest.capture import CaptureFixture
from _pytest.raises import RaisesExc

DATABASE_PASSWORD = f"canary-{secrets.token_hex(12)}"
"""A server that trusts this machine takes any."""

MADE_UP = {
    DATABASE_PASSWORD,
    "0123456789abcdef0123456789abcdef01234567",
    "X-Amz-Signature=SECRET",
    "PROXY-SECRET",
    "NETRC-SECRET",
    "not-to-be-said",
    "topsecret",
}
SIGNED = ("X-Amz-Signature", "X-Amz-Security-Token", "Signature", "sig")
LISTENED_TO = {
    **dict.fromkeys(("calrecords", "urllib3", "requests", "psycopg"), logging.DEBUG),
    **dict.fromkeys(("botocore", "boto3"), logging.INFO),  # at DEBUG botocore shows what it signs
}
PACKAGE = str(Path(__file__).parents[1] / "calrecords")
SHORTEST = 12


class Listener(logging.Handler):
    """What one test may not show, and all that it shows."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.used = set()
        self.searched = 0
        self.warned = []
        self.start()

    def start(self):
        self.secrets = set(MADE_UP)
        self.heard = []

    def use(self, secret):
        """Note what must not show up; a wrong token of zeros is none."""
        if len(secret) >= SHORTEST and len(set(secret)) > 2:
            self.secrets.add(secret)
            self.used.add(secret)

    def hear(self, where, text):
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        if text:
            self.heard.append((where, text))

    def emit(self, record):
        self.hear(f"the log {record.name}", logging.Formatter().format(record))

    def hear_error(self, error):
        self.hear("an error", "".join(traceback.format_exception_only(error)) + repr(error))
        self.hear("a traceback", "\n".join(_shown_chain(error)))
        with suppress(Exception):  # what cannot be pickled is in no pickle
            self.hear("a pickle", pickle.dumps(error))

    def leaks(self):
        """Return where a secret was seen."""
        self.searched += len(self.heard)
        return sorted({where for where, text in self.heard if self.holds_a_secret(text)})

    def holds_a_secret(self, text):
        return any(secret in text for secret in self.secrets)


listener = Listener()


def _shown_chain(error):
    """Return the texts that a traceback would show, without lines of source."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield f"{error!r} {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _wrapped(owner, name, listen):
    """Let something else of Python or pytest be heard, whatever it does."""
    original = getattr(owner, name)

    def heard(self, *arguments, **named):
        result = original(self, *arguments, **named)
        listen(self, result, *arguments)
        return result

    setattr(owner, name, heard)


def _note_request(handler, is_whole):
    if not is_whole:
        return
    scheme, _, token = (handler.headers.get("Authorization") or "").partition(" ")
    if scheme in {"Token", "Bearer"}:
        listener.use(token.strip())
    query = parse_qs(urlsplit(handler.path).query)
    for name in SIGNED:
        for value in query.get(name, ()):
            listener.use(value)


def _hear_output(process, output, *_):
    words = process.args if isinstance(process.args, list | tuple) else [process.args]
    for text in output:
        listener.hear(f"the output of {' '.join(map(str, words))[:60]}", text)


def _hear_capture(_, result):
    listener.hear("stdout", result.out)
    listener.hear("stderr", result.err)


def _hear_raised(_, is_expected, kind=None, error=None, *__):
    if is_expected and error is not None:
        listener.hear_error(error)


def _hear_arguments(event, arguments):
    if event != "subprocess.Popen":
        return
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename.startswith(PACKAGE):
            listener.hear("the arguments of a process", repr(arguments[1]))
            return
        frame = frame.f_back


_wrapped(http.server.BaseHTTPRequestHandler, "parse_request", _note_request)
_wrapped(subprocess.Popen, "communicate", _hear_output)
_wrapped(CaptureFixture, "readouterr", _hear_capture)
_wrapped(RaisesExc, "__exit__", _hear_raised)
sys.addaudithook(_hear_arguments)


def pytest_configure(config):
    config.addinivalue_line("markers", "shows_secrets(reason): shows what others must not")
    if config.getoption("benchmark_enable", default=False):
        return  # logging costs time
    for name, level in LISTENED_TO.items():
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.addHandler(listener)


@pytest.fixture(autouse=True)
def quiet_debugging(caplog):
    """Let tests see in their log what they would without a listener."""
    caplog.handler.setLevel(logging.WARNING)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    listener.start()


def pytest_warning_recorded(warning_message, nodeid):
    """Note what is told of only after the test has ended."""
    if listener.holds_a_secret(str(warning_message.message)):
        listener.warned.append(nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    for name, text in report.sections:
        if "log" not in name:  # of any level, and heard already
            listener.hear(name, text)
    if call.when == "teardown":
        folder = item.funcargs.get("tmp_path") if hasattr(item, "funcargs") else None
        for file in folder.rglob("*.sqlite") if folder is not None else ():
            with suppress(OSError):  # a test may have closed it to us
                if file.is_file():  # nor wait for what nobody writes into a pipe
                    listener.hear("records", file.read_bytes().decode("latin-1"))
    if report.passed and not item.get_closest_marker("shows_secrets"):
        where = listener.leaks()
        if where:
            report.outcome = "failed"
            report.longrepr = f"a secret was seen in {', '.join(where)}"
    return report


def pytest_terminal_summary(terminalreporter, config):
    used, searched = len(listener.used), listener.searched
    for worker in getattr(config, "canaries_of_workers", ()):
        used, searched = used + worker[0], searched + worker[1]
    terminalreporter.write_line(f"{used} secrets were used, and looked for in {searched} texts")
    for nodeid in listener.warned:
        terminalreporter.write_line(f"FAILED {nodeid} - a secret was seen in a warning")


def pytest_sessionfinish(session):
    if listener.warned:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["canaries"] = (len(listener.used), listener.searched)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    found = getattr(node, "workeroutput", {}).get("canaries")
    config = node.config
    config.canaries_of_workers = [*getattr(config, "canaries_of_workers", ()), found or (0, 0)]
