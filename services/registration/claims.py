"""What an application holds, and the account that comes of it: one phone and the numbers of one person.

Part of the domain: standard library only. "Mỗi số điện thoại chỉ được đăng ký cho 1 mã số" (G6), and whoever
was verified once may register again (G13): with the own phone, or with another one, which is then held beside
it until the desk has decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self
from uuid import UUID

from services.registration.refusals import AccountUnknown, CodeTaken, PhoneTaken

NUMBER_LENGTHS = (10, 12)
"""Digits of a BHXH code, and of the personal number that replaces it: one is the alias of the other."""


@dataclass(frozen=True)
class Claim:
    """A phone and numbers, held by an application, or, once it ``is_verified``, by the person's account. Whom
    the rule of one phone does not bind, such as a child, holds no phone: an empty text."""

    registration_id: UUID
    phone: str = field(repr=False)
    numbers: frozenset[str] = field(repr=False)
    is_verified: bool = False

    @property
    def values(self) -> tuple[str, ...]:
        """All that is held, in the one order in which it is locked."""
        return tuple(sorted({value for value in (self.phone, *self.numbers) if value}))

    def is_of(self, numbers: Iterable[str]) -> bool:
        """Whether these are numbers of the same person: one is shared, and no two of one length differ."""
        other = frozenset(numbers)
        together = self.numbers | other
        return bool(self.numbers & other) and all(
            len([number for number in together if len(number) == length]) <= 1 for length in NUMBER_LENGTHS
        )

    def verified_after(self, earlier: Iterable[Claim]) -> Self:
        """The account's claim: this phone, and every number that has stood for the person so far."""
        numbers = self.numbers.union(*(claim.numbers for claim in earlier))
        return replace(self, numbers=numbers, is_verified=True)


class Claims(Protocol):
    """Where claims are kept, inside one transaction."""

    def lock_claimed(self, values: Sequence[str]) -> None:
        """Until the transaction ends nobody else decides about any of these."""

    def claims_on(self, values: Sequence[str]) -> list[Claim]:
        """Every claim, whole, that holds one of these."""

    def claim_of(self, registration_id: UUID) -> Claim | None: ...
    def save_claim(self, claim: Claim) -> None:
        """In place of what its registration held before."""

    def free_claims(self, registration_id: UUID) -> None: ...


def claim(storage: Claims, wanted: Claim) -> None:
    """Hold phone and numbers for an application. The account of the same person is not in the way.

    Raises ``PhoneTaken`` or ``CodeTaken`` when somebody else, or another open application, holds one.
    """
    storage.lock_claimed(wanted.values)
    found = [c for c in storage.claims_on(wanted.values) if c.registration_id != wanted.registration_id]
    own = [held for held in found if held.is_verified and held.is_of(wanted.numbers)]
    others = [held for held in found if held not in own]
    if wanted.phone and any(held.phone == wanted.phone for held in others):
        raise PhoneTaken
    if others or len(own) > 1:  # numbers of two accounts make no third
        raise CodeTaken
    storage.save_claim(wanted)


def settle(storage: Claims, registration_id: UUID) -> None:
    """The person was verified: what the application holds is the account's, for life, and what the account
    held before is given up. Again: nothing."""
    held = storage.claim_of(registration_id)
    if held is None or held.is_verified:
        return
    storage.lock_claimed(held.values)
    earlier = [
        other for other in storage.claims_on(held.values) if other.is_verified and other.is_of(held.numbers)
    ]
    for other in earlier:
        storage.free_claims(other.registration_id)
    storage.save_claim(held.verified_after(earlier))


def move_phone(storage: Claims, numbers: frozenset[str], phone: str) -> tuple[UUID, ...]:
    """The account of these numbers gets another phone, seen at the desk. Returns the open applications that
    hold the phone or a number and have to end before: while there are any, nothing is changed.

    Raises ``AccountUnknown``, and ``PhoneTaken`` when it is another account's.
    """
    values = sorted({phone, *numbers})
    storage.lock_claimed(values)
    found = storage.claims_on(values)
    accounts = [held for held in found if held.is_verified and held.is_of(numbers)]
    if len(accounts) != 1:
        raise AccountUnknown
    if any(held.is_verified and held not in accounts for held in found):
        raise PhoneTaken
    in_the_way = tuple(held.registration_id for held in found if not held.is_verified)
    if not in_the_way:
        storage.save_claim(replace(accounts[0], phone=phone))
    return in_the_way
