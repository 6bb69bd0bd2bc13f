"""What officers and citizens do at the running service, step by step."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from services.identity.tests.integration.house import House
from shared.events.envelope import EventType
from shared.messaging.calls import CallRefused

OWN_PASSWORD = "một con vịt xoè ra hai cái cánh"


def confirm(house: House, officer: str, case_id: str, key: str | None = None) -> Any:
    arguments = {"sealed_staff_token": officer, "case_id": case_id, "papers_checked": True}
    return house.client.call("identity", "confirm_case", arguments, 15.0, idempotency_key=key)


def refused(house: House, method: str, /, **kwargs: Any) -> CallRefused:
    with pytest.raises(CallRefused) as refusal:
        house.call(method, **kwargs)
    return refusal.value


def verified(house: House, officer: str, person: Any = None) -> dict[str, Any]:
    """An application that was confirmed; returns its data and, as ``password``, what the SMS would say."""
    data = house.submit(person, outcome="matched")
    confirm(house, officer, house.case_of(data))
    (issued,) = house.until_told("credentials.issued.v1", data["registration_id"])
    password = house.notification.open(issued["sealed_secret"])
    return {**data, "password": password, "issued": issued}


def with_own_password(house: House, officer: str) -> dict[str, Any]:
    data = verified(house, officer)
    user = data["person"]["code"]
    session = house.log_in(user, data["password"])
    changed = house.change_password(session["token"], data["password"], OWN_PASSWORD)
    return {**data, "user": user, "first_token": session["token"], "token": changed["token"]}


def tell(house: House, kind: EventType, credential_id: str, channel: str = "sms") -> None:
    """Notification tells of a message with or about a password, three times the same."""
    message = {
        "message_id": uuid.uuid4(),
        "cause_event_id": uuid.uuid4(),
        "purpose": "credentials",
        "channel": channel,
        "credential_id": uuid.UUID(credential_id),
        "at": datetime.now(UTC),
    }
    event = kind.event(subject="message", correlation_id="message", at=datetime.now(UTC), data=message)
    house.exchange.publish(event, times=3)


def until_noted(house: House, credential_id: str, delivery: str) -> None:
    noted = "SELECT FROM credentials WHERE id = %(id)s AND delivery = %(delivery)s"
    house.until(lambda: house.rows(noted, id=credential_id, delivery=delivery), f"{delivery} was not noted")
