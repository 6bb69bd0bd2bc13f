"""People and their accounts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from services.identity.domain import ContactChange, Person
from services.identity.guardianship import Guardianship
from services.identity.tests.integration.storage.either import AnyStorage, account, person
from services.identity.tests.unit import samples
from services.identity.tests.unit.samples import NOW


def test_a_person_is_found_by_each_number_once(storage: AnyStorage) -> None:
    saved = person(storage)
    storage.lock_numbers(saved.applicant.numbers)
    for numbers in (["0123456789"], ["001190000001"], ["0123456789", "001190000001", "x"]):
        assert storage.people_with(numbers) == [saved]
    assert storage.people_with(["x"]) == []
    assert storage.people_with([]) == []


def test_what_the_desk_saw_last_of_a_person_is_kept_and_numbers_are_only_added(storage: AnyStorage) -> None:
    saved = person(storage)
    passport = samples.applicant(document_kind="passport", document_number="C1234567")
    renewed = Person(saved.id, passport, NOW + timedelta(days=1))
    storage.save_person(renewed)
    assert storage.people_with(["001190000001"]) == [renewed]


def test_a_number_stays_with_the_person_it_stood_for_first(storage: AnyStorage) -> None:
    first = person(storage)
    second = person(storage, document_number="001190000002")
    assert storage.people_with(["0123456789"]) == [first]
    assert storage.people_with(["001190000002"]) == [second]


def test_a_person_has_one_account_which_keeps_its_id(storage: AnyStorage) -> None:
    first = account(storage)
    again = storage.save_account(samples.account(first.person_id, phone="+84987654321"), NOW)
    assert again.id == first.id
    assert storage.account(first.id) == storage.account_of(first.person_id) == again
    assert storage.account_named("0123456789") == storage.account_named("001190000001") == again
    assert storage.account_named("x") is None
    assert storage.live_credentials_named("x") is None
    assert storage.live_credentials_named("001190000001") == (again, storage.live_credentials(again.id))
    assert storage.account(uuid4()) is None
    storage.lock_account(first.id)


def test_a_holder_is_told_of_guessing_once_in_a_while(storage: AnyStorage) -> None:
    held = account(storage)
    a_day = timedelta(days=1)
    for days, is_told in ((0, True), (0.9, False), (1.1, True)):
        at = NOW + timedelta(days=days)
        assert storage.note_throttled_told(held.id, at, last_before=at - a_day) is is_told
    assert not storage.note_throttled_told(uuid4(), NOW, last_before=NOW)


def test_a_contact_is_in_doubt_while_it_is_changed_and_when_it_was_a_guardians(storage: AnyStorage) -> None:
    officer = samples.staff(id=uuid4(), user=uuid4().hex)
    storage.add_staff(officer, NOW)
    people = [
        Person(uuid4(), samples.applicant(code=code, document_number=f"00{code}"), NOW)
        for code in ("1000000011", "1000000012")
    ]
    for one in people:
        storage.save_person(one)
    guardian, child = (
        storage.save_account(samples.account(person.id, id=uuid4(), code=person.applicant.code), NOW)
        for person in people
    )
    until, soon = NOW + timedelta(days=1), NOW + timedelta(minutes=1)
    storage.save_guardianship(Guardianship(guardian.id, people[1].id, "parent", officer.id, NOW, until))

    def doubted(now: datetime) -> list[bool]:
        return [storage.is_contact_in_doubt(one, now) for one in (guardian.id, child.id, uuid4())]

    assert doubted(NOW) == [False, False, False]
    change = ContactChange(
        uuid4(), guardian.id, officer.id, "+84987654321", "new@example.com", "Mất máy", soon
    )
    storage.add_contact_change(change)
    assert doubted(soon) == [True, True, False]
    storage.end_contact_change(change.id, "changed", soon)
    assert doubted(soon) == [False, False, False]
    assert doubted(until) == [False, True, False]
    storage.save_account(replace(guardian, phone="+84987654321", email="new@example.com"), soon)
    assert doubted(until) == [False, True, False]
    own = replace(change, id=uuid4(), account_id=child.id, asked_at=until)
    storage.add_contact_change(own)
    storage.end_contact_change(own.id, "changed", until)
    assert doubted(until) == [False, False, False]
    storage.save_account(replace(child, email="NEW@example.com"), until)
    assert doubted(until) == [False, True, False]


def test_an_account_has_one_change_of_contact_under_way(storage: AnyStorage) -> None:
    holder, member = account(storage), samples.staff(id=uuid4(), user="mai")
    storage.add_staff(member, NOW)
    change = ContactChange(uuid4(), holder.id, member.id, "+84987654321", holder.email, "Mất máy", NOW)
    storage.add_contact_change(change)
    assert storage.contact_change(change.id) == storage.contact_change(change.id, to_change=True) == change
    assert storage.pending_contact_change(holder.id) == change
    storage.end_contact_change(change.id, "changed", NOW)
    assert storage.pending_contact_change(holder.id) is None
    assert storage.contact_change(change.id) == replace(change, state="changed")
    assert storage.contact_change(uuid4()) is None
