"""A person's rights over the own data, over HTTP: to have, correct and erase it, to withdraw the consent."""

from __future__ import annotations

import pytest

from deploy.demo.world import add_officer
from shared.testing.client import ProblemSeen
from shared.testing.processes import until
from tests.e2e.test_once_for_life import OWN_PASSWORD, verified, wait_for_password


@pytest.fixture
def citizen(client, new_citizen, officer, inbox):
    """Somebody who is logged in, with a password of the own."""
    citizen = new_citizen(insured=True)
    verified(client, citizen, officer, inbox)
    return citizen


def test_all_that_is_held_is_handed_over_and_that_is_on_record(client, citizen):
    held = client.data()
    assert held["account"]["code"] == citizen.code
    assert held["person"]["full_name"] == citizen.full_name
    assert held["person"]["document"]["number"] == citizen.personal_number
    assert [application["status"] for application in held["applications"]] == ["verified"]
    assert held["participation"] == client.participation()["items"]
    assert held["log_ins"]
    assert [(asked["kind"], asked["state"]) for asked in client.requests()] == [("export", "granted")]
    assert "hash" not in str(held).lower()


def test_data_is_handed_over_five_times_a_day(client, citizen):
    for _ in range(5):
        client.data()
    with pytest.raises(ProblemSeen) as refused:
        client.data()
    assert (refused.value.status, refused.value.name) == (429, "exports-too-many")
    assert len(client.requests()) == 5


def test_a_correction_is_made_by_the_own_agency_and_told(
    client, citizen, officer, new_client, product, gateway, seed, inbox
):
    asked = client.ask_correction(full_name="Nguyễn Thị Sửa")
    assert asked["asked_at"] < asked["due_at"]
    assert client.ask_correction(full_name="Nguyễn Thị Sửa")["id"] == asked["id"]
    elsewhere = add_officer(product, gateway, f"e2e-rights-{seed}", "S002")
    assert asked["id"] not in [item["id"] for item in elsewhere.requests()]
    with pytest.raises(ProblemSeen) as refused:
        elsewhere.answer_request(asked["id"], granted=True)
    assert (refused.value.status, refused.value.name) == (404, "person-request-unknown")

    (waiting,) = [item for item in officer.requests() if item["id"] == asked["id"]]
    assert waiting["held"]["full_name"] == citizen.full_name
    officer.answer_request(asked["id"], granted=True)

    assert client.me()["full_name"] == "Nguyễn Thị Sửa"
    (seen,) = client.requests()
    assert (seen["state"], seen["kind"]) == ("granted", "correction")
    inbox.wait_for_emails(citizen.email, "request_answered")


def test_whoever_withdraws_is_shut_out_and_may_register_again(client, citizen, new_client, inbox, officer):
    with pytest.raises(ProblemSeen) as refused:
        client.withdraw_consent("not the password")
    assert refused.value.name == "old-password-wrong"
    assert client.me()["code"] == citizen.code

    closed = client.withdraw_consent(OWN_PASSWORD)
    assert (closed["kind"], closed["state"]) == ("withdrawal", "granted")
    with pytest.raises(ProblemSeen) as refused:
        client.me()
    assert refused.value.status == 401
    with pytest.raises(ProblemSeen) as refused:
        new_client().log_in(citizen.code, OWN_PASSWORD)
    assert refused.value.name == "log-in-failed"
    inbox.wait_for_emails(citizen.email, "request_answered")

    again = new_client()
    again.register(citizen, inbox.wait_for_otp)
    again.wait_for("completed")
    password = wait_for_password(inbox, citizen.phone, 2)
    assert new_client().log_in(citizen.code, password)["must_change_password"] is True


def test_what_no_duty_keeps_is_erased_and_the_answer_says_what_stays(
    client, new_client, new_citizen, officer, inbox, product
):
    citizen = new_citizen(known=False)
    turned_away = new_client()
    accepted = turned_away.register(citizen, inbox.wait_for_otp)
    officer.reject(officer.find(accepted.declaration_number)["id"], "Ảnh chân dung không rõ, xin chụp lại.")
    turned_away.wait_for("rejected")
    verified(client, citizen, officer, inbox)

    asked = client.ask_erasure()
    assert (asked["kind"], asked["state"]) == ("erasure", "open")
    until(lambda: client.requests()[0]["state"] == "granted", 30, lambda: str(client.requests()))
    (answered,) = client.requests()
    assert "Erased: 6 photos; what is personal of 1 applications" in answered["answer"]
    assert "law on social and health insurance" in answered["answer"]
    inbox.wait_for_emails(citizen.email, "request_answered")

    assert turned_away.view()["declaration"] is None
    held = client.data()
    assert held["person"]["full_name"] == citizen.full_name, "the verified identity stays"
    assert citizen.full_name not in str(list(officer.cases("rejected", q=accepted.declaration_number)))
    client.wait_for("completed")
