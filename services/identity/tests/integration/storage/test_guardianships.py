"""Who is whose guardian."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from services.identity.domain import Officer, Person
from services.identity.guardianship import Guardianship
from services.identity.tests.integration.storage.either import AnyStorage
from services.identity.tests.unit import samples
from services.identity.tests.unit.samples import NOW


def test_a_guardianship_is_kept_as_it_was_confirmed_last_until_the_child_is_of_age(
    storage: AnyStorage,
) -> None:
    officer = samples.staff(id=uuid4(), user=uuid4().hex)
    storage.add_staff(officer, NOW)
    people = [
        Person(uuid4(), samples.applicant(code=code, document_number=f"00{code}"), NOW)
        for code in ("1000000001", "1000000002", "1000000003")
    ]
    for person in people:
        storage.save_person(person)
    mother, child, other = people
    guardian = storage.save_account(samples.account(mother.id, code="1000000001"), NOW)
    until = NOW + timedelta(days=1)
    first = Guardianship(guardian.id, child.id, "parent", officer.id, NOW, until)
    for confirmed in (first, replace(first, relation="guardian"), replace(first, child_person_id=other.id)):
        storage.save_guardianship(confirmed)
    assert storage.guardianship(guardian.id, child.id) == replace(first, relation="guardian")
    assert storage.guardianship(guardian.id, mother.id) is None
    found = storage.children_of(guardian.id, NOW)
    assert {one.guardianship.child_person_id for one in found} == {child.id, other.id}
    assert child.applicant in [one.applicant for one in found]
    assert storage.children_of(guardian.id, until) == storage.children_of(uuid4(), NOW) == []
    assert storage.guardians_of(child.id, NOW) == [guardian]
    assert storage.guardians_of(mother.id, NOW) == storage.guardians_of(child.id, until) == []


def test_a_guardianship_that_was_ended_is_no_guardians_and_is_told_as_ended(storage: AnyStorage) -> None:
    officer = samples.staff(id=uuid4(), user=uuid4().hex)
    storage.add_staff(officer, NOW)
    people = [
        Person(uuid4(), samples.applicant(code=code, document_number=f"00{code}"), NOW)
        for code in ("1000000021", "1000000022", "1000000023")
    ]
    for person in people:
        storage.save_person(person)
    mother, father, child = (
        storage.save_account(
            samples.account(person.id, id=uuid4(), code=person.applicant.code, phone=phone, email=phone), NOW
        )
        for person, phone in zip(people, ("+84911111111", "+84922222222", "+84911111111"), strict=True)
    )
    until, soon = NOW + timedelta(days=1), NOW + timedelta(minutes=1)
    hers, his = (
        Guardianship(one.id, child.person_id, "parent", officer.id, NOW, until) for one in (mother, father)
    )
    storage.save_guardianship(hers)
    storage.save_guardianship(his)
    assert storage.ended_guardianships_of(father.id, until) == [], "this one ends with the child's childhood"
    ended = his.ended(Officer(officer.id, officer.agency_code), "custody_changed", "Bản án", soon)
    storage.save_guardianship(ended)
    assert storage.guardianship(father.id, child.person_id) == ended
    held = storage.guardianships_of(child.person_id)
    assert sorted(held, key=lambda one: one.account_id == father.id) == [hers, ended]
    assert storage.guardianships_of(mother.person_id) == []
    assert storage.ended_guardianships_of(father.id, soon) == [ended]
    assert storage.children_of(father.id, soon) == []
    assert storage.guardians_of(child.person_id, soon) == [mother]
    assert not storage.is_contact_in_doubt(child.id, soon), "it is her contact, and she is a guardian still"
    storage.save_account(replace(child, email=father.email), soon)
    assert storage.is_contact_in_doubt(child.id, soon)
    storage.save_guardianship(his)
    assert storage.guardianship(father.id, child.person_id) == his
