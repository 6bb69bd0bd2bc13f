"""The tables of notification."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.notification.domain import Channel, Kept, Message, Purpose, Receipt, State
from shared.database import Transaction

ADD_MESSAGE = """
INSERT INTO message (id, cause_event_id, channel, purpose, recipient, language, facts, sealed_secret,
                     valid_until, registration_id, credential_id, account_id, written_at, changed_at)
VALUES (%(id)s, %(cause_event_id)s, %(channel)s, %(purpose)s, %(recipient)s, %(language)s, %(facts)s,
        %(sealed_secret)s, %(valid_until)s, %(registration_id)s, %(credential_id)s, %(account_id)s,
        %(at)s, %(at)s)
ON CONFLICT DO NOTHING
"""
COLUMNS = """cause_event_id, channel, purpose, recipient, language, facts, sealed_secret, valid_until,
    registration_id, credential_id, account_id, state, reason, attempts"""
MESSAGE = f"SELECT {COLUMNS} FROM message WHERE id = %(id)s FOR UPDATE"
SET_STATE = "UPDATE message SET state = %(state)s, reason = %(reason)s, changed_at = %(at)s WHERE id = %(id)s"
FORGET = "UPDATE message SET sealed_secret = NULL WHERE id = %(id)s AND sealed_secret IS NOT NULL"
COUNT_SMS = """
INSERT INTO sms_counted AS counted (day, recipient, sent) VALUES (%(day)s, %(recipient)s, 1)
ON CONFLICT (day, recipient) DO UPDATE SET sent = counted.sent + 1 WHERE counted.sent < %(most)s
"""
FORGET_COUNTED = """
DELETE FROM sms_counted WHERE (day, recipient) IN (
    SELECT day, recipient FROM sms_counted WHERE day < %(day)s - 1 LIMIT 10 FOR UPDATE SKIP LOCKED)
"""
BEGIN_ATTEMPT = """
WITH counted AS (UPDATE message SET attempts = %(number)s WHERE id = %(id)s)
INSERT INTO attempt (message_id, number, begun_at) VALUES (%(id)s, %(number)s, %(at)s)
"""
END_ATTEMPT = """
UPDATE attempt SET outcome = %(outcome)s, reason = %(reason)s, ended_at = %(at)s
WHERE message_id = %(id)s AND number = (SELECT max(number) FROM attempt WHERE message_id = %(id)s)
  AND outcome IN ('sending', 'unknown')
"""
LAST_ATTEMPT_AT = "SELECT max(begun_at) AS begun_at FROM attempt WHERE message_id = %(id)s"
ADD_PARTS = """
INSERT INTO part (provider_id, message_id)
SELECT provider_id, %(id)s FROM unnest(%(provider_ids)s::text[]) AS row (provider_id) ORDER BY provider_id
ON CONFLICT (provider_id) DO UPDATE SET message_id = EXCLUDED.message_id WHERE part.message_id IS NULL
"""
PARTS = """
SELECT provider_id, phone, delivered, reason FROM part WHERE message_id = %(id)s ORDER BY provider_id
"""
KEEP_RECEIPT = """
INSERT INTO part (provider_id, phone, delivered, reason, received_at)
VALUES (%(provider_id)s, %(phone)s, %(delivered)s, %(reason)s, %(at)s)
ON CONFLICT (provider_id) DO UPDATE SET phone = EXCLUDED.phone, delivered = EXCLUDED.delivered,
    reason = EXCLUDED.reason, received_at = EXCLUDED.received_at
WHERE part.delivered IS NULL
RETURNING message_id
"""
OPEN_MESSAGES = f"""
SELECT {COLUMNS} FROM message
WHERE recipient = %(phone)s AND channel = 'sms' AND state IN ('sending', 'unknown') ORDER BY id
"""
STRAY_RECEIPTS = """
SELECT provider_id, phone, delivered, reason FROM part
WHERE message_id IS NULL AND phone = %(phone)s AND received_at >= %(since)s ORDER BY provider_id
"""
OF_REGISTRATION = f"""
SELECT {COLUMNS}, changed_at FROM message WHERE registration_id = %(registration_id)s ORDER BY written_at, id
"""
WAS_TOLD = """
SELECT EXISTS (SELECT FROM message WHERE registration_id = %(registration_id)s
               AND purpose = ANY(%(purposes)s) AND cause_event_id <> %(cause)s) AS told
"""
WAS_TOLD_OF = """
SELECT EXISTS (SELECT FROM message WHERE account_id = %(account_id)s AND purpose = %(purpose)s
               AND facts->>'at' = %(at)s AND cause_event_id <> %(cause)s) AS told
"""
PASSWORDS_OF = """
SELECT id, registration_id, credential_id, state, reason FROM message
WHERE registration_id = ANY(%(ids)s)
    AND (purpose, channel) IN (('credentials', 'sms'), ('activation_link', 'email'))
