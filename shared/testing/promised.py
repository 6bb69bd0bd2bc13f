"""What clients were told, as the ledger keeps it, and who belongs together: persons and households."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

VERIFIED = frozenset({"verified", "reused"})
"""By an officer; or without one, because the person was verified before."""
FINAL = {"verified": "completed", "reused": "completed", "rejected": "rejected", "expired": "expired"}
ENDING_TOLD = {"rejected": "rejected", "expired": "closed"}
"""Endings without an account, and the purpose of the message that tells it."""


@dataclass
class Promise:
    """One accepted registration and what was told of it since. ``phone`` is E.164. ``guardian``: of a child,
    the registration with which its guardian was verified. ``step``, ``ended_step``: of all that clients were
    told, the how-manieth was that the officer has decided, and that the guardianship was ended."""

    registration_id: str
    declaration_number: str
    code: str
    phone: str
    email: str
    otp_requests: int = 1
    decision: str | None = None
    passwords_changed: int = 0
    new_devices: int = 0
    reissued: int = 0
    log_in_codes: int = 0
    resets: int = 0
    thefts: int = 0
    guardian: str | None = None
    supplements_asked: int = 0
    supplements_sent: int = 0
    step: int = 0
    ended_step: int | None = None

    def is_guardianship(self, step: int) -> bool:
        """Whether, by then, an officer had confirmed whose child it is and nobody had ended that."""
        confirmed = self.guardian is not None and self.decision == "verified" and self.step <= step
        return confirmed and (self.ended_step is None or step < self.ended_step)

    @property
    def is_verified(self) -> bool:
        """Whether somebody was told so."""
        return self.decision in VERIFIED

    @property
    def status(self) -> str:
        """The registration's, once everything has settled."""
        if self.decision is not None:
            return FINAL[self.decision]
        return "supplement_requested" if self.supplements_sent < self.supplements_asked else "awaiting_visit"


NOW = 10**9
"""A step after all that was told."""


class Book:
    """All promises, by person, by household and by where somebody is reached."""

    def __init__(self, promises: Sequence[Promise]) -> None:
        self.promises = promises
        self._codes = {promise.registration_id: promise.code for promise in promises}
        self._of_person: dict[str, list[Promise]] = defaultdict(list)
        self._households: dict[str, set[str]] = defaultdict(set)
        self._reached_at: dict[str, list[Promise]] = defaultdict(list)
        for promise in promises:
            self._of_person[promise.code].append(promise)
            self._households[self.head_of(promise)].add(promise.code)
            for contact in (promise.phone, promise.email):
                self._reached_at[contact].append(promise)

    def code_of(self, registration_id: str | None) -> str:
        """Of whom a registration is; empty where it is not known."""
        return self._codes.get(registration_id or "", "")

    def head_of(self, promise: Promise) -> str:
        """The code of who is reached at the promise's contact by right: a child's guardian, or the person."""
        return self.code_of(promise.guardian) or promise.code

    def household_of(self, promise: Promise) -> set[str]:
        """The codes of all who are reached at the promise's contact by right: a guardian and the children."""
        return self._households[self.head_of(promise)]

    def of_person(self, code: str) -> Sequence[Promise]:
        """All registrations of a person."""
        return self._of_person.get(code, ())

    def may_wait_with_a_password(self, promise: Promise) -> bool:
        """Verified again, a child by another guardian, and the password that came of it not changed yet."""
        moved = any((ended.ended_step or 0) > promise.step for ended in self.moves(promise.code))
        if promise.passwords_changed or moved:
            return False
        earlier = [p for p in self.of_person(promise.code) if p.guardian and p.is_verified]
        first = min(earlier, key=lambda p: p.step, default=promise)
        return promise.decision == "reused" or first is not promise

    def guardianships(self, code: str, step: int = NOW) -> list[Promise]:
        """Those of a child by then, in the order in which they were confirmed: at the contact of the first
        the child is reached (ADR 0024)."""
        return sorted((p for p in self.of_person(code) if p.is_guardianship(step)), key=lambda p: p.step)

    def contact_of(self, promise: Promise, step: int = NOW) -> tuple[str, str]:
        """Phone and e-mail at which the person was reached by then: a child has its guardian's, or none."""
        if promise.guardian is None:
            return promise.phone, promise.email
        lasting = self.guardianships(promise.code, step)
        return (lasting[0].phone, lasting[0].email) if lasting else ("", "")

    def moves(self, code: str) -> list[Promise]:
        """The guardianships of a child at whose end it was reached at another guardian's contact."""
        ended = [(p, p.ended_step) for p in self.of_person(code) if p.ended_step is not None]
        return [
            p
            for p, step in ended
            if self.guardianships(code, step - 1)[:1] == [p] and self.guardianships(code, step)
        ]

    def reached_at(self, contact: str) -> Sequence[Promise]:
        """All registrations with this phone or e-mail."""
        return self._reached_at.get(contact, ())

    def whose(self, contact: str, code: str = "") -> str:
        """The id of a registration with this contact, of ``code`` if there is one."""
        theirs = sorted(self.reached_at(contact), key=lambda promise: promise.code != code)
        return theirs[0].registration_id if theirs else "nobody's"
