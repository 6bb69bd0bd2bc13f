"""Servers that a test may stop, kill, pause and fill up, because nobody else uses them.

They have an installation of their own, ``.run/faults`` (or VSSID_FAULTS_RUN), beside that of the other tests.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from deploy.native import machine
from deploy.native.instance import Instance
from deploy.native.programs import programs
from shared.testing.processes import until

RUN = os.environ.get("VSSID_FAULTS_RUN", ".run/faults")
Server = Literal["rabbitmq", "postgres", "redis"]


@contextmanager
def breakable() -> Iterator[Breakable]:
    """The servers, up, for one user at a time: a second one waits. They stop at the end, unless they ran."""
    servers = Breakable(RUN)
    servers.run.mkdir(parents=True, exist_ok=True)
    with (servers.run / "users.lock").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        ours = not servers.strays()
        try:
            servers.up("servers")
            yield servers
        finally:
            if ours:
                servers.down()


class Breakable(Instance):
    """An installation whose servers may be broken. What mends one waits until it is ready."""

    def stop(self, name: Server) -> None:
        """Stop it as an operator does; ``mend`` starts it."""
        self.supervision.stop([name])

    def mend(self, name: Server) -> None:
        """Start it unless it runs, and wait until it is ready."""
        match name:
            case "rabbitmq":
                self._up_rabbitmq()
            case "postgres":
                self._up_postgres()
            case "redis":
                self._up_program("redis")

    def kill_and_mend(self, name: Server) -> None:
        """Kill -9; its supervisor starts it again, and this waits until it is ready."""
        before = self.pids()[name]
        self.kill(name)
        until(lambda: self.pids().get(name, before) != before, 30.0, f"{name} is not started again")
        self.mend(name)

    @contextmanager
    def stopped(self, name: Server) -> Iterator[None]:
        """It is stopped in the block, and up again after it."""
        self.stop(name)
        try:
            yield
        finally:
            self.mend(name)

    @contextmanager
    def paused(self, name: Server) -> Iterator[None]:
        """It stands still (SIGSTOP) in the block."""
        group = self.pids()[name]
        os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)

    @contextmanager
    def disk_alarm(self) -> Iterator[None]:
        """The broker takes its disk for full in the block, and reads from no publisher."""
        self._rabbitmqctl("set_disk_free_limit", str(10**15))
        try:
            yield
        finally:
            self._rabbitmqctl("set_disk_free_limit", "50MB")

    def _rabbitmqctl(self, *arguments: str) -> None:
        (rabbitmq,) = (program for program in programs(self.layout) if program.name == "rabbitmq")
        rabbitmqctl = os.path.join(os.path.dirname(machine.RABBITMQ_SERVER), "rabbitmqctl")
        command = [*machine.inside(self.layout.servers_root, self.run), rabbitmqctl, *arguments]
        subprocess.run(command, env={**os.environ, **rabbitmq.environment}, check=True, capture_output=True)
