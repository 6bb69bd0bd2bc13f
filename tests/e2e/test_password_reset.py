"""A password that was forgotten, over HTTP: a code to the e-mail, a new password, and what is told."""

from __future__ import annotations

import pytest

from deploy.demo.journey import compare
from shared.testing.client import ProblemSeen
from shared.testing.processes import until
from tests.e2e.test_once_for_life import OWN_PASSWORD, verified, wait_for_password
from tests.e2e.test_own_data import is_shut_out

NEW_PASSWORD = "hai con thằn lằn con đùa nhau"
RESET_OTP = "reset_otp"


@pytest.fixture
def citizen(client, new_citizen, officer, inbox):
    """Somebody who is logged in, with a password of the own."""
    citizen = new_citizen(insured=True)
    verified(client, citizen, officer, inbox)
    return citizen


@pytest.mark.proves("G3")
@pytest.mark.parametrize("by", ["code", "personal_number"])
def test_who_forgot_the_password_chooses_another_with_a_code_to_the_e_mail(
    client, citizen, new_client, inbox, by
):
    forgetful = new_client()
    reset_id = forgetful.ask_reset(getattr(citizen, by))
    code = inbox.wait_for_otp(citizen.email, purpose=RESET_OTP)
    (mail,) = inbox.emails(citizen.email, RESET_OTP)
    assert "Your code to reset the password is" in mail["text"]

    with pytest.raises(ProblemSeen) as refused:
        forgetful.finish_reset(reset_id, code, citizen.code)
    assert (refused.value.name, refused.value.fields) == ("password-too-weak", ["new_password"])
    forgetful.finish_reset(reset_id, code, NEW_PASSWORD)

    assert forgetful.log_in(citizen.code, NEW_PASSWORD)["must_change_password"] is False
    compare(forgetful.participation(), citizen)
    until(lambda: is_shut_out(client), 5.0, "a session from before the reset still looks up")
    for act in (client.refresh, lambda: new_client().log_in(citizen.code, OWN_PASSWORD)):
        with pytest.raises(ProblemSeen) as refused:
            act()
        assert refused.value.status == 401
    until(
        lambda: any("password was changed" in sms["text"] for sms in inbox.sms(citizen.phone)),
        60,
        "the phone was not told",
    )


@pytest.mark.proves("G3")
def test_who_never_used_the_first_password_may_reset_it(new_client, new_citizen, officer, inbox):
    citizen, client = new_citizen(), new_client()
    accepted = client.register(citizen, inbox.wait_for_otp)
    officer.confirm(officer.find(accepted.declaration_number)["id"])
    first = wait_for_password(inbox, citizen.phone)
    reset_id = client.ask_reset(citizen.code, citizen.email)
    client.finish_reset(reset_id, inbox.wait_for_otp(citizen.email, purpose=RESET_OTP), NEW_PASSWORD)
    assert client.log_in(citizen.code, NEW_PASSWORD)["must_change_password"] is False
    with pytest.raises(ProblemSeen):
        new_client().log_in(citizen.code, first)


def test_known_and_unknown_are_answered_alike_and_nobody_else_gets_a_code(
    citizen, new_client, new_citizen, inbox
):
    stranger, nobody = new_client(), new_citizen()
    asked = [(citizen.code, None), (nobody.code, None), (citizen.code, nobody.email)]
    answers = [
        stranger.send(
            "POST", "/v1/password-resets", json={"user": user, **({"email": email} if email else {})}
        )
        for user, email in asked
    ]
    assert {(answer.status_code, tuple(answer.json())) for answer in answers} == {
        (202, ("id", "valid_until"))
    }
    code = inbox.wait_for_otp(citizen.email, purpose=RESET_OTP)
    refusals = []
    for answer in answers:
        with pytest.raises(ProblemSeen) as refused:
            stranger.finish_reset(
                answer.json()["id"], "000000" if code != "000000" else "000001", NEW_PASSWORD
            )
        refusals.append({**refused.value.problem, "instance": "", "trace_id": ""})
    assert refusals[0] == refusals[1] == refusals[2]
    assert refusals[0]["status"] == 422
    assert inbox.emails(nobody.email) == []
    assert len(inbox.emails(citizen.email, RESET_OTP)) == 1
