"""Addresses of two levels, and of three as they were until June 2025."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration.address import Address, FormerAddress, conversion_disagrees, in_words
from services.registration.declaration import DeclarationInvalid, declare
from services.registration.storage import declaration_json, declaration_of
from services.registration.tests.examples import TODAY, UNITS, Places, declared, form

TRUC_BACH = {"province_code": "01", "district_code": "001", "commune_code": "00004"}
DIVIDED = {"province_code": "01", "district_code": "001", "commune_code": "00022"}
ISLAND = {"province_code": "77", "district_code": "755"}


def address(**sent: Any) -> Address:
    return declared(address={"street": "Số 1, phố Giả Định", **sent}).address


def refused(**sent: Any) -> dict[str, str]:
    with pytest.raises(DeclarationInvalid) as refusal:
        address(**sent)
    return {problem.field: problem.vi for problem in refusal.value.problems}


@pytest.mark.proves("G5")
def test_an_old_address_is_turned_into_the_new_one_where_its_commune_went_into_one() -> None:
    kept = address(former=TRUC_BACH)
    assert (kept.province_code, kept.commune_code) == ("01", "00004")
    assert kept.former == FormerAddress("01", "001", "00004")


@pytest.mark.proves("G5")
def test_of_a_commune_that_was_divided_the_citizen_chooses_and_is_told_between_which() -> None:
    told = refused(former=DIVIDED)
    assert list(told) == ["address.commune_code"]
    assert "Phường Ba Đình (00004), Phường Ngọc Hà (00008)" in told["address.commune_code"]
    kept = address(former=DIVIDED, commune_code="00008")
    assert (kept.province_code, kept.commune_code) == ("01", "00008")


def test_an_island_had_a_district_and_no_communes() -> None:
    assert address(former=ISLAND).commune_code == "26732"
    assert list(refused(former={**ISLAND, "commune_code": "00004"})) == ["address.former.commune_code"]


@pytest.mark.parametrize(
    ("former", "field"),
    [
        ({**TRUC_BACH, "province_code": "99"}, "province_code"),
        ({**TRUC_BACH, "province_code": "77"}, "district_code"),
        ({**TRUC_BACH, "district_code": "755"}, "district_code"),
        ({**TRUC_BACH, "commune_code": "26740"}, "commune_code"),
        ({**TRUC_BACH, "commune_code": None}, "commune_code"),
        ({**TRUC_BACH, "commune_code": 4}, "commune_code"),
    ],
)
def test_each_level_of_an_old_address_lies_within_the_one_above(former: dict[str, Any], field: str) -> None:
    assert f"address.former.{field}" in refused(former=former, province_code="01", commune_code="00004")


def test_a_new_commune_that_does_not_hold_the_old_ones_ground_is_kept_and_warned_of() -> None:
    kept = address(former=TRUC_BACH, province_code="01", commune_code="00008")
    assert kept.commune_code == "00008"
    assert conversion_disagrees(kept, Places())
    assert not conversion_disagrees(address(former=TRUC_BACH), Places())
    assert not conversion_disagrees(address(province_code="01", commune_code="00008"), Places())


def test_the_officer_reads_an_address_in_words() -> None:
    assert in_words(address(former=TRUC_BACH), Places(), TODAY) == {
        "text": "Số 1, phố Giả Định, Phường Ba Đình, Thành phố Hà Nội",
        "former_text": "Phường Trúc Bạch, Quận Ba Đình, Thành phố Hà Nội",
    }
    assert in_words(address(former=ISLAND), Places(), TODAY) == {
        "text": "Số 1, phố Giả Định, Đặc khu Côn Đảo, Thành phố Hồ Chí Minh",
        "former_text": "Huyện Côn Đảo, Tỉnh Bà Rịa - Vũng Tàu",
    }
    assert in_words(address(province_code="01", commune_code="00004"), Places(), TODAY)["former_text"] is None


def test_an_address_comes_back_out_of_what_an_event_told() -> None:
    kept = address(former=TRUC_BACH)
    assert Address.of(asdict(kept) | in_words(kept, Places(), TODAY) | {"unheard": 1}) == kept


CODES = st.sampled_from(sorted({unit.code for unit in UNITS} | {"99", "x", ""})) | st.none() | st.integers()
FORMERS = st.none() | st.fixed_dictionaries(
    {}, optional={"province_code": CODES, "district_code": CODES, "commune_code": CODES}
)


@given(CODES, CODES, FORMERS)
def test_what_is_kept_is_an_address_of_today_whatever_was_sent(
    province: object, commune: object, former: object
) -> None:
    """And sent again as it was kept, it is kept again; so it is after a stay in the database."""
    raw = form(address={"street": "1", "province_code": province, "commune_code": commune, "former": former})
    try:
        kept = declare(raw, today=TODAY, places=Places())
    except DeclarationInvalid:
        return
    unit = Places().administrative_unit(kept.address.commune_code, on=TODAY)
    assert unit is not None
    assert unit.parent == kept.address.province_code
    assert declared(address=asdict(kept.address)) == kept
    assert declaration_of(json.loads(json.dumps(declaration_json(kept)))) == kept
