"""How a text becomes SMS parts: GSM-7 where every letter fits, else UCS-2, never cutting a letter in two.

3GPP TS 23.038 (alphabets) and 23.040 §9.2.3.24.1 (concatenation with an 8-bit reference).
"""

from __future__ import annotations

from dataclasses import dataclass

GSM_CODING = 0
UCS2_CODING = 8
UDHI = 0x40

SINGLE_GSM_CHARACTERS = 160
PART_GSM_CHARACTERS = 153
SINGLE_UCS2_BYTES = 140
PART_UCS2_BYTES = 134

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = {"\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E,
            "|": 0x40, "€": 0x65}  # fmt: skip
ESCAPE = 0x1B
GSM: dict[str, bytes] = {letter: bytes([at]) for at, letter in enumerate(BASIC) if at != ESCAPE} | {
    letter: bytes([ESCAPE, at]) for letter, at in EXTENDED.items()
}


@dataclass(frozen=True)
class SmsParts:
    """What goes into ``submit_sm``: one body per part, ready with its concatenation header."""

    data_coding: int
    esm_class: int
    bodies: tuple[bytes, ...]


def split(text: str, reference: int = 0) -> SmsParts:
    """The parts of ``text``; ``reference`` (0–255) ties the parts of one message together.
    Raises ``ValueError`` when it would take more than 255."""
    if all(letter in GSM for letter in text):
        coding, single, most = GSM_CODING, SINGLE_GSM_CHARACTERS, PART_GSM_CHARACTERS
        letters = [GSM[letter] for letter in text]
    else:
        coding, single, most = UCS2_CODING, SINGLE_UCS2_BYTES, PART_UCS2_BYTES
        letters = [letter.encode("utf-16-be") for letter in text]
    whole = b"".join(letters)
    if len(whole) <= single:
        return SmsParts(coding, 0, (whole,))
    chunks = [b""]
    for letter in letters:
        if len(chunks[-1]) + len(letter) > most:
            chunks.append(b"")
        chunks[-1] += letter
    if len(chunks) > 255:
        raise ValueError("the text is too long for an SMS")
    headers = [bytes([5, 0, 3, reference % 256, len(chunks), number]) for number in range(1, len(chunks) + 1)]
    return SmsParts(coding, UDHI, tuple(map(bytes.__add__, headers, chunks)))
