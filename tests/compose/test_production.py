"""An installation in production: no stand-ins in it, its parties are elsewhere, and it refuses the demo."""

from __future__ import annotations

import ipaddress
import secrets
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from deploy.native.layout import ROOT
from shared.testing.processes import free_port, until
from tests.compose.conftest import RUN
from tests.compose.stack import Stack, got_through
from tests.faults.crowd import Crowd, new_seed

TOKEN, PASSWORD = secrets.token_urlsafe(18), secrets.token_hex(4)


class Parties:
    """Register, SMS centre and mail server of this machine, where the containers reach it as any host."""

    def __init__(self, folder: Path) -> None:
        bridge = docker.from_env().networks.get("bridge").attrs["IPAM"]["Config"][0]
        self.host = str(ipaddress.ip_network(bridge["Subnet"])[1])
        self.citizens_file = folder / "citizens.jsonl"
        self.citizens_file.touch()
        self._folder = folder
        self.ports = {name: free_port() for name in ("register", "smsc", "sms", "smtp", "mail")}
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the three and wait until they answer."""
        citizens = ("--citizens", str(self.citizens_file))
        self._start("population_register", "register", *citizens, POPULATION_REGISTER_TOKEN=TOKEN)
        smsc = ("--http-port", str(self.ports["sms"]))
        self._start("smsc", "smsc", *smsc, SMPP_SYSTEM_ID="site", SMPP_PASSWORD=PASSWORD)
        self._start("mail_server", "smtp", "--http-port", str(self.ports["mail"]))
        for name in ("register", "sms", "mail"):
            until(partial(self._answers, name), 30.0, f"{name} does not answer")

    def stop(self) -> None:
        """End them."""
        for process in self._processes:
            process.terminate()
            process.wait(10)

    @property
    def settings(self) -> dict[str, str]:
        """What ``settings.env`` has to say."""
        return {
            "POPULATION_REGISTER_URL": self.url("register"),
            "SMPP_HOST": self.host,
            "SMPP_PORT": str(self.ports["smsc"]),
            "SMPP_SYSTEM_ID": "site",
            "SMTP_HOST": self.host,
            "SMTP_PORT": str(self.ports["smtp"]),
            "MAIL_FROM": "no-reply@site.example",
            "ACTIVATION_URL": "https://site.example/activation",
        }

    def url(self, name: str) -> str:
        """The address of one of the ports that speak HTTP."""
        return f"http://{self.host}:{self.ports[name]}"

    def _start(self, module: str, port: str, *options: str, **environment: str) -> None:
        data = self._folder / module
        data.mkdir()
        command = [sys.executable, "-m", f"deploy.stand_ins.{module}", "--host", self.host]
        command += ["--port", str(self.ports[port]), "--data", str(data), *options]
        with (self._folder / f"{module}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        self._processes.append(process)

    def _answers(self, name: str) -> bool:
        try:
            return httpx.get(f"{self.url(name)}/healthz").status_code == 200
        except httpx.HTTPError:
            return False


class Production(Stack):
    """Made as ``docs/operations.md`` says: secrets, the parties' own, their addresses, then the start."""

    def __init__(self, run: str, parties: Parties) -> None:
        super().__init__(run, tls=True)
        self._parties = parties

    def endpoints(self) -> dict[str, Any]:
        """As of every installation; the parties are others'."""
        return {
            "gateway": self.gateway,
            "sms": f"{self._parties.url('sms')}/messages",
            "mail": f"{self._parties.url('mail')}/messages",
            "register_citizens_file": str(self._parties.citizens_file),
            "databases": self.databases,
        }


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    parties = Parties(tmp_path_factory.mktemp("parties"))
    stack = Production(f"{RUN}-production", parties)
    try:
        parties.start()
        stack.script("prepare.sh")
        settings = "".join(f"{name}={value}\n" for name, value in parties.settings.items())
        (stack.folder / "settings.env").write_text(settings)
        for name, secret in (("population_register_token", TOKEN), ("smpp_password", PASSWORD)):
            (stack.secrets / name).unlink(missing_ok=True)
            (stack.secrets / name).write_text(secret)
            (stack.secrets / name).chmod(0o444)
        stack.up("production")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SSL_CERT_FILE", str(stack.secrets / "tls_ca"))
            yield stack
    finally:
        stack.down()
        parties.stop()
        (stack.folder / "production").unlink(missing_ok=True)


def test_citizens_go_the_whole_way_by_parties_elsewhere(stack: Production) -> None:
    assert not any(stack.containers(name) for name in ("population_register", "smsc", "mail_server"))
    crowd = Crowd(stack, 3, new_seed())
    with crowd.on_the_way(at_once=3, least=3):
        pass
    got_through(crowd)


def test_the_doctor_finds_nothing_wrong(stack: Production) -> None:
    told = stack.script("compose.sh", "run", "--rm", "vssid", "doctor")
    assert "bound" in told, told


def test_no_demo_gets_in_among_real_citizens(stack: Production) -> None:
    with pytest.raises(AssertionError, match="is in production"):
        stack.script("up.sh")
