"""The gateway as a process of its own, with no broker to talk to."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from deploy.docker.certificates import Authority
from shared import tls
from shared.sealed import generate_keypair
from shared.testing.processes import ROOT, free_port, until

START_SECONDS = 60


def answers(url: str, verifying: ssl.SSLContext | bool = True) -> bool:
    try:
        return httpx.get(url, timeout=2, verify=verifying).status_code > 0
    except httpx.TransportError:
        return False


class Process:
    """A running gateway: ``http`` and ``ops`` are where it listens."""

    def __init__(self, folder: Path, **more: str) -> None:
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
            "QUARANTINE_PUBLIC": key.public,
            **publics,
            **more,
        }
        command = [sys.executable, "-m", "services.gateway"]
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                command, env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Process]:
    running = Process(tmp_path)
    until(
        lambda: answers(running.ops + "/healthz") and answers(running.http + "/x"), START_SECONDS, "no start"
    )
    yield running
    running.end()


def test_with_a_certificate_it_speaks_https_and_nothing_plain(tmp_path):
    authority = Authority.made(datetime.now(UTC))
    files = {
        "HTTP_CERTIFICATE_FILE": tmp_path / "certificate.pem",
        "HTTP_KEY_FILE": tmp_path / "key.pem",
    }
    for file, text in zip(files.values(), authority.issued(["127.0.0.1"], datetime.now(UTC)), strict=True):
        file.write_text(text)
    (tmp_path / "ca.pem").write_text(authority.pem)
    verifying = tls.context(str(tmp_path / "ca.pem"))
    verifying.maximum_version = ssl.TLSVersion.TLSv1_2  # the least that phones have

    running = Process(tmp_path, **{name: str(file) for name, file in files.items()})
    try:
        until(lambda: answers(running.ops + "/healthz"), START_SECONDS, "no start")
        until(lambda: answers(running.http.replace("http:", "https:"), verifying), START_SECONDS, "no https")
        assert not answers(running.http)
    finally:
        running.end()


def test_a_certificate_that_cannot_be_shown_is_told_at_the_start(tmp_path):
    running = Process(tmp_path, HTTP_CERTIFICATE_FILE=str(tmp_path / "absent.pem"))

    assert running.process.wait(START_SECONDS) == 2
    assert "HTTP_CERTIFICATE_FILE, HTTP_KEY_FILE" in (tmp_path / "log").read_text()


def test_a_part_of_a_bucket_is_refused_at_the_start_by_the_names_of_what_is_missing(tmp_path):
    running = Process(tmp_path, OBJECTS_S3_ENDPOINT="https://s3.example", OBJECTS_S3_BUCKET="photos")

    assert running.process.wait(START_SECONDS) == 2
    said = (tmp_path / "log").read_text()
    for name in ("OBJECTS_S3_ACCESS_KEY_ID", "OBJECTS_S3_SECRET_ACCESS_KEY"):
        assert f"{name} (or {name}_FILE): missing" in said


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
