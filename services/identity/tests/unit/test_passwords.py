"""First passwords and hashes."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import argon2
import pytest

from services.identity import passwords
from services.identity.passwords import Passwords
from services.identity.tests.unit import samples


class Counting:
    """Runs at once and counts."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self.runs += 1
        return function(*arguments)


def test_a_first_password_has_fifty_bits_and_no_sign_that_is_mistaken_for_another() -> None:
    assert passwords.FIRST_PASSWORD_LENGTH * math.log2(len(set(passwords.ALPHABET))) >= 50
    assert not set(passwords.ALPHABET) & set("0o1lOI")
    made = {passwords.generated() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(password) for password in made} == {passwords.FIRST_PASSWORD_LENGTH}
    assert set("".join(made)) == set(passwords.ALPHABET)


def test_hashes_are_argon2id_with_the_parameters_of_the_house() -> None:
    for hashed in (Passwords(Counting()).hashed("một mật khẩu"), passwords.NOBODYS_HASH):
        parameters = argon2.extract_parameters(hashed)
        assert parameters.type is argon2.Type.ID
        assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19_456, 2, 1)


def test_a_password_is_right_in_whatever_unicode_form_it_is_typed() -> None:
    hashing = Passwords(Counting())
    hashed = hashing.hashed(unicodedata.normalize("NFC", "Một con vịt xoè"))
    assert hashing.is_right(hashed, unicodedata.normalize("NFD", "Một con vịt xoè"))
    assert not hashing.is_right(hashed, "Mot con vit xoe")


def test_a_broken_hash_opens_nothing() -> None:
    assert not Passwords(Counting()).is_right("no hash at all", "anything")


@pytest.mark.parametrize("live", [0, 1, 2])
def test_a_failed_log_in_costs_the_same_however_many_credentials_there_are(live: int) -> None:
    run = Counting()
    hashed = Passwords(Counting()).hashed("right")
    credentials = [samples.issued(uuid4(), password_hash=hashed) for _ in range(live)]
    assert Passwords(run).find(credentials, "wrong") is None
    assert run.runs == passwords.HASHES_PER_FAILURE


@pytest.mark.parametrize("typed", [" abc2def3gh4", "abc2def3gh4\n", "abc2 def3\u00a0gh4"])
def test_a_first_password_is_taken_however_it_was_copied_and_an_own_one_as_it_was_chosen(typed: str) -> None:
    hashing = Passwords(Counting())
    account_id, hashed = uuid4(), hashing.hashed("abc2def3gh4")
    first = samples.issued(account_id, password_hash=hashed)
    assert hashing.find([first], typed) == first
    assert passwords.meant(first, typed) == "abc2def3gh4"
    assert hashing.find([samples.active(account_id, password_hash=hashed)], typed) is None


def test_the_credential_that_fits_is_found_among_two() -> None:
    hashing = Passwords(Counting())
    account_id = uuid4()
    first = samples.issued(account_id, password_hash=hashing.hashed("thefirst"))
    own = samples.active(account_id, password_hash=hashing.hashed("the own"))
    assert hashing.find([first, own], "the own") == own
    assert hashing.find([first, own], "thefirst") == first


def test_the_bundled_list_is_of_lower_case_words_that_the_length_alone_would_let_pass() -> None:
    words = passwords.common_passwords()
    assert len(words) > 3000  # OWASP ASVS 5.0, 6.2.4
    assert all(word == word.casefold() and len(word) >= 7 for word in words)
    assert {"12345678", "matkhau123", "#1stunna"} <= words


def test_a_hash_of_less_work_is_made_anew_and_no_other() -> None:
    before = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("một con vịt")
    hashing = Passwords(Counting())
    renewed = hashing.renewed(before, "một con vịt")
    assert renewed is not None
    assert hashing.is_right(renewed, "một con vịt")
    assert hashing.renewed(renewed, "một con vịt") is None
    more = argon2.PasswordHasher(time_cost=3, memory_cost=19_456, parallelism=1).hash("một con vịt")
    assert hashing.renewed(more, "một con vịt") is None
