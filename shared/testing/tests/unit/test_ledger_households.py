"""The checker, of whom more may be there than of others: children, a second registration, a supplement.

All is well in what ``town`` holds; each test breaks one thing and sees that it is seen."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from shared.testing.promised import Promise
from shared.testing.verdict import Found, judge

MOTHER, CHILD, AGAIN = (f"0192f6a0-0000-7000-8000-00000000000{number}" for number in (1, 2, 3))
PHONE, EMAIL = "+84912345678", "an@example.org"
MOTHERS, CHILDS, OTHERS = "0123456789", "0123450000", "0123451111"


def password(account: str, cause: str, state: str = "issued", delivery: str | None = "delivered") -> Any:
    issued = delivery is not None
    return {"account_id": account, "cause": cause, "state": state, "issued": issued, "delivery": delivery}


def sms(text: str) -> dict[str, Any]:
    return {"to": PHONE, "text": text}


def password_sms(code: str, secret: str) -> dict[str, Any]:
    return sms(f"VssID: Tai khoan: {code} / Mat khau: {secret}")


def email(purpose: str, code: str = "", number: int = 1) -> dict[str, Any]:
    text = f"Tên đăng nhập: {code}." if code else "Kính gửi Ông/Bà"
    return {"to": EMAIL, "purpose": purpose, "message_id": f"<{purpose} {code} {number}>", "text": text}


def case(status: str = "verified", by_officer: bool = True, supplemented: bool = False) -> dict[str, Any]:
    return {"status": status, "by_officer": by_officer, "supplemented": supplemented}


class Town:
    """A mother who was asked for a supplement, her child, and her second registration; all went well."""

    def __init__(self) -> None:
        who = {"phone": PHONE, "email": EMAIL, "decision": "verified"}
        self.mother = Promise(MOTHER, "TK-1", MOTHERS, **who, passwords_changed=1)
        self.mother.supplements_asked = self.mother.supplements_sent = 1
        self.child = Promise(CHILD, "TK-2", CHILDS, **who, otp_requests=0, guardian=MOTHER)
        self.again = Promise(AGAIN, "TK-3", MOTHERS, **who)
        self.again.decision, self.again.new_devices = "reused", 1
        self.promises = [self.mother, self.child, self.again]
        self.found = Found(
            registrations={
                p.registration_id: {"status": "completed", "declaration_number": p.declaration_number}
                for p in self.promises
            },
            cases={MOTHER: case(supplemented=True), CHILD: case(), AGAIN: case(by_officer=False)},
            accounts=[
                {"id": "m", "code": MOTHERS, "phone": PHONE},
                {"id": "c", "code": CHILDS, "phone": PHONE},
            ],
            credentials={
                "m": [
                    password("m", MOTHER, "ended"),
                    password("m", "a session", "active", None),
                    password("m", AGAIN),
                ],
                "c": [password("c", CHILD)],
            },
            messages=[],
            sms=[
                sms("VssID: Ho so dang ky cua ban can bo sung."),
                password_sms(MOTHERS, "x"),
                password_sms(CHILDS, "y"),
                password_sms(MOTHERS, "z"),
            ],
            emails=[
                email("email_otp"),
                email("email_otp", number=2),
                email("supplement"),
                email("password_changed"),
                email("new_device"),
                email("instructions", MOTHERS),
                email("instructions", MOTHERS, 2),
                email("instructions", CHILDS),
            ],
            guardianships=[
                {"where": where, "account_id": "m", "code": CHILDS} for where in ("identity", "history")
            ],
        )

    def problems(self) -> list[str]:
        """The lists that are not empty."""
        report = judge(self.promises, set(), self.found)
        return [name for name in ("lost", "duplicates", "unasked") if getattr(report, name)]


@pytest.fixture
def town() -> Town:
    return Town()


def test_a_guardian_with_a_child_and_a_second_registration_is_clean(town):
    assert town.problems() == []


@pytest.mark.parametrize("number", range(4))
def test_each_sms_of_a_household_is_missed(town, number):
    del town.found.sms[number]

    assert town.problems() == ["lost"]


@pytest.mark.parametrize("number", range(8))
def test_each_e_mail_of_a_household_is_missed(town, number):
    del town.found.emails[number]

    assert town.problems() == ["lost"]


@pytest.mark.parametrize("number", range(4))
def test_each_sms_of_a_household_is_seen_when_it_comes_twice(town, number):
    town.found.sms.append(copy.copy(town.found.sms[number]))

    assert town.problems() == ["duplicates"]


@pytest.mark.parametrize("number", range(8))
def test_each_e_mail_of_a_household_is_seen_when_it_comes_twice_under_new_ids(town, number):
    town.found.emails.append({**town.found.emails[number], "message_id": "<another>"})

    assert town.problems() == ["duplicates"]


def test_a_childs_password_that_went_out_twice_does_not_stand_for_one_of_the_guardian_that_was_lost(town):
    town.found.sms[1] = password_sms(CHILDS, "w")

    assert town.problems() == ["lost", "duplicates"]


def test_of_each_registration_a_password_has_to_be_issued(town):
    town.found.credentials["m"].pop()

    assert "lost" in town.problems()


@pytest.mark.parametrize("where", ["identity", "history"])
def test_a_guardianship_that_one_service_does_not_know_is_lost(town, where):
    town.found.guardianships = [row for row in town.found.guardianships if row["where"] != where]

    assert town.problems() == ["lost"]


def test_a_guardianship_that_is_kept_twice_is_a_duplicate(town):
    town.found.guardianships.append(town.found.guardianships[1])

    assert town.problems() == ["duplicates"]


@pytest.mark.parametrize("where", ["identity", "history"])
@pytest.mark.parametrize(("guardian", "child"), [("a stranger", CHILDS), ("m", OTHERS)])
def test_a_stranger_as_guardian_and_another_child_are_unasked(town, where, guardian, child):
    town.found.guardianships.append({"where": where, "account_id": guardian, "code": child})

    assert town.problems() == ["unasked"]


def test_a_guardianship_before_the_officer_has_decided_is_unasked(town):
    town.child.decision = None
    town.found.registrations[CHILD]["status"] = "awaiting_visit"
    town.found.cases[CHILD] = case("waiting", by_officer=False)
    town.found.accounts.pop()
    del town.found.credentials["c"], town.found.sms[2], town.found.emails[7]

    assert town.problems() == ["unasked"]
    town.found.guardianships.clear()
    assert town.problems() == []


def test_a_childs_account_at_another_phone_is_not_the_one_that_was_promised(town):
    town.found.accounts[1]["phone"] = "+84987654321"

    assert town.problems() == ["lost"]


def test_another_account_with_the_phone_of_a_household_is_a_duplicate(town):
    town.found.accounts.append({"id": "o", "code": OTHERS, "phone": PHONE})

    assert town.problems() == ["duplicates"]


@pytest.mark.parametrize("number", range(2))
def test_a_second_account_of_anybody_in_a_household_is_a_duplicate(town, number):
    town.found.accounts.append({**town.found.accounts[number], "id": "twin"})

    assert "duplicates" in town.problems()


def test_who_is_no_child_of_the_guardian_may_not_have_the_phone(town):
    town.child.guardian = None

    assert "duplicates" in town.problems()


def test_a_childs_password_that_opens_its_guardians_account_is_unasked(town):
    town.found.credentials["m"].append(password("m", f"{CHILD} 1", "ended", "failed"))

    assert "unasked" in town.problems()


@pytest.mark.parametrize("cause", [MOTHER, f"{AGAIN} 1", "another session"])
def test_a_third_password_that_opens_an_account_is_a_duplicate(town, cause):
    state, delivery = ("active", None) if cause == "another session" else ("issued", "failed")
    town.found.credentials["m"].append(password("m", cause, state, delivery))

    assert town.problems() == ["duplicates"]


def test_the_password_of_a_second_registration_ends_when_it_is_changed(town):
    town.again.passwords_changed = 1
    town.found.emails.append(email("password_changed", number=2))
    assert town.problems() == ["duplicates"]

    town.found.credentials["m"][2]["state"] = "ended"
    assert town.problems() == []


def test_without_a_second_registration_no_password_may_wait_beside_the_one_in_use(town):
    town.again.decision = "verified"

    assert "duplicates" in town.problems()


def test_who_was_verified_before_and_was_sent_to_the_desk_again_is_seen(town):
    town.found.cases[AGAIN]["by_officer"] = True

    assert town.problems() == ["unasked"]


def test_who_was_verified_by_no_officer_is_seen(town):
    town.found.cases[CHILD]["by_officer"] = False

    assert town.problems() == ["unasked"]


@pytest.mark.parametrize("change", [{"decision": "rejected"}, {"phone": "+84987654321"}, {"email": "b@x.vn"}])
def test_a_second_registration_counts_only_after_a_first_one_with_the_same_contact(town, change):
    for name, value in change.items():
        setattr(town.mother, name, value)

    assert "unasked" in town.problems()


def test_a_second_verification_at_the_desk_is_a_duplicate(town):
    town.again.decision, town.found.cases[AGAIN]["by_officer"] = "verified", True

    assert "duplicates" in town.problems()


def test_a_supplement_that_is_not_at_the_desk_is_lost(town):
    town.found.cases[MOTHER]["supplemented"] = False

    assert town.problems() == ["lost"]


def test_until_the_supplement_is_sent_the_application_waits_for_it(town):
    asked = Promise(OTHERS, "TK-4", OTHERS, "+84900000000", "b@x.vn", supplements_asked=1)
    town.promises.append(asked)
    town.found.registrations[OTHERS] = {"status": "awaiting_visit", "declaration_number": "TK-4"}
    town.found.cases[OTHERS] = case("waiting", by_officer=False)
    town.found.sms.append({"to": asked.phone, "text": "can bo sung"})
    town.found.emails += [
        {**email(purpose, number=9), "to": asked.email} for purpose in ("email_otp", "supplement")
    ]
    assert town.problems() == ["lost"]

    town.found.registrations[OTHERS]["status"] = "supplement_requested"
    assert town.problems() == []


def test_as_many_sms_may_read_alike_as_there_was_to_tell(town):
    town.mother.supplements_asked = town.mother.supplements_sent = 2
    town.found.emails.append(email("supplement", number=2))
    assert town.problems() == ["lost"]

    town.found.sms.append(copy.copy(town.found.sms[0]))
    assert town.problems() == []


# ---- two guardians of one child ------------------------------------------------------------------

FATHER, SECOND = (f"0192f6a0-0000-7000-8000-00000000000{number}" for number in (5, 6))
FATHERS, HIS_PHONE, HIS_EMAIL = "0123452222", "+84987654321", "binh@example.org"


class Parents(Town):
    """Her child is also that of a father, whom an officer confirmed after her."""

    def __init__(self) -> None:
        super().__init__()
        who = {"phone": HIS_PHONE, "email": HIS_EMAIL, "decision": "verified"}
        self.father = Promise(FATHER, "TK-5", FATHERS, **who, step=2)
        self.second = Promise(SECOND, "TK-6", CHILDS, **who, otp_requests=0, guardian=FATHER, step=3)
        self.child.step = 1
        self.promises += [self.father, self.second]
        for promise in (self.father, self.second):
            self.found.registrations[promise.registration_id] = {
                "status": "completed",
                "declaration_number": promise.declaration_number,
            }
            self.found.cases[promise.registration_id] = case()
        self.found.accounts.append({"id": "f", "code": FATHERS, "phone": HIS_PHONE})
        self.found.credentials["f"] = [password("f", FATHER)]
        self.found.credentials["c"] = [
            password("c", CHILD, "ended"),
            password("c", "a session", "active", None),
            password("c", SECOND),
        ]
        self.found.sms += [
            {**password_sms(FATHERS, "f"), "to": HIS_PHONE},
            password_sms(CHILDS, "w"),
        ]
        self.found.emails += [
            {**email(*what, number=9), "to": HIS_EMAIL}
            for what in (("email_otp",), ("instructions", FATHERS))
        ]
        self.found.emails.append(email("instructions", CHILDS, 2))
        self.found.guardianships += [
            {"where": where, "account_id": "f", "code": CHILDS} for where in ("identity", "history")
        ]

    def end(self, promise: Promise) -> None:
        """The officer ends it, and whoever was the guardian is told."""
        promise.ended_step = 4
        account = "m" if promise is self.child else "f"
        kept = [row for row in self.found.guardianships if row["account_id"] != account]
        self.found.guardianships[:] = kept
        self.found.sms.append({"to": promise.phone, "text": "VssID: Quan he giam ho da ket thuc"})
        self.found.emails.append({**email("guardianship_ended", number=len(kept)), "to": promise.email})

    def move(self) -> None:
        """The child is reached at the father's, and nothing known before opens its account."""
        self.found.accounts[1]["phone"] = HIS_PHONE
        for row in self.found.credentials["c"]:
            row["state"] = "ended"
        self.found.credentials["c"].append(password("c", f"{SECOND} 1"))
        self.found.sms.append({**password_sms(CHILDS, "v"), "to": HIS_PHONE})
        self.found.emails.append({**email("instructions", CHILDS, 3), "to": HIS_EMAIL})


