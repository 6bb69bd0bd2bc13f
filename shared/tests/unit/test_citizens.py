"""Synthetic citizens are plausible, consistent, and never met twice."""

from __future__ import annotations

import io
import json
import re
from datetime import date
from itertools import pairwise

import phonenumbers
import pytest
from email_validator import validate_email
from PIL import Image

from shared.testing.citizens import Citizen, birth_certificate_jpeg, generate, id_card_jpeg, portrait_jpeg

MANY = generate(2_000, seed=7)
MANY_SEEDS = [person for seed in range(50) for person in generate(40, seed=seed)]


def test_the_same_seed_gives_the_same_people_however_many() -> None:
    assert generate(5, seed=1)[:3] == generate(3, seed=1)
    assert generate(3, seed=1) != generate(3, seed=2)


@pytest.mark.parametrize("field", ["code", "personal_number", "phone", "email"])
@pytest.mark.parametrize("people", [MANY, MANY_SEEDS], ids=["one seed", "many seeds"])
def test_nobody_shares_a_code_number_phone_or_address(people: list[Citizen], field: str) -> None:
    assert len({getattr(person, field) for person in people}) == len(people)


def test_codes_and_numbers_have_their_forms() -> None:
    for person in MANY:
        assert re.fullmatch(r"\d{10}", person.code)
        assert re.fullmatch(r"\d{12}", person.personal_number)
        assert person.cmnd is None or re.fullmatch(r"\d{9}", person.cmnd)
        assert re.fullmatch(r"0[35789]\d{8}", person.phone)
    assert {person.cmnd is None for person in MANY} == {True, False}


def test_the_personal_number_tells_century_sex_and_year_of_birth() -> None:
    for person in MANY:
        century_and_sex, year = int(person.personal_number[3]), int(person.personal_number[4:6])
        assert 1900 + 100 * (century_and_sex // 2) + year == int(person.birth[:4])
        assert ("male", "female")[century_and_sex % 2] == person.sex
    assert {person.personal_number[3] for person in MANY} == {"0", "1", "2", "3"}


def test_phones_and_addresses_pass_the_libraries_that_the_services_use() -> None:
    for person in MANY[:200]:
        assert phonenumbers.is_valid_number(phonenumbers.parse(person.phone_e164))
        assert person.phone_e164 == "+84" + person.phone[1:]
        validate_email(person.email, check_deliverability=False)
        assert person.email.endswith("@example.org")


def test_names_have_diacritics_and_say_that_they_are_a_trial() -> None:
    assert all(" Thử " in person.full_name for person in MANY)
    assert len({person.full_name for person in MANY}) > 500


def test_birth_dates_of_all_three_precisions_occur_and_everybody_is_grown_up() -> None:
    assert {person.birth_precision for person in MANY} == {"day", "month", "year"}
    for person in MANY:
        assert 1951 <= int(person.birth[:4]) <= 2006
        if person.birth_precision == "day":
            date.fromisoformat(person.birth)


def test_people_live_in_the_given_places_only() -> None:
    places = [("48", "20194"), ("92", "31117")]
    found = {(person.province_code, person.commune_code) for person in generate(50, seed=3, places=places)}
    assert found == set(places)


def test_declaration_and_register_row_speak_of_the_same_person() -> None:
    for person in MANY[:100]:
        declared, known = person.declaration(), person.register_row()
        assert declared["document"] == {"kind": "cccd", "number": known["personalNumber"]}
        assert (declared["full_name"], declared["birth"]["value"]) == (known["fullName"], known["birthDate"])
        assert declared["code"] == known["code"]
        assert json.loads(json.dumps(declared)) == declared


def test_stretches_of_work_follow_each_other_and_end_in_the_past() -> None:
    for person in MANY:
        rows = person.participation_rows()
        months = [month for row in rows for month in (row["from_month"], row["to_month"])]
        assert rows
        assert months == sorted(months)
        assert all(re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month) and month <= "2025-12" for month in months)
        assert all(row["code"] == person.code and "BHXH" in row["funds"] for row in rows)
        assert all(before["to_month"] < after["from_month"] for before, after in pairwise(rows))


def test_photos_have_their_shapes_and_differ_between_people() -> None:
    one, other = MANY[:2]
    assert _size(portrait_jpeg(one)) == (400, 600)
    assert _size(id_card_jpeg(one, "front")) == _size(id_card_jpeg(one, "back")) == (856, 540)
    assert _size(birth_certificate_jpeg(one)) == (874, 1240)
    pictures = {picture for person in (one, other) for picture in _photos(person)}
    assert len(pictures) == 6
    assert portrait_jpeg(one) == portrait_jpeg(one)


def _photos(person: Citizen) -> list[bytes]:
    return [portrait_jpeg(person), id_card_jpeg(person, "front"), id_card_jpeg(person, "back")]


def _size(picture: bytes) -> tuple[int, int]:
    image = Image.open(io.BytesIO(picture))
    assert image.format == "JPEG"
    return image.size
