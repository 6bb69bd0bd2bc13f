"""One citizen's way, from "Đăng ký tài khoản" to the own participation, with the officer's part in it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deploy.demo.world import World
from shared.testing.citizen_client import Accepted, CitizenClient
from shared.testing.citizens import Citizen
from shared.testing.inbox import Inbox
from shared.testing.ledger import Ledger
from shared.testing.officer_client import OfficerClient

STAGES = {
    "register": "Đăng ký, 4 bước · registered",
    "verify": "Cán bộ xác thực · verified at the desk",
    "receive": "SMS mật khẩu · password by SMS",
    "log_in": "Đăng nhập · logged in",
    "change": "Đổi mật khẩu · changed the password",
    "look_up": "Quá trình tham gia · looked up",
}
PASSWORD_LENGTH_BYTES = 12


class WrongAnswer(Exception):
    """The look-up told something else than was imported."""


@dataclass
class Journey:
    """How far one citizen came, and how long each stage took, in seconds."""

    citizen: Citizen
    seconds: dict[str, float] = field(default_factory=dict)
    registration_id: str = ""
    photos: list[str] = field(default_factory=list)
    timeline: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def is_through(self) -> bool:
        """Whether every stage was passed."""
        return not self.problem and set(self.seconds) == set(STAGES)

    @contextmanager
    def stage(self, name: str, passed: Callable[[str], None]) -> Iterator[None]:
        """Measure a stage and tell when it is passed."""
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began
        passed(name)


def travel(
    citizen: Citizen, world: World, gateway: str, inbox: Inbox, ledger: Ledger, passed: Callable[[str], None]
) -> Journey:
    """Go the whole way. What goes wrong is kept in ``problem``, with the stage where it did."""
    journey = Journey(citizen)
    client = CitizenClient(gateway)
    try:
        _go(journey, world, client, inbox, ledger, passed)
    except Exception as problem:
        stage = next((name for name in STAGES if name not in journey.seconds), "end")
        journey.problem = f"{stage}: {type(problem).__name__}: {problem}"
    finally:
        client.close()
    return journey


def _go(
    journey: Journey,
    world: World,
    client: CitizenClient,
    inbox: Inbox,
    ledger: Ledger,
    passed: Callable[[str], None],
) -> None:
    citizen, agency = journey.citizen, world.agency_of(journey.citizen)
    with journey.stage("register", passed):
        accepted = registered(client, citizen, agency, inbox, ledger)
        journey.registration_id, journey.photos = accepted.registration_id, accepted.photos_uploaded
    with journey.stage("verify", passed):
        confirmed(world.officers[agency], accepted, ledger)
    with journey.stage("receive", passed):
        password = inbox.wait_for_password(citizen.phone)
    with journey.stage("log_in", passed):
        session = client.log_in(citizen.code, password)
        if not session["must_change_password"]:
            raise WrongAnswer("the first password need not be changed")
    with journey.stage("change", passed):
        client.change_password(citizen.code, password, secrets.token_urlsafe(PASSWORD_LENGTH_BYTES))
        ledger.changed_password(accepted.registration_id)
    with journey.stage("look_up", passed):
        compare(client.participation(), citizen)
    journey.timeline = client.wait_for("completed")


def registered(
    client: CitizenClient, citizen: Citizen, agency: str, inbox: Inbox, ledger: Ledger
) -> Accepted:
    """Steps 1 to 4 and the submission, until the case is at the desk; the ledger knows of it."""
    accepted = submitted(client, citizen, agency, inbox, ledger)
    client.wait_for("awaiting_visit")
    return accepted


def submitted(client: CitizenClient, citizen: Citizen, agency: str, inbox: Inbox, ledger: Ledger) -> Accepted:
    """Steps 1 to 4 and the submission; the ledger knows of it."""
    accepted = client.register(citizen, inbox.wait_for_otp, agency)
    ledger.accepted(
        accepted.registration_id,
        accepted.declaration_number,
        code=citizen.code,
        phone=citizen.phone,
        email=citizen.email,
        otp_requests=accepted.otp_requests,
    )
    return accepted


def confirmed(
    officer: OfficerClient, accepted: Accepted, ledger: Ledger, *, guardianship: bool = False
) -> None:
    """The officer looks at every photo and confirms; the ledger knows of it."""
    case = officer.find(accepted.declaration_number)
    for kind in accepted.photos_uploaded:
        officer.photo(case["id"], kind)
    told = officer.confirm(case["id"], guardianship=guardianship)
    ledger.decided(accepted.registration_id, told["status"])


def compare(told: dict[str, Any], citizen: Citizen) -> None:
    """The look-up must tell exactly the rows that were imported. Raises ``WrongAnswer``."""
    names = [name for name in citizen.participation_rows()[0] if name != "code"]
    expected = [_row(row, names) for row in citizen.participation_rows()]
    if sorted(_row(row, names) for row in told["items"]) != sorted(expected):
        raise WrongAnswer("the participation is not the one that was imported")


def _row(row: dict[str, Any], names: list[str]) -> list[str]:
    return [" ".join(sorted(row[name])) if name == "funds" else str(row[name]) for name in names]
