"""Phones and e-mail addresses."""

from __future__ import annotations

import pytest

from services.registration.contacts import email_address, phone_range_known
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
