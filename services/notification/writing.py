"""What listeners have written: a message for each recipient and channel, due at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from services.notification.domain import Channel, Message, Purpose
from services.notification.use_cases import Storage
from shared.events.envelope import Event
from shared.messaging import outbox

ENDINGS_TOLD = (Purpose.REJECTED, Purpose.CLOSED)


def send_otp(storage: Storage, event: Event) -> None:
    """An OTP by e-mail: to confirm the address of a registration, or to reset a password."""
    reset = event.data.get("account_id") is not None
    purpose = Purpose.RESET_OTP if reset else Purpose.EMAIL_OTP
    _write(
        storage,
        event,
        [(Channel.EMAIL, event.data["email"], purpose)],
        facts={"valid_until": event.data["valid_until"].isoformat()},
        sealed_secret=event.data["sealed_otp"],
        valid_until=event.data["valid_until"],
    )


def send_log_in_otp(storage: Storage, event: Event) -> None:
    """An OTP by SMS: a log-in with a password that was read aloud waits for it."""
    _write(
        storage,
        event,
        [(Channel.SMS, event.data["phone"], Purpose.LOG_IN_OTP)],
        facts={"valid_until": event.data["valid_until"].isoformat()},
        sealed_secret=event.data["sealed_otp"],
        valid_until=event.data["valid_until"],
    )


def deliver_credentials(storage: Storage, event: Event) -> None:
    """The password by SMS; by e-mail how to use it. The e-mail never holds the password."""
    facts = {"code": event.data["code"], "valid_until": event.data["valid_until"].isoformat()}
    for channel in event.data["channels"]:
        if channel["kind"] == Channel.SMS:
            _write(
                storage,
                event,
                [(Channel.SMS, channel["to"], Purpose.CREDENTIALS)],
                facts=facts,
                sealed_secret=event.data["sealed_secret"],
                valid_until=event.data["valid_until"],
            )
        else:
            _write(storage, event, [(Channel.EMAIL, channel["to"], Purpose.INSTRUCTIONS)], facts=facts)


def deliver_link(storage: Storage, event: Event) -> None:
    """The link to choose a password, by e-mail. Neither the code nor the name is in it."""
    _write(
        storage,
        event,
        [(Channel.EMAIL, event.data["email"], Purpose.ACTIVATION_LINK)],
        facts={"valid_until": event.data["valid_until"].isoformat()},
        sealed_secret=event.data["sealed_secret"],
        valid_until=event.data["valid_until"],
    )


def tell_rejected(storage: Storage, event: Event) -> None:
    """A registration that the agency refused, with the officer's reason."""
    if _ending_was_told(storage, event):
        return
    _write(storage, event, _both(event, Purpose.REJECTED), facts={"reason": event.data["reason"]})


def tell_closed(storage: Storage, event: Event) -> None:
    """A registration that ended without an account."""
    if _ending_was_told(storage, event):
        return
    _write(storage, event, _both(event, Purpose.CLOSED), facts={"reason": event.data["reason"]})


def tell_supplement(storage: Storage, event: Event) -> None:
    """What the agency still asks for."""
    facts = {"items": ", ".join(event.data["items"]), "note": event.data["note"] or ""}
    _write(storage, event, _both(event, Purpose.SUPPLEMENT), facts=facts)


def remind(storage: Storage, event: Event) -> None:
    """A visit to the agency that is due; told only until the deadline."""
    agency = event.data["agency"]
    facts = {
        "agency": agency["display_name"],
        "address": agency["address"],
        "deadline": event.data["deadline"].isoformat(),
    }
    deadline = event.data["deadline"]
    _write(storage, event, _both(event, Purpose.REMINDER), facts=facts, valid_until=deadline)


def tell_guardianship_ended(storage: Storage, event: Event) -> None:
    """Whoever was a child's guardian; of the child nothing is said, nor what the officer noted. After a
    restore it may be told again, by another event."""
    purpose = Purpose.GUARDIANSHIP_ENDED
    channels = [(Channel(c["kind"]), c["to"], purpose) for c in event.data["channels"]]
    facts = {"at": event.data["ended_at"].isoformat(), "reason": event.data["reason"]}
    if storage.was_told_of(event.data["account_id"], purpose, facts["at"], event.id):
        return
    _write(storage, event, channels, facts=facts)


def tell_account(storage: Storage, event: Event) -> None:
    """A notice to the holder of an account, on the channels that the event names."""
    exact = event.data.get("exact_kind")
    purpose = Purpose(exact if exact in set(Purpose) else event.data["kind"])
    channels = [(Channel(c["kind"]), c["to"], purpose) for c in event.data["channels"]]
    _write(storage, event, channels, facts={"at": event.time.isoformat()})


def tell_request_answered(storage: Storage, event: Event) -> None:
    """The answer by e-mail; by SMS only that there is one, which fits into one part."""
    purpose = Purpose.REQUEST_ANSWERED
    channels = [(Channel(c["kind"]), c["to"], purpose) for c in event.data["channels"]]
    facts = {name: event.data[name] for name in ("request_kind", "outcome", "answer")}
    _write(storage, event, channels, facts=facts)


def _ending_was_told(storage: Storage, event: Event) -> bool:
    """A registration ends once. After a restore its ending may be told again, by another event."""
    return storage.was_told(event.data["registration_id"], ENDINGS_TOLD, event.id)


def _both(event: Event, purpose: Purpose) -> list[tuple[Channel, str, Purpose]]:
    return [(Channel.SMS, event.data["phone"], purpose), (Channel.EMAIL, event.data["email"], purpose)]


def _write(
    storage: Storage,
    event: Event,
    letters: Iterable[tuple[Channel, str, Purpose]],
    *,
    facts: dict[str, str],
    sealed_secret: str | None = None,
    valid_until: datetime | None = None,
) -> None:
    for channel, recipient, purpose in letters:
        message = Message(
            cause_event_id=event.id,
            channel=channel,
            purpose=purpose,
            recipient=recipient,
            language=event.data["language"],
            facts=facts,
            sealed_secret=sealed_secret,
            valid_until=valid_until,
            registration_id=event.data.get("registration_id"),
            credential_id=event.data.get("credential_id"),
            account_id=event.data.get("account_id"),
        )
        if storage.add_message(message, event.time):
            outbox.add(storage.tx, outbox.Due(f"send_{channel}", key=str(message.id), at=event.time))
