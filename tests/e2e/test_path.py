"""The path of the guide: register, be verified, get the password by SMS, log in, look up."""

from __future__ import annotations

import pytest

from deploy.demo.journey import compare
from shared.testing.citizen_client import AGENCY_CODE, photo_of
from shared.testing.client import ProblemSeen


def accept(client, citizen, inbox, ledger):
    """Register, and write down what was promised."""
    accepted = client.register(citizen, inbox.wait_for_otp)
    ledger.accepted(
        accepted.registration_id,
        accepted.declaration_number,
        code=citizen.code,
        phone=citizen.phone,
        email=citizen.email,
    )
    return accepted


@pytest.mark.proves("G4")
@pytest.mark.proves("G8")
@pytest.mark.proves("G12")
@pytest.mark.proves("G15")
def test_a_citizen_goes_from_registering_to_the_own_participation(
    client, new_citizen, officer, inbox, ledger
):
    citizen = new_citizen(insured=True)
    accepted = accept(client, citizen, inbox, ledger)
    waiting = client.wait_for("awaiting_visit")
    assert waiting["next"]["step"] == "visit"

    case = officer.find(accepted.declaration_number)
    assert (case["code"], case["register_outcome"]) == (citizen.code, "matched")
    ledger.decided(accepted.registration_id, officer.confirm(case["id"])["status"])

    password = inbox.wait_for_password(citizen.phone)
    assert client.log_in(citizen.code, password)["must_change_password"]
    fresh = client.change_password(citizen.code, password, "một mật khẩu mới, đủ dài")
    ledger.changed_password(accepted.registration_id)
    assert not fresh["must_change_password"]
    assert client.me()["code"] == citizen.code
    found = client.participation()
    compare(found, citizen)
    assert found["source"]
    assert found["as_of"]

    client.wait_for("completed")
    report = ledger.wait_until_final()
    assert report.is_clean, str(report)
    assert (report.sms_received, report.emails_received) == (1, 3)
    assert all(password not in mail["text"] for mail in inbox.emails(citizen.email))


@pytest.mark.proves("G15")
def test_the_first_password_opens_nothing_but_its_own_change(client, new_citizen, officer, inbox):
    citizen = new_citizen()
    accepted = client.register(citizen, inbox.wait_for_otp)
    officer.confirm(officer.find(accepted.declaration_number)["id"])
    password = inbox.wait_for_password(citizen.phone)
    client.log_in(citizen.code, password)

    with pytest.raises(ProblemSeen) as refused:
        client.participation()
    assert (refused.value.status, refused.value.name) == (403, "password-change-required")

    client.change_password(citizen.code, password, "một mật khẩu khác, đủ dài")
    assert client.participation()["items"] == []
    with pytest.raises(ProblemSeen) as refused:
        client.log_in(citizen.code, password)
    assert (refused.value.status, refused.value.name) == (401, "log-in-failed")


@pytest.mark.proves("G7")
def test_only_whom_the_register_does_not_confirm_sends_photos_of_the_id_card(
    new_client, new_citizen, officer, inbox
):
    known, stranger = new_client(), new_client()
    of_known = known.register(new_citizen(), inbox.wait_for_otp)
    of_stranger = stranger.register(new_citizen(known=False), inbox.wait_for_otp)

    assert of_known.photos_uploaded == ["portrait"]
    assert sorted(of_stranger.photos_uploaded) == ["id_back", "id_front", "portrait"]
    assert known.view()["register_check"] == "matched"
    assert stranger.view()["register_check"] == "photos_needed"

    case = officer.find(of_stranger.declaration_number)
    for kind in of_stranger.photos_uploaded:
        assert officer.photo(case["id"], kind).startswith(b"\xff\xd8\xff")
    seen = officer.case(case["id"])
    assert sorted(photo["kind"] for photo in seen["photos"]) == ["id_back", "id_front", "portrait"]


@pytest.mark.proves("G8")
def test_agencies_are_found_by_place_and_by_word(client):
    in_hanoi = client.ask("GET", "/v1/agencies", params={"province_code": "01"})["items"]
    by_word = client.ask("GET", "/v1/agencies", params={"q": "dong da"})["items"]

    assert {agency["province_code"] for agency in in_hanoi} == {"01"}
    assert AGENCY_CODE in {agency["code"] for agency in in_hanoi}
    assert AGENCY_CODE in {agency["code"] for agency in by_word}
    assert len(client.ask("GET", "/v1/administrative-units")["items"]) == 34


@pytest.mark.proves("G8")
def test_the_nearest_agency_is_told_with_its_way_and_its_hours(client):
    params = {"latitude": 21.0119, "longitude": 105.8220}
    nearest = client.ask("GET", "/v1/agencies", params=params)["items"][0]
    assert (nearest["code"], nearest["distance_metres"]) == (AGENCY_CODE, 0)
    assert nearest["opening_hours"].startswith("Mo-Fr")
    of_commune = client.ask("GET", "/v1/agencies", params={"commune_code": "00004"})["items"]
    assert of_commune[0]["distance_metres"] <= of_commune[-1]["distance_metres"]


