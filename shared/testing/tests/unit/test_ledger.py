"""The checker itself: clean when all is well, and each thing that can go wrong is seen."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from shared.testing.promised import Promise
from shared.testing.verdict import Found, judge

ID = "0192f6a0-0000-7000-8000-000000000001"
CODE, PHONE, EMAIL = "0123456789", "+84912345678", "an@example.org"


def password_sms(password: str, code: str = CODE) -> dict[str, Any]:
    return {"to": PHONE, "text": f"VssID: Tai khoan: {code} / Mat khau: {password}"}


def email(purpose: str, code: str = "", number: int = 1) -> dict[str, Any]:
    text = f"Tên đăng nhập: {code}." if code else "Kính gửi Ông/Bà"
    return {"to": EMAIL, "purpose": purpose, "message_id": f"<{purpose} {code} {number}>", "text": text}


@pytest.fixture
def promise() -> Promise:
    return Promise(ID, "TK-1", CODE, PHONE, EMAIL, decision="verified", passwords_changed=1)


@pytest.fixture
def found() -> Found:
    """All is well: verified, one SMS, three e-mails, one account with the citizen's own password."""
    return Found(
        registrations={ID: {"id": ID, "status": "completed", "declaration_number": "TK-1"}},
        cases={ID: {"status": "verified", "by_officer": True, "supplemented": False}},
        accounts=[{"id": "a", "code": CODE, "phone": PHONE}],
        credentials={
            "a": [
                {"account_id": "a", "cause": ID, "state": "ended", "issued": True, "delivery": "sent"},
                {
                    "account_id": "a",
                    "cause": "session",
                    "state": "active",
                    "issued": False,
                    "delivery": None,
                },
            ]
        },
        messages=[
            {
                "recipient": PHONE,
                "cause_event_id": "e",
                "channel": "sms",
                "purpose": "credentials",
                "state": "sent",
                "registration_id": ID,
            }
        ],
        sms=[password_sms("x")],
        emails=[
            email("email_otp"),
            email("instructions", CODE),
            email("password_changed"),
        ],
    )


def problems(promise: Promise, found: Found, drafts: frozenset[str] = frozenset()) -> list[str]:
    """The lists that are not empty."""
    report = judge([promise], set(drafts), found)
    return [name for name in ("lost", "duplicates", "unasked") if getattr(report, name)]


def test_what_was_promised_and_is_there_once_is_clean(promise, found):
    assert problems(promise, found) == []


@pytest.mark.parametrize("what", ["registrations", "cases", "accounts", "credentials", "sms", "emails"])
def test_what_is_missing_is_lost(promise, found, what):
    getattr(found, what).clear()

    assert "lost" in problems(promise, found)


@pytest.mark.parametrize("what", ["accounts", "messages", "sms", "emails"])
def test_what_is_there_twice_is_a_duplicate(promise, found, what):
    rows = getattr(found, what)
    rows.append(copy.copy(rows[0]))

    assert "duplicates" in problems(promise, found)


def test_a_second_password_by_sms_that_no_credential_stands_for_is_a_duplicate(promise, found):
    found.sms.append(password_sms("y"))

    assert problems(promise, found) == ["duplicates"]


def test_a_second_e_mail_of_one_purpose_is_a_duplicate_though_its_id_is_new(promise, found):
    found.emails.append(email("instructions", CODE, 2))

    assert problems(promise, found) == ["duplicates"]


def test_two_passwords_that_open_the_account_are_a_duplicate(promise, found):
    found.credentials["a"][0]["state"] = "issued"

    assert problems(promise, found) == ["duplicates"]


def replace_password(found: Found) -> None:
    """A second password for the same registration, and its SMS."""
    again = {"account_id": "a", "cause": f"{ID} 1", "state": "ended", "issued": True, "delivery": "sent"}
    found.credentials["a"].append(again)
    found.sms.append(password_sms("y"))


def test_a_password_that_replaced_one_lost_on_its_way_may_be_sent(promise, found):
    replace_password(found)
    found.credentials["a"][0]["delivery"] = "failed"

    assert problems(promise, found) == []


def test_a_password_that_replaced_one_that_was_not_lost_is_a_duplicate(promise, found):
    replace_password(found)

    assert problems(promise, found) == ["duplicates"]


def test_an_e_mail_that_may_or_may_not_have_gone_out_is_unknown_an_sms_is_lost(promise, found):
    notice = {"recipient": EMAIL, "cause_event_id": "f", "channel": "email", "purpose": "password_changed"}
    found.messages.append({**notice, "state": "unknown", "registration_id": None})
    found.emails.pop()
    report = judge([promise], set(), found)
    assert (report.is_clean, len(report.unknown)) == (True, 1)

    found.messages[0]["state"] = "unknown"
    found.sms.clear()
    assert problems(promise, found) == ["lost"]


def test_a_status_that_is_not_the_promised_one_is_lost(promise, found):
    found.registrations[ID]["status"] = "verified"

    assert problems(promise, found) == ["lost"]


def test_messages_to_somebody_whose_case_is_not_decided_are_unasked(promise, found):
    promise.decision, promise.passwords_changed = None, 0
    found.registrations[ID]["status"], found.cases[ID]["status"] = "awaiting_visit", "waiting"
    found.accounts.clear()
    found.credentials.clear()

    assert problems(promise, found) == ["unasked"]


def test_a_password_before_the_decision_is_unasked(promise, found):
    promise.decision, promise.passwords_changed = None, 0
    found.registrations[ID]["status"], found.cases[ID]["status"] = "awaiting_visit", "waiting"
    found.sms.clear()
    found.emails = found.emails[:1]

    assert problems(promise, found) == ["unasked"]


def test_a_case_for_a_draft_that_was_not_accepted_is_unasked(promise, found):
    found.cases["draft"] = {"status": "waiting", "by_officer": False, "supplemented": False}

    assert problems(promise, found, frozenset({"draft"})) == ["unasked"]


SPOKEN = {"account_id": "a", "cause": "call", "issued": True, "delivery": None, "channel": "voice"}


def test_a_password_of_the_hotline_is_known_and_may_wait_beside_the_own_one(promise, found):
    promise.reissued, promise.log_in_codes = 1, 1
    found.credentials["a"].append({**SPOKEN, "state": "issued"})
    found.sms += [{"to": PHONE, "text": text} for text in ("duoc cap lai", "Ma xac nhan")]
    found.emails += [email(purpose) for purpose in ("reissued", "new_device")]
    assert problems(promise, found) == []
    found.credentials["a"].append({**SPOKEN, "state": "ended"})
    assert problems(promise, found) == ["duplicates"]
    found.credentials["a"] = [c for c in found.credentials["a"] if c.get("channel") != "voice"]
    assert problems(promise, found) == ["lost"]


def test_of_a_session_in_two_hands_the_citizen_is_told_as_what_it_was(promise, found):
    promise.thefts = 1
    found.sms.append({"to": PHONE, "text": "bi sao chep"})
    found.emails.append(email("new_device"))
    assert problems(promise, found) == ["lost", "unasked"]
    found.emails[-1] = email("session_copied")
    assert problems(promise, found) == []


def test_a_password_of_the_hotline_that_nobody_asked_for_is_unasked(promise, found):
    found.credentials["a"].append({**SPOKEN, "state": "issued"})
    assert problems(promise, found) == ["unasked"]
