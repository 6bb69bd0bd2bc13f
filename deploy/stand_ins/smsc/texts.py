"""From the bytes of a short message to text: alphabets, and the place of a part in a long message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UDH_INDICATOR = 0x40  # in esm_class: the message begins with a user data header
GSM_7, ASCII, LATIN_1, UCS_2 = 0, 1, 3, 8  # data_coding

# GSM 03.38; one septet an octet, as SMPP carries it.
GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = dict(zip(b"\x0a\x14\x28\x29\x2f\x3c\x3d\x3e\x40\x65", "\f^{}\\[~]|€", strict=True))
ESCAPE = 0x1B

TAG_SAR_REF, TAG_SAR_TOTAL, TAG_SAR_NUMBER = 0x020C, 0x020E, 0x020F
TAG_MESSAGE_PAYLOAD = 0x0424


class Unreadable(Exception):
    """The bytes are no text in the alphabet they claim."""


@dataclass(frozen=True)
class Place:
    """Where a part belongs: ``number`` (from 1) of ``total``, under the sender's reference ``ref``."""

    ref: int = 0
    total: int = 1
    number: int = 1


def decode(octets: bytes, data_coding: int) -> str:
    """The text of a whole message. Raises ``Unreadable``, also for a coding that is no text."""
    try:
        if data_coding == GSM_7:
            return _decode_gsm(octets)
        return octets.decode({ASCII: "ascii", LATIN_1: "latin-1", UCS_2: "utf-16-be"}[data_coding])
    except (UnicodeDecodeError, LookupError) as error:
        raise Unreadable(f"data_coding {data_coding}") from error


def _decode_gsm(septets: bytes) -> str:
    text, escaped = [], False
    for septet in septets:
        if escaped:
            text.append(GSM_EXTENSION[septet])
        elif septet != ESCAPE:
            text.append(GSM_BASIC[septet])
        escaped = septet == ESCAPE and not escaped
    if escaped:
        raise Unreadable("ends within an escape")
    return "".join(text)


def place_by_header(octets: bytes) -> tuple[Place, bytes]:
    """Splits off the user data header (GSM 03.40 §9.2.3.24). Raises ``Unreadable`` when it is too long.

    Only concatenation, with 8 or 16 bits of reference, has a meaning here; other elements are passed over.
    """
    length = octets[0] + 1 if octets else 1
    header, content = octets[1:length], octets[length:]
    if len(octets) < length:
        raise Unreadable("header longer than the message")
    place = Place()
    while len(header) >= 2:
        element, size = header[0], header[1]
        value, header = header[2 : 2 + size], header[2 + size :]
        if len(value) == size and (element, size) in {(0x00, 3), (0x08, 4)}:
            place = _checked(int.from_bytes(value[:-2], "big"), value[-2], value[-1])
    return place, content


def place_by_tlvs(tlvs: Mapping[int, bytes]) -> Place:
    """The place that the three ``sar_*`` parameters tell; all three are needed (SMPP 3.4 §3.2.3)."""
    tags = (TAG_SAR_REF, TAG_SAR_TOTAL, TAG_SAR_NUMBER)
    if not all(tag in tlvs for tag in tags):
        return Place()
    return _checked(*(int.from_bytes(tlvs[tag], "big") for tag in tags))


def _checked(ref: int, total: int, number: int) -> Place:
    """A part outside its message is taken for a message of its own, as handsets do."""
    return Place(ref, total, number) if 1 <= number <= total else Place()
