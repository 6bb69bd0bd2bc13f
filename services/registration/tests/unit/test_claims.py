"""Who holds a phone and a number, and what happens to it when the same person comes again."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.registration import claims
from services.registration.claims import Claim
from services.registration.refusals import AccountUnknown, CodeTaken, PhoneTaken
from services.registration.tests.unit.fakes import FakeStorage

CODE, NUMBER, PHONE = "0123456789", "001190123456", "+84912345678"
OTHER_CODE, OTHER_NUMBER, OTHER_PHONE = "9876543210", "001290654321", "+84987654321"


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


def wanted(phone: str = PHONE, *numbers: str) -> Claim:
    return Claim(uuid4(), phone, frozenset(numbers or (CODE, NUMBER)))


def verified(storage: FakeStorage, claim: Claim | None = None) -> Claim:
    held = claim or wanted()
    claims.claim(storage, held)
    claims.settle(storage, held.registration_id)
    return replace(held, is_verified=True)


@pytest.mark.proves("G13")
@pytest.mark.parametrize("numbers", [(CODE, NUMBER), (CODE,), (NUMBER,)])
@pytest.mark.parametrize("phone", [PHONE, OTHER_PHONE])
def test_a_verified_person_may_register_again_with_any_number_and_any_free_phone(
    storage: FakeStorage, phone: str, numbers: tuple[str, ...]
) -> None:
    account, again = verified(storage), wanted(phone, *numbers)
    claims.claim(storage, again)
    assert storage.claims == {account.registration_id: account, again.registration_id: again}


@pytest.mark.proves("G6")
@pytest.mark.parametrize(
    "numbers",
    [(OTHER_CODE,), (OTHER_CODE, OTHER_NUMBER), (CODE, OTHER_NUMBER), (OTHER_CODE, NUMBER)],
    ids=["another code", "another person", "a leaked code", "a leaked personal number"],
)
def test_a_verified_persons_phone_is_nobody_elses(storage: FakeStorage, numbers: tuple[str, ...]) -> None:
    verified(storage)
    with pytest.raises(PhoneTaken):
        claims.claim(storage, wanted(PHONE, *numbers))


@pytest.mark.proves("G13")
@pytest.mark.parametrize("numbers", [(CODE, OTHER_NUMBER), (OTHER_CODE, NUMBER)])
def test_a_leaked_code_with_somebody_elses_papers_does_not_even_reach_the_desk(
    storage: FakeStorage, numbers: tuple[str, ...]
) -> None:
    account = verified(storage)
    with pytest.raises(CodeTaken):
        claims.claim(storage, wanted(OTHER_PHONE, *numbers))
    assert list(storage.claims.values()) == [account]


def test_the_numbers_of_two_accounts_do_not_make_a_third(storage: FakeStorage) -> None:
    verified(storage, wanted(PHONE, CODE))
    verified(storage, wanted(OTHER_PHONE, NUMBER))
    with pytest.raises(CodeTaken):
        claims.claim(storage, wanted("+84355555555", CODE, NUMBER))


@pytest.mark.proves("G6")
def test_while_an_application_is_open_neither_its_phone_nor_its_code_is_free(storage: FakeStorage) -> None:
    claims.claim(storage, wanted())
    with pytest.raises(PhoneTaken):
        claims.claim(storage, wanted(PHONE, OTHER_CODE))
    for numbers in ((CODE,), (NUMBER,)):
        with pytest.raises(CodeTaken):
            claims.claim(storage, wanted(OTHER_PHONE, *numbers))


@pytest.mark.proves("G13")
def test_both_phones_are_held_until_the_desk_has_decided(storage: FakeStorage) -> None:
    account, again = verified(storage), wanted(OTHER_PHONE)
    claims.claim(storage, again)
    for phone in (PHONE, OTHER_PHONE):
        with pytest.raises(PhoneTaken):
            claims.claim(storage, wanted(phone, OTHER_CODE))
    storage.free_claims(again.registration_id)
    claims.claim(storage, wanted(OTHER_PHONE, OTHER_CODE))
    with pytest.raises(PhoneTaken):
        claims.claim(storage, wanted(PHONE, "5555555555"))
    assert storage.claims[account.registration_id] == account


@pytest.mark.proves("G13")
def test_once_it_is_verified_the_new_phone_is_the_accounts_and_the_old_one_free(storage: FakeStorage) -> None:
    verified(storage)
    again = wanted(OTHER_PHONE, NUMBER)
    claims.claim(storage, again)
    for _ in range(2):
        claims.settle(storage, again.registration_id)
    (account,) = storage.claims.values()
    assert (account.phone, account.numbers, account.is_verified) == (OTHER_PHONE, {CODE, NUMBER}, True)
    claims.claim(storage, wanted(PHONE, OTHER_CODE))


def test_at_the_desk_an_account_gets_a_free_phone(storage: FakeStorage) -> None:
    account = verified(storage)
    assert claims.move_phone(storage, account.numbers, OTHER_PHONE) == ()
    assert claims.move_phone(storage, frozenset({CODE}), OTHER_PHONE) == ()
    assert list(storage.claims.values()) == [replace(account, phone=OTHER_PHONE)]
    claims.claim(storage, wanted(PHONE, OTHER_CODE))


def test_at_the_desk_nobody_gets_another_accounts_phone_or_one_without_an_account(
    storage: FakeStorage,
) -> None:
    account, other = verified(storage), verified(storage, wanted(OTHER_PHONE, OTHER_CODE))
    with pytest.raises(PhoneTaken):
        claims.move_phone(storage, account.numbers, OTHER_PHONE)
    with pytest.raises(AccountUnknown):
        claims.move_phone(storage, frozenset({"5555555555"}), "+84355555555")
    assert list(storage.claims.values()) == [account, other]


def test_an_application_that_holds_the_phone_has_to_end_first(storage: FakeStorage) -> None:
    account, squatter = verified(storage), wanted(OTHER_PHONE, OTHER_CODE)
    claims.claim(storage, squatter)
    assert claims.move_phone(storage, account.numbers, OTHER_PHONE) == (squatter.registration_id,)
    assert storage.claims[account.registration_id] == account
    storage.free_claims(squatter.registration_id)
    assert claims.move_phone(storage, account.numbers, OTHER_PHONE) == ()


def test_an_application_that_holds_the_phone_and_is_verified_in_time_keeps_it(storage: FakeStorage) -> None:
    account, quick = verified(storage), wanted(OTHER_PHONE, OTHER_CODE)
    claims.claim(storage, quick)
    assert claims.move_phone(storage, account.numbers, OTHER_PHONE)
    claims.settle(storage, quick.registration_id)
    with pytest.raises(PhoneTaken):
        claims.move_phone(storage, account.numbers, OTHER_PHONE)


def test_who_holds_no_phone_is_in_the_way_of_no_phone(storage: FakeStorage) -> None:
    for code in (CODE, OTHER_CODE):
        claims.claim(storage, wanted("", code))
    with pytest.raises(CodeTaken):
        claims.claim(storage, wanted("", CODE))


PLACES = st.integers(0, 30)


class Everybody(RuleBasedStateMachine):
    """People with few phones and few codes, at the form and at the desk."""

    def __init__(self) -> None:
        super().__init__()
        self.storage = FakeStorage()

    def one(self, place: int) -> UUID | None:
        waiting = [held.registration_id for held in self.storage.claims.values() if not held.is_verified]
        return waiting[place % len(waiting)] if waiting else None

    @rule(
        phone=st.sampled_from([f"+8491000000{n}" for n in range(4)]),
        code=st.sampled_from([None, *(f"000000000{n}" for n in range(3))]),
        number=st.sampled_from([None, *(f"00000000000{n}" for n in range(3))]),
    )
    def submit(self, phone: str, code: str | None, number: str | None) -> None:
        numbers = frozenset(value for value in (code, number) if value)
        if not numbers:
            return
        before = dict(self.storage.claims)
        try:
            claims.claim(self.storage, Claim(uuid4(), phone, numbers))
        except (PhoneTaken, CodeTaken):
            assert self.storage.claims == before

    @rule(place=PLACES)
    def confirm(self, place: int) -> None:
        if (registration_id := self.one(place)) is not None:
            claims.settle(self.storage, registration_id)

    @rule(place=PLACES)
    def turn_away(self, place: int) -> None:
        if (registration_id := self.one(place)) is not None:
            self.storage.free_claims(registration_id)

    @invariant()
    def no_phone_has_two_people_and_no_number_two_accounts(self) -> None:
        held = list(self.storage.claims.values())
        for one in held:
            for other in held:
                if one.registration_id == other.registration_id:
                    continue
                if one.phone == other.phone:
                    assert one.is_of(other.numbers)
                if one.numbers & other.numbers:
                    assert one.is_verified != other.is_verified

    @invariant()
    def nobody_has_two_codes(self) -> None:
        for held in self.storage.claims.values():
            assert held.is_of(held.numbers)


TestEverybody = Everybody.TestCase
TestEverybody.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)