@pytest.mark.proves("G9")
def test_a_form_is_resumed_on_another_device_stepped_back_in_and_sent_as_it_stands(
    new_client, new_citizen, inbox
):
    """With an old address, chosen from the lists of June 2025; each save says what is still missing."""
    citizen, phone, tablet = new_citizen(), new_client(), new_client()
    then = {"on": "2025-06-30"}
    districts = phone.ask("GET", "/v1/administrative-units", params={**then, "parent": "01"})["items"]
    assert districts[0]["name"] == "Quận Ba Đình"
    communes = phone.ask("GET", "/v1/administrative-units", params={**then, "parent": districts[0]["code"]})[
        "items"
    ]
    old = next(unit for unit in communes if len(unit["successors"]) == 1)
    former = {"province_code": "01", "district_code": districts[0]["code"], "commune_code": old["code"]}
    phone.start()
    form = citizen.declaration() | {"address": {"street": "Số 1, phố Giả Định", "former": former}}
    saved = phone.declare(form)
    assert saved["missing"] == ["photos.portrait", "agency", "email"]
    assert saved["declaration"]["address"]["commune_code"] == old["successors"][0]
    assert "national population database" in saved["register_text"]

    tablet.draft = phone.draft
    assert tablet.view() == saved
    tablet.upload("portrait", photo_of(citizen, "portrait"))
    chosen = tablet.choose_agency(AGENCY_CODE, citizen.email)
    assert chosen["missing"] == ["email"]
    assert phone.declare(chosen["declaration"]) == chosen
    tablet.prove_email(citizen.email, inbox.wait_for_otp)
    assert phone.view()["missing"] == []


def test_a_rejected_registration_tells_why_and_frees_phone_and_code(
    new_client, new_citizen, officer, inbox, ledger
):
    citizen = new_citizen()
    first, second = new_client(), new_client()
    accepted = accept(first, citizen, inbox, ledger)
    case = officer.find(accepted.declaration_number)
    ledger.decided(accepted.registration_id, officer.reject(case["id"], "Giấy tờ không khớp")["status"])

    ended = first.wait_for("rejected")
    assert any("Giấy tờ không khớp" in str(entry.get("detail")) for entry in ended["entries"])
    report = ledger.wait_until_final()
    assert report.is_clean, str(report)
    assert second.register(citizen, inbox.wait_for_otp).registration_id != accepted.registration_id


def test_a_cancelled_registration_ends_and_frees_the_phone(new_client, new_citizen, inbox):
    citizen = new_citizen()
    first, second = new_client(), new_client()
    first.register(citizen, inbox.wait_for_otp)
    first.cancel()
    first.wait_for("cancelled")

    second.register(citizen, inbox.wait_for_otp)


def test_the_timeline_is_sent_again_only_when_it_changed(client, new_citizen, officer, inbox):
    accepted = client.register(new_citizen(), inbox.wait_for_otp)
    client.wait_for("awaiting_visit")
    path, headers = f"{client.draft.path}/timeline", client.draft.headers
    first = client.send("GET", path, headers=headers)
    same = {**headers, "If-None-Match": first.headers["ETag"]}
    assert client.send("GET", path, headers=same).status_code == 304

    officer.confirm(officer.find(accepted.declaration_number)["id"])
    client.wait_for("completed")
    changed = client.send("GET", path, headers=same)
    assert changed.status_code == 200
    assert changed.json()["next"]["step"] == "log_in"


@pytest.mark.proves("G10")
def test_the_declaration_is_had_as_a_pdf_and_the_consent_as_it_was_shown(
    client, new_client, new_citizen, officer, inbox
):
    shown = client.ask("GET", "/v1/consent", params={"language": "vi"})
    assert "91/2025/QH15" in shown["text"]
    accepted = client.register(new_citizen(), inbox.wait_for_otp)
    path = f"{client.draft.path}/declaration.pdf"
    first, second = (client.send("GET", path, headers=client.draft.headers) for _ in range(2))
    assert (first.status_code, first.headers["Content-Type"]) == (200, "application/pdf")
    assert first.content.startswith(b"%PDF-")
    assert first.content == second.content
    assert accepted.declaration_number in first.headers["Content-Disposition"]
    known = {**client.draft.headers, "If-None-Match": first.headers["ETag"]}
    assert client.send("GET", path, headers=known).status_code == 304

    other = new_client().start()
    assert client.send("GET", path, headers=other.headers).status_code == 404
    assert client.send("GET", path).status_code == 401
    officer.confirm(officer.find(accepted.declaration_number)["id"])
    client.wait_for("completed")
    assert client.send("GET", path, headers=client.draft.headers).content == first.content


@pytest.mark.proves("G9")
def test_a_draft_can_be_left_resumed_and_stepped_back_in(client, new_client, new_citizen):
    citizen = new_citizen()
    client.start()
    client.declare(citizen.declaration())
    client.choose_agency(AGENCY_CODE, citizen.email)
    resumed = new_client()
    resumed.draft = client.draft

    assert resumed.view()["declaration"]["full_name"] == citizen.full_name
    resumed.declare({**citizen.declaration(), "phone": "0399999999"})
    view = resumed.view()
    assert (view["declaration"]["phone"], view["email"]) == ("+84399999999", citizen.email)
