"""Those for whom it goes another way than straight: told apart by name, each checked to its own end.

A scene is a few citizens and what happens to them. The ledger keeps what was promised, as for everybody.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg

from deploy.demo.hotline import hotline
from deploy.demo.journey import PASSWORD_LENGTH_BYTES, WrongAnswer, compare, confirmed, registered, submitted
from deploy.demo.recovery import email_reset, stolen_token
from deploy.demo.world import CHILD, MISMATCHED, World
from shared.testing.citizen_client import Accepted, CitizenClient, photo_of
from shared.testing.citizens import Citizen
from shared.testing.client import ProblemSeen
from shared.testing.inbox import Inbox
from shared.testing.ledger import Ledger
from shared.testing.officer_client import OfficerClient
from shared.testing.processes import until

REASON = "Giấy tờ gốc không khớp với tờ khai"
NOTE = "Ảnh chân dung bị lóa, xin chụp lại"
TIME_PASSES = "UPDATE jobs SET due_at = now() WHERE kind = 'pass_deadline' AND key = %(id)s"
SOON_SECONDS = 30.0


@dataclass
class Scene:
    """A few citizens on the stage; ``problem`` is empty when it ended as it should."""

    name: str
    people: Sequence[Citizen]
    world: World
    gateway: str
    databases: Mapping[str, str]
    inbox: Inbox
    ledger: Ledger
    client: CitizenClient = field(init=False)
    seconds: float = 0.0
    problem: str = ""

    def __post_init__(self) -> None:
        self._clients: list[CitizenClient] = []
        self.client = self.new_client()

    def new_client(self) -> CitizenClient:
        """Another one's phone; let go of when the scene ends."""
        self._clients.append(CitizenClient(self.gateway))
        return self._clients[-1]

    def close(self) -> None:
        """Let go of all connections."""
        for client in self._clients:
            client.close()

    @property
    def citizen(self) -> Citizen:
        """The one whom it is about, or the first of them."""
        return self.people[0]

    @property
    def agency(self) -> str:
        """The agency where the papers are shown."""
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

    def has_account(self, client: CitizenClient, citizen: Citizen) -> tuple[str, str]:
        """Somebody registers, is verified, and is logged in with a password of the own. Returns the
        registration's id and the password."""
        accepted = registered(client, citizen, self.agency, self.inbox, self.ledger)
        confirmed(self.officer, accepted, self.ledger)
        password = self.inbox.wait_for_password(citizen.phone)
        return accepted.registration_id, self.own_password(client, citizen, accepted, password)

    def own_password(self, client: CitizenClient, citizen: Citizen, accepted: Accepted, first: str) -> str:
        """Logged in with the first password, and changed it. Returns the new one."""
        if not client.log_in(citizen.code, first)["must_change_password"]:
            raise WrongAnswer("the first password need not be changed")
        own = secrets.token_urlsafe(PASSWORD_LENGTH_BYTES)
        client.change_password(citizen.code, first, own)
        self.ledger.changed_password(accepted.registration_id)
        return own


def mismatch(scene: Scene) -> None:
    """The register knows another birth date: photos of the ID card are asked for, the desk decides."""
    accepted = scene.register()
    if set(accepted.photos_uploaded) != {"portrait", "id_front", "id_back"}:
        raise WrongAnswer("the photos of the ID card were not asked for")
    if scene.case_of(accepted)["mismatched_fields"] != ["birthDate"]:
        raise WrongAnswer("the officer does not see what differs")
    confirmed(scene.officer, accepted, scene.ledger)
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


def supplement(scene: Scene) -> None:
    """The officer asks for another photo: the citizen is told by SMS and e-mail and adds it, the case comes
    back to the same officer, and all goes on to the log-in."""
    accepted, citizen = scene.register(), scene.citizen
    case = scene.case_of(accepted)
    scene.officer.request_supplement(case["id"], "portrait", note=NOTE)
    scene.ledger.asked_supplement(accepted.registration_id)
    scene.client.wait_for("supplement_requested")
    scene.inbox.wait_for_sms(citizen.phone)
    (mail,) = scene.inbox.wait_for_emails(citizen.email, "supplement")
    if NOTE not in mail["text"] or scene.client.view()["supplement"]["items"] != ["portrait"]:
        raise WrongAnswer("the citizen is not told what is asked for")
    scene.client.upload("portrait", photo_of(citizen, "portrait"))
    scene.client.send_supplement()
    scene.ledger.sent_supplement(accepted.registration_id)
    until(lambda: scene.officer.case(case["id"])["stage"] == "waiting", SOON_SECONDS, "it did not come back")
    colleague = scene.world.colleagues[scene.agency]
    if refusal(lambda: colleague.confirm(case["id"])) != "case-claimed":
        raise WrongAnswer("it did not come back to the officer who had asked")
    scene.officer.photo(case["id"], "portrait")
    confirmed(scene.officer, accepted, scene.ledger)
    scene.own_password(scene.client, citizen, accepted, scene.inbox.wait_for_password(citizen.phone))
    scene.client.wait_for("completed")


