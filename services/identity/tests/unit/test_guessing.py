"""What a wrong log-in counts for, and who is told, on counters and tables in memory."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.identity import domain, guessing, use_cases
from services.identity.devices import Device
from services.identity.domain import Account
from services.identity.refusals import TooManyTries
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.test_throttle import FakeCounter
from services.identity.throttle import Throttle
from shared.testing.transactions import FakeTransaction

USER, ADDRESS, NETWORK = "0123456789", "an address", "its network"


@pytest.fixture
def parts() -> Any:
    limits = SimpleNamespace(
        log_in_tries="10/minute",
        log_in_tries_per_user="100/hour",
        log_in_tries_per_address="10/minute",
        log_in_tries_per_network="50/minute",
        staff_totp=True,
        staff_log_in_tries_per_address="30/minute",
        staff_log_in_tries_per_network="60/minute",
    )
    return SimpleNamespace(settings=limits, throttle=Throttle(FakeCounter(), FakeCounter()))


@pytest.fixture
def account(storage: FakeStorage) -> Account:
    person = domain.Person(uuid4(), samples.applicant(), samples.NOW)
    storage.save_person(person)
    return storage.save_account(samples.account(person.id), samples.NOW)


def wrong_tries(parts: Any, tries: Any, most: int = 200) -> int:
    """How many are answered."""
    for answered in range(most):
        try:
            parts.throttle.check(*tries(answered))
        except TooManyTries:
            return answered
        parts.throttle.note_wrong(*tries(answered))
    return most


@pytest.mark.parametrize(
    ("tries", "answered"),
    [
        (lambda number: (USER, ADDRESS, NETWORK), 10),
        (lambda number: (f"user {number}", ADDRESS, NETWORK), 10),
        (lambda number: (f"user {number}", f"address {number}", NETWORK), 50),
        (lambda number: (USER, f"address {number}", f"network {number}"), 100),
        (lambda number: (f"user {number}", f"address {number}", f"network {number}"), 200),
    ],
)
def test_a_user_an_address_and_a_network_are_good_for_so_many_guesses(
    parts: Any, tries: Any, answered: int
) -> None:
    assert wrong_tries(parts, lambda number: guessing.tries_of(parts, *tries(number))) == answered


@pytest.mark.parametrize(
    ("tries", "answered"),
    [
        (lambda number: ("lan", ADDRESS, NETWORK), 10),
        (lambda number: (f"user {number}", ADDRESS, NETWORK), 30),
        (lambda number: (f"user {number}", f"address {number}", NETWORK), 60),
        (lambda number: ("lan", f"address {number}", f"network {number}"), 200),
    ],
)
def test_an_officer_has_counters_of_the_own_and_none_that_all_the_world_fills(
    parts: Any, tries: Any, answered: int
) -> None:
    assert wrong_tries(parts, lambda number: guessing.tries_of_staff(parts, *tries(number))) == answered


def test_citizens_and_officers_behind_one_address_do_not_hold_each_other_back(parts: Any) -> None:
    """An agency's wifi has one address with its desks."""
    wrong_tries(parts, lambda number: guessing.tries_of(parts, f"user {number}", ADDRESS, NETWORK))
    parts.throttle.check(*guessing.tries_of_staff(parts, "lan", ADDRESS, NETWORK))
    wrong_tries(parts, lambda number: guessing.tries_of_staff(parts, f"user {number}", "desks", NETWORK))
    parts.throttle.check(*guessing.tries_of(parts, USER, "desks", "another"))


def test_guesses_at_one_officer_do_not_hold_a_colleague_behind_the_same_address_back(parts: Any) -> None:
    wrong_tries(parts, lambda _: guessing.tries_of_staff(parts, "lan", ADDRESS, NETWORK))
    parts.throttle.check(*guessing.tries_of_staff(parts, "mai", ADDRESS, NETWORK))


def test_a_known_device_counts_for_itself_and_is_held_back_too(parts: Any) -> None:
    device = Device(uuid4(), uuid4(), "", b"", samples.NOW, samples.NOW)
    wrong_tries(parts, lambda _: guessing.tries_of(parts, USER, ADDRESS, NETWORK))
    own = guessing.tries_of(parts, USER, ADDRESS, NETWORK, device)
    parts.throttle.check(*own)
    assert wrong_tries(parts, lambda _: own) == 10


