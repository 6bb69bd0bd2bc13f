"""Children: what a guardian declares, which photos are needed, and what the others are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.registration import register_check, use_cases
from services.registration.declaration import (
    BIRTH_CERTIFICATE,
    Declaration,
    DeclarationInvalid,
    Guardian,
    declare,
    guardians_relation,
)
from services.registration.declaration_pdf import declaration_pdf
from services.registration.domain import Check, Registration
from services.registration.refusals import CodeTaken, PhotoNotNeeded, StepOutOfOrder
from services.registration.submission import ConsentText
from services.registration.tests.examples import NOW, TODAY, TOKEN_HASH, Places, complete, form, photo
from services.registration.tests.unit.fakes import FakeStorage
from services.registration.timeline import Status
from services.registration.use_cases import Key
from shared.events.parts import document_heard, photos_heard

GUARDIAN = Guardian(UUID(int=5), "0987654321", "parent", "+84912345678")
ID = UUID(int=9)
KEY = Key(ID, TOKEN_HASH)
TEXT = ConsentText("2026-01", "vi", "…", "0" * 64)


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


def childs_form(**changes: Any) -> dict[str, Any]:
    raw = form(birth__value="2020-02-29", **changes)
    return {name: value for name, value in raw.items() if name not in ("document", "phone")}


def declared(raw: dict[str, Any], today: date = TODAY) -> Declaration:
    return declare(raw, today=today, places=Places(), guardian=GUARDIAN)


def problems(raw: dict[str, Any], today: date = TODAY) -> list[str]:
    with pytest.raises(DeclarationInvalid) as refusal:
        declared(raw, today)
    return [problem.field for problem in refusal.value.problems]


def draft(storage: FakeStorage) -> Registration:
    return use_cases.start_for_child(
        storage,
        guardian=GUARDIAN,
        email="me@example.org",
        registration_id=ID,
        token_hash=TOKEN_HASH,
        language="vi",
        now=NOW,
    )


def submitted(storage: FakeStorage) -> Registration:
    """A child's application, step by step."""
    draft(storage)
    use_cases.save_declaration(
        storage, KEY, declared(childs_form()), check=Check(UUID(int=7), "matched"), warnings=()
    )
    for kind in ("portrait", "birth_certificate"):
        use_cases.attach_photo(storage, KEY, photo(kind))
    use_cases.choose_agency(storage, KEY, agency_code="S001", email="other@example.org", today=TODAY)
    return use_cases.submit(
        storage,
        KEY,
        consent_version="2026-01",
        in_force={"vi": TEXT, "en": TEXT},
        visit_deadline_days=30,
        now=NOW,
    )


def test_a_child_is_declared_without_document_and_phone_of_its_own() -> None:
    declaration = declared(childs_form())
    assert (declaration.document, declaration.phone) == (BIRTH_CERTIFICATE, GUARDIAN.phone)
    assert problems({**childs_form(), "phone": "0912345678"}) == ["phone"]
    assert problems({**childs_form(), "document": {"kind": "cccd", "number": "001190123456"}}) == ["document"]


def test_from_the_birthday_on_which_one_has_an_id_card_one_registers_oneself() -> None:
    raw = childs_form()
    assert declared(raw, date(2034, 2, 28)).birth.value == "2020-02-29"
    assert problems(raw, date(2034, 3, 1)) == ["birth.value"]
    raw["birth"] = {"precision": "year", "value": "2020"}
    assert problems(raw) == ["birth.value"]


def test_the_relation_is_one_of_two() -> None:
    assert guardians_relation("guardian") == "guardian"
    with pytest.raises(DeclarationInvalid):
        guardians_relation("neighbour")


@pytest.mark.parametrize("outcome", ["matched", "photos_needed", "unavailable"])
def test_portrait_and_birth_certificate_are_needed_whatever_the_register_says(
    storage: FakeStorage, outcome: str
) -> None:
    draft(storage)
    declaration = declared(childs_form())
    saved = use_cases.save_declaration(storage, KEY, declaration, check=Check(ID, outcome), warnings=())
    assert saved.photos_needed == ("portrait", "birth_certificate")
    with pytest.raises(PhotoNotNeeded):
        use_cases.attach_photo(storage, KEY, photo("id_front"))
    use_cases.attach_photo(storage, KEY, photo("birth_certificate"))
    again = use_cases.save_declaration(
        storage, KEY, replace(declaration, full_name="Nguyễn Bé Thử"), check=Check(ID, outcome), warnings=()
    )
    assert [kept.kind for kept in again.photos] == ["birth_certificate"]
    another = use_cases.save_declaration(
        storage, KEY, replace(declaration, code="1111111111"), check=Check(ID, outcome), warnings=()
    )
    assert another.photos == ()