def child(scene: Scene) -> None:
    """A verified parent registers a child, the officer confirms the guardianship from the birth certificate:
    the parent looks the child up, another citizen does not."""
    parent, kid, stranger = scene.people
    parents, strangers, draft = scene.client, scene.new_client(), scene.new_client()
    guardian, _ = scene.has_account(parents, parent)
    scene.has_account(strangers, stranger)
    accepted = draft.register_child(kid, parents, agency_code=scene.agency)
    scene.ledger.accepted(
        accepted.registration_id,
        accepted.declaration_number,
        code=kid.code,
        phone=parent.phone,
        email=parent.email,
        otp_requests=accepted.otp_requests,
        guardian=guardian,
    )
    draft.wait_for("awaiting_visit")
    if "birth_certificate" not in accepted.photos_uploaded or parents.children():
        raise WrongAnswer("a child is seen before its certificate was compared")
    confirmed(scene.officer, accepted, scene.ledger, guardianship=True)
    draft.wait_for("completed")
    scene.inbox.wait_for_password(parent.phone, number=2)
    (seen,) = parents.children()
    until(lambda: looked_up(parents, seen["id"]), SOON_SECONDS, "the parent does not see the child")
    compare(parents.participation(seen["id"]), kid)
    if strangers.children() or refusal(lambda: strangers.participation(seen["id"])) != "child-unknown":
        raise WrongAnswer("a stranger sees the child")


def second_registration(scene: Scene) -> None:
    """A person who was verified registers again, with the phone of the account: the desk is not asked, and a
    first password comes beside the one in use."""
    citizen, again = scene.citizen, scene.new_client()
    _, own = scene.has_account(scene.client, citizen)
    accepted = submitted(again, citizen, scene.agency, scene.inbox, scene.ledger)
    again.wait_for("completed")
    scene.ledger.decided(accepted.registration_id, "reused")
    first = scene.inbox.wait_for_password(citizen.phone, number=2)
    if list(scene.officer.cases(q=accepted.declaration_number)):
        raise WrongAnswer("who was verified before is sent to the desk again")
    if scene.client.log_in(citizen.code, own)["must_change_password"]:
        raise WrongAnswer("the password in use no longer opens the account")
    scene.own_password(again, citizen, accepted, first)
    scene.ledger.on_a_new_device(accepted.registration_id)
    compare(again.participation(), citizen)


def looked_up(client: CitizenClient, child_id: str) -> bool:
    """Whether the child's data is shown: history has to have heard of the guardian."""
    return refusal(lambda: client.participation(child_id)) is None


def refusal(act: Callable[[], Any]) -> str | None:
    """Why something is refused."""
    try:
        act()
    except ProblemSeen as problem:
        return problem.name
    return None


class Play(NamedTuple):
    """What a scene is called, what happens in it, and who plays."""

    words: str
    act: Callable[[Scene], None]
    roles: Sequence[str] = ("citizen",)


SCENES = {
    "mismatch": Play("CSDLQG không khớp · register disagrees", mismatch, (MISMATCHED,)),
    "supplement": Play("Bổ sung hồ sơ · supplement asked for", supplement),
    "rejection": Play("Bị từ chối · rejected at the desk", rejection),
    "hotline": Play("Quên mật khẩu, gọi tổng đài · called the hotline", hotline),
    "email_reset": Play("Quên mật khẩu, mã qua e-mail · reset by e-mail", email_reset),
    "stolen_token": Play("Phiên bị đánh cắp · a stolen session", stolen_token),
    "expiry": Play("Quá hạn · never came", expiry),
    "child": Play("Trẻ em · a child, by a parent", child, ("parent", CHILD, "stranger")),
    "second_registration": Play("Đăng ký lần hai · verified before", second_registration),
}


def play(scene: Scene) -> Scene:
    """Play it to its end. What goes wrong is kept in ``problem``."""
    began = time.monotonic()
    try:
        SCENES[scene.name].act(scene)
    except Exception as problem:
        scene.problem = f"{type(problem).__name__}: {problem}"
    finally:
        scene.close()
    scene.seconds = time.monotonic() - began
    return scene
