"""The hotline's part of the demo: a citizen who forgot the password calls, hears another one and gets in."""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING

from deploy.demo.journey import PASSWORD_LENGTH_BYTES, WrongAnswer, compare
from shared.testing.citizen_client import CitizenClient
from shared.testing.client import NotInTime, ProblemSeen
from shared.testing.inbox import Inbox
from shared.testing.voice_platform import heard

if TYPE_CHECKING:
    from deploy.demo.scenes import Scene

LOG_IN_CODE = re.compile(r"(?:Ma xac nhan dang nhap|Log-in code): (\d{6}) ")
CODE_SECONDS = 60.0


def code_for_log_in(inbox: Inbox, phone: str) -> str:
    """The newest code for a log-in that came by SMS. Raises ``NotInTime``."""
    end = time.monotonic() + CODE_SECONDS
    while time.monotonic() < end:
        found = [LOG_IN_CODE.search(sms["text"]) for sms in inbox.sms(phone)]
        if codes := [match[1] for match in found if match]:
            return codes[-1]
        time.sleep(0.2)
    raise NotInTime(f"no code for the log-in within {CODE_SECONDS:.0f} s")


def hotline(scene: Scene) -> None:
    """The password is forgotten: a call from the registered phone, a new one is heard, and with a code by SMS
    the citizen is in again. A call from another phone hears that they do not belong together."""
    citizen, platform, inbox = scene.citizen, scene.world.voice_platform, scene.inbox
    accepted = scene.register()
    case = scene.case_of(accepted)
    scene.ledger.decided(accepted.registration_id, scene.officer.confirm(case["id"])["status"])
    first = inbox.wait_for_password(citizen.phone)
    forgotten = secrets.token_urlsafe(PASSWORD_LENGTH_BYTES)
    scene.client.log_in(citizen.code, first)
    scene.client.change_password(citizen.code, first, forgotten)
    scene.ledger.changed_password(accepted.registration_id)
    try:
        platform.reissue("0999999999", citizen.code)
        raise WrongAnswer("a stranger was given a password")
    except ProblemSeen as refused:
        if refused.name != "hotline-mismatch":
            raise
    spoken = heard(platform.reissue(citizen.phone, citizen.code)["text"])
    scene.ledger.reissued(accepted.registration_id)
    compare(scene.client.participation(), citizen)  # the session before lives on
    phone = CitizenClient(scene.gateway)
    try:
        if phone.log_in(citizen.code, spoken).get("next_step") != "otp":
            raise WrongAnswer("no code was asked for on a new device")
        phone.confirm_log_in(code_for_log_in(inbox, citizen.phone))
        scene.ledger.logged_in_with_code(accepted.registration_id)
        phone.change_password(citizen.code, spoken, secrets.token_urlsafe(PASSWORD_LENGTH_BYTES))
        scene.ledger.changed_password(accepted.registration_id)
        compare(phone.participation(), citizen)
    finally:
        phone.close()
    scene.client.wait_for("completed")
