"""The intentions, one by one, on storage in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration import use_cases
from services.registration.agency import Agency, Point, metres_between
from services.registration.declaration import Declaration, DeclarationInvalid
from services.registration.domain import Check, Registration, Status
from services.registration.refusals import (
    AgencyClosed,
    AgencyUnknown,
    CodeTaken,
    ConsentRequired,
    OtpWrong,
    PhoneTaken,
    RegistrationUnknown,
    StepOutOfOrder,
)
from services.registration.submission import ConsentGiven, ConsentText, Names
from services.registration.tests.examples import (
    FORM,
    NOW,
    TODAY,
    TOKEN_HASH,
    complete,
    declared,
    draft,
    form,
    otp,
    photo,
    submitted,
)
from services.registration.tests.unit.fakes import MERGED, FakeStorage
from services.registration.use_cases import Key

LATER = NOW + timedelta(hours=1)
SUBMITTED, CLOSE_REQUESTED = "registration.submitted.v1", "registration.close_requested.v1"

IN_FORCE = {
    language: ConsentText("2026-01", language, "…", f"hash of {language}") for language in ("vi", "en")
}


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


def kept(storage: FakeStorage, registration: Registration) -> Key:
    storage.add(registration)
    return Key(registration.id, TOKEN_HASH)


def submit(storage: FakeStorage, key: Key, **changes: Any) -> Registration:
    arguments = {"consent_version": "2026-01", "in_force": IN_FORCE, "visit_deadline_days": 30, "now": NOW}
    return use_cases.submit(storage, key, **(arguments | changes))


@pytest.mark.proves("G4")
def test_a_started_draft_is_empty_and_claims_nothing(storage: FakeStorage) -> None:
    started = use_cases.start(
        storage, registration_id=UUID(int=1), token_hash=TOKEN_HASH, language="vi", now=NOW
    )
    assert use_cases.hold(storage, Key(started.id, TOKEN_HASH)) == started
    assert (started.status, storage.claims, storage.tx.additions) == (Status.DRAFT, {}, [])


def test_a_foreign_token_and_an_unknown_registration_are_one_and_the_same_refusal(
    storage: FakeStorage,
) -> None:
    held = kept(storage, draft())
    for key in (
        Key(held.registration_id, bytes(32)),
        Key(held.registration_id, b""),
        Key(uuid4(), TOKEN_HASH),
        Key(uuid4(), bytes(32)),
        Key(None, TOKEN_HASH),
    ):
        with pytest.raises(RegistrationUnknown) as refusal:
            use_cases.hold(storage, key)
        assert (refusal.value.problems, refusal.value.details) == ((), {})


@pytest.mark.proves("G5")
def test_a_declaration_is_read_with_its_commune_looked_up(storage: FakeStorage) -> None:
    key = kept(storage, draft())
    _, declaration, warnings = read(storage, key, FORM)
    assert (declaration, warnings) == (declared(), ("phone_range_unknown",))
    for wrong in ("26740", "99999", 4, None):
        with pytest.raises(DeclarationInvalid) as refusal:
            read(storage, key, form(address__commune_code=wrong))
        assert [problem.field for problem in refusal.value.problems] == ["address.commune_code"]


def test_the_register_is_asked_again_only_when_there_is_something_new_to_ask() -> None:
    known = complete()
    assert use_cases.answer_known(known, declared(phone="0987654321")) == known.check
    assert use_cases.answer_known(known, declared(full_name="Nguyễn Thị Thử Mai")) is None
    assert use_cases.answer_known(complete("unavailable"), declared()) is None
    assert use_cases.answer_known(draft(), declared()) is None


@pytest.mark.proves("G9")
def test_a_declaration_can_be_saved_again(storage: FakeStorage) -> None:
    key = kept(storage, complete())
    again = declared(phone="0987654321")
    saved = use_cases.save_declaration(
        storage, key, again, check=Check(UUID(int=8), "matched"), warnings=("w",)
    )
    assert use_cases.hold(storage, key) == saved
    assert (saved.declaration, saved.warnings, saved.missing) == (again, ("w",), ())


@pytest.mark.proves("G7")
def test_a_photo_taken_again_replaces_the_first(storage: FakeStorage) -> None:
    key = kept(storage, complete(photos=()))
    first, second = photo("portrait"), photo("portrait")
    assert use_cases.attach_photo(storage, key, first)[1] is None
    held, replaced = use_cases.attach_photo(storage, key, second)
    assert (held.photos, replaced) == ((second,), first.ref)
    assert use_cases.attach_photo(storage, key, second) == (held, None), "itself it does not replace"


@pytest.mark.proves("G8")
def test_only_an_agency_of_the_list_can_be_chosen(storage: FakeStorage) -> None:
    key = kept(storage, draft(declaration=declared(), check=Check(UUID(int=7), "matched")))
    chosen = choose(storage, key, "S001")
    assert (chosen.agency_code, chosen.email, chosen.email_verified) == ("S001", "lan@example.org", False)
    with pytest.raises(AgencyUnknown):
        choose(storage, key, "S999")


@pytest.mark.proves("G8")
def test_a_merged_agency_keeps_its_applications_and_takes_no_new_ones(storage: FakeStorage) -> None:
    key = kept(storage, draft(declaration=declared(), check=Check(UUID(int=7), "matched")))
    with pytest.raises(AgencyClosed) as refusal:
        choose(storage, key, MERGED.code)
    (problem,) = refusal.value.problems
    assert "(S001) BHXH TP. Hà Nội – BHXH cơ sở Đống Đa" in problem.vi
    with pytest.raises(AgencyClosed):  # chosen while it was open
        submit(storage, kept(storage, complete(agency_code=MERGED.code)))
    assert choose(storage, key, MERGED.code, today=date(2026, 1, 31)).agency_code == MERGED.code
    old = kept(storage, submitted().checked("matched", NOW))
    storage.save(replace(storage.kept[old.registration_id], agency_code=MERGED.code))
    use_cases.remind(storage, old.registration_id, now=NOW)
    (event,) = storage.tx.events("registration.reminder_due.v1")
    assert event.data["agency"]["code"] == MERGED.code


HANOI, SAIGON = Point(21.03, 105.83), Point(10.78, 106.70)


def test_the_way_from_hanoi_to_saigon_is_some_1140_kilometres() -> None:
    assert metres_between(HANOI, SAIGON) == pytest.approx(1_143_000, rel=0.01)


@given(*(st.builds(Point, st.floats(-90, 90), st.floats(-180, 180)) for _ in range(2)))
def test_a_distance_is_the_same_both_ways_and_never_more_than_half_around(one: Point, other: Point) -> None:
    assert metres_between(one, other) == metres_between(other, one)
    assert metres_between(one, one) == 0
    assert 0 <= metres_between(one, other) <= 20_015_116


@pytest.mark.proves("G8")
def test_agencies_are_found_nearest_first(storage: FakeStorage) -> None:
    assert [(a.code, m) for a, m in find(storage)] == [("S001", None), ("S002", None), ("S082", None)]
    (first, metres), *others = find(storage, near=SAIGON)
    assert (first.code, [agency.code for agency, _ in others]) == ("S082", ["S001", "S002"])
    assert metres == 0
    assert find(storage, near=SAIGON, name_part="dong da")[0][0].code == "S001"


@pytest.mark.proves("G8")
def test_agencies_of_a_commune_are_those_of_its_province_from_its_middle(storage: FakeStorage) -> None:
    found = find(storage, commune_code="00004")
    assert [agency.code for agency, _ in found] == ["S001", "S002"]
    assert found[0][1] == pytest.approx(3_400, abs=200)
    assert [(a.code, m) for a, m in find(storage, commune_code="26740")] == [("S082", None)]
    assert find(storage, commune_code="99999") == []
    assert find(storage, commune_code="00004", province_code="79") == []


def find(storage: FakeStorage, **asked: Any) -> list[tuple[Agency, int | None]]:
    nothing = {"province_code": None, "commune_code": None, "name_part": None, "near": None}
    return use_cases.find_agencies(storage, **(nothing | asked), today=TODAY)


def choose(storage: FakeStorage, key: Key, agency_code: str, today: date = TODAY) -> Registration:
    return use_cases.choose_agency(
        storage, key, agency_code=agency_code, email="lan@example.org", today=today
    )


def read(storage: FakeStorage, key: Key, raw: object) -> tuple[Registration, Declaration, tuple[str, ...]]:
    return use_cases.read_declaration(
        storage, key, raw, today=TODAY, phone_range_known=lambda phone: phone != "+84912345678"
    )


@pytest.mark.proves("G8")
def test_a_code_goes_to_notification_and_the_newest_is_in_force(storage: FakeStorage) -> None:
    key = kept(storage, complete(email_verified=False))
    for keyed_hash in ("first", "second"):
        use_cases.request_email_otp(
            storage, key, otp=otp(keyed_hash=keyed_hash), sealed_otp="sealed", now=NOW
        )
    published = storage.tx.events("registration.email_otp_requested.v1")
    assert [event.data["sealed_otp"] for event in published] == ["sealed", "sealed"]
    assert {event.data["email"] for event in published} == {"lan@example.org"}
    held, refusal = use_cases.confirm_email_otp(storage, key, keyed_hash="first", now=NOW)
    assert isinstance(refusal, OtpWrong)
    held, refusal = use_cases.confirm_email_otp(storage, key, keyed_hash="second", now=NOW)
    assert (held.email_verified, refusal) == (True, None)


def test_a_wrong_try_is_kept(storage: FakeStorage) -> None:
    key = kept(storage, complete(email_verified=False, email_otp=otp()))
    use_cases.confirm_email_otp(storage, key, keyed_hash="wrong", now=NOW)
    left = use_cases.hold(storage, key).email_otp
    assert left is not None
    assert left.tries_left == 4


@pytest.mark.proves("G10")
def test_a_submission_gets_a_number_and_a_deadline_and_says_so_to_identity(storage: FakeStorage) -> None:
    key = kept(storage, complete("photos_needed", warnings=("phone_range_unknown",)))
    application = submit(storage, key)
    assert application.submission is not None
    assert application.submission.declaration_number == "TK-2026-000000001"
    assert application.submission.deadline == NOW + timedelta(days=30)
    (event,) = storage.tx.events(SUBMITTED)
    assert event.data["person"]["personal_number"] == "001190123456"
    assert event.data["consent"] == {"version": "2026-01", "at": NOW}
    assert event.data["register_check"] == {"request_id": UUID(int=7), "outcome": "photos_needed"}
    assert event.data["warnings"] == ["phone_range_unknown"]
    assert [photo["kind"] for photo in event.data["photos"]] == ["portrait", "id_front", "id_back"]
    assert [due.at for due in storage.tx.due("pass_deadline")] == [application.submission.deadline]
    assert len(storage.tx.due("remind")) == 2


@pytest.mark.proves("G10")
@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_text_agreed_to_and_the_names_of_the_places_are_kept(storage: FakeStorage, language: str) -> None:
    submission = submit(storage, kept(storage, complete(language=language))).submission
    assert submission is not None
    assert submission.at == NOW
    assert submission.consent_text == ConsentGiven(language, f"hash of {language}")
    assert submission.names == Names(
        "(S001) BHXH TP. Hà Nội – BHXH cơ sở Đống Đa",
        "Số 1, phố Giả Định, Phường Ba Đình, Thành phố Hà Nội",
    )


def test_only_what_was_submitted_is_read_as_a_declaration(storage: FakeStorage) -> None:
    key, old = kept(storage, complete()), kept(storage, submitted())
    with pytest.raises(StepOutOfOrder):
        use_cases.read_submitted(storage, key)
    submit(storage, key)
    assert use_cases.read_submitted(storage, key) == storage.kept[key.registration_id]
    before_names_were_kept = use_cases.read_submitted(storage, old).submission
    assert before_names_were_kept is not None
    assert before_names_were_kept.names is not None
    assert before_names_were_kept.names.address.endswith("Phường Ba Đình, Thành phố Hà Nội")


def test_the_year_of_a_number_is_vietnams(storage: FakeStorage) -> None:
    key = kept(storage, complete())
    new_year_in_hanoi = NOW.replace(year=2026, month=12, day=31, hour=17)
    submission = submit(storage, key, now=new_year_in_hanoi).submission
    assert submission is not None
    assert submission.declaration_number == "TK-2027-000000001"


def test_submitting_again_gives_the_same_answer_and_nothing_twice(storage: FakeStorage) -> None:
    key = kept(storage, complete())
    first = submit(storage, key)
    added = list(storage.tx.additions)
    assert submit(storage, key, now=LATER) == first
    assert (storage.tx.additions, storage.declarations) == (added, 1)


def test_what_is_missing_is_told_before_the_consent_is_looked_at(storage: FakeStorage) -> None:
    key = kept(storage, complete(photos=()))
    with pytest.raises(StepOutOfOrder) as refusal:
        submit(storage, key, consent_version="")
    assert [problem.field for problem in refusal.value.problems] == ["photos.portrait"]


@pytest.mark.parametrize("version", ["", "2025-01"])
def test_only_consent_to_the_text_in_force_counts(storage: FakeStorage, version: str) -> None:
    key = kept(storage, complete())
    with pytest.raises(ConsentRequired):
        submit(storage, key, consent_version=version)
    assert (storage.claims, storage.tx.additions) == ({}, [])


@pytest.mark.proves("G6")
def test_a_second_code_for_the_same_phone_is_refused(storage: FakeStorage) -> None:
    submit(storage, kept(storage, complete()))
    other = kept(storage, complete(form_changes={"code": "9876543210"}))
    with pytest.raises(PhoneTaken) as refusal:
        submit(storage, other)
    assert [problem.field for problem in refusal.value.problems] == ["phone"]


@pytest.mark.proves("G6")
def test_a_second_phone_for_the_same_code_is_refused(storage: FakeStorage) -> None:
    submit(storage, kept(storage, complete()))
    other = kept(storage, complete(form_changes={"phone": "0987654321"}))
    with pytest.raises(CodeTaken):
        submit(storage, other)


@pytest.mark.parametrize("reason", ["cancelled", "deadline_passed", "superseded", "rejected"])
def test_phone_and_code_are_free_once_the_case_has_ended(storage: FakeStorage, reason: str) -> None:
    key = kept(storage, complete())
    ended = submit(storage, key)
    if reason == "rejected":
        use_cases.note_rejected(storage, ended.id, reason="Giấy tờ không khớp", at=LATER)
    else:
        use_cases.note_closed(storage, ended.id, reason=reason, at=LATER)
    held = use_cases.hold(storage, key)
    assert storage.claims == {}
    expected = {"rejected": Status.REJECTED, "deadline_passed": Status.EXPIRED}.get(reason, Status.CANCELLED)
    assert held.status is expected
    submit(storage, kept(storage, complete()))
    use_cases.note_closed(storage, ended.id, reason="cancelled", at=LATER)
    assert len(storage.claims) == 1


def test_an_account_keeps_phone_and_code(storage: FakeStorage) -> None:
    application = submit(storage, kept(storage, complete()))
    use_cases.note_verified(storage, application.id, at=LATER)
    use_cases.note_issued(storage, application.id, credential_id=uuid4(), valid_until=LATER, at=LATER)
    use_cases.note_message(storage, application.id, credential_id=uuid4(), outcome="sent", at=LATER)
    use_cases.note_closed(storage, application.id, reason="cancelled", at=LATER)
    assert storage.kept[application.id].status is Status.COMPLETED
    assert len(storage.claims) == 1


def test_cancelling_before_submission_tells_nobody(storage: FakeStorage) -> None:
    key = kept(storage, complete())
    assert use_cases.cancel(storage, key, now=NOW).status is Status.CANCELLED
    assert storage.tx.additions == []
    with pytest.raises(StepOutOfOrder):
        submit(storage, key)


def test_cancelling_after_submission_asks_the_case_once(storage: FakeStorage) -> None:
    key = kept(storage, submitted())
    for _ in range(2):
        use_cases.cancel(storage, key, now=LATER)
    (event,) = storage.tx.events(CLOSE_REQUESTED)
    assert event.data["reason"] == "cancelled"


@pytest.mark.proves("G11")
def test_a_deadline_that_passes_asks_an_open_case_to_close(storage: FakeStorage) -> None:
    waiting, done = submitted(), replace(submitted().verified(NOW), id=uuid4())
    storage.add(waiting)
    storage.add(done)
    for registration in (waiting, done):
        use_cases.pass_deadline(storage, registration.id, now=LATER)
    (event,) = storage.tx.events(CLOSE_REQUESTED)
    assert (event.data["registration_id"], event.data["reason"]) == (waiting.id, "deadline_passed")


@pytest.mark.proves("G11")
def test_only_a_case_that_still_waits_is_reminded(storage: FakeStorage) -> None:
    waiting, done = submitted(), submitted().verified(NOW)
    asked_to_close = submitted().cancelled_by_citizen(NOW)
    for registration in (waiting, done, asked_to_close):
        storage.add(registration)
        use_cases.remind(storage, registration.id, now=LATER)
    (event,) = storage.tx.events("registration.reminder_due.v1")
    assert event.data["registration_id"] == waiting.id
    assert event.data["agency"]["display_name"] == "(S001) BHXH TP. Hà Nội – BHXH cơ sở Đống Đa"
    told = [storage.kept[held.id].timeline[-1].step for held in (waiting, done, asked_to_close)]
    assert told == ["reminded", "verified", "cancel_requested"]


@pytest.mark.proves("G11")
def test_nobody_is_reminded_of_a_deadline_that_has_passed(storage: FakeStorage) -> None:
    waiting = submitted()
    storage.add(waiting)
    use_cases.remind(storage, waiting.id, now=NOW + timedelta(days=30))
    assert (storage.kept[waiting.id], storage.tx.additions) == (waiting, [])


def test_news_of_an_unknown_registration_changes_nothing(storage: FakeStorage) -> None:
    use_cases.note_verified(storage, uuid4(), at=NOW)
    use_cases.pass_deadline(storage, uuid4(), now=NOW)
    use_cases.remind(storage, uuid4(), now=NOW)
    assert (storage.kept, storage.tx.additions) == ({}, [])


def test_the_register_check_and_a_supplement_are_told(storage: FakeStorage) -> None:
    application = submitted("unavailable")
    storage.add(application)
    use_cases.note_check(storage, application.id, outcome="matched", at=LATER)
    use_cases.note_supplement(storage, application.id, text="Ảnh mờ", at=LATER)
    steps = [(entry.step, entry.detail) for entry in storage.kept[application.id].timeline[-2:]]
    assert steps == [("register_checked", "matched"), ("supplement_requested", "Ảnh mờ")]


def test_whoever_stands_at_the_desk_supersedes_an_application_that_was_not_seen(storage: FakeStorage) -> None:
    account = submit(storage, kept(storage, complete()))
    use_cases.note_verified(storage, account.id, at=NOW)
    changes = {"code": "9876543210", "document__number": "001190999999", "phone": "0987654321"}
    squatter = submit(storage, kept(storage, complete(form_changes=changes)))
    numbers = frozenset({"0123456789"})
    for _ in range(2):
        assert not use_cases.claim_phone(storage, numbers=numbers, phone="+84987654321", now=LATER)
    (asked,) = storage.tx.events(CLOSE_REQUESTED)
    assert (asked.data["registration_id"], asked.data["because"]) == (squatter.id, "superseded")
    use_cases.note_closed(storage, squatter.id, reason="superseded", at=LATER)
    assert use_cases.claim_phone(storage, numbers=numbers, phone="+84987654321", now=LATER)
    assert storage.claims[account.id].phone == "+84987654321"
