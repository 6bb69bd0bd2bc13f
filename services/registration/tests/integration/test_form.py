"""The form, step by step, at the running service, over the broker, as the gateway meets it."""

from __future__ import annotations

import hashlib
import threading
import uuid
from typing import Any

import pytest

from services.registration.tests.examples import complete
from services.registration.tests.integration.office import Applicant, Office
from services.registration.tests.integration.steps import SUBMITTED, person, refusal_of, unconfirmed, whole
from shared.testing import photos
from shared.testing.processes import until

pytestmark = pytest.mark.usefixtures("matching_register")

HELD = (
    "get", "timeline", "declaration_pdf", "submit", "cancel", "save_declaration", "choose_agency",
    "attach_photo", "request_email_otp", "confirm_email_otp",
)  # fmt: skip


@pytest.mark.proves("G4")
@pytest.mark.proves("G5")
@pytest.mark.proves("G7")
@pytest.mark.proves("G8")
@pytest.mark.proves("G10")
def test_a_citizen_registers_step_by_step(office: Office) -> None:
    lan = office.start()
    assert lan.call("get")["missing"] == ["declaration", "photos.portrait", "agency", "email"]
    view = lan.declare(**person())
    assert (view["register_check"], view["photos_needed"]) == ("matched", ["portrait"])
    view = lan.attach("portrait", photos.portrait("lan"))
    assert view["steps"]["photos"] == "done"
    view = lan.call("choose_agency", agency_code="S001", email=f"{uuid.uuid4().hex}@example.org")
    assert view["agency"]["display_name"] == "(S001) BHXH TP. Hà Nội – BHXH cơ sở Đống Đa"
    assert lan.call("request_email_otp")["tries_left"] == 5
    view = lan.confirm(lan.read_otp())
    assert (view["email_verified"], view["missing"]) == (True, [])
    answer = lan.submit()
    assert answer["status"] == "submitted"
    assert answer["declaration_number"].startswith("TK-20")
    (event,) = office.until_told(SUBMITTED, lan.id)
    assert event["declaration_number"] == answer["declaration_number"]
    (photo,) = event["photos"]
    assert hashlib.sha256(office.objects.read(photo["ref"])).hexdigest() == photo["sha256"]
    assert lan.steps() == ["started", "submitted"]


@pytest.mark.proves("G7")
def test_photos_of_the_document_are_asked_for_when_the_register_does_not_match(office: Office) -> None:
    office.identity.outcome = "photos_needed"
    mai = office.start()
    assert mai.declare(**person())["photos_needed"] == ["portrait", "id_front", "id_back"]
    mai.attach("portrait", photos.portrait("mai"))
    mai.attach("id_front", photos.id_card_front("mai", ["001190123456"]))
    assert mai.call("get")["missing"] == ["photos.id_back", "agency", "email"]
    assert mai.attach("id_back", photos.id_card_back("mai", ["IDVNM"]))["steps"]["photos"] == "done"


@pytest.mark.proves("G7")
def test_a_register_that_does_not_answer_means_photos_and_holds_no_transaction(office: Office) -> None:
    office.identity.outcome = None
    asked = len(office.identity.asked)
    an = office.start()
    views: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: views.append(an.declare(**person())))
    thread.start()
    until(lambda: len(office.identity.asked) > asked, 10, "the register was not asked")
    sql = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert "idle in transaction" not in {row["state"] for row in office.rows(sql)}
    thread.join(15)
    assert views[0]["register_check"] == "photos_needed"
    (row,) = office.rows("SELECT register_check FROM registrations WHERE id = %(id)s", id=an.id)
    assert row["register_check"]["outcome"] == "unavailable"
    office.identity.outcome = "matched"
    assert an.declare()["register_check"] == "matched"


@pytest.mark.proves("G9")
def test_a_draft_is_left_and_resumed_and_stepped_back_in(office: Office) -> None:
    binh = office.start()
    mine = person()
    binh.declare(**mine)
    asked = len(office.identity.asked)
    again = Applicant(office, binh.id, binh.token)
    assert again.call("get")["declaration"]["code"] == mine["code"]
    view = again.declare(**mine, address__street="Số 2, phố Giả Định")
    assert view["declaration"]["address"]["street"] == "Số 2, phố Giả Định"
    assert len(office.identity.asked) == asked
    office.process.kill()
    office.process.start()
    office.process.wait_ready()
    assert again.call("get") == view


@pytest.mark.proves("G5")
def test_each_wrong_field_is_refused_by_name_and_nothing_is_kept(office: Office) -> None:
    refusal = refusal_of(
        lambda: office.start().declare(
            code="1", full_name="2", phone="3", birth__value="2999-01-01", document__number="x", address={}
        )
    )
    assert refusal.name == "DeclarationInvalid"
    assert {problem.field for problem in refusal.problems} == {
        "code", "full_name", "phone", "birth.value", "document.number", "address.province_code",
        "address.commune_code", "address.street",
    }  # fmt: skip


