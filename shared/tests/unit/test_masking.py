"""Masking: found by key or by looks, and ids stay readable."""

from __future__ import annotations

import enum
import json
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.masking import LONGEST_TEXT, MASK, is_personal, masked_event, masked_text, safe

DIGITS = "0123456789"
AROUND = st.sampled_from(["", " ", "(", "'", "=", ":", "/", "=(", " phone ", ", số: ", "\n", " á ", ", "])
GLUED = st.sampled_from(["phone", "số", "x", "_", "T"])


def digits(least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(DIGITS, min_size=least, max_size=most)


def spaced(number: str, separator: str) -> str:
    return separator.join([number[:4], number[4:7], number[7:]])


PHONES = st.builds(
    lambda prefix, rest, separator: spaced(prefix + rest, separator),
    st.sampled_from(["0", "84", "+84", "0084"]),
    digits(9, 9),
    st.sampled_from(["", " ", ".", "-"]),
)
ID_NUMBERS = digits(9, 9) | digits(10, 10) | digits(12, 12) | digits(7, 8).map(lambda number: "C" + number)
EMAILS = st.from_regex(r"[a-z][a-z0-9._+-]{0,20}@[a-z]{1,10}\.(vn|com)", fullmatch=True)


@given(AROUND, PHONES | ID_NUMBERS | EMAILS, AROUND)
def test_what_looks_personal_is_masked_wherever_it_stands(before: str, personal: str, after: str) -> None:
    assert personal not in masked_text(f"{before}{personal}{after}")
    assert personal not in json.dumps(
        masked_event({"event": before + personal + after, "x": [{"y": personal}]})
    )
    assert personal not in str(masked_event({personal: 1}))


@given(GLUED, digits(9, 12), GLUED)
def test_a_number_glued_to_letters_is_masked_too(before: str, number: str, after: str) -> None:
    assert number not in masked_text(before + number + after)


@given(st.uuids(), st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", fullmatch=True))
def test_ids_of_things_and_traces_stay_readable(some_id: uuid.UUID, traceparent: str) -> None:
    text = f"case {some_id} trace {traceparent[3:35]} span {traceparent[36:52]}"
    assert masked_text(text) == text
    assert masked_text(f"[{some_id.hex}]") == f"[{some_id.hex}]"
    assert masked_event({"case_id": some_id})["case_id"] == str(some_id)


@given(st.text(max_size=200))
@example("0@0@0")
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert masked_text(masked_text(text)) == masked_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "took 1250 ms on 127.0.0.1:26624",
        "2026-11-22T10:59:37.752668+00:00",
        "queue registration.note_verified, 300 messages, status 503",
        "psycopg.errors.UniqueViolation",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert masked_text(text) == text


def test_a_password_in_an_address_is_masked() -> None:
    text = masked_text("lost amqp://vssid:s3cr:et@127.0.0.1:5672/v and redis://:pw@h:1/0")
    assert text == f"lost amqp://{MASK}127.0.0.1:5672/v and redis://{MASK}h:1/0"


PERSONAL = """
phone new_phone phone_number contactEmail e-mail.email full_name name code citizen_code personal_number
otp sealed_otp password old_password secret token access_token resume_token Authorization
document document.number documentNumber address birth to text payload
"""
FACTS = """
case_id document_id agency_code status_code listener method outcome reason document_kind otp_count
email_verified token_seconds took_ms event kind error attempt
"""


@pytest.mark.parametrize("key", PERSONAL.split())
def test_keys_of_personal_data_are_masked_whatever_the_value(key: str) -> None:
    assert is_personal(key)
    for value in ("Trần", 5, 1.5, ["Trần"], {"x": "Trần"}, b"x"):
        assert masked_event({key: value}) == {key: MASK}


@pytest.mark.parametrize("key", FACTS.split())
def test_keys_of_facts_are_kept(key: str) -> None:
    assert not is_personal(key)
    assert masked_event({key: 5}) == {key: 5}


def test_yes_no_and_nothing_say_nothing_about_a_person() -> None:
    assert masked_event({"phone": None, "password": True}) == {"phone": None, "password": True}


def test_a_harmless_key_does_not_save_a_personal_value() -> None:
    assert masked_event({"case_id": "0912345678"}) == {"case_id": MASK}
    assert masked_event({"reason": 84912345678, "other": Decimal("84912345678")}) == {
        "reason": MASK,
        "other": MASK,
    }
    assert masked_event({"size_bytes": 123456789})["size_bytes"] == 123456789


def test_personal_keys_are_found_at_any_depth() -> None:
    event = masked_event({"request_facts": {"items": [{"phone": "x", "kind": "k"}]}})
    assert event == {"request_facts": {"items": [{"phone": MASK, "kind": "k"}]}}


def test_a_structure_without_end_is_cut() -> None:
    endless: dict[str, object] = {}
    endless["again"] = endless
    assert "<dict>" in json.dumps(masked_event(endless))


def test_values_become_json_without_asking_unknown_objects() -> None:
    class Person:
        def __repr__(self) -> str:
            return "Trần"

    class Kind(enum.Enum):
        SMS = "sms"

    event = masked_event(
        {
            "at": datetime(2026, 1, 2, tzinfo=UTC),
            "day": date(2026, 1, 2),
            "who": Person(),
            "error": ValueError("Trần"),
            "kind": Kind.SMS,
            "raw": b"0912345678",
            "ratio": 0.5,
            "ids": {uuid.UUID(int=1)},
        }
    )
    assert json.loads(json.dumps(event)) == {
        "at": "2026-01-02 00:00:00+00:00",
        "day": "2026-01-02",
        "who": f"<{Person.__qualname__}>",
        "error": "ValueError",
        "kind": "sms",
        "raw": "<bytes>",
        "ratio": 0.5,
        "ids": ["00000000-0000-0000-0000-000000000001"],
    }


def test_long_text_is_cut_and_still_masked() -> None:
    text = masked_text("x" * (LONGEST_TEXT - 5) + " 0912345678 " + "y" * 100_000)
    assert len(text) == LONGEST_TEXT + 1
    assert "0912" not in text


def test_other_libraries_arguments_keep_their_format() -> None:
    arguments = tuple(safe(value) for value in (KeyError("Trần"), 5, "0912345678", 0.25))
    assert "{} {:d} {!r} {:.1f}".format(*arguments) == f"KeyError 5 '{MASK}' 0.2"