@pytest.mark.parametrize("whose", ["a device", "a session", "an officer's device"])
def test_what_no_stranger_reaches_is_good_for_no_more_guesses_in_an_hour_than_all_strangers(
    parts: Any, whose: str
) -> None:
    """A device's token outlives log-out and change of password, and may be stolen."""
    counter = FakeCounter()
    parts.throttle = Throttle(counter, FakeCounter())
    device = Device(uuid4(), uuid4(), "", b"", samples.NOW, samples.NOW)
    own = {
        "a device": guessing.tries_of(parts, USER, ADDRESS, NETWORK, device),
        "a session": guessing.tries_in_session(parts, uuid4()),
        "an officer's device": guessing.tries_of_staff(parts, USER, ADDRESS, NETWORK, device.id),
    }[whose]
    answered = 0
    for _ in range(60):
        answered += wrong_tries(parts, lambda _: own)
        counter.hits = {about: hits for about, hits in counter.hits.items() if about[0].endswith("_hour")}
    assert answered == 100


def test_of_a_caller_who_does_not_say_where_no_address_is_counted(parts: Any) -> None:
    assert {tries.kind for tries in guessing.tries_of(parts, USER, "", "")} == {"log_in", "log_in_user"}
    assert {tries.kind for tries in guessing.tries_of_staff(parts, USER, "", "")} == {"staff_log_in"}


@pytest.mark.parametrize("exists", [True, False])
def test_the_last_guess_leaves_the_same_trace_of_somebody_and_nobody(
    parts: Any, account: Account, exists: bool
) -> None:
    tx = FakeTransaction()
    db: Any = SimpleNamespace(transaction=lambda: nullcontext(tx))
    tries = guessing.tries_of(parts, USER, ADDRESS, NETWORK)
    for _ in range(10):
        assert tx.additions == []
        guessing.note_wrong(db, parts, tries, account if exists else None)
    (due,) = tx.additions
    assert (due.kind, due.payload) == (guessing.TELL_THROTTLED, {})
    assert (UUID(due.key) == account.id) is exists


def test_the_holder_is_told_by_e_mail_once_a_day_and_nobody_is_passed_over(
    storage: FakeStorage, account: Account
) -> None:
    for account_id, hours in ((account.id, 0), (uuid4(), 1), (account.id, 23), (account.id, 25)):
        use_cases.tell_throttled(storage, account_id, samples.NOW + timedelta(hours=hours))
    told = [event.data for event in storage.tx.events("account.notice_due.v1")]
    assert [(data["account_id"], data["kind"]) for data in told] == [(account.id, "throttled")] * 2
    assert told[0]["channels"] == [{"kind": "email", "to": account.email}]


# --- what is read by whoever is held back --------------------------------------------------------

WAYS = ("e-mail trong ứng dụng", "1900 9068 nhánh 8", "by e-mail in the app", "1900 9068, key 8")


def read_at_log_in(who: str) -> str:
    with pytest.raises(TooManyTries) as refused, guessing.counted(who):
        raise TooManyTries(retry_after_seconds=60)
    assert refused.value.details == {"retry_after_seconds": 60}
    assert type(refused.value) is TooManyTries, "callers know it by this name"
    assert str(refused.value) == refused.value.en
    return f"{refused.value.vi} {refused.value.en}"


def test_a_citizen_who_is_held_back_by_strangers_reads_both_ways_in_and_is_not_blamed() -> None:
    read = read_at_log_in("citizen")
    assert [way for way in WAYS if way not in read] == []
    assert "sau 1 phút" in read
    assert "in 1 minute" in read
    assert "có thể do người khác" in read
    assert "perhaps by others" in read


def test_an_officer_reads_of_no_way_that_is_a_citizens() -> None:
    assert not any(way in read_at_log_in("staff") for way in WAYS)


def test_nowhere_is_it_said_that_the_reader_tried_wrong() -> None:
    """Of an address and its network, of one code and of a user, others use up the tries as well."""
    for read in (read_at_log_in("staff"), read_at_log_in("citizen")):
        assert "Có quá nhiều lần" in read
        assert "There were too many" in read


def test_log_ins_held_back_are_counted_as_before() -> None:
    def held_back() -> float:
        return guessing.log_ins_total.labels("citizen", "TooManyTries")._value.get()

    before = held_back()
    read_at_log_in("citizen")
    assert held_back() == before + 1
