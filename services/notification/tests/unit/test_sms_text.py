"""Texts become parts that a phone can put together again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.notification.sms_text import GSM, GSM_CODING, UCS2_CODING, UDHI, SmsParts, split

LETTERS = {encoded: letter for letter, encoded in GSM.items()}


def joined(parts: SmsParts) -> str:
    """What the phone shows."""
    bodies = [body[6:] if parts.esm_class == UDHI else body for body in parts.bodies]
    if parts.data_coding == UCS2_CODING:
        return "".join(body.decode("utf-16-be") for body in bodies)  # each part on its own
    shown, at = "", 0
    for body in bodies:
        at = 0
        while at < len(body):
            width = 2 if body[at] == 0x1B else 1
            shown += LETTERS[body[at : at + width]]
            at += width
    return shown


def test_160_plain_letters_are_one_part() -> None:
    assert len(split("a" * 160).bodies) == 1
    assert len(split("a" * 161).bodies) == 2
    assert split("a" * 160).data_coding == GSM_CODING


def test_70_vietnamese_letters_are_one_part() -> None:
    assert len(split("ệ" * 70).bodies) == 1
    assert len(split("ệ" * 71).bodies) == 2
    assert split("ệ").data_coding == UCS2_CODING


def test_what_gsm_lacks_goes_as_ucs2() -> None:
    assert split("`").data_coding == UCS2_CODING


def test_parts_carry_reference_count_and_number() -> None:
    parts = split("a" * 300, reference=0x1FF)
    assert [body[:6] for body in parts.bodies] == [bytes([5, 0, 3, 0xFF, 2, n]) for n in (1, 2)]


@given(st.text(alphabet=st.sampled_from([*sorted(GSM), "ệ", "😀", "Đ"]), max_size=600))
def test_a_text_arrives_as_it_was_written_and_no_part_is_too_long(text: str) -> None:
    parts = split(text)
    assert joined(parts) == text
    limit = 140 if parts.data_coding == UCS2_CODING else 160
    assert all(len(body) <= limit for body in parts.bodies)