def test_an_adult_is_asked_for_no_birth_certificate(storage: FakeStorage) -> None:
    application = complete("photos_needed")
    storage.add(application)
    with pytest.raises(PhotoNotNeeded):
        use_cases.attach_photo(storage, Key(application.id, TOKEN_HASH), photo("birth_certificate"))


def test_messages_go_to_the_guardian_and_no_visit_falls_due(storage: FakeStorage) -> None:
    assert submitted(storage).status is Status.SUBMITTED
    (event,) = storage.tx.events("registration.submitted.v1")
    told = event.data
    assert (told["phone"], told["email"]) == (GUARDIAN.phone, "me@example.org")
    assert told["guardian"] == {
        "account_id": GUARDIAN.account_id,
        "code": GUARDIAN.code,
        "relation": "parent",
    }
    assert document_heard(told) == ("birth_certificate", "")
    assert [heard["kind"] for heard in photos_heard(told)] == ["portrait", "birth_certificate"]
    assert storage.tx.due("pass_deadline") == storage.tx.due("remind") == []


def test_one_phone_has_any_number_of_children_and_a_child_one_application(storage: FakeStorage) -> None:
    submitted(storage)
    assert [claim.values for claim in storage.claims.values()] == [("0123456789",)]
    other = complete(guardian=GUARDIAN, declaration=declared(childs_form()))
    other = replace(other, photos=(photo("portrait"), photo("birth_certificate")))
    storage.add(other)
    with pytest.raises(CodeTaken):
        use_cases.submit(
            storage,
            Key(other.id, TOKEN_HASH),
            consent_version="2026-01",
            in_force={"vi": TEXT, "en": TEXT},
            visit_deadline_days=30,
            now=NOW,
        )


def test_the_timeline_tells_of_the_certificate_and_of_the_guardianship(storage: FakeStorage) -> None:
    submitted(storage)
    use_cases.note_check(storage, ID, outcome="matched", at=NOW)
    (progress,) = use_cases.read_timelines(storage, [KEY])
    assert not isinstance(progress, Exception)
    assert (progress.next[0], progress.until) == ("wait", None)
    for _ in range(2):
        use_cases.note_verified(storage, ID, at=NOW + timedelta(hours=1))
    told = [(entry.step, entry.detail) for entry in use_cases.hold(storage, KEY).timeline]
    assert told == [
        ("started", None),
        ("submitted", None),
        ("awaiting_visit", None),
        ("verified", "guardianship"),
    ]


def test_a_birth_certificate_that_was_asked_for_again_is_sent(storage: FakeStorage) -> None:
    submitted(storage)
    use_cases.note_supplement(
        storage, ID, text="Ảnh bị lóa", at=NOW + timedelta(hours=1), items=("birth_certificate",)
    )
    with pytest.raises(StepOutOfOrder):
        use_cases.send_supplement(storage, KEY, answer="", now=NOW + timedelta(hours=2))
    certificate = photo("birth_certificate")
    use_cases.attach_photo(storage, KEY, certificate)
    use_cases.send_supplement(storage, KEY, answer="", now=NOW + timedelta(hours=2))
    (event,) = storage.tx.events("registration.supplemented.v1")
    sent = {heard["kind"]: heard["ref"] for heard in photos_heard(event.data)}
    assert set(sent) == {"portrait", "birth_certificate"}
    assert sent["birth_certificate"] == certificate.ref


def test_what_a_restore_lost_comes_back_as_a_childs(storage: FakeStorage) -> None:
    before = submitted(storage)
    (event,) = storage.tx.events("registration.submitted.v1")
    elsewhere = FakeStorage()
    use_cases.take_back(elsewhere, event.data, has_ended=False, token_hash=TOKEN_HASH, now=NOW)
    after = use_cases.hold(elsewhere, KEY)
    assert (after.guardian, after.declaration) == (GUARDIAN, before.declaration)
    assert [claim.values for claim in elsewhere.claims.values()] == [("0123456789",)]
    assert elsewhere.tx.due("pass_deadline") == []


def test_the_register_is_asked_by_the_personal_number_alone() -> None:
    assert not register_check.can_be_asked(declared(childs_form()))
    assert register_check.can_be_asked(declared(childs_form(code="001320123456")))


def test_the_declaration_names_who_declares_and_no_visit(storage: FakeStorage) -> None:
    submitted(storage)
    application = use_cases.read_submitted(storage, KEY)
    assert declaration_pdf(application) == declaration_pdf(application)
    assert declaration_pdf(application) != declaration_pdf(
        replace(application, guardian=replace(GUARDIAN, relation="guardian"))
    )
