"""Those for whom it goes another way than straight: told apart by name, each checked to its own end.

A scene is one citizen and what happens to this one. The ledger keeps what was promised, as for everybody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from deploy.demo.hotline import hotline
from deploy.demo.journey import WrongAnswer, registered
from deploy.demo.recovery import email_reset, stolen_token
from deploy.demo.world import World
from shared.testing.citizens import Citizen
from shared.testing.client import Accepted, CitizenClient, OfficerClient
from shared.testing.inbox import Inbox
from shared.testing.ledger import Ledger

REASON = "Giấy tờ gốc không khớp với tờ khai"
TIME_PASSES = "UPDATE jobs SET due_at = now() WHERE kind = 'pass_deadline' AND key = %(id)s"


@dataclass
class Scene:
    """One citizen on the stage; ``problem`` is empty when it ended as it should."""

    name: str
    citizen: Citizen
    world: World
    gateway: str
    databases: Mapping[str, str]
    inbox: Inbox
    ledger: Ledger
    client: CitizenClient = field(init=False)
    seconds: float = 0.0
    problem: str = ""

    def __post_init__(self) -> None:
        self.client = CitizenClient(self.gateway)

    @property
    def agency(self) -> str:
        """The agency where the citizen shows the papers."""
        return self.world.agency_of(self.citizen)

    @property
    def officer(self) -> OfficerClient:
        """The officer there."""
        return self.world.officers[self.agency]

    def register(self) -> Accepted:
        """Steps 1 to 4, until the case is at the desk."""
        return registered(self.client, self.citizen, self.agency, self.inbox, self.ledger)

    def case_of(self, accepted: Accepted) -> dict[str, Any]:
        """The whole case, as its officer sees it."""
        return self.officer.case(self.officer.find(accepted.declaration_number)["id"])


def mismatch(scene: Scene) -> None:
    """The register knows another birth date: photos of the ID card are asked for, the desk decides."""
    accepted = scene.register()
    if set(accepted.photos_uploaded) != {"portrait", "id_front", "id_back"}:
        raise WrongAnswer("the photos of the ID card were not asked for")
    case = scene.case_of(accepted)
    if case["mismatched_fields"] != ["birthDate"]:
        raise WrongAnswer("the officer does not see what differs")
    for kind in accepted.photos_uploaded:
        scene.officer.photo(case["id"], kind)
    scene.ledger.decided(accepted.registration_id, scene.officer.confirm(case["id"])["status"])
    scene.client.wait_for("completed")


def rejection(scene: Scene) -> None:
    """The papers are not right: the citizen is told why, phone and code are free again."""
    accepted = scene.register()
    told = scene.officer.reject(scene.case_of(accepted)["id"], REASON)
    scene.ledger.decided(accepted.registration_id, told["status"])
    ended = scene.client.wait_for("rejected")
    if not any(REASON in str(entry.get("detail")) for entry in ended["entries"]):
        raise WrongAnswer("the citizen is not told why")


def expiry(scene: Scene) -> None:
    """Nobody comes until the deadline, which is put forward to now: the application ends, and says so."""
    accepted = scene.register()
    with psycopg.connect(scene.databases["registration"]) as registration:
        registration.execute(TIME_PASSES, {"id": accepted.registration_id})
    scene.client.wait_for("expired")
    scene.ledger.decided(accepted.registration_id, "expired")


SCENES: dict[str, tuple[str, Callable[[Scene], None]]] = {
    "mismatch": ("CSDLQG không khớp · register disagrees", mismatch),
    "rejection": ("Bị từ chối · rejected at the desk", rejection),
    "hotline": ("Quên mật khẩu, gọi tổng đài · called the hotline", hotline),
    "email_reset": ("Quên mật khẩu, mã qua e-mail · reset by e-mail", email_reset),
    "stolen_token": ("Phiên bị đánh cắp · a stolen session", stolen_token),
    "expiry": ("Quá hạn · never came", expiry),
}


def play(scene: Scene) -> Scene:
    """Play it to its end. What goes wrong is kept in ``problem``."""
    began = time.monotonic()
    try:
        SCENES[scene.name][1](scene)
    except Exception as problem:
        scene.problem = f"{type(problem).__name__}: {problem}"
    finally:
        scene.client.close()
    scene.seconds = time.monotonic() - began
    return scene
