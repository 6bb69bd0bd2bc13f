"""The rules, without anything else."""

from __future__ import annotations

import random
import unicodedata
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity import credentials, domain, refusals
from services.identity.domain import Outcome
from services.identity.tests.unit import samples

ACCOUNT = samples.account()


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Outcome.MATCHED, "matched"),
        (Outcome.MISMATCHED, "photos_needed"),
        (Outcome.NOT_FOUND, "photos_needed"),
        (Outcome.INVALID, "photos_needed"),
        (Outcome.UNAUTHORISED, "unavailable"),
        (Outcome.UNAVAILABLE, "unavailable"),
    ],
)
@pytest.mark.proves("G7")
def test_the_citizen_hears_no_more_than_matched_or_photos_needed(outcome: Outcome, told: str) -> None:
    assert outcome.told == told


def test_names_are_equal_whatever_the_case_the_spaces_and_the_place_of_the_tone() -> None:
    assert domain.same_name("Trần  THỊ Hòa", "trần thị hoà")
    assert not domain.same_name("Trần Thị Hòa", "Trần Thị Hoa")
    assert not domain.same_name("Trần Thị Hòa", "Trần Thị Hóa")


TONES = "\u0300\u0301\u0303\u0309\u0323"
SYLLABLES = st.tuples(
    st.sampled_from(["", "h", "th", "ngh", "đ"]),
    st.sampled_from(["oa", "uy", "iê", "ươ", "a", "oai"]),
    st.sampled_from(["", "n", "ng"]),
    st.sampled_from(["", *TONES]),
)


def written(syllables: list[tuple[str, str, str, str]], rng: random.Random) -> str:
    """A name with each tone over any one of its vowels, in any case, form and spacing."""
    words = []
    for before, vowels, after, tone in syllables:
        at = rng.randrange(1, len(vowels) + 1)
        word = before + vowels[:at] + tone + vowels[at:] + after
        words.append(rng.choice((word, word.upper(), word.title())))
    return unicodedata.normalize(rng.choice(("NFC", "NFD")), rng.choice((" ", "  ", "\u00a0")).join(words))


@given(st.lists(SYLLABLES, min_size=1, max_size=5), st.randoms())
def test_a_name_is_the_same_wherever_its_tones_are_written(syllables: Any, rng: random.Random) -> None:
    one, other = (written(syllables, rng) for _ in range(2))
    assert domain.same_name(one, other)


@given(st.lists(SYLLABLES, min_size=1, max_size=5), st.randoms(), st.data())
def test_another_tone_is_another_name(syllables: Any, rng: random.Random, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(syllables) - 1))
    *letters, tone = syllables[at]
    another = data.draw(st.sampled_from(["", *TONES]).filter(lambda t: t != tone))
    changed = [*syllables[:at], (*letters, another), *syllables[at + 1 :]]
    assert not domain.same_name(written(syllables, rng), written(changed, rng))


def test_searching_needs_no_vietnamese_marks() -> None:
    found_in = samples.case(applicant=samples.applicant(full_name="Đặng Thị Ước")).search_text
    assert domain.folded("dang THI  uoc") in found_in
    assert domain.folded("Đặng Thị") in found_in


@pytest.mark.parametrize("reason", ["", "too short", "x" * 501, "   a   b   c   "])
def test_a_rejection_without_a_real_reason_is_refused(reason: str) -> None:
    with pytest.raises(refusals.ReasonMissing):
        domain.reason_of_rejection(reason)


@given(st.text(min_size=10, max_size=500, alphabet=st.characters(categories=["L"])))
def test_a_reason_is_kept_as_it_was_written(reason: str) -> None:
    assert domain.reason_of_rejection(reason) == reason


def test_a_first_password_opens_only_the_change_of_password_and_only_in_time() -> None:
    first = samples.issued(ACCOUNT.id)
    assert first.valid_until is not None
    assert credentials.scope_of(first, samples.NOW) == "password_change"
    assert credentials.scope_of(first, first.valid_until - timedelta(seconds=1)) == "password_change"
    with pytest.raises(refusals.FirstPasswordExpired):
        credentials.scope_of(first, first.valid_until)


def test_a_password_of_ones_own_does_not_expire() -> None:
    assert credentials.scope_of(samples.active(ACCOUNT.id), samples.NOW + timedelta(days=5000)) == "citizen"


def test_the_number_of_a_cccd_stands_for_the_person_and_that_of_a_passport_does_not() -> None:
    assert samples.applicant().numbers == ("001190000001", "0123456789")
    assert samples.applicant(document_kind="passport", document_number="C1234567").numbers == ("0123456789",)


def test_nothing_that_is_shown_of_a_credential_holds_its_hash() -> None:
    assert "hash-of-it" not in repr(samples.issued(ACCOUNT.id, password_hash="hash-of-it"))
    assert "hash-of-it" not in repr(samples.staff(password_hash="hash-of-it"))
