"""The installation of docker-compose.yml in the hands of a test: scaled, killed, restarted, looked into."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import docker
import httpx
import yaml
from docker.models.containers import Container
from prometheus_client.parser import text_string_to_metric_families

from deploy.native.keys import WITH_DATABASE
from deploy.native.layout import ROOT
from shared.testing.processes import until
from tests.faults.crowd import Crowd
from tests.faults.proxy import Proxy

OPS_PORT = 9100
COMPOSE = "com.docker.compose"
WORK = ("vssid_events_handled", "vssid_rpc_requests", "vssid_jobs_done", "vssid_http_seconds")
"""What a process counts when it has done something."""
REPLICAS = 3


class Stack:
    """Everything in containers, in the folder ``run``; its gateways have ports of their own, and a proxy
    before them. With ``tls`` the containers talk TLS, and the gateways HTTPS."""

    def __init__(self, run: str, tls: bool = False) -> None:
        self.run = run
        self.tls = tls
        base = free_ports(REPLICAS)
        self._gateway_ports = range(base, base + REPLICAS)
        self._front: Proxy | None = None
        self._engine: Any = None

    # -- as operators do ---------------------------------------------------------------------------------

    def up(self, *how: str) -> None:
        """Bring everything up, images and engine included, and wait until it is ready."""
        self.script("up.sh", *how)
        self._engine = docker.from_env()
        self._front = Proxy("127.0.0.1", *self._gateway_ports)

    def down(self) -> None:
        """Remove the containers and their data. For a moment after its containers are gone the engine may
        still hold a network to be in use: that is told to it again."""
        if self._front is not None:
            self._front.close()
        remove = ("--profile", "demo", "down", "--volumes", "--timeout", "10")
        try:
            self.compose(*remove)
        except AssertionError as refused:
            if "has active endpoints" not in str(refused):
                raise
            time.sleep(5.0)
            self.compose(*remove)

    def scale(self, service: str, replicas: int) -> None:
        """Have so many replicas of a service, ready."""
        wanted = ("--no-recreate", "--no-deps", "--scale", f"{service}={replicas}", service)
        self.compose("up", "--detach", "--wait", *wanted)

    def change_version(self, *direction: str) -> None:
        """Upgrade to what was built last, or ``back``."""
        self.script("upgrade.sh", *direction)

    def ran_before(self, image: str) -> None:
        """Have an earlier version to go back to: what is built, under another name."""
        self._engine.images.get(self.built_image).tag(image)
        with (self.folder / "images.env").open("w") as images:
            images.write(f"VSSID_IMAGE={self.built_image}\nVSSID_IMAGE_BEFORE={image}\n")

    def compose(self, *arguments: str) -> None:
        """``docker compose`` with the settings of this one. Raises ``AssertionError`` with what it said."""
        self.script("compose.sh", *arguments)

    def restart(self, container: Container) -> None:
        """Stop one replica as a deployment does, start it again and wait until it is ready."""
        container.restart(timeout=30)
        self.wait_ready(container)

    def wait_ready(self, container: Container) -> None:
        """Wait until it says that it is ready for work."""
        until(lambda: is_ready(container), 60.0, lambda: f"{container.name} is not ready: {tail(container)}")

    def script(self, name: str, *arguments: str) -> str:
        """What a script of ``deploy/docker`` says, with the settings of this installation. Raises
        ``AssertionError`` with that when it fails."""
        ports = f"{self._gateway_ports[0]}-{self._gateway_ports[-1]}"
        done = subprocess.run(
            ["sh", f"deploy/docker/{name}", *arguments],
            cwd=ROOT,
            env={**os.environ, "RUN": self.run, "GATEWAY_PORTS": ports, "TLS": str(int(self.tls))},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (
            f"{name} {' '.join(arguments)}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        )
        return done.stdout

    # -- what is there -----------------------------------------------------------------------------------

    def containers(self, service: str) -> list[Container]:
        """The replicas of a service that run, by their number."""
        labels = [f"{COMPOSE}.project={self.project}", f"{COMPOSE}.service={service}"]
        found = self._engine.containers.list(filters={"label": labels})
        return sorted(found, key=lambda container: int(container.labels[f"{COMPOSE}.container-number"]))

    @cached_property
    def project(self) -> str:
        """The name by which Compose tells this installation from others."""
        return str(yaml.safe_load(self.script("compose.sh", "config"))["name"])

    @property
    def gateways(self) -> list[str]:
        """The addresses of as many gateways as there may be; which of them a gateway has, changes when it
        starts again."""
        return [self._at(port) for port in self._gateway_ports]

    @property
    def gateway(self) -> str:
        """Where clients reach whichever gateway is there, as behind a load balancer."""
        assert self._front is not None, "not up"
        return self._at(self._front.port)

    def _at(self, port: int) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{port}"

    def endpoints(self) -> dict[str, Any]:
        """Where each thing listens, as of ``make endpoints``; databases are found anew at each use, because a
        container that starts again may have another address."""
        citizens = self._engine.volumes.get(f"{self.project}_citizens").attrs["Mountpoint"]
        return {
            "gateway": self.gateway,
            "sms": f"http://{self.address('smsc')}:9306/messages",
            "mail": f"http://{self.address('mail_server')}:9304/messages",
            "register_citizens_file": f"{citizens}/citizens.jsonl",
            "databases": self.databases,
        }

    @property
    def databases(self) -> Mapping[str, str]:
        """Service → address of its database."""
        return Databases(self)

    def environment(self, service: str) -> dict[str, str]:
        """What the commands of a service have to be told."""
        return {"DATABASE_URL": self.databases[service]}

    def database_url(self, service: str) -> str:
        """The service's database, by the address that its server has now."""
        url = (self.secrets / f"{service}_database_url").read_text()
        return url.replace("@postgres:", f"@{self.address('postgres')}:")

    @property
    def built_image(self) -> str:
        """The name of the service image that was built last."""
        images = dict(line.split("=", 1) for line in (ROOT / ".run" / "images.env").read_text().splitlines())
        return images["VSSID_IMAGE"]

    @contextmanager
    def watched(self) -> Iterator[list[str]]:
        """The service of each container that is made meanwhile. (Of what was, the engine keeps little.)"""
        filters = {"type": "container", "event": "create", "label": f"{COMPOSE}.project={self.project}"}
        events = self._engine.events(filters=filters, decode=True)
        made: list[str] = []

        def watch() -> None:
            for event in events:
                made.append(event["Actor"]["Attributes"][f"{COMPOSE}.service"])

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            yield made
        finally:
            events.close()
            watching.join(5.0)

    @property
    def folder(self) -> Path:
        """What the installation keeps about itself."""
        return ROOT / self.run / "compose"

    @property
    def secrets(self) -> Path:
        """The folder of what is handed to the containers."""
        return self.folder / "secrets"

    def work_of(self, container: Container) -> float:
        """How much a replica has done: events, calls, jobs, requests."""
        page = httpx.get(f"http://{address_of(container)}:{OPS_PORT}/metrics", timeout=5.0).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            if family.name in WORK
            for sample in family.samples
            if sample.name.endswith(("_total", "_count"))
        )

    def address(self, service: str) -> str:
        """Where this machine reaches the one replica of a service."""
        (container,) = self.containers(service)
        return address_of(container)


