"""The running service, over the broker, as the gateway and the other services meet it."""

from __future__ import annotations

import base64
import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from deploy.native.instance import Instance
from services.registration.tests.examples import complete
from services.registration.tests.integration.office import Applicant, Office
from shared.events import credentials, identity, notification
from shared.messaging.calls import CallRefused
from shared.testing import photos
from shared.testing.processes import until

SUBMITTED, CLOSE_REQUESTED = "registration.submitted.v1", "registration.close_requested.v1"
HELD = (
    "get", "timeline", "declaration_pdf", "submit", "cancel", "save_declaration", "choose_agency",
    "attach_photo", "request_email_otp", "confirm_email_otp",
)  # fmt: skip
FORMER = {"province_code": "01", "district_code": "001", "commune_code": "00004"}
_people = count(1)


@pytest.fixture(scope="module")
def office(servers: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    office = Office(servers, tmp_path_factory.mktemp("registration"))
    try:
        office.up()
        yield office
    finally:
        office.down()


@pytest.fixture(autouse=True)
def _register_matches(office: Office) -> None:
    office.identity.outcome = "matched"


def person() -> dict[str, str]:
    """Code, phone and CCCD that no other test uses."""
    number = next(_people)
    return {
        "code": f"10{number:08}",
        "phone": f"09{number:08}",
        "document__number": f"001190{number:06}",
    }


def whole(office: Office, **form_changes: Any) -> Applicant:
    """A registration that lacks nothing but its submission."""
    return office.keep(complete(form_changes=person() | form_changes))


def unconfirmed(office: Office) -> Applicant:
    """One whose e-mail, which no other test uses, waits to be confirmed."""
    email = f"{uuid.uuid4().hex}@example.org"
    return office.keep(complete(form_changes=person(), email_verified=False, email=email))


def refusal_of(call: Callable[[], object]) -> CallRefused:
    with pytest.raises(CallRefused) as refusal:
        call()
    assert refusal.value.vi
    assert refusal.value.en
    return refusal.value


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


@pytest.mark.proves("G6")
def test_submitting_fifty_times_at_once_is_one_application(office: Office) -> None:
    lan = whole(office)
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: lan.submit(), range(50)))
    assert len({str(answer) for answer in answers}) == 1
    assert lan.submit() == answers[0]
    office.until_told(SUBMITTED, lan.id)
    held = office.rows("SELECT value FROM claimed WHERE registration_id = %(id)s", id=lan.id)
    assert (len(held), lan.steps()) == (3, ["submitted"])
    assert len(office.told(SUBMITTED, lan.id)) == 1


