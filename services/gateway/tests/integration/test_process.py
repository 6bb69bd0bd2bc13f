"""The gateway as a process of its own, with no broker to talk to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.sealed import generate_keypair
from shared.testing.processes import ROOT, free_port, until

START_SECONDS = 60


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code > 0
    except httpx.TransportError:
        return False


class Process:
    """A running gateway: ``http`` and ``ops`` are where it listens."""

    def __init__(self, folder: Path) -> None:
        http, ops = free_port(), free_port()
        self.http, self.ops = f"http://127.0.0.1:{http}", f"http://127.0.0.1:{ops}"
        key = generate_keypair()
        publics = {
            f"SEAL_PUBLIC_{name}": key.public for name in ("GATEWAY", "IDENTITY", "REGISTRATION", "HISTORY")
        }
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AMQP_URL": f"amqp://nobody:nothing@127.0.0.1:{free_port()}/",
            "SEAL_PRIVATE": key.private,
            "HTTP_PORT": str(http),
            "OPS_PORT": str(ops),
            "OBJECTS_DIR": str(folder),
            **publics,
        }
        command = [sys.executable, "-m", "services.gateway"]
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                command, env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Process]:
    running = Process(tmp_path)
    until(
        lambda: answers(running.ops + "/healthz") and answers(running.http + "/x"), START_SECONDS, "no start"
    )
    yield running
    running.process.terminate()
    try:
        running.process.wait(15)
    except subprocess.TimeoutExpired:
        running.process.kill()


def test_without_a_broker_it_lives_is_not_ready_and_answers_503_by_its_deadline(gateway):
    assert httpx.get(gateway.ops + "/healthz").status_code == 200
    assert httpx.get(gateway.ops + "/readyz").status_code == 503

    began = time.monotonic()
    answer = httpx.get(gateway.http + "/v1/agencies", timeout=30)

    assert time.monotonic() - began < 10
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["type"].endswith("/service-away")


def test_killed_it_leaves_no_worker_behind(gateway):
    gateway.process.send_signal(signal.SIGKILL)

    until(lambda: not answers(gateway.http + "/x"), 10, "the worker still answers")
    until(lambda: not answers(gateway.ops + "/healthz"), 10, "the ops port still answers")


def test_told_to_stop_it_ends_without_complaint(gateway):
    gateway.process.terminate()

    assert gateway.process.wait(20) == 0


def test_settings_that_are_missing_are_all_named_at_the_start():
    done = subprocess.run(
        [sys.executable, "-m", "services.gateway"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    for name in ("AMQP_URL", "OPS_PORT", "OBJECTS_DIR", "SEAL_PRIVATE"):
        assert name in done.stderr
