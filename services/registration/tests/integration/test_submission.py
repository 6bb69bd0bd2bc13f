"""Submitting at the running service, over the broker, as the gateway meets it."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from services.registration.tests.examples import complete
from services.registration.tests.integration.office import Applicant, Office
from services.registration.tests.integration.steps import FORMER, SUBMITTED, person, refusal_of, whole
from shared.messaging.calls import CallRefused

pytestmark = pytest.mark.usefixtures("matching_register")


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
