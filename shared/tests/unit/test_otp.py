"""One-time codes: how they are made and kept."""

from __future__ import annotations

from uuid import UUID

from shared.otp import keyed_hash, new_otp


def test_codes_are_six_digits_and_differ() -> None:
    codes = {new_otp() for _ in range(50)}
    assert all(len(code) == 6 and code.isdigit() for code in codes)
    assert len(codes) > 40


def test_a_code_is_bound_to_its_purpose_to_what_it_is_good_for_and_to_the_services_secret() -> None:
    hashes = {
        keyed_hash(secret, purpose, (UUID(int=number), email), "123456")
        for secret in ("s", "t")
        for purpose in ("one", "another")
        for number in (1, 2)
        for email in ("lan@example.org", "mai@example.org")
    }
    assert len(hashes) == 16
    assert all("123456" not in kept for kept in hashes)


def test_a_code_counts_with_the_spaces_that_people_type() -> None:
    codes = ("123456", "123 456", " 123456\n", "123\u00a0456")
    assert len({keyed_hash("secret", "purpose", (), code) for code in codes}) == 1
