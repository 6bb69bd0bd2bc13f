"""Each field of the declaration has its own refusal, which says what would be right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration.declaration import DeclarationInvalid, declare, warnings_of
from services.registration.tests.examples import FORM, TODAY, declared, form

ALL_FIELDS = {
    "code",
    "full_name",
    "birth.precision",
    "birth.value",
    "document.kind",
    "document.number",
    "phone",
    "address.province_code",
    "address.commune_code",
    "address.street",
}


def refused_fields(raw: object, province_of_commune: str | None = "01") -> dict[str, str]:
    with pytest.raises(DeclarationInvalid) as refusal:
        declare(raw, today=TODAY, province_of_commune=province_of_commune)
    assert all(problem.vi and problem.en for problem in refusal.value.problems)
    return {problem.field: problem.en for problem in refusal.value.problems}


@pytest.mark.proves("G5")
def test_a_declaration_as_the_guide_asks_for_it_is_kept() -> None:
    kept = declared(
        phone="091 234.5678", full_name="  Nguyễn  Thị Thử Lan ", document__number="001 190 123 456"
    )
    assert kept == declared()
    assert (kept.phone, kept.personal_number) == ("+84912345678", "001190123456")


@pytest.mark.proves("G5")
@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("code", "012345678", "10 digits"),
        ("code", "01234567890", "12 digits"),
        ("code", "012345678٣", "10 digits"),
        ("code", 1234567890, "10 digits"),
        ("full_name", "N", "ID document"),
        ("full_name", "Lan 2", "no digits"),
        ("full_name", "-.-", "letters"),
        ("full_name", "x" * 101, "100"),
        ("birth__precision", "hour", "day, month, year"),
        ("birth__value", "17/05/1990", "yyyy-mm-dd"),
        ("birth__value", "1990-05", "yyyy-mm-dd"),
        ("birth__value", "1990-02-30", "exists"),
        ("birth__value", "1990-13-01", "exists"),
        ("birth__value", "2026-03-02", "today"),
        ("birth__value", "1899-12-31", "1900"),
        ("document__kind", "licence", "cccd, cmnd, passport"),
        ("document__number", "00119012345", "12 digits"),
        ("phone", "0212345678", "mobile"),
        ("phone", "091234567", "8 digits"),
        ("phone", "+1 912345678", "+84"),
        ("phone", "٠912345678", "mobile"),
        ("sex", "x", "male, female"),
        ("address__province_code", "1", "province"),
        ("address__street", "   ", "house number"),
        ("address__street", "a\0b", "house number"),
        ("address__district_name", "x" * 101, "former district"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name_with_what_would_be_right(
    field: str, value: Any, says: str
) -> None:
    refused = refused_fields(form(**{field: value}))
    assert list(refused) == [field.replace("__", ".")]
    assert says in refused[field.replace("__", ".")]


@pytest.mark.parametrize(
    ("kind", "number", "is_right"),
    [
        ("cccd", "001190123456", True),
        ("cccd", "123456789", False),
        ("cmnd", "123456789", True),
        ("cmnd", "1234567890", False),
        ("passport", "B1234567", True),
        ("passport", "b12345678", True),
        ("passport", "XK4390912", True),
        ("passport", "ABCDEFGH", False),
        ("passport", "A123456789", False),
    ],
)
def test_a_document_number_is_judged_by_the_kind_of_document(kind: str, number: str, is_right: bool) -> None:
    raw = form(document={"kind": kind, "number": number})
    if is_right:
        assert declared(document={"kind": kind, "number": number}).document.number == number.upper()
    else:
        assert list(refused_fields(raw)) == ["document.number"]


@pytest.mark.parametrize(
    ("precision", "value"), [("day", "1990-05-17"), ("month", "1990-05"), ("year", "1990")]
)
def test_a_birth_date_is_as_exact_as_it_is_known(precision: str, value: str) -> None:
    assert declared(birth={"precision": precision, "value": value}).birth.year == 1990


@pytest.mark.parametrize("phone", ["0912345678", "+84912345678", "84912345678", "+84 91-234-5678"])
def test_a_mobile_number_is_kept_in_one_form(phone: str) -> None:
    assert declared(phone=phone).phone == "+84912345678"


def test_a_personal_number_may_stand_for_the_code() -> None:
    kept = declared(code="001190123456", document={"kind": "passport", "number": "B1234567"})
    assert kept.personal_number == kept.code


def test_a_commune_of_another_province_is_refused() -> None:
    assert "address.commune_code" in refused_fields(FORM, province_of_commune="79")
    assert "address.commune_code" in refused_fields(FORM, province_of_commune=None)


def test_all_wrong_fields_are_told_at_once() -> None:
    assert set(refused_fields({})) == set(refused_fields(None)) == ALL_FIELDS


def test_two_spellings_of_the_same_letters_are_one_name() -> None:
    decomposed = "Nguyễn"
    assert declared(full_name=f"{decomposed} An").full_name == declared(full_name="Nguyễn An").full_name


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*FORM, "value", "number"]), inner),
    )
)
def test_whatever_is_sent_is_refused_field_by_field(raw: object) -> None:
    assert set(refused_fields(raw)) >= {"code", "phone"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"sex": None}, set()),
        ({"sex": "male"}, {"document_number_disagrees_with_sex"}),
        ({"birth__value": "1991-05-17"}, {"document_number_disagrees_with_birth_year"}),
        ({"birth__value": "2005-05-17", "document__number": "001305123456"}, set()),
        ({"code": "001190999999"}, {"code_disagrees_with_document_number"}),
        ({"document": {"kind": "cmnd", "number": "123456789"}, "sex": "male"}, set()),
    ],
)
def test_a_number_that_disagrees_with_sex_or_year_warns_and_blocks_nothing(
    changes: dict[str, Any], expected: set[str]
) -> None:
    assert set(warnings_of(declared(**changes), phone_range_known=True)) == expected


def test_an_unknown_range_of_phones_only_warns() -> None:
    assert warnings_of(declared(), phone_range_known=False) == ("phone_range_unknown",)
