"""Phones and e-mail addresses, and the code that goes to the latter."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.registration.contacts import email_address, phone_range_known
from services.registration.email_otp import keyed_hash, new_otp
from services.registration.refusals import EmailInvalid


@pytest.mark.proves("G8")
@pytest.mark.parametrize(
    "text",
    ["", "lan", "lan@", "lan@example", "a b@example.org", "lan@exa\nmple.org", None, 7, "lân@example.org"],
)
def test_what_is_no_email_address_is_refused_by_its_field(text: object) -> None:
    with pytest.raises(EmailInvalid) as refusal:
        email_address(text)
    assert [problem.field for problem in refusal.value.problems] == ["email"]


def test_an_email_address_is_kept_in_its_normal_form() -> None:
    assert email_address("  Lan@Example.ORG ") == "Lan@example.org"
    assert email_address("lan@thư.vn") == "lan@xn--th-e0a.vn"


def test_a_range_nobody_knows_is_only_a_hint() -> None:
    assert phone_range_known("+84912345678")
    assert not phone_range_known("+84500000000")


def test_codes_are_six_digits_and_differ() -> None:
    codes = {new_otp() for _ in range(50)}
    assert all(len(code) == 6 and code.isdigit() for code in codes)
    assert len(codes) > 40


def test_a_code_is_bound_to_registration_address_and_the_services_secret() -> None:
    hashes = {
        keyed_hash(secret, UUID(int=number), email, "123456")
        for secret in ("s", "t")
        for number in (1, 2)
        for email in ("lan@example.org", "mai@example.org")
    }
    assert len(hashes) == 8
    assert all("123456" not in kept for kept in hashes)