"""
CHANGES_AFTER = """
SELECT id, account_id, written_at FROM message
WHERE id > %(after)s AND purpose = 'password_changed' AND account_id IS NOT NULL AND written_at <= %(until)s
ORDER BY id LIMIT %(limit)s
"""
IN_FLIGHT = "SELECT id FROM message WHERE state IN ('waiting', 'sending') LIMIT %(limit)s"


class MessageStorage:
    """Messages, attempts and receipts, inside the caller's transaction."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx

    def add_message(self, message: Message, at: datetime) -> bool:
        """False when the same cause has already written it."""
        params = {
            "id": message.id,
            "cause_event_id": message.cause_event_id,
            "channel": message.channel.value,
            "purpose": message.purpose.value,
            "recipient": message.recipient,
            "language": message.language,
            "facts": json.dumps(dict(message.facts)),
            "sealed_secret": message.sealed_secret,
            "valid_until": message.valid_until,
            "registration_id": message.registration_id,
            "credential_id": message.credential_id,
            "account_id": message.account_id,
            "at": at,
        }
        return self.tx.run(ADD_MESSAGE, params) == 1

    def message(self, message_id: UUID) -> Message | None:
        """The message, held until the transaction ends."""
        row = self.tx.one(MESSAGE, {"id": message_id})
        return _message(row) if row else None

    def set_state(self, message_id: UUID, state: State, reason: str | None, at: datetime) -> None:
        """Move the message on."""
        self.tx.run(SET_STATE, {"id": message_id, "state": state.value, "reason": reason, "at": at})

    def erase_secret(self, message_id: UUID) -> None:
        """Forget the secret for good."""
        self.tx.run(FORGET, {"id": message_id})

    def count_sms(self, day: date, recipient: str, most: int) -> bool:
        """One more on that day; False, and not counted, beyond ``most``. Some of former days go."""
        is_counted = self.tx.run(COUNT_SMS, {"day": day, "recipient": recipient, "most": most}) == 1
        if is_counted and recipient:
            self.tx.run(FORGET_COUNTED, {"day": day})
        return is_counted

    def begin_attempt(self, message_id: UUID, number: int, at: datetime) -> None:
        """Write down that attempt ``number`` is under way."""
        self.tx.run(BEGIN_ATTEMPT, {"id": message_id, "number": number, "at": at})

    def end_attempt(self, message_id: UUID, outcome: str, reason: str | None, at: datetime) -> None:
        """Write down what came of the last attempt, if one was begun."""
        self.tx.run(END_ATTEMPT, {"id": message_id, "outcome": outcome, "reason": reason, "at": at})

    def last_attempt_at(self, message_id: UUID) -> datetime | None:
        """When the last attempt began."""
        row = self.tx.one(LAST_ATTEMPT_AT, {"id": message_id})
        return row["begun_at"] if row else None

    def add_parts(self, message_id: UUID, provider_ids: Sequence[str]) -> None:
        """Write down the provider's names for the message's parts; receipts already kept are theirs now."""
        if provider_ids:
            self.tx.run(ADD_PARTS, {"id": message_id, "provider_ids": list(provider_ids)})

    def parts(self, message_id: UUID) -> list[Receipt | None]:
        """The receipt of each part, None where it is still awaited."""
        rows = self.tx.all(PARTS, {"id": message_id})
        return [None if row["delivered"] is None else Receipt(**row) for row in rows]

    def keep_receipt(self, receipt: Receipt, at: datetime) -> Kept:
        """Keep a receipt; the first one about a part counts."""
        params = {
            "provider_id": receipt.provider_id,
            "phone": receipt.phone,
            "delivered": receipt.delivered,
            "reason": receipt.reason,
            "at": at,
        }
        row = self.tx.one(KEEP_RECEIPT, params)
        return Kept(True, row["message_id"]) if row else Kept(False, None)

    def open_messages(self, phone: str) -> list[Message]:
        """The messages to this phone of which nobody knows (yet) whether they went out."""
        return [_message(row) for row in self.tx.all(OPEN_MESSAGES, {"phone": phone})]

    def stray_receipts(self, phone: str, since: datetime) -> list[Receipt]:
        """Receipts for this phone that came after ``since`` and belong to no message."""
        return [Receipt(**row) for row in self.tx.all(STRAY_RECEIPTS, {"phone": phone, "since": since})]

    def of_registration(self, registration_id: UUID) -> list[tuple[Message, datetime]]:
        """The messages of a registration with the time of their last change, oldest first."""
        rows = self.tx.all(OF_REGISTRATION, {"registration_id": registration_id})
        return [(_message(row), row["changed_at"]) for row in rows]

    def was_told(self, registration_id: UUID, purposes: Sequence[Purpose], cause: UUID) -> bool:
        """Whether another cause than this one has had it told one of these things."""
        params = {
            "registration_id": registration_id,
            "purposes": [p.value for p in purposes],
            "cause": cause,
        }
        row = self.tx.one(WAS_TOLD, params)
        return bool(row and row["told"])

    def was_told_of(self, account_id: UUID, purpose: Purpose, at: str, cause: UUID) -> bool:
        """Whether another cause than this one has had the account told of what happened ``at`` (ISO 8601).
        Reads the whole table: for what is rare."""
        params = {"account_id": account_id, "purpose": purpose.value, "at": at, "cause": cause}
        row = self.tx.one(WAS_TOLD_OF, params)
        return bool(row and row["told"])

    def passwords_of(self, registration_ids: Sequence[UUID]) -> list[dict[str, Any]]:
        """SMS with first passwords: ``id, registration_id, credential_id, state, reason``."""
        return self.tx.all(PASSWORDS_OF, {"ids": list(registration_ids)})

    def password_changes_after(self, after: UUID, *, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Who was told of an own new password, in order of message: ``id, account_id, written_at``."""
        return self.tx.all(CHANGES_AFTER, {"after": after, "until": until, "limit": limit})

    def in_flight(self, limit: int) -> list[UUID]:
        """Messages that wait, or are being sent."""
        return [row["id"] for row in self.tx.all(IN_FLIGHT, {"limit": limit})]


def _message(row: Mapping[str, Any]) -> Message:
    known = {name: value for name, value in row.items() if name != "changed_at"}
    known["channel"] = Channel(row["channel"])
    known["purpose"] = Purpose(row["purpose"])
    known["state"] = State(row["state"])
    return Message(**known)
