"""A secret that a test shows in any way is heard, and one that it does not show is no alarm."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CANARIES = str(Path(__file__).parent / "canaries.py")
CONFTEST = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("canaries", {CANARIES!r})
canaries = sys.modules["canaries"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(canaries)

def pytest_configure(config):
    config.pluginmanager.register(canaries)
"""

LEAKS = """
import http.client, http.server, logging, subprocess, sys, threading, warnings
import pytest
from canaries import DATABASE_PASSWORD as SECRET

class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass

@pytest.fixture
def token():
    "A token that was sent to a server."
    server = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.handle_request).start()
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
    headers = {"Authorization": "Token abcdef0123456789"}
    connection.request("GET", "/a?X-Amz-Signature=fedcba9876543210", headers=headers)
    connection.getresponse().read()
    connection.close()
    server.server_close()
    return "abcdef0123456789"

def test_in_a_log(token):
    logging.getLogger("calrecords.x").debug("sent %s", token)

def test_in_a_log_of_others():
    logging.getLogger("urllib3.connectionpool").debug("GET /a?X-Amz-Signature=SECRET")

def test_in_a_log_of_s3():
    logging.getLogger("botocore.credentials").info("found %s", SECRET)

def test_in_a_logged_traceback():
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("calrecords.x").exception("failed")

def test_in_a_signed_address(token):
    print("GET /a?X-Amz-Signature=fedcba9876543210")

@pytest.mark.filterwarnings("default")
def test_in_a_warning():
    warnings.warn(SECRET)

def test_in_what_is_printed(token):
    print(f"Token {token}")

def test_in_what_is_printed_and_read(capsys):
    print(SECRET, file=sys.stderr)
    assert capsys.readouterr().err

def test_in_an_error():
    with pytest.raises(ValueError, match="canary"):
        raise ValueError(SECRET)

def test_in_the_cause_of_an_error():
    with pytest.raises(ValueError, match="clean"):
        raise ValueError("clean") from OSError(SECRET)

def test_in_the_pickle_of_an_error():
    error = ValueError("clean")
    error.url = SECRET
    with pytest.raises(ValueError, match="clean"):
        raise error

def test_in_the_output_of_a_process():
    command = [sys.executable, "-c", "import sys; print(sys.stdin.read())"]
    subprocess.run(command, input=SECRET, text=True, capture_output=True)

def test_in_the_arguments_of_a_process():
    from calrecords.datafiles.line_process import LineProcess
    process = LineProcess([sys.executable, "-c", "print(input())", SECRET], {})
    process.ask("clean", 10)
    process.end()

def test_in_the_records(tmp_path):
    (tmp_path / "records.sqlite").write_text(SECRET)

@pytest.mark.shows_secrets("on purpose")
def test_clean_on_purpose():
    print(SECRET)

def test_clean(token, tmp_path, capsys):
    print("Token 0000000000000000", capsys.readouterr())
    logging.getLogger("calrecords.x").debug("clean")
    (tmp_path / "records.sqlite").write_text("clean")
    with pytest.raises(ValueError, match="clean"):
        raise ValueError("clean") from None
    subprocess.run([sys.executable, "-c", "print('clean')", SECRET], check=True)

def test_clean_and_no_less_in_the_log(caplog):
    logging.getLogger("calrecords.x").info("not asked for")
    assert caplog.records == []
    caplog.set_level(logging.INFO)
    logging.getLogger("calrecords.x").info("asked for")
    logging.getLogger("calrecords.x").debug("not asked for")
    assert [record.getMessage() for record in caplog.records] == ["asked for"]
"""
TESTS = re.findall(r"^def (test_\w+)", LEAKS, re.M)


@pytest.fixture(scope="module")
def run_leaks(tmp_path_factory):
    """Return a function that runs the tests above, and returns exit code and what was said."""
    folder = tmp_path_factory.mktemp("leaks")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_leaks.py").write_text(LEAKS)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")

    def run(*words):
        with (folder / "said").open("w+") as said:  # not to be heard here
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
                cwd=folder,
                env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
                stdout=said,
                stderr=said,
                check=False,
            )
            said.seek(0)
            return done.returncode, said.read()

    return run


@pytest.fixture(scope="module")
def ends(run_leaks):
    """Return how each of the tests above ended."""
    _, text = run_leaks("-rA")
    found = re.findall(r"^(PASSED|FAILED|ERROR) test_leaks.py::(\w+)", text, re.M)
    return {name: {how for how, whose in found if whose == name} for name in TESTS}


@pytest.mark.parametrize("name", TESTS)
def test_a_secret_is_heard_wherever_it_is_shown(name, ends):
    assert ends[name]
    assert bool(ends[name] & {"FAILED", "ERROR"}) is ("clean" not in name)


def test_a_secret_in_a_warning_alone_makes_a_run_fail(run_leaks):
    code, _ = run_leaks("-k", "test_in_a_warning")
    assert code == pytest.ExitCode.TESTS_FAILED
    code, _ = run_leaks("-k", "clean")
    assert code == pytest.ExitCode.OK
