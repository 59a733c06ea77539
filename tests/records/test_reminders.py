"""What is due later is begun in its time, by one thread for all."""

import threading
import time

from calrecords.records.reminders import Reminders


def test_each_is_called_once_in_its_time_and_what_is_called_off_never():
    reminders, called, done = Reminders(), [], threading.Event()
    begun = time.monotonic()
    reminders.after(0.6, lambda: (called.append("late"), done.set()))
    off = reminders.after(0.3, lambda: called.append("off"))
    reminders.after(0.2, lambda: called.append("early"))
    reminders.call_off(off)
    assert done.wait(5)
    assert time.monotonic() - begun >= 0.6
    assert called == ["early", "late"]
    reminders.call_off(off)


def test_all_share_one_thread_which_is_there_again_when_it_is_needed_again():
    reminders, threads, done = Reminders(), set(), threading.Semaphore(0)

    def remember():
        threads.add(threading.current_thread())
        done.release()

    for _ in range(20):
        reminders.after(0.0, remember)
    assert all(done.acquire(timeout=5) for _ in range(20))
    assert {thread.name for thread in threads} == {"calrecords-reminders"}
    assert len(threads) == 1


def test_a_child_of_a_fork_is_not_reminded_of_what_its_parent_wanted():
    reminders, called = Reminders(), []
    reminders.after(0.2, lambda: called.append("parent"))
    reminders.start_anew()  # as in a child, where the thread is not
    done = threading.Event()
    reminders.after(0.0, done.set)
    assert done.wait(5)
    assert reminders._waiting == {}


def test_the_thread_sleeps_on_while_what_comes_is_due_later():
    reminders, first = Reminders(), threading.Event()
    reminders.after(0.0, first.set)
    assert first.wait(5)
    woken = []
    wait = reminders._changed.wait

    def counted(timeout):
        woken.append(timeout)
        return wait(timeout)

    reminders._changed.wait = counted
    for _ in range(50):
        reminders.call_off(reminders.after(60.0, lambda: None))
        time.sleep(0.002)
    done = threading.Event()
    reminders.after(0.05, done.set)
    assert done.wait(5)
    assert len(woken) < 10
