"""Stand-ins inside the process: the storage in dicts, a channel that answers as told, a database."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID

from services.notification.domain import Channel, Kept, Message, Outcome, Purpose, Receipt, State
from services.notification.email import Letter
from shared.testing.transactions import FakeTransaction


@dataclass
class FakeMessages:
    """What ``MessageStorage`` keeps in tables."""

    tx: FakeTransaction = field(default_factory=FakeTransaction)
    held: dict[UUID, Message] = field(default_factory=dict)
    changed_at: dict[UUID, datetime] = field(default_factory=dict)
    attempts: dict[UUID, list[list[object]]] = field(default_factory=dict)
    message_of: dict[str, UUID] = field(default_factory=dict)
    counted: dict[tuple[date, str], int] = field(default_factory=dict)
    receipts: dict[str, tuple[Receipt, datetime]] = field(default_factory=dict)

    def add_message(self, message: Message, at: datetime) -> bool:
        if message.id in self.held:
            return False
        self.held[message.id] = message
        self.changed_at[message.id] = at
        return True

    def message(self, message_id: UUID) -> Message | None:
        return self.held.get(message_id)

    def set_state(self, message_id: UUID, state: State, reason: str | None, at: datetime) -> None:
        self.held[message_id] = replace(self.held[message_id], state=state, reason=reason)
        self.changed_at[message_id] = at

    def erase_secret(self, message_id: UUID) -> None:
        self.held[message_id] = replace(self.held[message_id], sealed_secret=None)

    def count_sms(self, day: date, recipient: str, most: int) -> bool:
        if self.counted.get((day, recipient), 0) >= most:
            return False
        self.counted[day, recipient] = self.counted.get((day, recipient), 0) + 1
        return True

    def begin_attempt(self, message_id: UUID, number: int, at: datetime) -> None:
        self.held[message_id] = replace(self.held[message_id], attempts=number)
        self.attempts.setdefault(message_id, []).append([at, "sending", None])

    def end_attempt(self, message_id: UUID, outcome: str, reason: str | None, at: datetime) -> None:
        tries = self.attempts.get(message_id, [])
        if tries and tries[-1][1] in ("sending", "unknown"):
            tries[-1][1:] = [outcome, reason]

    def last_attempt_at(self, message_id: UUID) -> datetime | None:
        tries = self.attempts.get(message_id)
        return tries[-1][0] if tries else None  # type: ignore[return-value]

    def add_parts(self, message_id: UUID, provider_ids: Sequence[str]) -> None:
        for provider_id in provider_ids:
            self.message_of.setdefault(provider_id, message_id)

    def parts(self, message_id: UUID) -> list[Receipt | None]:
        own = sorted(p for p, owner in self.message_of.items() if owner == message_id)
        return [self.receipts[p][0] if p in self.receipts else None for p in own]

    def keep_receipt(self, receipt: Receipt, at: datetime) -> Kept:
        if receipt.provider_id in self.receipts:
            return Kept(False, None)
        self.receipts[receipt.provider_id] = (receipt, at)
        return Kept(True, self.message_of.get(receipt.provider_id))

    def open_messages(self, phone: str) -> list[Message]:
        found = [
            m
            for m in self.held.values()
            if m.recipient == phone and m.channel is Channel.SMS and m.state in (State.SENDING, State.UNKNOWN)
        ]
        return sorted(found, key=lambda m: m.id)

    def stray_receipts(self, phone: str, since: datetime) -> list[Receipt]:
        return [
            receipt
            for provider_id, (receipt, at) in sorted(self.receipts.items())
            if provider_id not in self.message_of and receipt.phone == phone and at >= since
        ]

    def of_registration(self, registration_id: UUID) -> list[tuple[Message, datetime]]:
        found = [m for m in self.held.values() if m.registration_id == registration_id]
        return [(m, self.changed_at[m.id]) for m in found]

    def was_told(self, registration_id: UUID, purposes: Sequence[Purpose], cause: UUID) -> bool:
        return any(
            (m.registration_id, m.cause_event_id != cause) == (registration_id, True)
            and m.purpose in purposes
            for m in self.held.values()
        )

    def was_told_of(self, account_id: UUID, purpose: Purpose, at: str, cause: UUID) -> bool:
        return any(
            (m.account_id, m.purpose, m.facts.get("at")) == (account_id, purpose, at)
            and m.cause_event_id != cause
            for m in self.held.values()
        )

    def in_flight(self, limit: int) -> list[UUID]:
        return [m.id for m in self.held.values() if m.state in (State.WAITING, State.SENDING)][:limit]


class FakeDatabase:
    """Transactions on one ``FakeMessages``: what a block that raises did is taken back."""

    def __init__(self, messages: FakeMessages) -> None:
        self.messages = messages

    @contextmanager
    def transaction(self) -> Iterator[FakeMessages]:
        before = copy.deepcopy(vars(self.messages))
        try:
            yield self.messages
        except BaseException:
            vars(self.messages).update(before)
            raise


class FakeSealer:
    """Opens ``sealed(x)`` to ``x``."""

    def open(self, sealed: str) -> str:
        return sealed.removeprefix("sealed(").removesuffix(")")


@dataclass
class FakeChannel:
    """Answers with ``outcomes`` in turn, the last one for ever; keeps what was handed to it.

    ``when_begun`` is called right after the attempt was committed: raise there to die at that point.
    """

    outcomes: list[Outcome]
    begins: bool = True
    when_begun: Callable[[], None] = lambda: None
    letters: list[Letter] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)

    def send(self, *args: object) -> Outcome:
        begin = args[-1]
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if self.begins:
            begin()  # type: ignore[operator]
            self.when_begun()
        if isinstance(args[0], Letter):
            self.letters.append(args[0])
        else:
            self.texts.append((str(args[0]), str(args[1])))
        return outcome