@pytest.fixture
def parents() -> Parents:
    return Parents()


def test_a_child_of_two_guardians_is_reached_at_the_first_ones_contact(parents):
    assert parents.problems() == []

    parents.found.accounts[1]["phone"] = HIS_PHONE
    assert parents.problems() == ["lost"]


def test_a_password_that_went_to_the_second_guardian_is_seen(parents):
    parents.found.sms[-1]["to"] = HIS_PHONE

    assert parents.problems() == ["lost", "unasked"]


@pytest.mark.parametrize("number", range(4))
def test_each_guardianship_of_a_child_is_missed_and_seen_when_it_is_kept_twice(parents, number):
    parents.found.guardianships.append(parents.found.guardianships[number])
    assert parents.problems() == ["duplicates"]

    parents.found.guardianships[:] = [
        row for row in parents.found.guardianships if row != parents.found.guardianships[number]
    ]
    assert parents.problems() == ["lost"]


def test_verified_twice_at_the_desk_with_the_same_guardian_is_a_duplicate(parents):
    parents.second.guardian = MOTHER

    assert "duplicates" in parents.problems()


def test_a_guardianship_that_is_ended_moves_the_child_to_the_other_guardian(parents):
    parents.end(parents.child)
    assert "lost" in parents.problems(), "the child is reached where it was"

    parents.move()
    assert parents.problems() == []


