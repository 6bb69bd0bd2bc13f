"""The devices on which a citizen is logged in, and the tokens that keep them so.

Part of the domain: standard library only. A refresh token is used once, and gives the next one. One
that comes back later is in two hands, and its session ends (RFC 9700 §4.14.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Self
from uuid import UUID

TOKENS_LIVE = timedelta(minutes=65)
"""No access token counts for longer: ``ACCESS_TOKEN_MINUTES`` is 60 at the most, and clocks differ."""
FORMER_KEPT = 20
"""Used tokens that are still told from tokens that never were, for each session."""
LONGEST_NAME = 100
MOST_DEVICES = 20
"""Of an account; beyond, the one that was seen longest ago is forgotten."""


@dataclass(frozen=True)
class Device:
    """Where a citizen has logged in, by the name that the citizen reads. It proves itself by a token."""

    id: UUID
    account_id: UUID
    name: str = field(repr=False)
    token_hash: bytes = field(repr=False)
    first_seen_at: datetime
    last_seen_at: datetime


class Use(Enum):
    """What a token turned out to be."""

    DUE = auto()
    REPEATED = auto()
    """Used a moment ago: the answer was lost, and is given once more."""
    STOLEN = auto()
    """Used before: somebody else has it as well."""
    UNKNOWN = auto()
    """It never was one of this session's, or its time is over."""


@dataclass(frozen=True)
class Lifetimes:
    """How long a session lasts unused, and at the most; how long a lost answer may be asked for again."""

    idle: timedelta
    longest: timedelta
    repeat: timedelta = timedelta(seconds=10)


@dataclass(frozen=True)
class Refresh:
    """The refresh tokens of one session, as hashes: the one that is due, and those used before it."""

    session_id: UUID
    started_at: datetime
    token_hash: bytes = field(repr=False)
    refreshed_at: datetime
    former: tuple[bytes, ...] = field(default=(), repr=False)

    def use(self, token_hash: bytes, now: datetime, lifetimes: Lifetimes) -> Use:
        """What comes of using a token now. Hashes of 256 random bits may be compared in any time."""
        if token_hash not in (self.token_hash, *self.former):
            return Use.UNKNOWN
        if now >= min(self.refreshed_at + lifetimes.idle, self.started_at + lifetimes.longest):
            return Use.UNKNOWN
        if token_hash == self.token_hash:
            return Use.DUE
        is_last = token_hash == self.former[-1]
        return Use.REPEATED if is_last and now < self.refreshed_at + lifetimes.repeat else Use.STOLEN

    def followed_by(self, following: bytes, now: datetime) -> Self:
        """With the next one due. Clocks of two replicas differ: it never goes back."""
        former = (*self.former, self.token_hash)[-FORMER_KEPT:]
        return replace(self, token_hash=following, former=former, refreshed_at=max(now, self.refreshed_at))


def device_name(name: str | None) -> str:
    """What the citizen reads in the list: one line, 100 characters at the most."""
    return " ".join((name or "").split())[:LONGEST_NAME]
