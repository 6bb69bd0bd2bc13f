"""Passwords of an account, the sessions that begin with them, and what a log-in allows.

Part of the domain: standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.identity.domain import Account
from services.identity.refusals import FirstPasswordExpired


class CredentialState(StrEnum):
    """``issued`` is a first password, good for nothing but choosing one's own, which is ``active``."""

    ISSUED = "issued"
    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True)
class Credential:
    """A password of an account. An account has at most one issued and one active at a time."""

    id: UUID
    account_id: UUID
    state: CredentialState
    password_hash: str = field(repr=False)
    valid_until: datetime | None = None  # of an issued one
    reason: str | None = None
    channel: str | None = None
    """Why it was issued and how it travelled (``delivery.Way``, or ``voice``); None for one of a
    registration, by SMS. One's own has the reason of the one that it was chosen with."""

    @property
    def is_registrations(self) -> bool:
        """Whether it is a first password that waits, of a registration: not one of the hotline."""
        return self.state is CredentialState.ISSUED and self.reason is None


def registration_of(cause: str) -> UUID:
    """The registration for which a first password was made."""
    return UUID(cause.partition(" ")[0])


def cause_of_replacement(cause: str, at_most: int) -> str | None:
    """What a first password is made for: a registration, and, when it replaces one that did not arrive, the
    how-manieth replacement it is (``<registration>``, ``<registration> 1``, …). None after ``at_most``."""
    registration_id, _, number = cause.partition(" ")
    following = int(number or 0) + 1
    return f"{registration_id} {following}" if following <= at_most else None


@dataclass(frozen=True)
class Session:
    """One log-in, on one device. ``ended_at`` is set when its holder ended it, or replaced the
    password that it began with."""

    id: UUID
    account: Account
    scope: str
    started_at: datetime
    ended_at: datetime | None = None
    device_id: UUID | None = None

    @property
    def must_change_password(self) -> bool:
        """Whether this session may do nothing but choose a password."""
        return self.scope == SCOPE_PASSWORD_CHANGE


SCOPE_CITIZEN = "citizen"
SCOPE_PASSWORD_CHANGE = "password_change"  # noqa: S105  a scope, not a password


@dataclass(frozen=True)
class Claims:
    """What an access token says, once its signature, issuer and expiry are verified."""

    account_id: UUID
    code: str
    scope: str
    session_id: UUID


def scope_of(credential: Credential, now: datetime) -> str:
    """What a log-in with this credential allows. Raises ``FirstPasswordExpired``."""
    if credential.state is CredentialState.ACTIVE:
        return SCOPE_CITIZEN
    if credential.valid_until is not None and now >= credential.valid_until:
        raise FirstPasswordExpired
    return SCOPE_PASSWORD_CHANGE
