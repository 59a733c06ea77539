import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from calrecords.datafiles.line_process import MAX_ANSWER_BYTES, LineProcess

ECHO = "import os, sys\nfor line in sys.stdin: print(os.getpid(), line.strip(), flush=True)"
ONCE = "import sys; print(sys.stdin.readline().strip(), flush=True)"


@pytest.fixture
def start():
    started = []

    def make(code):
        started.append(LineProcess([sys.executable, "-c", code], {}))
        return started[-1]

    yield make
    for process in started:
        process.end()


def ask(process, question="hello", timeout_s=10.0):
    return process.ask(question, timeout_s).decode().split()


def test_one_process_answers_many_questions(start):
    process = start(ECHO)
    pid, said = ask(process)
    assert said == "hello"
    assert [ask(process, word) for word in ("a", "b")] == [[pid, "a"], [pid, "b"]]


def test_one_that_ended_is_started_again(start):
    process = start(ONCE)
    assert [ask(process, word) for word in ("a", "b", "c")] == [["a"], ["b"], ["c"]]


def test_one_that_was_killed_is_started_again(start):
    process = start(ECHO)
    pid, _ = ask(process)
    os.kill(int(pid), 9)
    again, said = ask(process)
    assert said == "hello"
    assert again != pid


def test_one_that_hangs_is_ended_and_the_next_question_is_answered(start):
    process = start("import sys, time\nfor line in sys.stdin:\n if 'x' in line: time.sleep(99)\n"
                    " print(line, flush=True)")  # fmt: skip
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"timed out after 0\.5 s"):
        process.ask("x", 0.5)
    assert time.monotonic() - began < 5
    assert ask(process) == ["hello"]


def test_one_that_never_answers_says_how_it_ended(start):
    with pytest.raises(ValueError, match="ended with 3"):
        start("import sys; sys.stdin.readline(); raise SystemExit(3)").ask("x", 10.0)


def test_one_that_talks_without_end_is_cut_short(start):
    process = start("while True: print('x' * 9999, end='')")
    assert process.ask("x", 10.0) == b"x" * MAX_ANSWER_BYTES
    assert process.ask("x", 10.0) == b"x" * MAX_ANSWER_BYTES


def test_threads_get_their_own_answers(start):
    process = start(ECHO)
    words = [str(number) for number in range(50)]
    with ThreadPoolExecutor(8) as pool:
        assert [said for _, said in pool.map(lambda word: ask(process, word), words)] == words


def test_a_forked_child_has_a_process_of_its_own(start):
    process = start(ECHO)
    pid, _ = ask(process)
    child = os.fork()
    if child == 0:
        own, said = ask(process)
        process.end()
        os._exit(0 if own != pid and said == "hello" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ask(process) == [pid, "hello"]