@pytest.mark.proves("G10")
def test_a_submitted_declaration_can_be_had_as_a_pdf_always_the_same(office: Office) -> None:
    lan = whole(office)
    refusal = refusal_of(lambda: lan.call("declaration_pdf"))
    assert (refusal.name, refusal.details) == ("StepOutOfOrder", {"status": "draft"})
    number = lan.submit()["declaration_number"]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: lan.call("declaration_pdf"), range(8)))
    assert answers == [answers[0]] * 8
    content = base64.b64decode(answers[0]["content"])
    assert answers[0]["number"] == number
    assert answers[0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert content.startswith(b"%PDF-")
    assert b"/FontFile2" in content
    lan.call("cancel")
    assert lan.call("declaration_pdf") == answers[0]


@pytest.mark.proves("G10")
def test_the_text_that_was_agreed_to_is_recorded_with_its_time(office: Office) -> None:
    shown = office.call("consent", language="vi")
    assert shown["in_force"]
    assert shown["sha256"] == hashlib.sha256(shown["text"].encode()).hexdigest()
    assert office.call("consent", version=shown["version"], language="en")["text"] != shown["text"]
    assert refusal_of(lambda: office.call("consent", version="../x")).name == "ConsentUnknown"
    lan = whole(office)
    lan.call("submit", consent_version=shown["version"])
    (row,) = office.rows(
        "SELECT consent_version, consent_text, submitted_at FROM registrations WHERE id = %(id)s", id=lan.id
    )
    assert row["consent_version"] == shown["version"]
    assert row["consent_text"] == {"language": "vi", "sha256": shown["sha256"]}
    assert datetime.now(UTC) - row["submitted_at"] < timedelta(minutes=5)


@pytest.mark.proves("G6")
def test_of_twenty_codes_that_want_one_phone_at_once_one_gets_it(office: Office) -> None:
    phone = person()["phone"]
    applicants = [whole(office, phone=phone) for _ in range(20)]

    def outcome(applicant: Applicant) -> str:
        try:
            return applicant.submit()["status"]
        except CallRefused as refusal:
            return refusal.name

    with ThreadPoolExecutor(20) as threads:
        outcomes = sorted(threads.map(outcome, applicants))
    assert outcomes == ["PhoneTaken"] * 19 + ["submitted"]


@pytest.mark.proves("G6")
def test_a_code_that_is_registered_already_is_refused(office: Office) -> None:
    mine = person()
    whole(office, **mine).submit()
    assert refusal_of(whole(office, code=mine["code"]).submit).name == "CodeTaken"


def test_a_submission_that_lacks_something_names_it(office: Office) -> None:
    refusal = refusal_of(office.keep(complete(form_changes=person(), photos=(), email_verified=False)).submit)
    assert (refusal.name, [p.field for p in refusal.problems]) == (
        "StepOutOfOrder",
        ["photos.portrait", "email"],
    )
    refusal = refusal_of(lambda: whole(office).call("submit", consent_version="2020-01"))
    assert (refusal.name, [p.field for p in refusal.problems]) == ("ConsentRequired", ["consent_version"])


def test_the_news_of_the_case_and_the_messages_complete_an_application(office: Office) -> None:
    lan = whole(office)
    lan.submit()
    at, ids, credential_id = datetime.now(UTC), iter(uuid.uuid4, None), uuid.uuid4()
    office.tell(identity.CHECKED, lan.id, times=3, outcome="matched", at=at)
    lan.until_status("awaiting_visit")
    office.tell(
        identity.VERIFIED, lan.id, times=3, person_id=next(ids), code="1000000000", method="desk", at=at
    )
    lan.until_status("verified")
    office.tell(
        credentials.ISSUED,
        lan.id,
        times=3,
        credential_id=credential_id,
        account_id=next(ids),
        code="1000000000",
        reason="registration",
        channels=[],
        sealed_secret="x",
        valid_until=at + timedelta(days=1),
        language="vi",
    )
    message = {
        "message_id": next(ids),
        "cause_event_id": next(ids),
        "credential_id": credential_id,
        "at": at,
    }
    office.tell(notification.SENT, lan.id, purpose="instructions", channel="email", **message)
    office.tell(notification.SENT, lan.id, times=3, purpose="password", channel="sms", **message)
    lan.until_status("completed")
    assert lan.steps() == [
        "submitted",
        "awaiting_visit",
        "verified",
        "credentials_issued",
        "credentials_sent",
    ]
    assert lan.call("timeline")["version"] == 5


def test_a_rejection_frees_phone_and_code(office: Office) -> None:
    mine = person()
    lan = whole(office, **mine)
    lan.submit()
    ending = {"phone": "+84912345678", "email": "lan@example.org", "language": "vi"}
    office.tell(identity.REJECTED, lan.id, reason="Giấy tờ không khớp", **ending)
    lan.until_status("rejected")
    assert lan.call("timeline")["entries"][-1]["detail"] == "Giấy tờ không khớp"
    assert whole(office, **mine).submit()["status"] == "submitted"


def test_a_cancelled_application_asks_its_case_and_is_closed_by_it(office: Office) -> None:
    lan = whole(office)
    lan.submit()
    with ThreadPoolExecutor(5) as threads:
        views = list(threads.map(lambda _: lan.call("cancel"), range(5)))
    assert {view["status"] for view in views} == {"submitted"}
    assert [e["reason"] for e in office.until_told(CLOSE_REQUESTED, lan.id)] == ["cancelled"]
    ending = {"phone": "+84912345678", "email": "lan@example.org", "language": "vi"}
    office.tell(identity.CLOSED, lan.id, reason="cancelled", **ending)
    lan.until_status("cancelled")
    draft = office.start()
    assert draft.call("cancel")["status"] == "cancelled"
    assert refusal_of(draft.declare).details == {"status": "cancelled"}


@pytest.mark.proves("G11")
def test_a_deadline_and_a_reminder_fall_due(office: Office) -> None:
    lan = whole(office)
    deadline = datetime.fromisoformat(lan.submit()["deadline"])
    sql = "SELECT kind, due_at FROM jobs WHERE starts_with(key, %(id)s) ORDER BY due_at"
    due = [(row["kind"], (deadline - row["due_at"]).days) for row in office.rows(sql, id=lan.id)]
    assert due == [("remind", 7), ("remind", 1), ("pass_deadline", 0)]
    with office.transaction() as tx:
        tx.run("UPDATE jobs SET due_at = now() WHERE key = %(key)s", {"key": f"{lan.id} 7"})
    (reminder,) = office.until_told("registration.reminder_due.v1", lan.id)
    assert reminder["agency"]["code"] == "S001"
    with office.transaction() as tx:
        tx.run("UPDATE jobs SET due_at = now() WHERE key = %(key)s", {"key": lan.id})
    (event,) = office.until_told(CLOSE_REQUESTED, lan.id)
    assert event["reason"] == "deadline_passed"
    assert lan.steps() == ["submitted", "reminded", "deadline_passed"]


def test_who_knows_the_timeline_hears_that_it_is_unchanged(office: Office) -> None:
    lan, mai = whole(office), whole(office)
    lan.submit()
    known = [lan.call("timeline")["tag"]]
    assert lan.call("timeline", known_tags=known) == {"tag": known[0], "unchanged": True}
    assert not mai.call("timeline", known_tags=known)["unchanged"]
    lan.call("cancel")
    assert not lan.call("timeline", known_tags=known)["unchanged"]
    for nonsense in (None, "x", 7, [None, {}]):
        assert lan.call("timeline", known_tags=nonsense)["entries"]


def test_timelines_asked_for_at_once_are_each_answered_by_their_own_key(office: Office) -> None:
    lan, mai = whole(office), office.start()
    stranger = Applicant(office, lan.id, "not the token")

    def outcome(applicant: Applicant) -> str:
        try:
            return applicant.call("timeline")["status"] + applicant.id
        except CallRefused as refusal:
            return refusal.name

    with ThreadPoolExecutor(30) as threads:
        outcomes = list(threads.map(outcome, [lan, mai, stranger] * 10))
    assert outcomes == [f"draft{lan.id}", f"draft{mai.id}", "RegistrationUnknown"] * 10


@pytest.mark.proves("G8")
def test_places_are_searched_by_province_and_by_name(office: Office) -> None:
    (found,) = office.call("agencies", q="dong da")["items"]
    assert found["display_name"] == "(S001) BHXH TP. Hà Nội – BHXH cơ sở Đống Đa"
    assert found["opening_hours"] == "Mo-Fr 07:30-11:30,13:00-16:30"
    assert found["distance_metres"] is None
    assert len(office.call("administrative_units")["items"]) == 34
    units = {unit["code"]: unit for unit in office.call("administrative_units", parent="01")["items"]}
    ba_dinh = units["00004"]
    assert (ba_dinh["name"], ba_dinh["parent"], ba_dinh["valid_from"]) == (
        "Phường Ba Đình",
        "01",
        "2025-07-01",
    )
    assert len(office.call("administrative_units", on="2025-06-30")["items"]) == 63


@pytest.mark.proves("G8")
def test_the_nearest_agencies_of_a_place_and_of_a_commune_come_first(office: Office) -> None:
    found = office.call("agencies", latitude=21.0, longitude=105.8)["items"]
    away = [agency["distance_metres"] for agency in found]
    assert (len(found), found[0]["code"], away) == (20, "S001", sorted(away))
    of_commune = office.call("agencies", commune_code="00004")["items"]
    assert {agency["province_code"] for agency in of_commune} == {"01"}
    assert of_commune[0]["code"] == "S001"
    assert 1_000 < of_commune[0]["distance_metres"] < 10_000
    everywhere = office.call("agencies")["items"]
    for half in (
        {"latitude": 21.0},
        {"latitude": "north", "longitude": 105.8},
        {"latitude": 91, "longitude": 1},
    ):
        assert office.call("agencies", **half)["items"] == everywhere


@pytest.mark.proves("G5")
def test_an_old_address_is_kept_with_the_new_one_and_goes_to_the_officer(office: Office) -> None:
    former = {"province_code": "01", "district_code": "001", "commune_code": "00001"}
    lan = office.start()
    view = lan.declare(**person(), address={"street": "Số 1, phố Giả Định", "former": former})
    address = view["declaration"]["address"]
    assert (address["province_code"], address["commune_code"]) == ("01", "00097")
    assert address["former"] == former
    assert lan.declare(**person(), address=address)["declaration"]["address"] == address
    mai = whole(office, address={"street": "Số 1, phố Giả Định", "former": FORMER})
    mai.submit()
    (event,) = office.until_told(SUBMITTED, mai.id)
    assert event["address"]["former"] == FORMER
    assert event["address"]["text"] == "Số 1, phố Giả Định, Phường Ba Đình, Thành phố Hà Nội"
    assert event["address"]["former_text"] == "Phường Trúc Bạch, Quận Ba Đình, Thành phố Hà Nội"


def test_no_personal_data_stands_in_the_log(office: Office) -> None:
    lan = whole(office)
    lan.submit()
    refusal_of(lambda: lan.declare(full_name="Nguyễn Thị Thử Lan 2"))
    log = office.process.log.read_text()
    assert "started" in log
    for private in ("Thử Lan", "lan@example.org", "001190000", lan.token):
        assert private not in log
