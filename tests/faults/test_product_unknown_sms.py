"""F3: notification is killed when the SMSC has the SMS with a password and nobody has written that down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.native.instance import Instance
from shared.testing.citizen_client import CitizenClient
from shared.testing.citizens import Citizen
from shared.testing.client import ProblemSeen
from shared.testing.inbox import password_in
from shared.testing.processes import ServiceProcess, until
from tests.faults.crowd import Crowd, new_seed
from tests.faults.sms import smsc

OWN_PASSWORD = "một mật khẩu mới, đủ dài"


@pytest.fixture
def crowd(product: Instance) -> Crowd:
    return Crowd(product, 1, new_seed())


def killed_in_between(product: Instance, crowd: Crowd, kill: Any) -> tuple[Citizen, CitizenClient, str]:
    """A citizen is verified, the SMSC takes the SMS and does not answer, and notification is killed.
    Returns the password that is in that SMS."""
    with smsc(product, withhold_responses=True, receipts=False):
        citizen, client = crowd.verify(0)
        password = crowd.inbox.wait_for_password(citizen.phone)
        kill()
    return citizen, client, password


def comes_in_with(client: CitizenClient, citizen: Citizen, password: str, crowd: Crowd) -> None:
    """The password opens the account; then nothing was lost and nothing doubled."""
    client.wait_for("completed")
    client.log_in(citizen.code, password)
    client.change_password(citizen.code, password, OWN_PASSWORD)
    crowd.ledger.changed_password(client.draft.registration_id if client.draft else "")
    report = crowd.ledger.wait_until_final()
    assert report.is_clean, str(report)


def settled_by_its_receipt(product: Instance, crowd: Crowd, kill: Any) -> None:
    """The receipt comes after the kill: it settles the message, and its password is the one that counts."""
    citizen, client, password = killed_in_between(product, crowd, kill)
    comes_in_with(client, citizen, password, crowd)
    assert len(crowd.inbox.sms(citizen.phone)) == 1


@pytest.mark.proves("F3")
def test_a_receipt_that_comes_late_settles_the_sms_and_nothing_is_sent_again(
    product: Instance, crowd: Crowd
) -> None:
    settled_by_its_receipt(product, crowd, lambda: product.kill("notification"))


@pytest.mark.proves("F3")
def test_without_a_receipt_another_password_is_sent_and_the_first_opens_nothing(
    product: Instance, crowd: Crowd
) -> None:
    with smsc(product, receipts=False):
        citizen, client, first = killed_in_between(product, crowd, lambda: product.kill("notification"))
        until(lambda: len(crowd.inbox.sms(citizen.phone)) == 2, 60.0, "no other password was sent")
        second = password_in(crowd.inbox.sms(citizen.phone)[-1]["text"])
        with pytest.raises(ProblemSeen) as refused:
            client.log_in(citizen.code, first)
    assert (refused.value.name, second == first) == ("log-in-failed", False)
    until(lambda: all(sms["receipt"] for sms in crowd.inbox.sms(citizen.phone)), 30.0, "receipts are left")
    comes_in_with(client, citizen, second, crowd)


@pytest.mark.planted("F3")
def test_an_sms_that_is_sent_again_blindly_is_seen(product: Instance, crowd: Crowd, tmp_path: Path) -> None:
    target = f"{__package__}.planted_notification:NotificationService"
    planted = ServiceProcess(target, product.environment("notification"), tmp_path / "planted.log")

    def kill_and_restart() -> None:
        planted.kill()
        planted.start()

    product.supervision.stop(["notification"])
    try:
        planted.start()
        planted.wait_ready()
        with pytest.raises(AssertionError, match="the same SMS 2 times"):
            settled_by_its_receipt(product, crowd, kill_and_restart)
    finally:
        planted.kill()
        product.up()
