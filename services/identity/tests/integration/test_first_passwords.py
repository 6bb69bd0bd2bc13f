"""First passwords of the running service: one for a registration, and another when its SMS is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from services.identity.tests.integration.house import House, new_person
from services.identity.tests.integration.steps import (
    OWN_PASSWORD,
    confirm,
    refused,
    tell,
    until_noted,
    verified,
)
from shared.events import notification as notification_events
from shared.messaging.calls import CallRefused

pytestmark = pytest.mark.usefixtures("matching_register")


@pytest.mark.proves("G12")
def test_a_confirmed_citizen_gets_one_account_and_one_first_password(house: House, officer: str) -> None:
    data = house.submit(outcome="matched")
    case_id = house.case_of(data)
    with ThreadPoolExecutor(10) as threads:
        replies = list(threads.map(lambda _: confirm(house, officer, case_id, "one-key"), range(20)))
    assert replies == [{"id": case_id, "status": "verified"}] * 20
    (issued,) = house.until_told("credentials.issued.v1", data["registration_id"])
    assert issued["channels"] == [
        {"kind": "sms", "to": data["phone"]},
        {"kind": "email", "to": data["email"]},
    ]
    password = house.notification.open(issued["sealed_secret"])
    (row,) = house.rows(
        "SELECT c.* FROM credentials c JOIN accounts a ON a.id = c.account_id WHERE a.code = %(code)s",
        code=data["person"]["code"],
    )
    assert row["state"] == "issued"
    assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (row["valid_until"] - row["made_at"]).total_seconds() == 72 * 3600
    assert password not in house.process.tail(100_000)
    assert not house.rows("SELECT FROM jobs WHERE key = %(key)s", key=str(data["registration_id"]))


def test_a_kill_between_confirmation_and_password_loses_and_doubles_nothing(
    house: House, officer: str
) -> None:
    applications = [house.submit(outcome="matched") for _ in range(6)]
    for data in applications:
        confirm(house, officer, house.case_of(data))
    house.process.kill()
    house.process.start()
    house.process.wait_ready()
    for data in applications:
        house.until_told("credentials.issued.v1", data["registration_id"])
    waiting = """
        SELECT FROM jobs
        WHERE failed_at IS NULL AND kind NOT IN ('seal_audit', 'forget_sessions', 'forget_email_reset')
    """
    house.until(lambda: not house.rows(waiting), "jobs are left", 45)
    for data in applications:
        told = house.told("credentials.issued.v1", data["registration_id"])
        assert len({event["credential_id"] for event in told}) == 1
        live = house.rows(
            "SELECT c.id FROM credentials c JOIN accounts a ON a.id = c.account_id WHERE a.code = %(code)s",
            code=data["person"]["code"],
        )
        assert [str(row["id"]) for row in live] == [told[0]["credential_id"]]


def test_what_notification_tells_of_the_sms_is_kept_with_the_password(house: House, officer: str) -> None:
    data = verified(house, officer)
    credential_id = data["issued"]["credential_id"]
    tell(house, notification_events.FAILED, credential_id, channel="email")
    tell(house, notification_events.DELIVERED, credential_id)
    tell(house, notification_events.SENT, credential_id)
    until_noted(house, credential_id, "delivered")


def test_a_password_whose_sms_did_not_arrive_is_replaced_and_opens_nothing_any_more(
    house: House, officer: str
) -> None:
    data = verified(house, officer)
    user = data["person"]["code"]
    tell(house, notification_events.FAILED, data["issued"]["credential_id"])
    lost, issued = house.until_told("credentials.issued.v1", data["registration_id"], count=2)
    assert lost["credential_id"] == data["issued"]["credential_id"]
    assert issued["channels"] == [one for one in lost["channels"] if one["kind"] == "sms"]
    password = house.notification.open(issued["sealed_secret"])
    assert password != data["password"]
    told = refused(house, "log_in", user=user, sealed_password=house.seal(data["password"]))
    assert told.name == "LogInFailed"
    assert house.log_in(user, password)["must_change_password"]


def test_a_password_that_was_used_is_not_replaced_though_its_sms_is_said_to_have_failed(
    house: House, officer: str
) -> None:
    data = verified(house, officer)
    session = house.log_in(data["person"]["code"], data["password"])
    tell(house, notification_events.FAILED, data["issued"]["credential_id"])
    again = verified(house, officer)
    tell(house, notification_events.FAILED, again["issued"]["credential_id"])
    house.until_told("credentials.issued.v1", again["registration_id"], count=2)
    assert len(house.told("credentials.issued.v1", data["registration_id"])) == 1
    assert house.change_password(session["token"], data["password"], OWN_PASSWORD)["token"]


@pytest.mark.proves("G13")
def test_a_citizen_who_comes_back_with_the_same_contact_is_not_sent_to_the_desk(
    house: House, officer: str
) -> None:
    person = new_person()
    first = verified(house, officer, person)
    again = house.submit(person, outcome="matched")
    (told,) = house.until_told("identity.verified.v1", again["registration_id"])
    assert told["method"] == "reused"
    (issued,) = house.until_told("credentials.issued.v1", again["registration_id"])
    assert issued["account_id"] == first["issued"]["account_id"]
    with pytest.raises(CallRefused, match="LogInFailed"):
        house.log_in(person.code, first["password"])
    assert house.log_in(person.code, house.notification.open(issued["sealed_secret"]))
