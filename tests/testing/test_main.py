import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest


@pytest.fixture
def run():
    started = []

    def run(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "calrecords.testing", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


def test_prints_root_and_token_and_answers_until_its_input_ends(run, tmp_path):
    process = run("--until-stdin-ends", "--database", str(tmp_path / "a.db"), "--token", "t" * 40)
    said = json.loads(process.stdout.readline())
    assert said.keys() == {"root", "token"}
    assert said["token"] == "t" * 40
    request = urllib.request.Request(
        said["root"] + "profile/", headers={"Authorization": f"Token {said['token']}"}
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["is_staff"] is True
    process.stdin.close()
    assert process.wait(timeout=10) == 0
    assert (tmp_path / "a.db").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_when_told_to(run, number):
    process = run("--observation-types", "BIAS,BPM", "--md5-filter-works")
    root = json.loads(process.stdout.readline())["root"]
    process.send_signal(number)
    assert process.wait(timeout=10) == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(root)


def test_says_why_it_cannot_start(run, tmp_path):
    process = run("--database", str(tmp_path / "missing" / "a.db"))
    _, said = process.communicate(timeout=10)
    assert process.returncode == 1
    assert said.startswith("the archive cannot keep its frames in ")


def test_needs_neither_pytest_nor_requests():
    code = (
        "import sys; import calrecords.testing; "
        "sys.exit(any(m in sys.modules for m in ('pytest', 'requests', 'boto3', 'sqlalchemy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
