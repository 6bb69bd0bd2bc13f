"""Each field of the declaration has its own refusal, which says what would be right."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration.declaration import DeclarationInvalid, declare, warnings_of
from services.registration.tests.examples import FORM, TODAY, Places, declared, form

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


def refused_fields(raw: object) -> dict[str, str]:
    with pytest.raises(DeclarationInvalid) as refusal:
        declare(raw, today=TODAY, places=Places())
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
    for province, commune in (("79", "00004"), ("01", "99999"), ("01", "001")):
        refused = refused_fields(form(address__province_code=province, address__commune_code=commune))
        assert list(refused) == ["address.commune_code"]


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
    assert set(warnings_of(declared(**changes), phone_range_known=True, places=Places())) == expected


def test_an_unknown_range_of_phones_only_warns() -> None:
    warnings = warnings_of(declared(), phone_range_known=False, places=Places())
    assert warnings == ("phone_range_unknown",)


# --- whatever a citizen types, of the right kind: kept in one form, and kept again as it is ---------

SPACES = st.text(" \t\u00a0", max_size=3)
DIGITS = st.text("0123456789", min_size=1, max_size=14)


def spread(text: str, gaps: list[str]) -> str:
    """``text`` with these gaps between its characters."""
    return "".join(c + gap for c, gap in zip(text, gaps + [""] * len(text), strict=False))


@given(st.from_regex(r"\d{10}|\d{12}", fullmatch=True, alphabet="0123456789"), st.lists(SPACES, max_size=12))
def test_a_code_has_10_or_12_digits_however_it_is_spaced(code: str, gaps: list[str]) -> None:
    kept = declared(code=spread(code, gaps))
    assert kept.code == code
    assert kept.numbers[0] == code
    assert set(kept.numbers) == {code, "001190123456"}


@given(DIGITS.filter(lambda text: len(text) not in (10, 12)) | st.text(max_size=14))
def test_any_other_code_is_refused(code: str) -> None:
    closed = "".join(code.split())
    if not (closed.isascii() and closed.isdigit() and len(closed) in (10, 12)):
        assert list(refused_fields(form(code=code))) == ["code"]


def test_a_code_and_a_personal_number_stand_for_one_citizen() -> None:
    cmnd = {"kind": "cmnd", "number": "123456789"}
    assert declared().numbers == ("0123456789", "001190123456")
    assert declared(document=cmnd).numbers == ("0123456789",)
    assert declared(document=cmnd, code="001190123456").numbers == ("001190123456",)
    assert declared(code="001190123456").numbers == ("001190123456",)
    assert [declared().asked_number, declared(document=cmnd).asked_number] == ["001190123456", "123456789"]


@given(
    st.sampled_from(["0", "84", "+84"]),
    st.sampled_from("35789"),
    st.text("0123456789", min_size=8, max_size=8),
    st.lists(st.sampled_from(["", " ", ".", "-"]), max_size=13),
)
def test_every_mobile_number_is_kept_in_e164_and_typed_again_is_the_same(
    prefix: str, network: str, rest: str, gaps: list[str]
) -> None:
    kept = declared(phone=spread(prefix + network + rest, gaps)).phone
    assert kept == f"+84{network}{rest}"
    assert declared(phone=kept).phone == kept


LETTERS = st.sampled_from("aăâbcdđeêghiklmnoôơpqrstuưvxyAĐ")
TONES = st.sampled_from(["", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323"])
SYLLABLES = st.lists(st.tuples(LETTERS, TONES).map("".join), min_size=2, max_size=6).map("".join)
NAMES = st.lists(SYLLABLES, min_size=2, max_size=5)


@given(NAMES, st.lists(SPACES.filter(bool), min_size=5, max_size=5), st.sampled_from(["NFC", "NFD"]))
def test_a_name_is_kept_composed_with_single_spaces(
    words: list[str], gaps: list[str], written: Literal["NFC", "NFD"]
) -> None:
    typed = unicodedata.normalize(written, "".join(w + gap for w, gap in zip(words, gaps, strict=False)))
    kept = declared(full_name=typed).full_name
    assert kept == unicodedata.normalize("NFC", " ".join(words))
    assert declared(full_name=kept).full_name == kept


@given(st.dates(date(1900, 1, 1), TODAY), st.sampled_from([("day", 10), ("month", 7), ("year", 4)]))
def test_every_day_of_the_past_is_a_birth_date_as_exact_as_it_is_known(
    day: date, precision: tuple[str, int]
) -> None:
    name, length = precision
    birth = declared(birth={"precision": name, "value": day.isoformat()[:length]}).birth
    assert (birth.year, birth.value) == (day.year, day.isoformat()[:length])


@given(
    st.integers(0, 9), st.integers(0, 99), st.sampled_from(["male", "female", None]), st.integers(1900, 2026)
)
def test_a_personal_number_warns_of_another_sex_or_year_and_of_nothing_else(
    century_and_sex: int, year: int, sex: str | None, born: int
) -> None:
    number = f"001{century_and_sex}{year:02}123456"
    kept = declared(document__number=number, sex=sex, birth={"precision": "year", "value": str(born)})
    warnings = set(warnings_of(kept, phone_range_known=True, places=Places()))
    told_year = 1900 + century_and_sex // 2 * 100 + year
    told_sex = "female" if century_and_sex % 2 else "male"
    assert ("document_number_disagrees_with_birth_year" in warnings) == (told_year != born)
    assert ("document_number_disagrees_with_sex" in warnings) == (sex not in (None, told_sex))
    assert len(warnings) == (told_year != born) + (sex not in (None, told_sex))
