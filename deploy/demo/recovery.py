"""Two ways back into one's own account: a password forgotten, and a session in two hands."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from deploy.demo.journey import PASSWORD_LENGTH_BYTES, WrongAnswer, compare
from shared.testing.citizen_client import CitizenClient
from shared.testing.client import ProblemSeen

if TYPE_CHECKING:
    from deploy.demo.scenes import Scene


def email_reset(scene: Scene) -> None:
    """The password is forgotten: with a code to the e-mail the citizen chooses another, and every session
    from before has ended."""
    citizen = scene.citizen
    registration_id = logged_in(scene)
    forgetful = CitizenClient(scene.gateway)
    try:
        reset_id = forgetful.ask_reset(citizen.code)
        code = scene.inbox.wait_for_otp(citizen.email, purpose="reset_otp")
        password = secrets.token_urlsafe(PASSWORD_LENGTH_BYTES)
        forgetful.finish_reset(reset_id, code, password)
        scene.ledger.reset_password(registration_id)
        forgetful.log_in(citizen.code, password)
        compare(forgetful.participation(), citizen)
    finally:
        forgetful.close()
    is_refused(scene.client, "a session from before the reset goes on")
    scene.client.wait_for("completed")


def stolen_token(scene: Scene) -> None:
    """A refresh token was copied: when it is used a second time the session ends for both, and the citizen,
    who is told, logs in again."""
    registration_id = logged_in(scene)
    thief = CitizenClient(scene.gateway)
    thief.refresh_token = scene.client.refresh_token
    try:
        for _ in range(2):
            scene.client.refresh()
        is_refused(thief, "a refresh token was good twice")
        scene.ledger.stolen(registration_id)
        is_refused(scene.client, "the session in two hands goes on")
    finally:
        thief.close()
    scene.inbox.wait_for_emails(scene.citizen.email, "session_copied")
    scene.client.wait_for("completed")


def logged_in(scene: Scene) -> str:
    """The citizen has an account and a password of the own. The registration's id."""
    citizen, accepted = scene.citizen, scene.register()
    told = scene.officer.confirm(scene.case_of(accepted)["id"])
    scene.ledger.decided(accepted.registration_id, told["status"])
    first = scene.inbox.wait_for_password(citizen.phone)
    scene.client.log_in(citizen.code, first)
    scene.client.change_password(citizen.code, first, secrets.token_urlsafe(PASSWORD_LENGTH_BYTES))
    scene.ledger.changed_password(accepted.registration_id)
    return accepted.registration_id


def is_refused(client: CitizenClient, otherwise: str) -> None:
    """Raises ``WrongAnswer`` when the client's refresh token is still good."""
    try:
        client.refresh()
    except ProblemSeen as refused:
        if refused.status == 401:
            return
    raise WrongAnswer(otherwise)
