"""A person is verified once, for life: registering again, with the same contact and with another one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.demo.world import add_officer
from shared.testing.client import ProblemSeen
from shared.testing.inbox import password_in
from shared.testing.processes import until

OWN_PASSWORD = "mật khẩu của riêng tôi"


def passwords(inbox, phone):
    """Every password that reached a phone, oldest first."""
    texts = [sms["text"] for sms in inbox.sms(phone)]
    return [password_in(text) for text in texts if "assword: " in text or "at khau: " in text]


def wait_for_password(inbox, phone, count=1):
    until(lambda: len(passwords(inbox, phone)) >= count, 60, "no password by SMS")
    return passwords(inbox, phone)[-1]


def verified(client, citizen, officer, inbox):
    """Somebody with an account and a password of the own."""
    accepted = client.register(citizen, inbox.wait_for_otp)
    officer.confirm(officer.find(accepted.declaration_number)["id"])
    first = wait_for_password(inbox, citizen.phone)
    client.log_in(citizen.code, first)
    client.change_password(citizen.code, first, OWN_PASSWORD)
    client.wait_for("completed")


@pytest.mark.proves("G13")
@pytest.mark.parametrize("by", ["code", "personal_number"])
def test_who_registers_again_with_the_own_phone_is_not_sent_to_the_desk(
    new_client, new_citizen, officer, inbox, by
):
    citizen = new_citizen()
    verified(new_client(), citizen, officer, inbox)
    again = new_client()

    accepted = again.register(replace(citizen, code=getattr(citizen, by)), inbox.wait_for_otp)

    told = again.wait_for("completed")
    assert "verified" in [entry["step"] for entry in told["entries"]]
    assert list(officer.cases(q=accepted.declaration_number)) == []
    password = wait_for_password(inbox, citizen.phone, 2)
    assert new_client().log_in(citizen.personal_number, OWN_PASSWORD)["must_change_password"] is False
    assert new_client().log_in(citizen.code, password)["must_change_password"] is True


@pytest.mark.proves("G13")
def test_another_phone_is_a_change_of_contact_that_the_desk_decides(new_client, new_citizen, officer, inbox):
    citizen, stranger = new_citizen(), new_citizen()
    phone_before, elsewhere = new_client(), new_client()
    verified(phone_before, citizen, officer, inbox)
    moved = replace(citizen, phone=new_citizen().phone)

    accepted = elsewhere.register(moved, inbox.wait_for_otp)

    elsewhere.wait_for("awaiting_visit")
    case = officer.case(officer.find(accepted.declaration_number)["id"])
    assert national(case["phone"]) == moved.phone
    assert (national(case["account"]["phone"]), case["account"]["email"]) == (citizen.phone, citizen.email)
    for held in (citizen.phone, moved.phone):
        with pytest.raises(ProblemSeen) as refused:
            new_client().register(replace(stranger, phone=held), inbox.wait_for_otp)
        assert refused.value.name == "phone-taken"
    assert phone_before.me()["code"] == citizen.code

    officer.confirm(case["id"])

    elsewhere.wait_for("completed")
    wait_for_password(inbox, moved.phone)
    assert len(passwords(inbox, citizen.phone)) == 1
    until(lambda: len(inbox.sms(citizen.phone)) == 2, 60, "the old phone was not told")
    with pytest.raises(ProblemSeen) as refused:
        phone_before.me()
    assert refused.value.name == "token-invalid"
    new_client().register(replace(stranger, phone=citizen.phone), inbox.wait_for_otp)


@pytest.mark.proves("G13")
def test_a_leaked_code_and_a_leaked_personal_number_take_no_account(new_client, new_citizen, officer, inbox):
    citizen, thief = new_citizen(), new_citizen()
    verified(new_client(), citizen, officer, inbox)

    with pytest.raises(ProblemSeen) as refused:
        new_client().register(replace(thief, code=citizen.code), inbox.wait_for_otp)
    assert refused.value.name == "code-taken"

    all_known = replace(citizen, phone=thief.phone, email=thief.email)
    accepted = (client := new_client()).register(all_known, inbox.wait_for_otp)
    officer.reject(officer.find(accepted.declaration_number)["id"], "Không phải chủ thẻ đến làm thủ tục")
    client.wait_for("rejected")
    assert passwords(inbox, thief.phone) == []
    assert new_client().log_in(citizen.code, OWN_PASSWORD)["must_change_password"] is False


def test_whose_code_a_stranger_holds_has_it_freed_at_any_desk_and_goes_on(
    new_client, new_citizen, officer, product, gateway, seed, inbox
):
    citizen, stranger = new_citizen(), new_citizen()
    squatting = (held := new_client()).register(replace(stranger, code=citizen.code), inbox.wait_for_otp)
    with pytest.raises(ProblemSeen) as refused:
        (client := new_client()).register(citizen, inbox.wait_for_otp)
    assert refused.value.name == "code-taken"

    elsewhere = add_officer(product, gateway, f"e2e-squatting-{seed}", "S002")
    until(lambda: elsewhere.open_applications(citizen.code), 30, "the case was not opened")
    (found,) = elsewhere.open_applications(citizen.code)
    assert set(found) == {"declaration_number", "opened_at"}
    assert found["declaration_number"] == squatting.declaration_number
    reason = "Chủ mã số đến cùng CCCD gốc"
    with pytest.raises(ProblemSeen) as refused:
        elsewhere.supersede(squatting.declaration_number, stranger.code, reason)
    assert refused.value.name == "case-unknown", "an officer closes for the number of the papers alone"
    assert elsewhere.supersede(squatting.declaration_number, citizen.code, reason)["status"] == "closed"

    assert held.wait_for("cancelled")["entries"][-1]["detail"] == "superseded"
    inbox.wait_for_emails(stranger.email, "closed")
    accepted = client.submit()
    officer.confirm(officer.find(accepted["declaration_number"])["id"])
    client.wait_for("completed")
    with pytest.raises(ProblemSeen) as refused:
        elsewhere.supersede(accepted["declaration_number"], citizen.code, reason)
    assert refused.value.name == "case-already-ended"


def test_a_change_of_contact_at_the_desk_supersedes_who_was_not_verified(
    new_client, new_citizen, officer, inbox
):
    citizen, squatter, neighbour = new_citizen(), new_citizen(), new_citizen()
    verified(phone := new_client(), citizen, officer, inbox)
    verified(new_client(), neighbour, officer, inbox)
    (waiting := new_client()).register(squatter, inbox.wait_for_otp)

    def change(to):
        return officer.change_contact(citizen.code, phone=to, reason="Mất điện thoại cũ")["status"]

    assert change(neighbour.phone) == "refused"
    until(lambda: change(squatter.phone) == "changed", 60, "the contact was not changed")

    told = waiting.wait_for("cancelled")
    assert told["entries"][-1]["detail"] == "superseded"
    until(lambda: len(inbox.sms(citizen.phone)) == 2, 60, "the old phone was not told")
    with pytest.raises(ProblemSeen) as refused:
        phone.me()
    assert refused.value.name == "token-invalid"
    assert new_client().log_in(citizen.code, OWN_PASSWORD)["must_change_password"] is False
    new_client().register(replace(new_citizen(), phone=citizen.phone), inbox.wait_for_otp)


def national(phone):
    return "0" + phone.removeprefix("+84")