@pytest.mark.parametrize("where", ["identity", "history"])
def test_a_guardianship_that_was_ended_and_is_kept_is_unasked(parents, where):
    parents.end(parents.child)
    parents.move()
    parents.found.guardianships.append({"where": where, "account_id": "m", "code": CHILDS})

    assert parents.problems() == ["unasked"]


@pytest.mark.parametrize("kind", ["sms", "emails"])
def test_who_was_the_guardian_and_was_not_told_or_told_twice_is_seen(parents, kind):
    parents.end(parents.second)
    assert parents.problems() == []

    told = getattr(parents.found, kind)
    told.append({**told[-1], "message_id": "<another>"})
    assert parents.problems() == ["duplicates"]
    del told[-2:]
    assert parents.problems() == ["lost"]


def test_a_password_of_before_that_lives_on_after_the_move_is_a_duplicate(parents):
    parents.end(parents.child)
    parents.move()
    parents.found.credentials["c"][1]["state"] = "active"

    assert parents.problems() == ["duplicates"]


def test_a_child_without_a_guardian_has_no_contact_and_no_password(parents):
    for promise in (parents.second, parents.child):
        parents.end(promise)
    parents.child.ended_step = 5
    parents.found.accounts[1]["phone"] = ""
    assert parents.problems() == ["unasked"]

    for row in parents.found.credentials["c"]:
        row["state"] = "ended"
    assert parents.problems() == []
