"""Which passwords may be chosen, and what is said of those that may not."""

from __future__ import annotations

import unicodedata

import pytest

from services.identity.password_rules import OwnData, PasswordTooWeak, check_new_password, normalised
from services.identity.passwords import common_passwords
from services.identity.tests.unit import samples

PERSONAL_NUMBER = "001190000001"
OWN = OwnData.of(samples.account(), {"0123456789", PERSONAL_NUMBER})


def weakness(new: str, old: str | None = "the-old-one", own: OwnData | None = OWN) -> PasswordTooWeak | None:
    try:
        check_new_password(new, common=common_passwords(), old=old, own=own)
    except PasswordTooWeak as refused:
        return refused
    return None


def said(new: str, own: OwnData | None = OWN) -> str:
    """What the citizen reads in English; empty when the password is taken."""
    refused = weakness(new, own=own)
    return refused.problems[0].en if refused else ""


@pytest.mark.parametrize(
    "new",
    [
        "0123456789",
        "012 345 6789",
        "001190000001",
        "0912345678",
        "84912345678",
        "+84912345678",
        "0912.345.678",
        "Nguyễn Thị Thử",
        "nguyenthithu",
        "NGUYEN THI THU",
        "NguyenThiThu1990",
        "Thử Nguyễn 90!",
        "17051990",
        "17/05/1990",
        "1990-05-17",
        "thu17051990",
        "thu.1990!",
        "\uff10\uff19\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
    ],
)
def test_what_is_known_of_the_person_is_no_password_however_it_is_written(new: str) -> None:
    assert "Your code, phone, e-mail, name or birth date" in said(new)


@pytest.mark.parametrize("new", ["0987654329", "Trần Văn Khánh", "1975-02-28", "001190237459"])
def test_other_peoples_data_is_not_looked_for(new: str) -> None:
    assert said(new) == ""


@pytest.mark.parametrize(
    "new",
    [
        "aaaaaaaa",
        "abababab",
        "!!!!!!!!!!",
        "        1",
        "Password1",
        "PASSWORD1",
        "Mật khẩu 123",
        "12345678",
        "1Qaz2Wsx",
        "iloveyou1",
        "VssID 12345678",
        "VssID 0123456789",
        "Bảo hiểm xã hội",
        "BHXHVSSID",
    ],
)
def test_what_everybody_tries_first_is_no_password(new: str) -> None:
    assert "too easy to guess" in said(new)


@pytest.mark.parametrize(
    "new",
    [
        "một con vịt xoè ra",
        "Tr4-xanh-Th4i-Nguyen",
        "k7m2p9xw4qz",
        "chỉ chữ thường thôi",
        "lowercaseletters",
        "90273648152",
        "🦆🐟🐈🐕🐎🐄🐐🐖",
        "  spaces  at  both  ends  ",
        "pasted\u00a0from somewhere \u2026",
        "wxyz" * 32,
        "hội nghị thượng đỉnh",
    ],
)
def test_no_rule_of_composition_spaces_signs_and_anything_pasted_are_taken(new: str) -> None:
    assert said(new) == ""


@pytest.mark.parametrize("sign", ["\n", "\r\n", "\t", "\x00", "\x7f", "\u2028"])
@pytest.mark.parametrize("new", ["trời{}xanh-Mây", "{}trờixanh-Mây", "trờixanh-Mây{}"])
def test_what_a_field_of_one_line_can_never_give_again_is_named(new: str, sign: str) -> None:
    refused = weakness(new.format(sign))
    assert refused is not None
    (problem,) = refused.problems
    assert (problem.field, "line break" in problem.en) == ("new_password", True)


@pytest.mark.parametrize(("new", "told"), [("1234567", "at least 8"), ("x" * 129, "128 characters")])
def test_the_length_is_from_8_to_128_characters(new: str, told: str) -> None:
    assert told in said(new)
    assert said("vịt xoè!") == ""


def test_every_refusal_names_its_field_and_advises_in_both_languages() -> None:
    advice = set()
    for new in ("short12", "x" * 129, "the-old-one", "0123456789", "12345678"):
        refused = weakness(new)
        assert refused is not None
        (problem,) = refused.problems
        assert problem.field == "new_password"
        advice |= {problem.vi, problem.en}
    assert len(advice) == 10


def test_before_it_is_known_who_asks_the_general_rules_are_checked_alone() -> None:
    assert said("nguyenthithu1990", own=None) == ""
    assert said("12345678", own=None)


def test_the_same_password_typed_in_another_unicode_form_is_still_the_old_one() -> None:
    composed = unicodedata.normalize("NFC", "Một con vịt xoè")
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    assert weakness(composed, old=decomposed) is not None


def test_every_kind_of_space_is_a_space_and_nothing_else_is_changed() -> None:
    assert normalised("một\u00a0con\u3000vịt") == "một con vịt"
    assert normalised("Ａ ﬁ ²") == "Ａ ﬁ ²"
    assert normalised("  A\tb  ") == "  A\tb  "


def test_what_is_known_of_a_person_is_not_shown() -> None:
    assert "0123456789" not in repr(OWN)
