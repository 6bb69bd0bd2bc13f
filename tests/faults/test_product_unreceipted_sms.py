"""G12: the SMSC takes the SMS with a password and never says what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.native.instance import Instance
from shared.testing.citizen_client import CitizenClient
from shared.testing.client import ProblemSeen
from shared.testing.inbox import password_in
from shared.testing.processes import ServiceProcess, until
from tests.faults.crowd import Crowd, new_seed
from tests.faults.sms import smsc

SHORT = {"SMS_VALIDITY_SECONDS": "2", "RECEIPT_MARGIN_SECONDS": "1"}
OWN_PASSWORD = "một mật khẩu mới, đủ dài"
ENDS = ("credentials_delivered", "credentials_late")
PLANTED = f"{__package__}.planted_unreceipted:NotificationService"


@pytest.fixture
def crowd(product: Instance) -> Crowd:
    return Crowd(product, 1, new_seed())


@contextmanager
def impatient(product: Instance, log: Path, target: str = "notification") -> Iterator[None]:
    """Notification waits for seconds where it waits for hours."""
    hurried = ServiceProcess(target, {**product.environment("notification"), **SHORT}, log)
    product.supervision.stop(["notification"])
    try:
        hurried.start()
        hurried.wait_ready()
        yield
    finally:
        hurried.kill()
        product.up()


def followed_without_a_receipt(product: Instance, crowd: Crowd) -> None:
    """Another password is sent; then both receipts come, and only the newer password opens the account."""
    with smsc(product, receipts=False):
        citizen, client = crowd.verify(0)
        first = crowd.inbox.wait_for_password(citizen.phone)
        until(lambda: len(crowd.inbox.sms(citizen.phone)) >= 2, 30.0, "no other password was sent")
        until(lambda: "credentials_replaced" in steps(client), 30.0, "the other password is not told of")
    # an SMS may be given up once more before its receipt is let through
    until(lambda: "credentials_late" in steps(client), 30.0, "the late receipt is not on the timeline")
    until(lambda: steps(client)[-1] in ENDS, 30.0, "the newest is not followed to its end")
    told = steps(client)
    assert told.index("credentials_failed") < told.index("credentials_replaced"), told
    texts = [sms["text"] for sms in crowd.inbox.sms(citizen.phone)]
    newest = password_in(texts[-1])
    for earlier in (first, *(password_in(text) for text in texts[1:-1])):
        with pytest.raises(ProblemSeen) as refused:
            client.log_in(citizen.code, earlier)
        assert refused.value.name == "log-in-failed"
    client.log_in(citizen.code, newest)
    client.change_password(citizen.code, newest, OWN_PASSWORD)
    crowd.ledger.changed_password(client.draft.registration_id if client.draft else "")
    report = crowd.ledger.wait_until_final()
    assert report.is_clean, str(report)


def steps(client: CitizenClient) -> list[str]:
    """What the timeline tells of passwords so far."""
    entries = client.timeline()["entries"]
    return [entry["step"] for entry in entries if entry["step"].startswith("credentials_")]


@pytest.mark.proves("G12")
def test_a_password_whose_receipt_never_comes_is_followed_and_the_receipt_may_come_late(
    product: Instance, crowd: Crowd, tmp_path: Path
) -> None:
    with impatient(product, tmp_path / "notification.log"):
        followed_without_a_receipt(product, crowd)


@pytest.mark.planted("G12")
def test_a_password_that_waits_for_ever_is_seen(product: Instance, crowd: Crowd, tmp_path: Path) -> None:
    missed = pytest.raises(AssertionError, match="no other password was sent")
    with impatient(product, tmp_path / "planted.log", PLANTED), missed:
        followed_without_a_receipt(product, crowd)