class Databases(Mapping[str, str]):
    """Service → address of its database."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def __getitem__(self, service: str) -> str:
        return self._stack.database_url(service)

    def __iter__(self) -> Iterator[str]:
        return iter(WITH_DATABASE)

    def __len__(self) -> int:
        return len(WITH_DATABASE)


def got_through(crowd: Crowd) -> None:
    """Every citizen arrived, and what they were told is what happened, once."""
    report = crowd.ledger.wait_until_final(60.0)
    assert report.is_clean, str(report)
    assert [journey.problem for journey in crowd.journeys if not journey.is_through] == []


def address_of(container: Container) -> str:
    """An address at which this machine reaches the container."""
    container.reload()
    networks = container.attrs["NetworkSettings"]["Networks"].values()
    return next(str(network["IPAddress"]) for network in networks if network["IPAddress"])


def is_ready(container: Container) -> bool:
    container.reload()
    return bool(container.attrs["State"].get("Health", {}).get("Status") == "healthy")


def tail(container: Container) -> str:
    """The end of its log."""
    return str(container.logs(tail=20).decode(errors="replace"))


def free_ports(count: int) -> int:
    """The first of ``count`` loopback ports in a row that nobody listens on."""
    while True:
        with ExitStack() as held:
            first = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            base = int(first.getsockname()[1])
            try:
                for port in range(base + 1, base + count):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return base
