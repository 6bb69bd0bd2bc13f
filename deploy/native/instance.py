"""One installation of the product on this machine: up, down, and what tests need of it."""

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

from deploy.native import machine, ports, servers
from deploy.native.keys import PROCESSES, WITH_DATABASE, Keys
from deploy.native.layout import ROOT, SERVICES, STAND_INS, Layout
from deploy.native.machine import NotReady
from deploy.native.programs import programs
from deploy.native.supervision import Supervision, strays
from deploy.native.web import ask

__all__ = ["Instance", "NotReady", "Vhost"]

READY_WITHIN_SECONDS = 120
DOWN_WITHIN_SECONDS = 15
STAND_IN_PORTS = {"population_register": "register", "smsc": "smsc_http", "mail_server": "mail_http"}


@dataclass(frozen=True)
class Vhost:
    """A vhost of a test's own on the shared broker."""

    name: str
    amqp_url: str
    management_url: str


def quiet(what: str, seconds: float) -> None:
    """Say nothing about progress."""


class Instance:
    """The installation in `run_dir` (relative to the repository). `say(what, seconds)` hears of progress."""

    def __init__(self, run_dir: str | Path = ".run", say: Callable[[str, float], None] = quiet) -> None:
        self.run = (ROOT / run_dir).resolve()
        self._say = say

    @cached_property
    def layout(self) -> Layout:
        self.run.mkdir(parents=True, exist_ok=True)
        root = machine.servers_root(self.run)
        kept = ports.kept(self.run)
        return Layout(self.run, kept or ports.choose(self.run), Keys.kept_in(self.run / "secrets"), root)

    @cached_property
    def supervision(self) -> Supervision:
        return Supervision(self.layout)

    # Up and down

    def up(self, what: Literal["servers", "all"] = "all") -> None:
        """Start what does not run yet and wait until it is ready; what is ready stays untouched.

        Raises NotReady.
        """
        self.run.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._move_when_ports_are_taken()
            self._prepare()
            supervision = self.supervision
            supervision.start(programs(self.layout))
            if what == "servers":
                _together(self._up_rabbitmq, self._up_postgres, partial(self._up_program, "redis"))
            elif not self._is_all_ready():
                _together(
                    partial(_in_turn, self._up_rabbitmq, self._apply_topology),
                    partial(_in_turn, self._up_postgres, self._migrate),
                    *(partial(self._up_program, name) for name in ("redis", *STAND_INS)),
                )
                _together(*(partial(self._up_program, name) for name in (*SERVICES, "gateway")))

    def restart(self) -> None:
        """Start the services and stand-ins anew, with the code as it is now; the servers stay up."""
        self.supervision.stop(["gateway", *SERVICES, *STAND_INS])
        self.up()

    def down(self) -> None:
        """Stop all that this installation started; its data stays."""
        if self.run.exists():
            with self._alone():
                self.supervision.shut_down(DOWN_WITHIN_SECONDS)

    # What tests need

    def endpoints(self) -> dict[str, object]:
        return self.layout.endpoints()

    def environment(self, service: str) -> dict[str, str]:
        """The settings with which `service` (or "gateway") runs here."""
        return self.layout.environment(service)

    def pids(self) -> dict[str, int]:
        """name → process id of everything that runs."""
        return {name: info["pid"] for name, info in self.supervision.states().items() if info["pid"]}

    def kill(self, service: str) -> None:
        """SIGKILL a program with all its processes; supervisord starts it again. Waits for nothing."""
        os.killpg(self.pids()[service], signal.SIGKILL)

    def strays(self) -> list[int]:
        """Ids of all processes that this installation started and that still live."""
        return strays(self.run)

    def database(self, name: str) -> str:
        """Make an empty throw-away database, in place of one with this name, and return its DSN."""
        servers.make_database(self.layout, _own_name(name))
        return self.layout.admin_database_url(name)

    def drop_database(self, name: str) -> None:
        servers.drop_database(self.layout, _own_name(name))

    def vhost(self, name: str) -> Vhost:
        """Make an empty vhost, in place of one with this name."""
        servers.make_vhost(self.layout, _own_name(name))
        return Vhost(name, self.layout.amqp_url("admin", name), self.layout.amqp_management_url)

    def drop_vhost(self, name: str) -> None:
        servers.drop_vhost(self.layout, _own_name(name))

    # Steps of up

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep a second `up` or `down` of this folder waiting until the first is through."""
        with (self.run / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _move_when_ports_are_taken(self) -> None:
        """Take other ports when somebody else came to listen on ours while we were down."""
        if self.supervision.is_running() or strays(self.run):
            return
        if not all(ports.is_free(port) for port in self.layout.ports.values()):
            (self.run / "ports.json").unlink()
            for forgotten in ("layout", "supervision", "_checks"):
                self.__dict__.pop(forgotten, None)
            self._say("other ports, because the old ones were taken", 0)

    def _prepare(self) -> None:
        servers.prepare_rabbitmq(self.layout)
        servers.prepare_redis(self.layout)
        self.layout.objects_dir.mkdir(exist_ok=True)
        (self.run / "postgres" / "data").mkdir(parents=True, exist_ok=True)
        for name in STAND_INS:
            (self.run / "stand_ins" / name).mkdir(parents=True, exist_ok=True)
        self.layout.citizens_file.touch()

    @cached_property
    def _checks(self) -> dict[str, Callable[[], object]]:
        """name → what raises until that program is ready."""
        pages = {name: self.layout.http(port) + "/control" for name, port in STAND_IN_PORTS.items()}
        pages |= {name: self.layout.http(f"ops_{name}") + "/readyz" for name in (*SERVICES, "gateway")}
        return {
            "rabbitmq": partial(servers.check_rabbitmq, self.layout),
            "postgres": partial(servers.check_postgres, self.layout),
            "redis": partial(servers.check_redis, self.layout),
            **{name: partial(ask, page) for name, page in pages.items()},
        }

    def _is_all_ready(self) -> bool:
        """Whether there is nothing to do; a service that lacks tables or queues says that it is not ready."""
        try:
            _together(*self._checks.values())
        except Exception:  # whatever it is, there is something to do
            return False
        return True

    def _up_rabbitmq(self) -> None:
        self.supervision.run("epmd")
        _until(lambda: not ports.is_free(self.layout.ports["epmd"]), within_seconds=5)
        self._up_program("rabbitmq")

    def _up_postgres(self) -> None:
        started = time.monotonic()
        servers.prepare_postgres(self.layout)
        self._up_program("postgres", started)
        servers.provision_postgres(self.layout)

    def _apply_topology(self) -> None:
        addresses = {
            "AMQP_URL": self.layout.amqp_url("admin"),
            "AMQP_MANAGEMENT_URL": self.layout.amqp_management_url,
        }
        passwords = {f"AMQP_PASSWORD_{name.upper()}": self.layout.keys[f"amqp_{name}"] for name in PROCESSES}
        self._tool("queues and exchanges", ["shared.messaging.topology", "apply"], addresses)
        self._tool("users of the broker", ["shared.messaging.permissions", "apply"], addresses | passwords)

    def _migrate(self) -> None:
        _together(*(partial(self._migrate_one, service) for service in WITH_DATABASE))

    def _migrate_one(self, service: str) -> None:
        addresses = {"DATABASE_URL": self.layout.database_url(service)}
        self._tool(f"tables of {service}", ["shared.migrate", service], addresses)

    def _tool(self, what: str, command: list[str], environment: dict[str, str]) -> None:
        started = time.monotonic()
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
            **environment,
        }
        done = subprocess.run(
            [sys.executable, "-m", *command],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last_words = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise NotReady(f"{what}: `python -m {' '.join(command)}` failed:\n{last_words}")
        self._say(what, time.monotonic() - started)

    def _up_program(self, name: str, started: float | None = None) -> None:
        """Start a program and wait until it is ready."""
        started = started or time.monotonic()
        self.supervision.run(name)
        starts = set()
        while True:
            try:
                self._checks[name]()
                break
            except Exception as problem:  # whatever it is, it is not ready
                state = self.supervision.states().get(name, {"statename": "GONE", "start": 0})
                starts.add(state["start"])
                given_up = state["statename"] in ("FATAL", "GONE", "STOPPED") or len(starts) > 5
                if given_up or time.monotonic() - started > READY_WITHIN_SECONDS:
                    raise NotReady(self._account_of(name, state["statename"], problem)) from problem
                time.sleep(0.1)
        self._say(name, time.monotonic() - started)

    def _account_of(self, name: str, state: str, problem: Exception) -> str:
        folder = self.run.relative_to(ROOT) if self.run.is_relative_to(ROOT) else self.run
        return (
            f"{name} did not become ready (supervisor says {state}; last answer: {problem}).\n"
            f"The end of its log:\n{self.supervision.log_tail(name)}\n"
            f"Next: `make logs SERVICE={name} RUN={folder}` shows more; "
            f"once it is mended, `make up RUN={folder}` goes on from here."
        )


def _until(condition: Callable[[], bool], within_seconds: float) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def _in_turn(*steps: Callable[[], None]) -> None:
    for step in steps:
        step()


def _together(*steps: Callable[[], object]) -> None:
    """Run the steps side by side; raises the first one's error when all have ended."""
    with ThreadPoolExecutor(len(steps)) as threads:
        for step in [threads.submit(step) for step in steps]:
            step.result()


def _own_name(name: str) -> str:
    """Refuse names that are not plain, or that the installation itself uses."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name) or name in (*WITH_DATABASE, "postgres", "vssid"):
        raise ValueError(f"{name!r}: use a name of lower-case letters, digits and _ that is not a service's")
    return name
