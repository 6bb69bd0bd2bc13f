"""Work off the hub: in processes of their own, as green threads are a matter of the whole process."""

from __future__ import annotations

import subprocess
import sys

GREEN = """
import eventlet
eventlet.monkey_patch()
import time
from eventlet import patcher
from shared.off_hub import off_hub, own_threads
sleep = patcher.original("time").sleep
"""


def green(script: str) -> str:
    """What a process with green threads prints."""
    done = subprocess.run(
        [sys.executable, "-c", GREEN + script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_more_run_at_once_than_there_are_threads() -> None:
    said = green(
        """
running, most = set(), []
def work(number):
    running.add(number)
    most.append(len(running))
    sleep(0.02)
    running.discard(number)
    return -number
run = own_threads(2)
print(list(eventlet.GreenPool(8).imap(lambda n: run(work, n), range(8))), max(most))
"""
    )
    assert said == "[0, -1, -2, -3, -4, -5, -6, -7] 2\n"


def test_what_waits_for_a_disk_holds_up_nothing_on_threads_of_its_own() -> None:
    said = green(
        """
run, begin = own_threads(1), time.monotonic()
reads = [eventlet.spawn(off_hub, sleep, 3.0) for _ in range(40)]
eventlet.sleep(0.1)
answer = run(pow, 2, 10)
print(answer, time.monotonic() - begin < 2.0)
"""
    )
    assert said == "1024 True\n"


def test_what_it_raises_arrives() -> None:
    said = green(
        """
try:
    own_threads(1)(int, "no number")
except ValueError:
    print("refused")
"""
    )
    assert said == "refused\n"


def test_without_green_threads_it_is_called_directly() -> None:
    script = "from shared.off_hub import own_threads; print(own_threads(1)(pow, 2, 10))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "1024\n"
