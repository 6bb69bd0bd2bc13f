"""What the demo's citizens need first: a register that knows them, a history, officers at desks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from deploy.native.layout import ROOT
from shared.testing.citizens import Citizen, generate
from shared.testing.client import OfficerClient, Session
from shared.testing.voice_platform import VoicePlatform

PASSWORD_BYTES = 18


class Installation(Protocol):
    """A running one, native or in containers."""

    def endpoints(self) -> dict[str, object]:
        """Where each thing listens."""

    def environment(self, service: str) -> dict[str, str]:
        """What the commands of a service have to be told."""


@dataclass(frozen=True)
class World:
    """The people of one run. ``strangers`` are not in the population register: they are asked for photos.
    ``cast`` are the citizens of the scenes, by the scene's name."""

    seed: int
    citizens: Sequence[Citizen]
    cast: Mapping[str, Citizen]
    strangers: frozenset[str]
    agencies: Mapping[str, str]
    officers: Mapping[str, OfficerClient]
    voice_platform: VoicePlatform

    def agency_of(self, citizen: Citizen) -> str:
        """The agency in the citizen's own province."""
        return self.agencies[citizen.province_code]


def prepare(installation: Installation, count: int, seed: int, scenes: Sequence[str] = ()) -> World:
    """Make ``count`` citizens, one more for each scene, and all that must exist before them."""
    endpoints = installation.endpoints()
    everybody = generate(count + len(scenes), seed=seed)
    citizens, cast = everybody[:count], dict(zip(scenes, everybody[count:], strict=True))
    strangers = frozenset(c.code for c in citizens[1 :: max(2, count // 2)][:2])
    rows = [citizen.register_row() for citizen in everybody if citizen.code not in strangers]
    if "mismatch" in cast:
        known = next(row for row in rows if row["code"] == cast["mismatch"].code)
        known["birthDate"] = f"{int(known['birthDate'][:4]) - 1}{known['birthDate'][4:]}"
    write_register(Path(str(endpoints["register_citizens_file"])), rows)
    import_participation(installation, everybody)
    gateway = str(endpoints["gateway"])
    agencies = {province: nearest(gateway, province) for province in {c.province_code for c in everybody}}
    officers = {
        code: add_officer(installation, gateway, f"demo-{seed}-{code.lower()}", code)
        for code in agencies.values()
    }
    voice_platform = register_platform(installation, gateway, f"demo-{seed}")
    return World(seed, citizens, cast, strangers, agencies, officers, voice_platform)


def write_register(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make these citizens known to the stand-in population register."""
    with file.open("a", encoding="utf-8") as register:
        register.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def import_participation(installation: Installation, citizens: Sequence[Citizen]) -> None:
    """Hand the citizens' participation to history, by its import command."""
    rows = [json.dumps(row, ensure_ascii=False) for c in citizens for row in c.participation_rows()]
    with tempfile.TemporaryDirectory(prefix="vssid-demo-") as folder:
        file = Path(folder) / "participation.jsonl"
        file.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
        run_tool(installation, "history", "services.history.import_file", "participation", str(file))


def nearest(gateway: str, province_code: str) -> str:
    """The first agency of a province, as the app would offer it."""
    session = Session(gateway)
    try:
        found: list[dict[str, Any]] = session.ask(
            "GET", "/v1/agencies", params={"province_code": province_code}
        )["items"]
        return str(found[0]["code"])
    finally:
        session.close()


def add_officer(installation: Installation, gateway: str, user: str, agency_code: str) -> OfficerClient:
    """A new officer of an agency, logged in."""
    password = os.urandom(PASSWORD_BYTES).hex()
    with tempfile.NamedTemporaryFile("w", prefix="vssid-demo-") as file:
        file.write(password + "\n")
        file.flush()
        options = [
            "--user",
            user,
            "--agency",
            agency_code,
            "--name",
            "Cán bộ Thử",
            "--password-file",
            file.name,
        ]
        run_tool(installation, "identity", "services.identity.add_staff", *options)
    officer = OfficerClient(gateway)
    officer.log_in(user, password)
    return officer


def register_platform(installation: Installation, gateway: str, client: str) -> VoicePlatform:
    """A voice platform with a key of its own, registered as an operator does it."""
    platform = VoicePlatform(gateway)
    with tempfile.NamedTemporaryFile("wb", prefix="vssid-demo-") as file:
        file.write(platform.public_key)
        file.flush()
        options = ["--client", client, "--key-file", file.name]
        said = run_tool(installation, "identity", "services.identity.hotline_clients", *options)
    platform.key_id = said.strip()
    return platform


def run_tool(installation: Installation, service: str, module: str, *options: str) -> str:
    """Run a command of a service as its operator would, with the service's settings. Returns what it says."""
    done = subprocess.run(
        [sys.executable, "-m", module, *options],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **installation.environment(service)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"python -m {module} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
