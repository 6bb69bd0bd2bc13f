"""What the demo's citizens need first: a register that knows them, a history, officers at desks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from deploy.native.layout import ROOT
from shared.testing.citizens import Citizen, as_child, generate
from shared.testing.client import Session
from shared.testing.officer_client import OfficerClient
from shared.testing.voice_platform import VoicePlatform

PASSWORD_BYTES = 18
CHILD, MISMATCHED = "child", "mismatched"
"""Roles that somebody has to be made for: born later, or with another birth date in the register."""
NO_SCENES: Mapping[str, Sequence[str]] = {}


class Installation(Protocol):
    """A running one, native or in containers."""

    def endpoints(self) -> dict[str, object]:
        """Where each thing listens."""

    def environment(self, service: str) -> dict[str, str]:
        """What the commands of a service have to be told."""


@dataclass(frozen=True)
class World:
    """The people of one run. ``strangers`` are not in the population register: they are asked for photos.
    ``cast`` are the citizens of each scene, in the order of its roles. ``colleagues`` are second officers, of
    the agencies of the scenes."""

    seed: int
    citizens: Sequence[Citizen]
    cast: Mapping[str, Sequence[Citizen]]
    strangers: frozenset[str]
    agencies: Mapping[str, str]
    officers: Mapping[str, OfficerClient]
    colleagues: Mapping[str, OfficerClient]
    voice_platform: VoicePlatform

    def agency_of(self, citizen: Citizen) -> str:
        """The agency in the citizen's own province."""
        return self.agencies[citizen.province_code]


def prepare(
    installation: Installation, count: int, seed: int, scenes: Mapping[str, Sequence[str]] = NO_SCENES
) -> World:
    """Make ``count`` citizens, one more for each role of each scene, and all that must exist before them."""
    endpoints = installation.endpoints()
    citizens, *others = _people(count, seed, scenes.values())
    cast = dict(zip(scenes, others, strict=True))
    strangers = frozenset(c.code for c in citizens[1 :: max(2, count // 2)][:2])
    rows = [citizen.register_row() for citizen in citizens if citizen.code not in strangers]
    for scene, roles in scenes.items():
        rows += [_known_as(citizen, role) for citizen, role in zip(cast[scene], roles, strict=True)]
    write_register(Path(str(endpoints["register_citizens_file"])), rows)
    everybody = [citizen for group in (citizens, *others) for citizen in group]
    import_participation(installation, everybody)
    gateway = str(endpoints["gateway"])
    agencies = {province: nearest(gateway, province) for province in {c.province_code for c in everybody}}
    desks, second_desks = agencies.values(), {agencies[c.province_code] for group in others for c in group}
    officers = add_officers(installation, gateway, f"demo-{seed}", desks)
    colleagues = add_officers(installation, gateway, f"demo-{seed}-2", second_desks)
    platform = register_platform(installation, gateway, f"demo-{seed}")
    return World(seed, citizens, cast, strangers, agencies, officers, colleagues, platform)


def _people(count: int, seed: int, scenes: Iterable[Sequence[str]]) -> list[list[Citizen]]:
    """``count`` citizens, then those of each scene."""
    groups = [["citizen"] * count, *scenes]
    made = iter(generate(sum(map(len, groups)), seed=seed))
    return [[as_child(next(made)) if role == CHILD else next(made) for role in roles] for roles in groups]


def _known_as(citizen: Citizen, role: str) -> dict[str, Any]:
    """The line of the population register."""
    row = citizen.register_row()
    if role == MISMATCHED:
        row["birthDate"] = f"{int(row['birthDate'][:4]) - 1}{row['birthDate'][4:]}"
    return row


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


def add_officers(
    installation: Installation, gateway: str, name: str, agency_codes: Iterable[str]
) -> dict[str, OfficerClient]:
    """A new officer of each agency, by its code."""
    codes = list(agency_codes)

    def add(code: str) -> OfficerClient:
        return add_officer(installation, gateway, f"{name}-{code.lower()}", code)

    with ThreadPoolExecutor(2) as together:
        return dict(zip(codes, together.map(add, codes), strict=True))


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
        said = run_tool(installation, "identity", "services.identity.add_staff", *options)
    officer = OfficerClient(gateway)
    officer.log_in(user, password, said.split("72 hours: ")[1].strip())
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