def test_a_foreign_token_a_missing_one_and_an_unknown_registration_are_refused_alike(office: Office) -> None:
    lan, mai = office.start(), office.start()
    sealed = office.gateway.seal("registration", mai.token)
    refusals = [
        refusal_of(lambda arguments=arguments, method=method: office.call(method, **arguments))
        for method in HELD
        for arguments in (
            {"registration_id": lan.id, "sealed_resume_token": sealed},
            {"registration_id": lan.id, "sealed_resume_token": "AAAA"},
            {"registration_id": lan.id},
            {"registration_id": str(uuid.uuid4()), "sealed_resume_token": sealed},
            {"registration_id": "x", "sealed_resume_token": 7},
            {},
        )
    ]  # fmt: skip
    assert {(r.name, r.vi, r.problems, tuple(r.details)) for r in refusals} == {
        ("RegistrationUnknown", refusals[0].vi, (), ())
    }


def test_of_a_resume_token_only_the_hash_is_kept(office: Office) -> None:
    lan = office.start()
    (row,) = office.rows(
        "SELECT r.token_hash, r::text AS all FROM registrations r WHERE id = %(id)s", id=lan.id
    )
    assert bytes(row["token_hash"]) == hashlib.sha256(lan.token.encode()).digest()
    assert lan.token not in row["all"]
    assert office.rows("SELECT 1 FROM idempotency WHERE reply::text LIKE %(t)s", t=f"%{lan.token}%") == []


def test_starting_twice_under_one_key_is_one_draft(office: Office) -> None:
    key = uuid.uuid4().hex
    replies = [office.call("start", language="vi", idempotency_key=key) for _ in range(2)]
    assert replies[0] == replies[1]


@pytest.mark.parametrize(
    ("kind", "content", "name"),
    [
        ("portrait", photos.id_card_front("x", []), "PhotoWrongShape"),
        ("portrait", b"GIF89a", "PhotoNotAnImage"),
        ("portrait", b"\0" * (8 * 1024 * 1024 + 1), "PhotoTooLarge"),
        ("id_front", photos.id_card_front("x", []), "PhotoNotNeeded"),
        ("selfie", photos.portrait("x"), "PhotoKindUnknown"),
    ],
)
def test_a_photo_that_cannot_be_kept_is_refused_by_name(
    office: Office, kind: str, content: bytes, name: str
) -> None:
    lan = office.keep(complete(form_changes=person(), photos=()))
    assert refusal_of(lambda: lan.attach(kind, content)).name == name
    assert lan.call("get")["missing"] == ["photos.portrait"]


def test_a_photo_before_the_declaration_is_out_of_order(office: Office) -> None:
    refusal = refusal_of(lambda: office.start().attach("portrait", photos.portrait("x")))
    assert (refusal.name, [p.field for p in refusal.problems]) == ("StepOutOfOrder", ["declaration"])


def test_of_a_photo_taken_again_the_first_is_deleted(office: Office) -> None:
    lan = office.keep(complete(form_changes=person(), photos=()))
    sql = "SELECT photos -> 0 ->> 'ref' AS ref FROM registrations WHERE id = %(id)s"
    refs = []
    for who in ("lan", "lan again"):
        lan.attach("portrait", photos.portrait(who))
        refs.append(office.rows(sql, id=lan.id)[0]["ref"])
    assert [(office.objects.store.root / ref).exists() for ref in refs] == [False, True]


@pytest.mark.proves("G8")
def test_agency_and_email_are_refused_each_by_its_field(office: Office) -> None:
    lan = whole(office)
    for arguments, name, field in (
        ({"agency_code": "S999", "email": "lan@example.org"}, "AgencyUnknown", "agency_code"),
        ({"agency_code": "S001", "email": "lan@"}, "EmailInvalid", "email"),
        ({}, "EmailInvalid", "email"),
    ):
        refusal = refusal_of(lambda arguments=arguments: lan.call("choose_agency", **arguments))
        assert (refusal.name, [p.field for p in refusal.problems]) == (name, [field])


@pytest.mark.proves("G8")
def test_a_code_works_once_for_its_own_registration_and_the_newest_only(office: Office) -> None:
    lan, mai = (unconfirmed(office) for _ in range(2))
    for applicant in (lan, mai):
        applicant.call("request_email_otp")
    first = lan.read_otp()
    assert refusal_of(lambda: mai.confirm(first)).name == "OtpWrong"
    lan.call("request_email_otp")
    second = lan.read_otp(2)
    (row,) = office.rows("SELECT r::text AS all FROM registrations r WHERE id = %(id)s", id=lan.id)
    assert second not in row["all"].split('"')
    if first != second:
        assert refusal_of(lambda: lan.confirm(first)).name == "OtpWrong"
    assert lan.confirm(second)["email_verified"]
    assert refusal_of(lambda: lan.confirm(second)).name == "OtpExpired"


def test_five_wrong_tries_void_the_code_even_the_right_one(office: Office) -> None:
    lan = unconfirmed(office)
    lan.call("request_email_otp")
    right = lan.read_otp()
    wrong = "000000" if right != "000000" else "111111"
    left = [refusal_of(lambda: lan.confirm(wrong)).details["tries_left"] for _ in range(5)]
    assert left == [4, 3, 2, 1, 0]
    assert refusal_of(lambda: lan.confirm(right)).name == "OtpExpired"


def test_a_fourth_code_within_an_hour_is_refused(office: Office) -> None:
    lan = unconfirmed(office)
    for _ in range(3):
        lan.call("request_email_otp")
    refusal = refusal_of(lambda: lan.call("request_email_otp"))
    assert refusal.name == "OtpTooMany"
    assert 0 < refusal.details["retry_after_seconds"] <= 3600
    assert len(office.until_told("registration.email_otp_requested.v1", lan.id, 3)) == 3
