"""Every field and step that goes wrong has a refusal of its own, saying what would be right."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from shared.testing.citizen_client import AGENCY_CODE, CitizenClient, photo_of
from shared.testing.citizens import portrait_jpeg
from shared.testing.client import ProblemSeen

MIB = 1024 * 1024


def refusal(call, *arguments, **options) -> ProblemSeen:
    """The problem that a call is answered with."""
    with pytest.raises(ProblemSeen) as caught:
        call(*arguments, **options)
    problem = caught.value.problem
    assert problem["type"].startswith("https://vssid.example/problems/")
    assert problem["status"] == caught.value.status
    assert problem["trace_id"]
    return caught.value


def until_agency(client: CitizenClient, citizen) -> None:
    """Steps 1 to 3, and the agency with the e-mail."""
    client.start()
    for kind in client.declare(citizen.declaration())["photos_needed"]:
        client.upload(kind, photo_of(citizen, kind))
    client.choose_agency(AGENCY_CODE, citizen.email)


@pytest.mark.proves("G5")
@pytest.mark.parametrize(
    ("change", "field", "right"),
    [
        ({"code": "12345"}, "code", "10 digits"),
        ({"full_name": "Nguyễn 2"}, "full_name", "no digits"),
        ({"birth": {"precision": "day", "value": "1990-02-31"}}, "birth.value", "a day that exists"),
        ({"birth": {"precision": "week", "value": "1990"}}, "birth.precision", "day, month, year"),
        ({"document": {"kind": "cccd", "number": "123"}}, "document.number", "12 digits"),
        ({"document": {"kind": "cmnd", "number": "123"}}, "document.number", "9 digits"),
        ({"document": {"kind": "passport", "number": "!"}}, "document.number", "letter"),
        ({"document": {"kind": "licence", "number": "1"}}, "document.kind", "cccd, cmnd, passport"),
        ({"phone": "0212345678"}, "phone", "mobile number"),
        ({"sex": "x"}, "sex", "male, female"),
        (
            {"address": {"province_code": "1", "commune_code": "00004", "street": "1"}},
            "address.province_code",
            "2 digits",
        ),
        (
            {"address": {"province_code": "79", "commune_code": "00004", "street": "1"}},
            "address.commune_code",
            "chosen province",
        ),
        (
            {"address": {"province_code": "01", "commune_code": "00004", "street": " "}},
            "address.street",
            "house number",
        ),
    ],
)
def test_each_field_of_the_declaration_has_its_own_refusal(client, new_citizen, change, field, right):
    client.start()

    refused = refusal(client.declare, {**new_citizen().declaration(), **change})

    assert (refused.status, refused.name, refused.fields) == (422, "declaration-invalid", [field])
    assert right in refused.problem["errors"][0]["detail"]


@pytest.mark.proves("G5")
def test_all_wrong_fields_are_told_at_once_and_in_vietnamese_by_default(gateway, new_citizen):
    client = CitizenClient(gateway)
    client.start()

    refused = refusal(client.declare, {**new_citizen().declaration(), "code": "1", "phone": "1"})

    assert refused.fields == ["code", "phone"]
    assert "Mã số BHXH" in refused.problem["errors"][0]["detail"]


def test_a_field_of_the_wrong_type_is_a_wrong_shape(client, new_citizen):
    client.start()

    refused = refusal(client.declare, {**new_citizen().declaration(), "code": 1234567890})

    assert (refused.status, refused.name, refused.fields) == (422, "wrong-shape", ["code"])


def test_an_unknown_agency_and_a_wrong_e_mail_are_refused_by_name(client, new_citizen):
    client.start()
    client.declare(new_citizen().declaration())

    agency = refusal(client.choose_agency, "X999", "an@example.org")
    email = refusal(client.choose_agency, AGENCY_CODE, "not an address")

    assert (agency.status, agency.name, agency.fields) == (422, "agency-unknown", ["agency_code"])
    assert (email.status, email.name, email.fields) == (422, "email-invalid", ["email"])


def test_photos_too_large_not_images_and_of_the_wrong_shape_are_refused(client, new_citizen):
    citizen = new_citizen()
    client.start()
    client.declare(citizen.declaration())
    wide = io.BytesIO()
    Image.new("RGB", (900, 300), "white").save(wide, "PNG")

    too_large = refusal(client.upload, "portrait", b"\xff\xd8\xff" + bytes(8 * MIB))
    no_image = refusal(client.upload, "portrait", b"%PDF-1.7 not an image")
    wrong_shape = refusal(client.upload, "portrait", wide.getvalue(), "image/png")
    wrong_kind = refusal(client.upload, "selfie", portrait_jpeg(citizen))

    assert (too_large.status, too_large.name) == (413, "photo-too-large")
    assert "8 MiB" in too_large.problem["detail"]
    assert (no_image.status, no_image.name) == (422, "photo-not-an-image")
    assert (wrong_shape.status, wrong_shape.name) == (422, "photo-wrong-shape")
    assert wrong_kind.status == 404
    assert client.view()["steps"]["photos"] == "missing"


def test_a_photo_of_a_few_mebibytes_is_taken(client, new_citizen):
    citizen = new_citizen()
    client.start()
    client.declare(citizen.declaration())
    large = io.BytesIO()
    Image.effect_noise((1600, 2400), 90).save(large, "PNG")
    assert 2 * MIB < len(large.getvalue()) < 8 * MIB

    view = client.upload("portrait", large.getvalue(), "image/png")

    assert view["steps"]["photos"] == "done"


@pytest.mark.proves("G6")
def test_a_phone_is_registered_for_one_code_only(new_client, new_citizen, inbox):
    holder, second = new_citizen(), new_citizen()
    new_client().register(holder, inbox.wait_for_otp)
    client = new_client()
    client.start()
    view = client.declare({**second.declaration(), "phone": holder.phone})
    for kind in view["photos_needed"]:
        client.upload(kind, photo_of(second, kind))
    client.choose_agency(AGENCY_CODE, second.email)
    client.prove_email(second.email, inbox.wait_for_otp)

    refused = refusal(client.submit)

    assert (refused.status, refused.name, refused.fields) == (409, "phone-taken", ["phone"])
    client.declare(second.declaration())
    assert client.submit()["status"] == "submitted"


def test_steps_out_of_order_name_what_is_missing(client, new_citizen):
    citizen = new_citizen()
    client.start()

    photo = refusal(client.upload, "portrait", portrait_jpeg(citizen))
    otp = refusal(client.request_otp)
    submission = refusal(client.submit)

    assert {photo.name, otp.name, submission.name} == {"step-out-of-order"}
    assert {photo.status, otp.status, submission.status} == {409}
    assert "declaration" in submission.fields
    assert all(error["detail"] for error in submission.problem["errors"])


def test_a_foreign_or_missing_resume_token_opens_nothing(new_client, new_citizen):
    mine, theirs = new_client(), new_client()
    mine.start()
    theirs.start()
    path = mine.draft.path

    foreign = refusal(mine.ask, "GET", path, headers=theirs.draft.headers)
    wrong = refusal(mine.ask, "DELETE", path, headers={"Registration-Token": "guessed"})
    missing = refusal(mine.ask, "GET", path)
    nowhere = refusal(
        mine.ask, "GET", "/v1/registrations/0192f6a0-0000-7000-8000-000000000001", headers=mine.draft.headers
    )

    assert (foreign.status, foreign.name) == (404, "registration-unknown")
    assert (wrong.status, nowhere.status) == (404, 404)
    assert (missing.status, missing.name) == (401, "resume-token-missing")
    assert mine.view()["status"] == "draft"


def test_a_wrong_code_is_refused_and_the_right_one_still_works(client, new_citizen, inbox):
    citizen = new_citizen()
    until_agency(client, citizen)
    client.request_otp()
    right = inbox.wait_for_otp(citizen.email)

    refused = refusal(client.confirm_otp, "000000" if right != "000000" else "111111")

    assert (refused.status, refused.name) == (422, "otp-wrong")
    assert client.confirm_otp(right)["email_verified"]


def test_consent_to_another_text_is_refused(client, new_citizen, inbox):
    citizen = new_citizen()
    until_agency(client, citizen)
    client.prove_email(citizen.email, inbox.wait_for_otp)

    refused = refusal(client.submit, "1999-01")

    assert (refused.status, refused.name) == (422, "consent-required")


def test_a_second_submission_gets_the_same_answer_and_does_nothing(
    client, new_citizen, officer, inbox, ledger
):
    citizen = new_citizen()
    accepted = client.register(citizen, inbox.wait_for_otp)
    ledger.accepted(
        accepted.registration_id,
        accepted.declaration_number,
        code=citizen.code,
        phone=citizen.phone,
        email=citizen.email,
    )

    again = client.submit()
    client.wait_for("awaiting_visit")
    later = client.submit()

    assert again == later
    assert again["declaration_number"] == accepted.declaration_number
    assert len(list(officer.cases(q=accepted.declaration_number))) == 1
    report = ledger.wait_until_final()
    assert report.is_clean, str(report)


@pytest.mark.parametrize(
    ("field", "longest"), [("device_name", 100), ("user", 60)], ids=["device_name", "user"]
)
def test_a_log_in_with_a_text_that_is_too_long_is_told_how_long_it_may_be(new_client, field, longest):
    body = {"user": "0123456789", "password": "anything", field: "x" * (longest + 1)}
    told = refusal(new_client().ask, "POST", "/v1/sessions", json=body)
    assert (told.status, told.fields) == (422, [field])
    assert told.problem["errors"][0]["detail"] == f"Enter 1 to {longest} characters."
    body[field] = "x" * longest
    assert refusal(new_client().ask, "POST", "/v1/sessions", json=body).name == "log-in-failed"


@pytest.mark.parametrize("user", ["", "  "], ids=["empty", "blank"])
def test_a_log_in_of_nobody_names_every_field_that_is_missing(new_client, user):
    told = refusal(new_client().ask, "POST", "/v1/sessions", json={"user": user, "password": "anything"})
    assert (told.status, told.fields) == (422, ["user"])
    told = refusal(new_client().ask, "POST", "/v1/sessions", json={"user": user})
    assert (told.status, sorted(told.fields)) == (422, ["password", "user"])
