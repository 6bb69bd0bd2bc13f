"""Steps in and out of order, and events that come late, early or twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import permutations
from uuid import UUID

import pytest

from services.registration.domain import Check, Registration
from services.registration.refusals import (
    OtpExpired,
    OtpWrong,
    PhotoKindUnknown,
    PhotoNotNeeded,
    StepOutOfOrder,
)
from services.registration.submission import declaration_number
from services.registration.tests.examples import NOW, complete, declared, draft, otp, photo, submitted
from services.registration.tests.unit.fakes import FakeStorage, progress_of
from services.registration.timeline import Status

LATER = NOW + timedelta(hours=1)
FIRST, SECOND = UUID(int=1), UUID(int=2)
Happening = Callable[[Registration], Registration]
HAPPY: list[Happening] = [
    lambda r: r.checked("matched", LATER),
    lambda r: r.verified(LATER),
    lambda r: r.issued(FIRST, LATER),
    lambda r: r.password_sent(FIRST, LATER),
    lambda r: r.password_delivered(FIRST, LATER),
]


def steps_of(registration: Registration) -> list[str]:
    return [entry.step for entry in registration.timeline]


def missing_of(refusal: pytest.ExceptionInfo[StepOutOfOrder]) -> list[str]:
    return [problem.field for problem in refusal.value.problems]


@pytest.mark.proves("G7")
def test_photos_of_the_document_are_asked_for_only_when_the_register_did_not_match() -> None:
    assert complete("matched").photos_needed == ("portrait",)
    for outcome in ("photos_needed", "unavailable"):
        assert complete(outcome).photos_needed == ("portrait", "id_front", "id_back")


@pytest.mark.proves("G7")
def test_the_citizen_learns_matched_or_photos_needed_and_nothing_else() -> None:
    assert {complete(o).outcome for o in ("photos_needed", "unavailable")} == {"photos_needed"}
    assert (complete("matched").outcome, draft().outcome) == ("matched", None)


@pytest.mark.proves("G4")
def test_an_empty_draft_lacks_every_step() -> None:
    assert set(draft().steps.values()) == {"missing"}
    assert draft().missing == ("declaration", "photos.portrait", "agency", "email")


@pytest.mark.proves("G9")
def test_stepping_back_keeps_what_was_entered() -> None:
    again = complete().declared(declared(phone="0987654321"), Check(UUID(int=8), "matched"), ())
    assert (again.missing, again.email_verified, again.agency_code) == ((), True, "S001")


@pytest.mark.proves("G9")
def test_another_document_asks_for_its_photos_again() -> None:
    passport = declared(document={"kind": "passport", "number": "B1234567"})
    again = complete("photos_needed").declared(passport, Check(UUID(int=8), "photos_needed"), ())
    assert again.missing == ("photos.id_front", "photos.id_back")


def test_photos_that_are_no_longer_needed_do_not_leave_the_draft() -> None:
    again = complete("photos_needed").declared(declared(), Check(UUID(int=8), "matched"), ())
    assert [p.kind for p in again.photos_kept] == ["portrait"]


def test_another_email_has_to_be_confirmed_anew() -> None:
    changed = complete(email_otp=otp()).with_agency("S001", "moi@example.org")
    assert (changed.email_verified, changed.email_otp) == (False, None)
    assert complete().with_agency("S082", "lan@example.org").email_verified


def test_a_photo_before_the_declaration_is_out_of_order() -> None:
    with pytest.raises(StepOutOfOrder) as refusal:
        draft().ready_for_photo("portrait")
    assert missing_of(refusal) == ["declaration"]


def test_a_photo_nobody_asked_for_is_refused() -> None:
    with pytest.raises(PhotoNotNeeded):
        complete("matched").ready_for_photo("id_front")
    with pytest.raises(PhotoNotNeeded):
        complete("photos_needed").ready_for_photo("birth_certificate")
    with pytest.raises(PhotoKindUnknown):
        complete("matched").ready_for_photo("selfie")


def test_a_code_is_asked_for_only_once_there_is_an_email_to_confirm() -> None:
    with pytest.raises(StepOutOfOrder) as refusal:
        draft(declaration=declared()).ready_for_otp()
    assert missing_of(refusal) == ["agency"]
    with pytest.raises(StepOutOfOrder):
        complete().ready_for_otp()


def test_submitting_names_what_is_missing() -> None:
    with pytest.raises(StepOutOfOrder) as refusal:
        complete(photos=(), email_verified=False).in_draft(
            "declaration", "photos.portrait", "agency", "email"
        )
    assert missing_of(refusal) == ["photos.portrait", "email"]
    assert all(problem.vi and problem.en for problem in refusal.value.problems)


def test_nothing_can_be_changed_after_submission() -> None:
    for change in (
        lambda r: r.declared(declared(), Check(UUID(int=1), "matched"), ()),
        lambda r: r.with_photo(photo("portrait")),
        lambda r: r.with_agency("S001", "moi@example.org"),
        lambda r: r.with_otp(otp()),
        lambda r: r.try_otp(True, NOW),
    ):
        with pytest.raises(StepOutOfOrder) as refusal:
            change(submitted())
        assert refusal.value.details == {"status": "submitted"}


@pytest.mark.proves("G8")
def test_the_right_code_confirms_the_email_once() -> None:
    waiting = complete(email_verified=False, email_otp=otp())
    confirmed, refusal = waiting.try_otp(True, NOW)
    assert (confirmed.email_verified, refusal) == (True, None)
    assert isinstance(confirmed.try_otp(True, NOW)[1], OtpExpired)


@pytest.mark.proves("G8")
def test_the_fifth_wrong_code_is_the_last() -> None:
    waiting = complete(email_verified=False, email_otp=otp())
    for left in (4, 3, 2, 1, 0):
        waiting, refusal = waiting.try_otp(False, NOW)
        assert isinstance(refusal, OtpWrong)
        assert [problem.field for problem in refusal.problems] == ["otp"]
        assert refusal.details == {"tries_left": left}
    after, refusal = waiting.try_otp(True, NOW)
    assert isinstance(refusal, OtpExpired)
    assert not after.email_verified


@pytest.mark.parametrize("at_minutes", [10, 11])
def test_a_late_code_is_refused(at_minutes: int) -> None:
    waiting = complete(email_verified=False, email_otp=otp())
    after, refusal = waiting.try_otp(True, NOW + timedelta(minutes=at_minutes))
    assert isinstance(refusal, OtpExpired)
    assert not after.email_verified


def test_a_code_for_another_address_is_refused() -> None:
    waiting = complete(email_verified=False, email_otp=otp("cu@example.org"))
    assert isinstance(waiting.try_otp(True, NOW)[1], OtpExpired)
    with pytest.raises(StepOutOfOrder):
        complete(email_verified=False).with_otp(otp("cu@example.org"))


def test_the_happy_chain_ends_completed() -> None:
    done = submitted()
    for happening in HAPPY:
        done = happening(done)
    assert done.status is Status.COMPLETED
    assert steps_of(done) == [
        "submitted",
        "awaiting_visit",
        "verified",
        "credentials_issued",
        "credentials_sent",
        "credentials_delivered",
    ]


@pytest.mark.parametrize("order", list(permutations(range(5))))
def test_whatever_the_order_of_events_the_end_is_the_same(order: tuple[int, ...]) -> None:
    done = submitted()
    for index in order:
        done = HAPPY[index](done)
    assert done.status is Status.COMPLETED
    told = [step for step in steps_of(done) if step != "awaiting_visit"]
    assert told == [
        "submitted",
        "verified",
        "credentials_issued",
        "credentials_sent",
        "credentials_delivered",
    ]


def test_an_event_that_comes_twice_says_nothing_new() -> None:
    done = submitted()
    for happening in HAPPY:
        done = happening(done)
        assert happening(done) == done
    assert len(steps_of(done)) == len(set(steps_of(done)))


def test_times_of_the_timeline_never_go_back() -> None:
    done = submitted().checked("photos_needed", LATER).verified(NOW - timedelta(days=1))
    times = [entry.at for entry in done.timeline]
    assert times == sorted(times)


def test_a_later_answer_of_the_register_is_told_and_an_outage_never_replaces_it() -> None:
    waiting = submitted("unavailable").checked("unavailable", NOW).checked("matched", LATER)
    assert (waiting.status, waiting.outcome) == (Status.AWAITING_VISIT, "matched")
    assert waiting.checked("unavailable", LATER) == waiting


def test_a_password_that_could_not_be_sent_is_told_and_completes_nothing() -> None:
    failed = submitted().verified(NOW).issued(FIRST, NOW).password_failed(FIRST, LATER)
    assert (failed.status, steps_of(failed)[-1]) == (Status.VERIFIED, "credentials_failed")
    assert failed.password_sent(SECOND, LATER).status is Status.COMPLETED


def test_a_password_sent_in_place_of_one_that_failed_is_told() -> None:
    failed = (
        submitted().verified(NOW).issued(FIRST, NOW).password_sent(FIRST, NOW).password_failed(FIRST, LATER)
    )
    assert failed.status is Status.COMPLETED
    replaced = failed.issued(SECOND, LATER).password_sent(SECOND, LATER).password_sent(SECOND, LATER)
    replaced = replaced.password_delivered(SECOND, LATER)
    assert replaced.status is Status.COMPLETED
    assert steps_of(replaced)[-4:] == [
        "credentials_failed", "credentials_replaced", "credentials_sent", "credentials_delivered",
    ]  # fmt: skip


@pytest.mark.proves("G12")
def test_an_sms_that_was_given_up_and_arrives_after_all_is_told_and_changes_nothing_else() -> None:
    failed = (
        submitted().verified(NOW).issued(FIRST, NOW).password_sent(FIRST, NOW).password_failed(FIRST, LATER)
    )
    replaced = failed.issued(SECOND, LATER).password_sent(SECOND, LATER)
    late = replaced.password_delivered(FIRST, LATER)
    assert steps_of(late) == [*steps_of(replaced), "credentials_late"]
    assert late.password_delivered(FIRST, LATER) == late
    assert progress_of(late, FakeStorage()).next == progress_of(replaced, FakeStorage()).next
    assert steps_of(late.password_delivered(SECOND, LATER))[-1] == "credentials_delivered"
    before = failed.password_delivered(FIRST, LATER + timedelta(hours=1))
    assert steps_of(before)[-1] == "credentials_delivered"


def test_the_first_ending_stays() -> None:
    rejected = submitted().ended(Status.REJECTED, LATER, "Giấy tờ không khớp")
    for late in (
        *HAPPY,
        lambda r: r.ended(Status.CANCELLED, LATER),
        lambda r: r.supplement_asked("x", LATER),
    ):
        assert late(rejected) == rejected
    verified = submitted().verified(LATER)
    assert verified.ended(Status.REJECTED, LATER) == verified


def test_a_supplement_waits_until_the_case_is_decided() -> None:
    asked = submitted().checked("matched", NOW).supplement_asked("Ảnh mờ", LATER)
    assert (asked.status, asked.timeline[-1].detail) == (Status.SUPPLEMENT_REQUESTED, "Ảnh mờ")
    assert asked.verified(LATER).status is Status.VERIFIED
    late = submitted().verified(NOW)
    assert late.supplement_asked("Ảnh mờ", LATER) == late


def test_cancelling_a_draft_closes_it_and_cancelling_a_case_asks_it() -> None:
    assert complete().cancelled_by_citizen(NOW).status is Status.CANCELLED
    asked = submitted().cancelled_by_citizen(LATER)
    assert (asked.status, asked.close_requested) == (Status.SUBMITTED, "cancelled")
    assert asked.cancelled_by_citizen(LATER) == asked
    assert asked.close_requested_for("deadline_passed", LATER) == asked


def test_nothing_reaches_a_draft_that_was_never_submitted() -> None:
    untouched = complete()
    for happening in HAPPY:
        assert happening(untouched) == untouched


def test_a_declaration_number_says_its_year() -> None:
    assert declaration_number(123, 2026) == "TK-2026-000000123"
